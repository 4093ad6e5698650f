package page_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/page"
	"mailsetup/internal/check/report"
	"mailsetup/internal/hint"
)

var now = time.Date(2026, 11, 30, 7, 30, 0, 0, time.UTC)

func day(month time.Month, d int) time.Time { return time.Date(2026, month, d, 0, 0, 0, 0, time.UTC) }

// example is a report with all that a page may have: every severity, pictures, long
// names and records.
func example() report.Report {
	record := `202611._domainkey.lab.example. 3600 IN TXT "v=DKIM1; k=rsa; p=` + strings.Repeat("MIIBIjANBgkqhkiG9w0BAQEF", 12) + `"`
	return report.New(finding.Result{
		Findings: []finding.Finding{
			{
				ID: "addr.ptr", Severity: finding.Problem, Subject: "192.0.2.10", Seen: "no PTR", Expected: "mail.lab.example",
				Why:    "Gmail and others refuse mail from an address without a PTR (answer 5.7.25).",
				Remedy: finding.Text("ask whoever gave you the address, in the panel of your provider, for this record:").Record("10.2.0.192.in-addr.arpa. PTR mail.lab.example."), Source: "RFC 1912 section 2.1",
			},
			{ID: "addr.fcrdns", Severity: finding.Problem, Subject: "192.0.2.10", Seen: "no name to ask for", CausedBy: "addr.ptr"},
			{
				ID: "dkim.record", Severity: finding.Problem, Domain: "lab.example", Subject: "202611._domainkey.lab.example",
				Seen: "ns2.lab.example (192.0.2.53) has no such name", Expected: "the key record on each name server", Remedy: finding.Record(record),
			},
			{ID: "spf.all", Severity: finding.Warning, Domain: "lab.example", Seen: "?all", Expected: "~all or -all", Remedy: finding.Command("mailsetup init --yes")},
			{ID: "bl.health", Severity: finding.Unknown, Subject: "bl.example.net", Seen: "the list answers neither of its test entries"},
			{ID: "mx.v6", Severity: finding.Note, Domain: "lab.example", Seen: "mail.lab.example has no AAAA"},
			{ID: "net.clock", Severity: finding.Warning, Subject: "clock", Seen: "70 s late", Ignored: "a laboratory"},
			{ID: "host.fqdn", Severity: finding.OK, Seen: "mail.lab.example"},
			{ID: "dmarc.exists", Severity: finding.OK, Domain: "lab.example"},
		},
		Messages: []finding.Message{
			{Domain: "lab.example", Way: "sendmail", Stations: []finding.Station{
				{Name: "sendmail(1)", Severity: finding.OK, Text: "taken by pickup"},
				{Name: "OpenDKIM", Severity: finding.OK, Text: "signed, d=lab.example s=202611"},
				{Name: "transport smtp", Severity: finding.Warning, Text: "to [smtp-out.provider.example]:587, without TLS"},
				{Name: "sink", Severity: finding.Problem, Text: "the signature does not verify: the body was changed after it was signed"},
			}},
			{Domain: "lab.example", Way: "bounce", Stations: []finding.Station{
				{Name: "cleanup(8)", Severity: finding.OK},
				{Name: "OpenDKIM", Severity: finding.Unknown, Text: "no answer within 5s"},
				{Name: "sink", Severity: finding.Note, Text: "not looked at"},
			}},
			{Domain: "lab.example", Way: "submission", Stations: []finding.Station{{Name: "submission/inet", Severity: finding.OK, Text: "signed"}}},
		},
		SPF: []finding.SPFTree{{Domain: "lab.example", SPFNode: finding.SPFNode{
			Name: "lab.example", Lookups: 6, Record: "v=spf1 ip4:192.0.2.10 mx include:_spf.google.com include:spf.gone.example -all",
			Children: []finding.SPFNode{
				{Name: "_spf.google.com", Term: "include:_spf.google.com", Lookups: 4, Children: []finding.SPFNode{
					{Name: "_netblocks.google.com", Term: "include:_netblocks.google.com", Lookups: 1},
					{Name: "a", Term: "include:a.very.long.name.of.a.provider.that.nobody.can.read.without.breaking.it.example", Lookups: 1},
				}},
				{Name: "spf.gone.example", Term: "include:spf.gone.example", Lookups: 1, Problem: "no SPF record there"},
			},
		}}},
		Keys: []finding.KeyLife{
			{Domain: "lab.example", Selector: "202511", Bits: 2048, Stage: "draining", Made: day(1, 3), Active: day(1, 5), Retired: day(11, 20), Next: now.AddDate(0, 0, 4)},
			{Domain: "lab.example", Selector: "202611", Bits: 2048, Stage: "active", Made: day(11, 2), Active: day(11, 20), Next: now.AddDate(0, 6, 0)},
			{Domain: "lab.example", Selector: "202705", Bits: 2048, Stage: "published", Made: day(11, 28)},
		},
	}, report.Asked{Server: "mail.lab.example", Time: now, Domains: []string{"lab.example"}, EveryDomain: true})
}

func html(t *testing.T, r report.Report) string {
	t.Helper()
	text, err := page.HTML(r, page.Options{Version: "1.0", Typed: hint.TypedAs([]string{"mailsetup", "check"}, false)})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWhatIsOnThePage(t *testing.T) {
	text := html(t, example())
	at := 0
	for _, want := range []string{
		"<title>Mail of mail.lab.example: 2 problems keep mail from arriving</title>",
		`<header class="problem">`, "2 problems, 1 warning, 1 unknown, 1 note, 2 good, 1 ignored", `aria-label="Score `,
		"What keeps mail from arriving", "PTR of each address <code>addr.ptr</code>", "<dd>192.0.2.10: no PTR</dd>",
		"<dd>addr.fcrdns: no name to ask for</dd>", "<code>10.2.0.192.in-addr.arpa. PTR mail.lab.example.</code>",
		"<dd>RFC 1912 section 2.1</dd>", "What may become a problem", "<code>sudo mailsetup init --yes</code>", "What could not be found out",
		"The way of a message", "<title id=\"way1t\">Mail of programs on the server</title>", "OpenDKIM (good): signed, d=lab.example s=202611",
		"<p>6 of 10 look-ups</p>", "include:_spf.google.com: 4 look-ups", "<code>v=spf1 ip4:192.0.2.10",
		"Key 202511, draining, 2048 bits, made 2026-01-03, signed from 2026-01-05, signed until 2026-11-20, next step 2026-12-04",
		"What is right", "HELO name of this server", "Worth knowing", "The score", "Ignored, as the administrator said", "a laboratory", "Made by mailsetup 1.0.",
	} {
		i := strings.Index(text[at:], want)
		if i < 0 {
			t.Fatalf("no %q after %.200s\n%s", want, text[at:], text)
		}
		at += i
	}
}

func TestTheVerdict(t *testing.T) {
	for verdict, severities := range map[string][]finding.Severity{
		"1 problem keeps mail from arriving":               {finding.Problem, finding.OK, finding.Warning},
		"Mail arrives, and 1 thing needs care":             {finding.Warning, finding.OK, finding.Unknown},
		"Nothing is wrong, and not all could be found out": {finding.Unknown, finding.OK},
		"Nothing is wrong":                                 {finding.OK, finding.Note},
		"Nothing could be found out":                       {finding.Unknown},
	} {
		var r finding.Result
		for i, s := range severities {
			r.Findings = append(r.Findings, finding.Finding{ID: "spf.pass", Severity: s, Subject: fmt.Sprint(i)})
		}
		if text := html(t, report.New(r, report.Asked{Server: "a.example"})); !strings.Contains(text, "<title>Mail of a.example: "+verdict+"</title>") {
			t.Errorf("no %q in\n%.900s", verdict, text)
		}
	}
}

// hostile is a report in which all texts are of somebody who means harm.
func hostile() report.Report {
	const evil = "\"'><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>{{.}}\x1b[31m\u202e</style></title>javascript:alert(3)&lt;"
	f := finding.Finding{
		ID: evil, Severity: finding.Problem, Domain: evil, Subject: evil, Seen: evil, Expected: evil, Why: evil, Remedy: finding.Text(evil).Command("mailsetup check %s", evil).Record(evil), Source: evil,
	}
	warning, ignored := f, f
	warning.Severity, warning.ID = finding.Warning, "spf.all"
	ignored.Subject, ignored.Ignored = "other", evil
	node := finding.SPFNode{Name: evil, Term: evil, Record: evil, Problem: evil}
	node.Children = []finding.SPFNode{node}
	return report.New(finding.Result{
		Findings: []finding.Finding{f, warning, ignored, {ID: "spf.one", Severity: finding.Problem, CausedBy: evil, Seen: evil}},
		Messages: []finding.Message{{Domain: evil, Way: evil, Stations: []finding.Station{{Name: evil, Severity: evil, Text: evil}, {Name: evil}}}},
		SPF:      []finding.SPFTree{{Domain: evil, SPFNode: node}},
		Keys:     []finding.KeyLife{{Domain: evil, Selector: evil, Stage: evil, Made: now.AddDate(0, -1, 0)}},
	}, report.Asked{Server: evil, Domains: []string{evil}, Time: now})
}

// Whatever others wrote, the page has no markup, link, style or script of theirs, and
// shows what a browser would obey.
func TestHostileTexts(t *testing.T) {
	text := html(t, hostile())
	benign := html(t, example())
	for _, tag := range []string{"<script", "<img", "<a ", "<link", "<iframe", "onerror=alert(2)>", " href=", "url(", "@import", "\x1b", "\u202e"} {
		if strings.Contains(text, tag) || strings.Contains(benign, tag) {
			t.Errorf("the page has %q", tag)
		}
	}
	for _, end := range []string{"</style>", "</title></head>", "<style>"} {
		if strings.Count(text, end) != strings.Count(benign, end) {
			t.Errorf("%s stands there %d times", end, strings.Count(text, end))
		}
	}
}

// A report of ten thousand domains is still a page that a browser opens.
func TestAPageOfManyDomains(t *testing.T) {
	var r finding.Result
	domains := make([]string, 10_000)
	deep := finding.SPFNode{Name: "x.example", Lookups: 1}
	for range 200 {
		deep = finding.SPFNode{Name: "x.example", Lookups: 1, Children: []finding.SPFNode{deep, deep}[:1]}
	}
	for i := range domains {
		d := fmt.Sprintf("d%d.example", i)
		domains[i] = d
		r.Findings = append(r.Findings, finding.Finding{ID: "spf.pass", Severity: finding.Problem, Domain: d, Seen: fmt.Sprint("no ", i), Remedy: finding.Text(fmt.Sprint("do ", i))})
		r.SPF = append(r.SPF, finding.SPFTree{Domain: d, SPFNode: deep})
		r.Keys = append(r.Keys, finding.KeyLife{Domain: d, Selector: "s", Stage: "active", Made: now, Active: now})
		r.Messages = append(r.Messages, finding.Message{Domain: d, Way: "smtp", Stations: make([]finding.Station, 100)})
	}
	if n := len(html(t, report.New(r, report.Asked{Server: "mail.lab.example", Domains: domains, Time: now}))); n > 2<<20 {
		t.Errorf("the page has %d bytes", n)
	}
}

func TestSave(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "check.html")
	save := func() error {
		if err := page.CheckFile(name); err != nil {
			return err
		}
		return page.Save(name, example(), page.Options{})
	}
	if err := save(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	fi, _ := os.Stat(name)
	if err != nil || !strings.HasPrefix(string(text), "<!DOCTYPE html>") || !strings.HasSuffix(string(text), "</html>\n") || fi.Mode() != 0o644 {
		t.Errorf("%v %v %.100s", err, fi.Mode(), text)
	}
	if err = os.Chmod(name, 0o600); err == nil {
		err = save()
	}
	if fi, _ = os.Stat(name); err != nil || fi.Mode() != 0o600 {
		t.Errorf("an earlier page: %v, %v", fi.Mode(), err)
	}
	if err = os.Truncate(name, 0); err == nil {
		err = save()
	}
	if err != nil {
		t.Errorf("an empty file, as mktemp(1) makes it: %v", err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("left: %v", names)
	}
}

// What is not an earlier page is left alone, before anything is looked at.
func TestFilesThatAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"index.html": "<!DOCTYPE html>\n<title>shop</title>", "key.pem": "secret"} {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(at("new.html"), at("link.html")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		at("index.html"): "mailsetup did not write that file, and leaves it alone", at("key.pem"): "mailsetup did not write that file, and leaves it alone",
		at("link.html"): "not a regular file", dir: "not a regular file", at("none/check.html"): "there is no such directory", "": "no file", "-": "no file",
	} {
		err := page.CheckFile(name)
		if err == nil || !strings.HasSuffix(err.Error(), want) || !hint.IsUsage(err) || len(hint.Of(err)) != 1 {
			t.Errorf("%s: %v", name, err)
		}
		if name == "" || name == "-" {
			continue
		}
		if err := page.Save(name, example(), page.Options{}); err == nil {
			t.Errorf("%s is overwritten", name)
		}
	}
	if text, _ := os.ReadFile(at("key.pem")); string(text) != "secret" {
		t.Errorf("%s", text)
	}
}
