package zonefile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/zonefile"
)

const wantFragment = `; Mail records of any.example
; Made by mailsetup. Do not edit: the next run writes it anew.

; Addresses of the mail server
mail.any.example. 3600 IN A    192.0.2.10
mail.any.example. 3600 IN AAAA 2001:db8::10

; MX: who receives mail
any.example. 3600 IN MX   10 mail.any.example.

; SPF: who may send mail
any.example.      3600 IN TXT  "v=spf1 mx ip4:192.0.2.10 ip6:2001:db8::10 ~all"
mail.any.example. 3600 IN TXT  "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all"

; DKIM: the public keys that signatures are checked with
202611._domainkey.any.example. 3600 IN TXT (
	"%s"
	"%s" )

; DMARC: what receivers should do with mail that fails, and tell whom
_dmarc.any.example. 3600 IN TXT (
	"v=DMARC1; p=none; rua=mailto:postmaster@any.example" )
`

func TestFragment(t *testing.T) {
	want := fmt.Sprintf(wantFragment, dkimValue()[:255], dkimValue()[255:])
	if got := string(zonefile.Fragment("any.example", mailRecords())); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFragmentDoesNotDependOnOrder(t *testing.T) {
	forward, backward := mailRecords(), mailRecords()
	slices.Reverse(backward)
	backward = append(backward, forward[0])
	a, b := zonefile.Fragment("x", forward), zonefile.Fragment("x", backward)
	if string(a) != string(b) {
		t.Errorf("other order or a repeated record:\n%s\nand\n%s", a, b)
	}
	if zonefile.Stamp(a) != zonefile.Stamp(b) {
		t.Error("stamps differ")
	}
}

func TestFragmentTitleStaysInItsComment(t *testing.T) {
	text := string(zonefile.Fragment("x\nevil.any.example. 1 IN A 192.0.2.66\r\n", nil))
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, ";") {
			t.Errorf("not a comment: %q", line)
		}
	}
}

func TestFragmentKeepsOneRecordPerValue(t *testing.T) {
	text := zonefile.Fragment("x", []state.Record{
		{Name: "a.any.example.", Type: "MX", TTL: 60, Value: "10 b.any.example.\nevil.any.example. 60 IN A 192.0.2.66"},
		{Name: "a.any.example.\nevil.any.example.", Type: "A", TTL: 60, Value: "192.0.2.1"},
	})
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "evil") {
			t.Errorf("a value became a record: %q", line)
		}
	}
}

func TestStamp(t *testing.T) {
	// printf abc | sha256sum
	if got := zonefile.Stamp([]byte("abc")); got != "ba7816bf" {
		t.Errorf("got %s", got)
	}
}

func TestRdata(t *testing.T) {
	for _, tt := range []struct{ typ, value, want string }{
		{"A", "192.0.2.1", "192.0.2.1"},
		{"MX", "10 mail.any.example.", "10 mail.any.example."},
		{"TXT", "", `""`},
		{"TXT", "v=DMARC1; p=none", `"v=DMARC1; p=none"`},
		{"TXT", `a "b" \c`, `"a \"b\" \\c"`},
		{"TXT", "tab\tnl\nß", `"tab\009nl\010\195\159"`},
		{"TXT", strings.Repeat("a", 255), `"` + strings.Repeat("a", 255) + `"`},
		{"TXT", strings.Repeat("a", 256), "(\n\t\"" + strings.Repeat("a", 255) + "\"\n\t\"a\" )"},
	} {
		if got := zonefile.Rdata(state.Record{Type: tt.typ, Value: tt.value}); got != tt.want {
			t.Errorf("%s %q: got %s, want %s", tt.typ, tt.value, got, tt.want)
		}
	}
}

func TestLines(t *testing.T) {
	got := zonefile.Lines(append(mailRecords(), state.Record{Name: "mail.abc.example.", Type: "A", Value: "192.0.2.11"}), origin)
	want := `name               type  priority  value
mail.abc.example.  A               192.0.2.11
mail               A               192.0.2.10
mail               AAAA            2001:db8::10
@                  MX    10        mail.any.example.
@                  TXT             v=spf1 mx ip4:192.0.2.10 ip6:2001:db8::10 ~all
mail               TXT             v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all
202611._domainkey  TXT             ` + dkimValue() + `
_dmarc             TXT             v=DMARC1; p=none; rua=mailto:postmaster@any.example
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestLinesWithoutMX(t *testing.T) {
	got := zonefile.Lines([]state.Record{{Name: "k._domainkey.any.example.", Type: "TXT", Value: "v=DKIM1"}}, origin)
	if want := "name          type  value\nk._domainkey  TXT   v=DKIM1\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNamedServesTheFragment(t *testing.T) {
	fragment := zonefile.Fragment("any.example", mailRecords())
	// An origin and a TTL that the fragment must not depend on, and a last line
	// without its end.
	zone := strings.TrimSuffix(plainZone, "\n") + "\n$ORIGIN sub.any.example.\n$TTL 5\nlast IN A 192.0.2.99"
	served, err := named(t, apply(t, edit(), zone), string(fragment))
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	got, err := zonefile.Parse([]byte(served), origin, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range append(mailRecords(), state.Record{Name: "last.sub.any.example.", Type: "A", TTL: 5, Value: "192.0.2.99"}) {
		if !slices.Contains(got, want) {
			t.Errorf("not served: %+v in\n%s", want, served)
		}
	}
}

func TestNamedJudgesStringsAsWeDo(t *testing.T) {
	zone := apply(t, edit(), plainZone)
	if _, err := named(t, zone, `x.any.example. 60 IN TXT "`+strings.Repeat("a", 256)+"\"\n"); err == nil {
		t.Error("256 octets in one string: named accepts it, our splitting proves nothing")
	}
	odd := make([]byte, 0, 256)
	for i := range 256 {
		odd = append(odd, byte(i))
	}
	records := []state.Record{
		{Name: "all.any.example.", Type: "TXT", TTL: 60, Value: string(odd)},
		{Name: "none.any.example.", Type: "TXT", TTL: 60, Value: ""},
		{Name: "long.any.example.", Type: "TXT", TTL: 60, Value: strings.Repeat(`"\;`, 700)},
	}
	served, err := named(t, zone, string(zonefile.Fragment("x", records)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := zonefile.Parse([]byte(served), origin, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range records {
		if !slices.Contains(got, want) {
			t.Errorf("not served as given: %s", want.Name)
		}
	}
}

func FuzzTXT(f *testing.F) {
	f.Add("v=DKIM1; p=QUJD")
	f.Add(strings.Repeat(`\"`, 300))
	f.Add("\x00\xff\n(;)\\065")
	f.Fuzz(func(t *testing.T, value string) {
		parts := zonefile.SplitTXT(value)
		for _, p := range parts {
			if len(p) > 255 {
				t.Errorf("string of %d octets", len(p))
			}
		}
		if len(parts) == 0 || strings.Join(parts, "") != value {
			t.Errorf("%q does not rejoin", value)
		}
		want := state.Record{Name: "x.any.example.", Type: "TXT", TTL: 60, Value: value}
		got, err := zonefile.Parse(zonefile.Fragment("x", []state.Record{want}), origin, nil)
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%q comes back as %+v, %v", value, got, err)
		}
	})
}

// Copies of wildcards come last, under a comment by which they are found again.
func TestFragmentWithCopies(t *testing.T) {
	copied := []state.Record{{Name: "shop.any.example.", Type: "MX", TTL: 60, Value: "10 mx.any.example."}, {Name: "*.shop.any.example.", Type: "A", TTL: 60, Value: "192.0.2.80"}}
	plain := string(zonefile.Fragment("any.example", mailRecords()))
	const copies = "*.shop.any.example. 60 IN A    192.0.2.80\nshop.any.example. 60 IN MX   10 mx.any.example.\n"
	text := zonefile.Fragment("any.example", mailRecords(), copied...)
	if want := plain + "\n; Copies of wildcard records of this zone, which no longer count for these names\n" + copies; string(text) != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if got := string(zonefile.Copies(text)); got != copies {
		t.Errorf("found again:\n%s", got)
	}
	if got := zonefile.Copies([]byte(plain)); got != nil {
		t.Errorf("without copies: %q", got)
	}
}
