package report_test

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	diffs "github.com/google/go-cmp/cmp"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/report"
	"mailsetup/internal/hint"
)

func sample() report.Report {
	r := finding.Result{}
	add := func(f finding.Finding) {
		f.Why, f.Source = cmp.Or(f.Why, "it matters"), cmp.Or(f.Source, "RFC 5321 section 2.4")
		r.Findings = append(r.Findings, f)
	}
	add(finding.Finding{
		ID: "addr.ptr", Severity: finding.Problem, Subject: "192.0.2.10", Seen: "no PTR", Expected: "mail.lab.example",
		Why: "Gmail and others refuse mail from an address without a PTR (answer 5.7.25).", Source: "RFC 1912 section 2.1",
		Remedy: finding.Text("ask whoever gave you the address, in the panel of your provider, for this record:").Record("10.2.0.192.in-addr.arpa. PTR mail.lab.example."),
	})
	add(finding.Finding{ID: "addr.fcrdns", Severity: finding.Problem, Subject: "192.0.2.10", Seen: "no name to ask for", CausedBy: "addr.ptr"})
	for i := range 17 {
		d := fmt.Sprintf("d%02d.example", i)
		add(finding.Finding{
			ID: "spf.pass", Severity: finding.Problem, Domain: d, Subject: "192.0.2.10", Seen: "softfail by ~all", Expected: "pass", Fixable: true,
			Why: "Receivers that reject on SPF refuse the mail, and DMARC has DKIM alone to go by.", Source: "RFC 7208 section 8.5",
			Remedy: finding.Command("mailsetup init --yes"),
		})
	}
	add(finding.Finding{
		ID: "dkim.record", Severity: finding.Problem, Domain: "lab.example", Subject: "202611._domainkey.lab.example", Seen: "ns2.lab.example (192.0.2.53) has no such name",
		Expected: "the key record on each name server", Remedy: finding.Record("202611._domainkey.lab.example. 3600 IN TXT \"v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvxX4bD1xPZVwhAsyK6zTzmlw5eNlYbFhvyRPLPIzYlYQZ0Vt0u5M\""),
	})
	add(finding.Finding{ID: "spf.all", Severity: finding.Warning, Domain: "lab.example", Subject: "lab.example", Seen: "?all", Expected: "~all or -all", Why: "Neutral protects from nothing.", Remedy: finding.Record("lab.example. 3600 IN TXT \"v=spf1 mx ~all\"")})
	add(finding.Finding{ID: "bl.health", Severity: finding.Unknown, Subject: "bl.example.net", Seen: "the list answers neither of its test entries"})
	add(finding.Finding{ID: "mx.v6", Severity: finding.Note, Domain: "lab.example", Seen: "mail.lab.example has no AAAA"})
	add(finding.Finding{ID: "mx.v6", Severity: finding.Note, Domain: "shop.example", Seen: "mail.lab.example has no AAAA"})
	add(finding.Finding{ID: "sts.record", Severity: finding.Note, Domain: "lab.example", Seen: "none", Remedy: finding.Command("mailsetup check --explain sts.record")})
	add(finding.Finding{ID: "net.clock", Severity: finding.Warning, Subject: "clock", Seen: "70 s \x1b[31mslow", Ignored: "a laboratory"})
	for _, id := range []string{"host.fqdn", "host.forward", "addr.helo", "dns.same", "dns.delegation", "dns.cname", "mx.exists", "spf.one", "spf.syntax", "spf.prefix", "spf.lookups", "spf.voids", "spf.size", "spf.helo", "spf.include-dead", "live.units", "live.signed.smtp", "live.signed.sendmail", "dmarc.exists"} {
		add(finding.Finding{ID: id, Severity: finding.OK})
	}
	a := asked()
	a.Online = false
	a.Needs = map[string]finding.Need{"bl.ip": finding.Outside, "bl.domain": finding.Outside, "net.out25": finding.Outside}
	return report.New(r, a)
}

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares what was printed with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(file, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := diffs.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// leftOut changes with the catalogue.
var leftOut = regexp.MustCompile(`\n[0-9]+ checks left out \(needs --online: [0-9]+, does not apply: [0-9]+, never checked: [0-9]+\)\n`)

// On a terminal of 80 columns the worst comes first, each with what to type; nothing but
// records is wider, and nothing that others wrote moves the cursor.
func TestText(t *testing.T) {
	var b strings.Builder
	typed := hint.TypedAs([]string{"mailsetup", "check"}, false)
	if err := sample().WriteText(&b, report.TextOptions{Width: 80, Typed: typed}); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.txt", leftOut.ReplaceAllString(b.String(), "\nN checks left out (…)\n"))
	for l := range strings.Lines(b.String()) {
		if len(l) > 81 && !strings.Contains(l, " TXT ") || strings.ContainsAny(l, "\x1b\r") {
			t.Errorf("%q", l)
		}
	}
	b.Reset()
	_ = sample().WriteText(&b, report.TextOptions{Width: 80, Typed: typed, Notes: true})
	if want := "\nNotes\n  mx.v6             lab.example, shop.example: mail.lab.example has no AAAA\n  sts.record        lab.example: none\n                    mailsetup check --explain sts.record\n\n"; !strings.Contains(b.String(), want) {
		t.Errorf("no%s in\n%s", want, b.String())
	}
	b.Reset()
	_ = sample().WriteText(&b, report.TextOptions{Width: 80, Typed: typed})
	var coloured strings.Builder
	_ = sample().WriteText(&coloured, report.TextOptions{Width: 80, Typed: typed, Color: true})
	if plain := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(coloured.String(), ""); plain != b.String() || plain == coloured.String() {
		t.Errorf("in colour:\n%s", coloured.String())
	}
}

// A server on which all is right fits a screen.
func TestTextOfAHealthyServer(t *testing.T) {
	var r finding.Result
	for i, k := range finding.Catalogue() {
		severity := finding.OK
		if i%10 == 0 { // a server has a dozen
			severity = finding.Note
		}
		r.Findings = append(r.Findings, finding.Finding{ID: k.ID, Severity: severity, Seen: "it is so", Remedy: finding.Command("mailsetup check --explain all")})
	}
	var b strings.Builder
	if err := report.New(r, asked()).WriteText(&b, report.TextOptions{Width: 80}); err != nil {
		t.Fatal(err)
	}
	golden(t, "healthy.txt", b.String())
	if n := strings.Count(b.String(), "\n"); n > 40 {
		t.Errorf("%d lines", n)
	}
}

// Thousands of domains with the same faults are no longer to read than a few, and do not
// take long to write.
func TestTextOfManyDomains(t *testing.T) {
	var r finding.Result
	a := asked()
	a.Domains = nil
	for i := range 4_000 {
		d := fmt.Sprintf("d%05d.example", i)
		a.Domains = append(a.Domains, d)
		for _, id := range []string{"spf.pass", "dkim.record", "dmarc.exists", "mx.exists"} {
			r.Findings = append(r.Findings, finding.Finding{
				ID: id, Severity: finding.Problem, Domain: d, Subject: d, Seen: fmt.Sprintf("%d of it", i), Remedy: finding.Record(fmt.Sprintf("%s. TXT %d", d, i)),
			})
		}
	}
	begun := time.Now()
	var b strings.Builder
	all := report.New(r, a)
	all.Compare(report.Last{}, true)
	if err := errors.Join(all.WriteText(&b, report.TextOptions{Width: 80}), all.WriteNagios(io.Discard), all.WritePrometheus(io.Discard)); !errors.Is(err, report.NagiosCritical) {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\n"); n > 300 || !strings.Contains(b.String(), "3992 more of spf.pass") {
		t.Errorf("%d lines\n%.3000s", n, b.String())
	}
	if took := time.Since(begun); took > time.Minute { // a second, where each is looked at once
		t.Errorf("took %v", took)
	}
}

// A key does not break the layout; the data has it whole.
func TestLongWords(t *testing.T) {
	r := of(t, asked(), "problem dkim.record lab.example", "note spf.ptr lab.example")
	key := "p=" + strings.Repeat("A", 400)
	for i := range r.Findings {
		r.Findings[i].Seen, r.Findings[i].Expected = "v=DKIM1; "+key, "v=DKIM1; "+key
	}
	var b, data strings.Builder
	if err := r.WriteText(&b, report.TextOptions{Width: 80}); err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimSpace(l)); n > 80 || strings.Contains(l, "AAA") && !strings.Contains(l, "A…") {
			t.Errorf("%d columns: %s", n, l)
		}
	}
	if err := r.WriteJSON(&data); err != nil || strings.Count(data.String(), key) != 4 {
		t.Errorf("%d keys, %v", strings.Count(data.String(), key), err)
	}
}

// What several checks could not find out for the same reason is told once.
func TestTextOfWhatNoTimeWasLeftFor(t *testing.T) {
	var r finding.Result
	for _, id := range []string{"spf.one", "spf.prefix", "spf.syntax", "dmarc.exists", "dmarc.one"} {
		group, _, _ := strings.Cut(id, ".")
		r.Findings = append(r.Findings, finding.Finding{
			ID: id, Severity: finding.Unknown, Seen: "there was no time left to look at 2 domains: a.example, b.example",
			Remedy: finding.Command("mailsetup check --only %s", group, "a.example", "b.example"),
		})
	}
	a := asked()
	a.Selection.Only = []string{"spf", "dmarc"}
	var b strings.Builder
	if err := report.New(r, a).WriteText(&b, report.TextOptions{Width: 80}); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(b.String(), "\nCould not be found out\n")
	got, _, _ = strings.Cut(got, "left out")
	const want = `
  One SPF record                                                       [spf.one]
    Seen      there was no time left to look at 2 domains: a.example, b.example
    Why       Without an SPF record, or with two, receivers cannot tell your
              mail from forged mail, and big ones refuse it. See RFC 7208
              section 3.2.
    Same for  spf.prefix, spf.syntax
    Remedy
      sudo mailsetup check --only spf a.example b.example

  DMARC record                                                    [dmarc.exists]
    Seen      there was no time left to look at 2 domains: a.example, b.example
    Why       Google, Yahoo and Microsoft refuse mail of domains without DMARC
              from whoever sends them more than 5,000 messages a day. See RFC
              9989 section 4.10.
    Same for  dmarc.one
    Remedy
      sudo mailsetup check --only dmarc a.example b.example

0 problems, 0 warnings, 5 unknown, 0 notes, 0 ok
`
	if !strings.HasPrefix(got, want) {
		t.Errorf("%s\nwant %s", got, want)
	}
}
