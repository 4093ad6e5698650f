package ignore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/ignore"
)

var endOfJanuary = time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)

// parse reads the key ignore of a TOML text.
func parse(t *testing.T, text string) ([]ignore.Rule, error) {
	t.Helper()
	var file struct{ Ignore any }
	if _, err := toml.Decode(text, &file); err != nil {
		t.Fatal(err)
	}
	return ignore.Parse(file.Ignore)
}

func TestParse(t *testing.T) {
	want := []ignore.Rule{
		{ID: "spf.all", Reason: `the "list"`, Until: endOfJanuary},
		{ID: "dns", Subject: "ns2.lab.example", Reason: "it moves"},
	}
	const line = `ignore = [{id = "spf.all", reason = "the \"list\"", until = 2027-01-31}, {id = "dns", subject = "ns2.lab.example", reason = "it moves"}]`
	for _, text := range []string{
		line,
		"ignore = [\n  # known\n  {id = \" SPF.all\", reason = 'the \"list\"', until = 2027-01-31T12:00:00Z},\n  {id = \"dns\", subject = \"ns2.lab.example\", reason = \"it moves\"},\n]\n",
		"[[ignore]]\nid = \"spf.all\"\nreason = 'the \"list\"'\nuntil = \"2027-01-31\"\n[[ignore]]\nid = \"dns\"\nsubject = \"ns2.lab.example\"\nreason = \"it moves\"\n",
	} {
		got, err := parse(t, text)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: %v\n%s", text, err, d)
		}
	}
	if got := "ignore = " + ignore.Format(want); got != line {
		t.Errorf("written as %s", got)
	}
	if got, err := parse(t, ""); got != nil || err != nil {
		t.Errorf("nothing: %v, %v", got, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`ignore = "spf.all"`:                                    `is no list of tables; hint: write: ignore = [{id = "spf.all", reason = "why", until = 2027-01-31}]`,
		`ignore = ["spf.all"]`:                                  `has "spf.all", which is no table; hint: write: ignore = [{id = "spf.all", reason = "why", until = 2027-01-31}]`,
		`ignore = [{reason = "x"}]`:                             `has an entry without an id; hint: name what to ignore, as in id = "spf.all"; mailsetup check shows the IDs`,
		`ignore = [{id = "spf.all"}]`:                           `has no reason for spf.all; hint: say why, for those who read it later: reason = "text"`,
		`ignore = [{id = "spf.all", reason = "  "}]`:            `has no reason for spf.all; hint: say why, for those who read it later: reason = "text"`,
		`ignore = [{id = "spf all", reason = "x"}]`:             `has the id "spf all", which no finding can have; hint: mailsetup check shows the IDs, as in spf.all`,
		`ignore = [{id = "spf.*", reason = "x"}]`:               `has the id "spf.*", which no finding can have; hint: mailsetup check shows the IDs, as in spf.all`,
		`ignore = [{id = "spf.", reason = "x"}]`:                `has the id "spf.", which no finding can have; hint: mailsetup check shows the IDs, as in spf.all`,
		`ignore = [{id = "spf", reason = "x", why = 1}]`:        `has a key "why", which is not known; hint: an entry has id, subject, reason and until`,
		`ignore = [{id = 5, reason = "x"}]`:                     `has id = 5, which is no text in quotes; hint: write: ignore = [{id = "spf.all", reason = "why", until = 2027-01-31}]`,
		`ignore = [{id = "spf", reason = "x", until = "soon"}]`: `has until = "soon", which is no day; hint: write: until = 2027-01-31`,
		`ignore = [{id = "spf", reason = "x", until = 7}]`:      `has until = "7", which is no day; hint: write: until = 2027-01-31`,
		"ignore = [{id = \"spf\", reason = \"x\\ny\"}]":         `has a reason or a subject for spf of more than one line; hint: write one line of at most 200 octets`,
	} {
		got, err := parse(t, text)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	many := "ignore = [" + strings.Repeat(`{id = "spf", reason = "x"},`, 101) + "]"
	if _, err := parse(t, many); err == nil || !strings.HasPrefix(err.Error(), "has 101 entries, and 100 are read") {
		t.Errorf("101 entries: %v", err)
	}
}

func TestApply(t *testing.T) {
	rules := []ignore.Rule{
		{ID: "spf.all", Reason: "the list", Until: endOfJanuary},
		{ID: "dns", Subject: "NS2.lab.example", Reason: "it moves"},
	}
	for _, tt := range []struct {
		name          string
		f             finding.Finding
		now           time.Time
		ignored, seen string
	}{
		{"by its ID", finding.Finding{ID: "spf.all", Severity: finding.Warning, Seen: "?all"}, endOfJanuary.Add(23 * time.Hour), "the list", "?all"},
		{"its time is over", finding.Finding{ID: "spf.all", Severity: finding.Warning, Seen: "?all"}, endOfJanuary.Add(24 * time.Hour), "", "?all; ignored until 2027-01-31: the list"},
		{"right again", finding.Finding{ID: "spf.all", Severity: finding.OK, Seen: "~all"}, endOfJanuary.Add(24 * time.Hour), "", "~all"},
		{"another ID of the group", finding.Finding{ID: "spf.allow", Severity: finding.Warning}, endOfJanuary, "", ""},
		{"by its group", finding.Finding{ID: "dns.same", Subject: "ns2.lab.example", Severity: finding.Problem}, endOfJanuary, "it moves", ""},
		{"another subject", finding.Finding{ID: "dns.same", Subject: "ns1.lab.example", Severity: finding.Problem}, endOfJanuary, "", ""},
		{"right", finding.Finding{ID: "dns.same", Subject: "ns2.lab.example", Severity: finding.OK}, endOfJanuary, "", ""},
	} {
		ignore.Apply(rules, &tt.f, tt.now)
		if tt.f.Ignored != tt.ignored || tt.f.Seen != tt.seen {
			t.Errorf("%s: ignored %q, seen %q", tt.name, tt.f.Ignored, tt.f.Seen)
		}
	}
}
