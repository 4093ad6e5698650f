package recordwatch_test

import (
	"strings"
	"testing"
	"time"

	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/spec"
)

// What is said of a record that is gone ends with the command that helps there:
// where it is published here, elsewhere, and where it was put back in vain.
func TestWhatIsSaidOfRecordsThatAreGone(t *testing.T) {
	now := time.Date(2026, 11, 10, 8, 0, 0, 0, time.UTC)
	later := now.Add(time.Hour)
	const key = "s1._domainkey.lab.example TXT"
	gone := map[string]keyring.Problem{key: {Since: now, Fault: "missing", Text: "missing at ns1", Gone: true}}
	two := map[string]keyring.Problem{key: gone[key], "lab.example MX": {Since: now, Fault: "missing", Text: "missing at ns1", Gone: true}}
	silent := map[string]keyring.Problem{"ns2": {Since: now.Add(-24 * time.Hour), Fault: "no answer", Text: "it does not answer", Remedy: "see that it runs"}}
	earlier := map[string]time.Time{key: now.Add(-48 * time.Hour)}
	const look = "hint: mailsetup dns --wait lab.example shows what each name server has"
	for name, c := range map[string]struct {
		dns    spec.DNSMode
		repair string
		r      recordwatch.Result
		want   []string
	}{
		"here, not to be put back": {spec.DNSBind, "no", recordwatch.Result{Watch: keyring.Watch{Problems: gone, Restored: earlier}}, []string{
			"lab.example: " + key + ": missing at ns1", "hint: mailsetup init --yes puts it back", look,
		}},
		"here, again": {spec.DNSBind, "", recordwatch.Result{Watch: keyring.Watch{Problems: gone, Restored: earlier}}, []string{
			"lab.example: " + key + ": missing at ns1",
			"hint: it was put back on 2026-11-08: find out what rewrites the zone file, and keep its $INCLUDE line there",
			"hint: mailsetup init --yes puts it back", look,
		}},
		"here, tried in vain before": {spec.DNSBind, "", recordwatch.Result{Watch: keyring.Watch{Problems: gone, Restored: map[string]time.Time{key: now}}}, []string{
			"lab.example: " + key + ": missing at ns1", "hint: mailsetup init --yes puts it back", look,
		}},
		"here, put back": {spec.DNSBind, "", recordwatch.Result{Restored: gone}, []string{
			"lab.example: gone from its zone, and put back: " + key,
			"hint: something rewrites the zone file; if it does so again within a week, you are only told",
		}},
		"here, in vain": {spec.DNSBind, "", recordwatch.Result{Watch: keyring.Watch{Problems: gone}, Failed: hint.New("look", "edited")}, []string{
			"lab.example: " + key + ": missing at ns1", "lab.example: not put back: edited", "hint: look",
		}},
		"by updates": {spec.DNSUpdate, "", recordwatch.Result{Watch: keyring.Watch{Problems: gone}}, []string{
			"lab.example: " + key + ": missing at ns1", "hint: mailsetup init --yes puts it back", look,
		}},
		"elsewhere": {spec.DNSManual, "", recordwatch.Result{Watch: keyring.Watch{Problems: gone}}, []string{
			"lab.example: " + key + ": missing at ns1", "hint: mailsetup dns lab.example prints what to publish", look,
		}},
		"two records": {spec.DNSUpdate, "", recordwatch.Result{Watch: keyring.Watch{Problems: two}}, []string{
			"lab.example: lab.example MX, " + key + ": missing at ns1", "hint: mailsetup init --yes puts it back", look,
		}},
		"a silent server": {spec.DNSBind, "", recordwatch.Result{Watch: keyring.Watch{Problems: silent}}, []string{
			"lab.example: ns2: it does not answer", "hint: see that it runs", look,
		}},
	} {
		d := spec.Domain{Name: "lab.example", Repair: c.repair}
		sp := spec.Spec{Host: spec.Host{DNS: c.dns}, Domains: []spec.Domain{d}}
		got := recordwatch.Lines(sp, d, c.r, later)
		if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
	check := keyring.LastCheck{Watch: keyring.Watch{Problems: gone}}
	for selector, want := range map[string]string{"s1": "missing at ns1", "s2": ""} {
		if got := recordwatch.KeyGone(check, "lab.example", selector); got != want {
			t.Errorf("%s: %q, want %q", selector, got, want)
		}
	}
}

// What may pass by itself is for people once it has lasted a day; problems of
// which the same is said are one.
func TestProblems(t *testing.T) {
	now := time.Date(2026, 11, 10, 8, 0, 0, 0, time.UTC)
	list := recordwatch.Problems("lab.example", map[string]keyring.Problem{
		"ns2":             {Since: now.Add(-time.Hour), Fault: "no answer", Text: "it does not answer"},
		"ns3":             {Since: now.Add(-24 * time.Hour), Fault: "no answer", Text: "it does not answer"},
		"lab.example MX":  {Since: now, Fault: "missing", Text: "missing", Gone: true},
		"lab.example TXT": {Since: now, Fault: "missing", Text: "missing", Gone: true},
	}, now)
	if len(list) != 3 || list[0].About != "lab.example MX" || !list[0].Gone || list[2].About != "ns3" || list[2].Domain != "lab.example" {
		t.Errorf("%+v", list)
	}
	groups := recordwatch.Group(list, func(p recordwatch.Problem) string { return p.Found })
	if len(groups) != 2 || groups[0].About != "lab.example MX, lab.example TXT" || list[0].About != "lab.example MX" {
		t.Errorf("%+v", groups)
	}
}
