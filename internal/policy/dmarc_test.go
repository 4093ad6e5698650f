package policy

import (
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dmarc"
	"github.com/google/go-cmp/cmp"
)

func TestParseDMARC(t *testing.T) {
	d, err := ParseDMARC("v=DMARC1;p=Reject ; fo=1; rua=mailto:a@lab.example, https://r.example/x!10m;aspf=s ;t=y; ")
	if err != nil {
		t.Fatal(err)
	}
	got := []string{d.Policy(), d.SubdomainPolicy(), d.Alignment("adkim"), d.Alignment("aspf"), strings.Join(d.URIs("rua"), " "), strings.Join(d.URIs("ruf"), " ")}
	want := []string{"reject", "reject", "relaxed", "strict", "mailto:a@lab.example https://r.example/x!10m", ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if d, err := ParseDMARC("v=DMARC1"); err != nil || d.Policy() != "none" {
		t.Errorf("a record without p: %q, %v", d.Policy(), err)
	}
}

func TestDMARCSyntax(t *testing.T) {
	for text, want := range map[string]string{
		"v=DMARC1; p none":            `"p none" is no tag`,
		"v=DMARC1; p=none; P=reject":  "the tag p is there twice",
		"v=dmarc1; p=none":            `it begins with "v=dmarc1" instead of v=DMARC1`,
		"p=none; v=DMARC1":            `it begins with "p=none" instead of v=DMARC1`,
		"v=DMARC1 p=none":             `it begins with "v=DMARC1 p=none" instead of v=DMARC1`,
		"v=DMARC1, p=none; sp=reject": `it begins with "v=DMARC1, p=none" instead of v=DMARC1`,
	} {
		if _, err := ParseDMARC(text); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestSetDMARC(t *testing.T) {
	for _, c := range []struct{ text, name, value, want string }{
		{"v=DMARC1; p=reject; fo=1", "p", "quarantine", "v=DMARC1; p=quarantine; fo=1"},
		{"v=DMARC1;fo=1;p = none ; np=reject", "p", "reject", "v=DMARC1;fo=1;p = reject ; np=reject"},
		{"v=DMARC1; rua=mailto:a@lab.example", "p", "none", "v=DMARC1; p=none; rua=mailto:a@lab.example"},
		{"v=DMARC1; p=none; fo=1", "sp", "reject", "v=DMARC1; p=none; sp=reject; fo=1"},
		{"v=DMARC1; p=none;", "rua", "mailto:a@lab.example", "v=DMARC1; p=none; rua=mailto:a@lab.example"},
		{"v=DMARC1; p=none; adkim=r", "adkim", "s", "v=DMARC1; p=none; adkim=s"},
		{"v=DMARC1; p=none; rua=", "rua", "mailto:a@lab.example", "v=DMARC1; p=none; rua=mailto:a@lab.example"},
	} {
		d, err := ParseDMARC(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Set(c.name, c.value).String(); got != c.want {
			t.Errorf("%s with %s=%s:\ngot  %s\nwant %s", c.text, c.name, c.value, got, c.want)
		}
	}
}

func TestIsDMARC(t *testing.T) {
	for text, want := range map[string]bool{
		"v=DMARC1; p=none": true, "v = DMARC1 ;p=none": true, "v=dmarc1": true, "v=spf1 -all": false, "DMARC1": false, "": false,
	} {
		if IsDMARC(text) != want {
			t.Errorf("%q: %v, want %v", text, !want, want)
		}
	}
}

// A changed record says what it was told, as another reader of DMARC sees it,
// and keeps all other tags.
func FuzzSetDMARC(f *testing.F) {
	for _, text := range []string{
		"v=DMARC1; p=none", "v=DMARC1;p=reject;sp=none;", "v = DMARC1 ; fo=1:d ; p= quarantine; rua=mailto:a@b.example!10m", "v=DMARC1",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDMARC(text)
		if err != nil {
			t.Skip()
		}
		set := d.Set("p", "reject").Set("sp", "none").Set("adkim", "s").Set("rua", "mailto:x@y.example")
		for _, tag := range d.tags {
			is, _ := set.Get(tag.name)
			if is != tag.value && !strings.Contains(" p sp adkim rua ", " "+tag.name+" ") {
				t.Errorf("%q becomes %q: %s was %q", text, set, tag.name, tag.value)
			}
		}
		for _, tag := range strings.Fields("aspf fo pct rf ri ruf") { // which the other reader may refuse
			set = set.drop(tag)
		}
		r, err := dmarc.Parse(strings.ToValidUTF8(set.String(), "?"))
		if err != nil {
			t.Fatalf("%q becomes %q: %v", text, set, err)
		}
		if r.Policy != "reject" || r.SubdomainPolicy != "none" || r.DKIMAlignment != "s" || len(r.ReportURIAggregate) != 1 {
			t.Errorf("%q becomes %q: %+v", text, set, r)
		}
	})
}

// drop renames a tag to one that nobody reads.
func (d DMARC) drop(name string) DMARC {
	if i := d.index(name); i >= 0 {
		t := d.tags[i]
		at := strings.LastIndex(d.text[:t.start], "=")
		d, _ = ParseDMARC(d.text[:at] + "-" + d.text[at:])
	}
	return d
}

// Which of two records is left does not depend on the order of the answer.
func TestMildestDMARC(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"v=DMARC1; p=reject", "v=DMARC1; p=none", "v=DMARC1; p=none"},
		{"v=DMARC1; p=none", "v=DMARC1; p=none; rua=mailto:a@lab.example", "v=DMARC1; p=none; rua=mailto:a@lab.example"},
		{"v=DMARC1; p=quarantine", "v=DMARC1; p=reject; rua=mailto:a@lab.example", "v=DMARC1; p=quarantine"},
		{"v=DMARC1; p none", "v=DMARC1; p=reject", "v=DMARC1; p=reject"},
		{"v=DMARC1; p=nothing", "v=DMARC1; p=reject", "v=DMARC1; p=reject"},
	} {
		for _, order := range [][]string{{c.a, c.b}, {c.b, c.a}} {
			if got := MildestDMARC(order); got != c.want {
				t.Errorf("%q: %s, want %s", order, got, c.want)
			}
		}
	}
}
