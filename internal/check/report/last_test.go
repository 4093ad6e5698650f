package report_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/report"
)

// changes are those of a report, a line each.
func changes(r report.Report) string {
	var list []string
	for _, c := range r.Changes {
		l := strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s", c.Severity, c.ID, c.Domain, c.Subject)), " ")
		if c.Gone {
			l = "gone" + strings.TrimPrefix(l, "ok")
		}
		if c.Before != "" {
			l += ", was " + string(c.Before)
		}
		list = append(list, l)
	}
	return strings.Join(list, "; ")
}

// run is one check: what it found, what was asked for, and what people have to hear.
type run struct {
	findings string
	set      func(*report.Asked)
	silent   bool // a program reads it
	want     string
}

// What changed is told, once; what a run did not look at stays as it was.
func TestCompare(t *testing.T) {
	only := func(ids ...string) func(*report.Asked) { return func(a *report.Asked) { a.Selection.Only = ids } }
	of1 := func(domains ...string) func(*report.Asked) {
		return func(a *report.Asked) { a.Domains, a.EveryDomain = domains, false }
	}
	offline := func(a *report.Asked) {
		a.Offline, a.Needs = true, map[string]finding.Need{"spf.pass": finding.Resolver}
	}
	for _, tt := range []struct {
		name string
		runs []run
	}{
		{"nothing", []run{{findings: "ok spf.pass lab.example,note mx.v6"}, {findings: "ok spf.pass lab.example,note caa"}}},
		{"new, and told once", []run{
			{findings: "problem spf.pass lab.example,warning spf.all shop.example", want: "problem spf.pass lab.example; warning spf.all shop.example"},
			{findings: "problem spf.pass lab.example,warning spf.all shop.example"},
		}},
		{"mended", []run{
			{findings: "problem spf.pass lab.example 192.0.2.10", want: "problem spf.pass lab.example 192.0.2.10"},
			{findings: "ok spf.pass lab.example 192.0.2.10", want: "gone spf.pass lab.example 192.0.2.10, was problem"},
			{findings: "ok spf.pass lab.example 192.0.2.10"},
		}},
		{"worse and better", []run{
			{findings: "warning spf.all lab.example", want: "warning spf.all lab.example"},
			{findings: "problem spf.all lab.example", want: "problem spf.all lab.example, was warning"},
			{findings: "note spf.all lab.example", want: "gone spf.all lab.example, was problem"},
		}},
		{"another address is another finding", []run{
			{findings: "problem addr.ptr - 192.0.2.10", want: "problem addr.ptr 192.0.2.10"},
			{findings: "problem addr.ptr - 192.0.2.10,problem addr.ptr - 192.0.2.11", want: "problem addr.ptr 192.0.2.11"},
		}},
		{"unknown for a moment is no news", []run{
			{findings: "problem spf.pass lab.example", want: "problem spf.pass lab.example"},
			{findings: "unknown spf.pass lab.example"},
			{findings: "problem spf.pass lab.example"},
			{findings: "unknown spf.pass lab.example"},
			{findings: "unknown spf.pass lab.example", want: "unknown spf.pass lab.example, was problem"},
			{findings: "unknown spf.pass lab.example"},
			{findings: "ok spf.pass lab.example", want: "gone spf.pass lab.example, was unknown"},
		}},
		{"unknown from the beginning", []run{
			{findings: "unknown bl.ip"}, {findings: "unknown bl.ip", want: "unknown bl.ip"}, {findings: "unknown bl.ip"},
		}},
		{"where a group could not look, nothing is mended", []run{
			{findings: "problem spf.pass lab.example 192.0.2.10", want: "problem spf.pass lab.example 192.0.2.10"},
			{findings: "unknown spf.one lab.example"},
			{findings: "ok spf.one lab.example", want: "gone spf.pass lab.example 192.0.2.10, was problem"},
		}},
		{"what a worse fault keeps from being looked at is not mended", []run{
			{findings: "problem spf.pass lab.example 192.0.2.10", want: "problem spf.pass lab.example 192.0.2.10"},
			{findings: "problem spf.one lab.example,note spf.helo", want: "problem spf.one lab.example"},
			{findings: "problem spf.pass lab.example 192.0.2.10,ok spf.one lab.example", want: "gone spf.one lab.example, was problem"},
			{findings: "ok spf.pass lab.example 192.0.2.10,problem spf.lookups lab.example,unknown spf.voids lab.example", want: "problem spf.lookups lab.example; gone spf.pass lab.example 192.0.2.10, was problem"},
		}},
		{"where no name server answers, nothing is mended", []run{
			{findings: "problem spf.pass lab.example,warning dkim.record lab.example", want: "problem spf.pass lab.example; warning dkim.record lab.example"},
			{findings: "unknown dns.delegation lab.example,ok dkim.files lab.example"},
			{findings: "problem dns.delegation lab.example,ok dkim.files lab.example", want: "problem dns.delegation lab.example"},
			{findings: "ok dns.delegation lab.example", want: "gone dns.delegation lab.example, was problem"},
			{findings: "ok dns.delegation lab.example,ok spf.pass lab.example,problem dkim.record lab.example other", want: "problem dkim.record lab.example other; gone spf.pass lab.example, was problem"},
		}},
		{"a run for some IDs", []run{
			{findings: "problem spf.pass lab.example,problem addr.ptr", want: "problem addr.ptr; problem spf.pass lab.example"},
			{findings: "ok dkim.record lab.example", set: only("dkim")},
			{findings: "ok spf.one lab.example", set: only("spf.one")},
			{findings: "ok addr.ptr", set: only("addr"), want: "gone addr.ptr, was problem"},
			{findings: "problem spf.pass lab.example,ok addr.ptr"},
		}},
		{"a run for some domains", []run{
			{findings: "problem spf.pass lab.example,problem spf.pass shop.example", want: "problem spf.pass lab.example; problem spf.pass shop.example"},
			{findings: "ok spf.pass shop.example", set: of1("shop.example"), want: "gone spf.pass shop.example, was problem"},
			{findings: "problem spf.pass lab.example"},
		}},
		{"a run without DNS", []run{
			{findings: "problem spf.pass lab.example", want: "problem spf.pass lab.example"},
			{findings: "ok live.units", set: offline},
			{findings: "problem spf.pass lab.example"},
		}},
		{"a domain that left", []run{
			{findings: "problem spf.pass shop.example", want: "problem spf.pass shop.example"},
			{findings: "ok spf.pass lab.example", set: func(a *report.Asked) { a.Domains = []string{"lab.example"} }},
			{findings: "problem spf.pass shop.example", want: "problem spf.pass shop.example"},
		}},
		{"ignored, and not any more", []run{
			{findings: "problem addr.ptr", want: "problem addr.ptr"},
			{findings: "problem addr.ptr # known"},
			{findings: "problem addr.ptr", want: "problem addr.ptr"},
		}},
		{"a consequence now", []run{
			{findings: "problem spf.pass lab.example", want: "problem spf.pass lab.example"},
			{findings: "problem dns.delegation lab.example,problem spf.pass lab.example <- dns.delegation", want: "problem dns.delegation lab.example"},
			{findings: "ok dns.delegation lab.example,problem spf.pass lab.example", want: "gone dns.delegation lab.example, was problem"},
		}},
		{"what only a program read is told later", []run{
			{findings: "problem spf.pass lab.example", silent: true, want: "problem spf.pass lab.example"},
			{findings: "problem spf.pass lab.example", want: "problem spf.pass lab.example"},
			{findings: "ok spf.pass lab.example", silent: true, want: "gone spf.pass lab.example, was problem"},
			{findings: "ok spf.pass lab.example", want: "gone spf.pass lab.example, was problem"},
			{findings: "ok spf.pass lab.example"},
			{findings: "problem spf.pass lab.example", silent: true, want: "problem spf.pass lab.example"},
			{findings: "ok spf.pass lab.example"},
		}},
	} {
		kept := []byte(nil)
		for i, step := range tt.runs {
			a := asked()
			a.Time = now.Add(time.Duration(i) * time.Hour)
			if step.set != nil {
				step.set(&a)
			}
			r := of(t, a, strings.Split(step.findings, ",")...)
			last, err := report.ParseLast(kept)
			if err != nil {
				t.Fatal(err)
			}
			kept = r.Compare(last, !step.silent).Marshal()
			if got := changes(r); got != step.want {
				t.Errorf("%s, run %d: %q, want %q\n%s", tt.name, i+1, got, step.want, kept)
			}
		}
	}
}

func TestParseLast(t *testing.T) {
	for text, want := range map[string]string{
		"":                 "",
		"{":                "unexpected end of JSON input",
		`{"version": 2}`:   "version 2 is not known",
		`{"version": 1}`:   "",
		"\x00\x00\x00\x00": "invalid character '\\x00' looking for beginning of value",
	} {
		got := ""
		if _, err := report.ParseLast([]byte(text)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// The mail of a timer: what is new with what mends it, and what is gone.
func TestWriteChanges(t *testing.T) {
	first := sample()
	var b strings.Builder
	last := first.Compare(report.Last{}, true)
	r := of(t, asked(), "problem spf.all lab.example lab.example", "ok addr.ptr", "ok dkim.record lab.example", "problem live.units - opendkim.service", "problem live.signed.smtp lab.example <- live.units")
	for i := range r.Findings {
		r.Findings[i].Why, r.Findings[i].Source = "it matters", ""
	}
	r.Compare(last, true)
	if err := r.WriteChanges(&b, report.TextOptions{Width: 80}); err != nil {
		t.Fatal(err)
	}
	golden(t, "changes.txt", b.String())
	b.Reset()
	r.Changes = nil
	if err := r.WriteChanges(&b, report.TextOptions{Width: 80}); err != nil || b.Len() > 0 {
		t.Errorf("%q, %v", b.String(), err)
	}
}
