package report_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/report"
)

var now = time.Date(2026, 11, 30, 7, 30, 0, 0, time.UTC)

// asked is a run on a server with two domains.
func asked() report.Asked {
	return report.Asked{Server: "mail.lab.example", Time: now, Domains: []string{"lab.example", "shop.example"}, EveryDomain: true, Online: true}
}

// of makes a report of findings: "severity id domain subject", with a cause after "<-" and
// a reason to ignore after "#".
func of(t *testing.T, a report.Asked, lines ...string) report.Report {
	t.Helper()
	var r finding.Result
	for _, l := range lines {
		l, ignored, _ := strings.Cut(l, " # ")
		l, cause, _ := strings.Cut(l, " <- ")
		var f finding.Finding
		for i, word := range strings.Fields(l) {
			if word == "-" {
				word = ""
			}
			switch i {
			case 0:
				f.Severity = finding.Severity(word)
			case 1:
				f.ID = word
			case 2:
				f.Domain = word
			case 3:
				f.Subject = word
			default:
				t.Fatal(l)
			}
		}
		f.CausedBy, f.Ignored = cause, ignored
		r.Findings = append(r.Findings, f)
	}
	return report.New(r, a)
}

// lines are the findings of a report, as of takes them.
func lines(r report.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		l := strings.TrimRight(fmt.Sprintf("%s %s %s %s", f.Severity, f.ID, f.Domain, f.Subject), " ")
		if f.CausedBy != "" {
			l += " <- " + f.CausedBy
		}
		b.WriteString(l + "\n")
	}
	return b.String()
}

// A consequence is told with its cause and not counted, unless that would hide it.
func TestConsequences(t *testing.T) {
	for _, tt := range []struct {
		name     string
		findings []string
		want     string // with causes
		problems int
		warnings int
		folded   int
	}{
		{
			"a cause of the server",
			[]string{"problem live.units", "problem live.signed.smtp lab.example <- live.units"},
			"problem live.signed.smtp lab.example <- live.units\nproblem live.units\n", 1, 0, 1,
		},
		{
			"a cause of the same domain",
			[]string{"problem dns.delegation lab.example", "warning spf.one lab.example <- dns.delegation"},
			"problem dns.delegation lab.example\nwarning spf.one lab.example <- dns.delegation\n", 1, 0, 1,
		},
		{
			"a cause of another domain",
			[]string{"problem dns.delegation shop.example", "problem spf.one lab.example <- dns.delegation"},
			"problem dns.delegation shop.example\nproblem spf.one lab.example\n", 2, 0, 0,
		},
		{"a cause that nobody found", []string{"problem spf.one lab.example <- dns.delegation"}, "problem spf.one lab.example\n", 1, 0, 0},
		{
			"a cause that is right",
			[]string{"ok dns.delegation lab.example", "problem spf.one lab.example <- dns.delegation"},
			"ok dns.delegation lab.example\nproblem spf.one lab.example\n", 1, 0, 0,
		},
		{
			"a cause that matters less",
			[]string{"note dns.delegation lab.example", "problem spf.one lab.example <- dns.delegation"},
			"note dns.delegation lab.example\nproblem spf.one lab.example\n", 1, 0, 0,
		},
		{
			"a cause that is ignored",
			[]string{"problem dns.delegation lab.example # known", "problem spf.one lab.example <- dns.delegation"},
			"problem dns.delegation lab.example\nproblem spf.one lab.example\n", 1, 0, 0,
		},
		{
			"one that is unknown because of what is ignored",
			[]string{"problem dns.delegation lab.example # known", "unknown spf.one lab.example <- dns.delegation"},
			"problem dns.delegation lab.example\nunknown spf.one lab.example\n", 0, 0, 0,
		},
		{
			"one that is unknown",
			[]string{"problem dns.delegation lab.example", "unknown spf.one lab.example <- dns.delegation"},
			"problem dns.delegation lab.example\nunknown spf.one lab.example <- dns.delegation\n", 1, 0, 1,
		},
		{
			"a chain",
			[]string{"problem addr.egress", "problem addr.ptr <- addr.egress", "problem addr.helo <- addr.ptr"},
			"problem addr.egress\nproblem addr.ptr <- addr.egress\nproblem addr.helo <- addr.ptr\n", 1, 0, 2,
		},
		{
			"two that name each other",
			[]string{"problem addr.ptr <- addr.helo", "problem addr.helo <- addr.ptr"},
			"problem addr.ptr <- addr.helo\nproblem addr.helo\n", 1, 0, 1,
		},
		{
			"a group",
			[]string{"problem dkim.paste lab.example", "ok dkim.record lab.example", "problem live.signed.smtp lab.example <- dkim"},
			"ok dkim.record lab.example\nproblem dkim.paste lab.example\nproblem live.signed.smtp lab.example <- dkim.paste\n", 1, 0, 1,
		},
		{"one that names itself", []string{"warning addr.ptr <- addr.ptr"}, "warning addr.ptr\n", 0, 1, 0},
	} {
		r := of(t, asked(), tt.findings...)
		if got := lines(r); got != tt.want {
			t.Errorf("%s:\n%swant\n%s", tt.name, got, tt.want)
		}
		if s := r.Summary; s.Problems != tt.problems || s.Warnings != tt.warnings || s.Consequences != tt.folded || s.Unknown != 0 {
			t.Errorf("%s: %+v", tt.name, s)
		}
	}
}

// The order of a report is that of the catalogue, and each thing is told once.
func TestOrder(t *testing.T) {
	r := of(t, asked(), "ok spf.pass shop.example", "ok spf.pass lab.example 192.0.2.11", "problem spf.pass lab.example 192.0.2.10",
		"ok spf.pass lab.example 192.0.2.10", "ok host.fqdn", "ok live.units", "ok spf.one lab.example")
	const want = `ok host.fqdn
ok spf.one lab.example
problem spf.pass lab.example 192.0.2.10
ok spf.pass lab.example 192.0.2.11
ok spf.pass shop.example
ok live.units
`
	if got := lines(r); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if s := r.Summary; s.OK != 5 || s.Problems != 1 {
		t.Errorf("%+v", s)
	}
}

// What is ignored is counted as that, whatever it is; what is right is not ignored.
func TestIgnored(t *testing.T) {
	r := of(t, asked(), "problem addr.ptr # ours", "unknown addr.helo # ours", "ok addr.fcrdns # ours", "note addr.egress # ours")
	if s := r.Summary; s.Ignored != 3 || s.OK != 1 || s.Problems+s.Unknown+s.Notes+s.Warnings != 0 {
		t.Errorf("%+v", s)
	}
	if r.Score.Points != r.Score.Of {
		t.Errorf("score %v", r.Score)
	}
}

// What was not looked at is no finding, and says why.
func TestSkipped(t *testing.T) {
	a := asked()
	a.Needs = map[string]finding.Need{"bl.ip": finding.Outside, "spf.one": finding.Resolver, "live.keys": finding.Root, "dkim.due": finding.Setup}
	for _, tt := range []struct {
		set  func(*report.Asked)
		want string
	}{
		{func(a *report.Asked) { a.Online = false }, "bl.ip: needs --online"},
		{func(a *report.Asked) { a.Offline = true }, "spf.one: --offline"},
		{func(a *report.Asked) { a.Unprivileged = true }, "live.keys: needs root"},
		{func(a *report.Asked) { a.NotManaged = true }, "dkim.due: needs mailsetup init"},
		{func(a *report.Asked) { a.Selection.Skip = []string{"bl"} }, "bl.ip: --skip"},
		{func(a *report.Asked) { a.Selection.Only = []string{"spf"} }, "bl.ip: --only"},
		{func(*report.Asked) {}, "bl.ip: does not apply"},
	} {
		b := a
		tt.set(&b)
		r := of(t, b, "ok addr.ptr")
		id, reason, _ := strings.Cut(tt.want, ": ")
		got := ""
		for _, s := range r.Skipped {
			if s.ID == "addr.ptr" {
				t.Errorf("%s: addr.ptr was skipped: %s", tt.want, s.Reason)
			}
			if s.ID == id {
				got = s.Reason
			}
		}
		if got != reason {
			t.Errorf("%s is skipped: %s, want %s", id, got, reason)
		}
		if n := len(finding.Catalogue()) - 1; len(r.Skipped) != n || r.Summary.Skipped != n {
			t.Errorf("%d skipped, %d in the summary, want %d", len(r.Skipped), r.Summary.Skipped, n)
		}
	}
}

// Who asks for one check by its ID hears why there is no answer; who asks for a group is
// told the number.
func TestAskedByName(t *testing.T) {
	a := asked()
	a.Online, a.Needs = false, map[string]finding.Need{"bl.ip": finding.Outside}
	a.Selection.Only = []string{"bl.ip"}
	r := of(t, a)
	if len(r.Findings) != 1 || r.Summary.Unknown != 1 || r.Findings[0].Remedy.String() != "mailsetup check --online --only bl.ip" {
		t.Errorf("%+v", r.Findings)
	}
	a.Selection.Only = []string{"bl"}
	if r := of(t, a); len(r.Findings) != 0 || r.Summary.Unknown != 0 {
		t.Errorf("%+v", r.Findings)
	}
}

// Points are lost by area, and what takes them back is named; what nobody looked at is
// neither given nor taken.
func TestScore(t *testing.T) {
	for _, tt := range []struct {
		name, findings string
		want           string
	}{
		{"all is right", "ok addr.ptr,ok dns.same,ok spf.pass,ok dkim.record,ok dmarc.exists,ok live.units,ok tls.out,ok bl.ip,ok queue.size", "10.0 of 10.0"},
		{"notes cost nothing", "note addr.ptr,note spf.ptr", "3.0 of 3.0"},
		{"a problem costs its area", "problem addr.ptr,warning host.fqdn,ok spf.pass", "1.0 of 3.0, host and addresses 2.0 addr.ptr"},
		{"warnings cost a third of it", "warning addr.ptr,warning host.fqdn,ok spf.pass", "2.3 of 3.0, host and addresses 0.7 host.fqdn addr.ptr"},
		{"of many domains no more", "problem spf.pass lab.example,problem spf.pass shop.example", "0.0 of 1.0, SPF 1.0 spf.pass"},
		{"unknown is neither", "unknown spf.pass,ok addr.ptr", "2.0 of 2.0"},
		{"nor are consequences", "problem addr.ptr,problem spf.pass <- addr.ptr,ok spf.one", "1.0 of 3.0, host and addresses 2.0 addr.ptr"},
	} {
		r := of(t, asked(), strings.Split(tt.findings, ",")...)
		got := fmt.Sprintf("%v of %v", r.Score.Points, r.Score.Of)
		sum := r.Score.Points
		for _, l := range r.Score.Lost {
			got += fmt.Sprintf(", %s %v %s", l.Area, l.Points, strings.Join(l.Mend, " "))
			sum += l.Points
		}
		if got != tt.want || sum != r.Score.Of {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	a := asked()
	a.Selection.Only = []string{"spf"}
	if r := of(t, a, "ok spf.pass"); r.Score != nil {
		t.Errorf("a score of SPF alone: %+v", r.Score)
	}
}

// Each group of the catalogue belongs to one area of the score.
func TestScoreCoversTheCatalogue(t *testing.T) {
	for _, k := range finding.Catalogue() {
		if r := of(t, asked(), "problem "+k.ID); len(r.Score.Lost) != 1 {
			t.Errorf("a problem of %s costs %v", k.ID, r.Score.Lost)
		}
	}
	if r := of(t, asked()); r.Score.Of != 0 || len(r.Score.Unrated) != 9 {
		t.Errorf("%+v", r.Score)
	}
}
