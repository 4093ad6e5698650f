package spf_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/spf"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/state"
)

// counting answers from a function and counts the questions.
type counting struct {
	asked  int
	answer func(name, rtype string) []string
}

func (c *counting) Lookup(_ context.Context, name, rtype string) ([]state.Record, dnsclient.Status, error) {
	if rtype != "SPF" { // asked for beside the TXT
		c.asked++
	}
	var list []state.Record
	for _, v := range c.answer(name, rtype) {
		list = append(list, state.Record{Name: name, Type: rtype, Value: v})
	}
	if len(list) == 0 {
		return nil, dnsclient.NXDomain, nil
	}
	return list, dnsclient.Found, nil
}

// Whatever a name server answers, few questions are asked, and little is repeated.
func TestHostileAnswers(t *testing.T) {
	many := func(text string) []string {
		list := make([]string, 3000)
		for i := range list {
			list[i] = fmt.Sprintf(text, i)
		}
		return list
	}
	for name, answer := range map[string]func(name, rtype string) []string{
		"64 kB of terms": func(_, _ string) []string { return []string{"v=spf1" + strings.Repeat(" mx", 20000)} },
		"64 kB of one term": func(_, _ string) []string {
			return []string{"v=spf1 a:" + strings.Repeat("a.", 30000) + "example -all"}
		},
		"64 kB of a mistake": func(_, _ string) []string { return []string{"v=spf1 " + strings.Repeat("é", 30000)} },
		"64 kB of spaces":    func(_, _ string) []string { return []string{"v=spf1" + strings.Repeat(" ", 64000) + "-all"} },
		"64 kB of colons":    func(_, _ string) []string { return []string{"v=spf1 include:" + strings.Repeat(" include:", 7000)} },
		"64 kB of macros": func(_, _ string) []string {
			return []string{"v=spf1 exists:" + strings.Repeat("%{d}", 16000) + ".example -all"}
		},
		"3,000 records":          func(_, _ string) []string { return many("v=spf1 ip4:192.0.2.10 x=%d -all") },
		"3,000 texts":            func(_, _ string) []string { return many("\x1b[2J%d") },
		"3,000 misbegun records": func(_, _ string) []string { return many(" v=spf1 %d") },
		"an include of each other": func(name, _ string) []string {
			return []string{"v=spf1 include:a." + name + " include:b." + name + " include:c." + name + " -all"}
		},
		"hosts without end": func(name, rtype string) []string {
			switch rtype {
			case "MX":
				return []string{"1 a." + name, "2 b." + name, "3 c." + name, "4 d." + name, "5 e." + name, "6 f." + name, "7 g." + name, "8 h." + name}
			case "TXT":
				return []string{"v=spf1 mx mx:a.x.example mx:b.x.example mx:c.x.example mx:d.x.example mx:e.x.example mx:f.x.example mx:g.x.example ip6:2001:db8::10 -all"}
			}
			return nil
		},
	} {
		c := &counting{answer: answer}
		begun := time.Now()
		r := spf.Check(t.Context(), c, server, sender)
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("%s: %v", name, took)
		}
		if c.asked > 300 {
			t.Errorf("%s: %d questions", name, c.asked)
		}
		if len(r.Findings) > 40 {
			t.Errorf("%s: %d findings", name, len(r.Findings))
		}
		if len(r.Findings) == 0 {
			t.Errorf("%s: nothing found", name)
		}
		for _, f := range r.Findings {
			if n := len(f.Seen); n > 300 {
				t.Errorf("%s: %s says %d octets", name, f.ID, n)
			}
			if n := len(f.Subject); n > 260 {
				t.Errorf("%s: %s is about %d octets", name, f.ID, n)
			}
			if n := len(f.Remedy.String()); n > 2500 {
				t.Errorf("%s: %s advises %d octets", name, f.ID, n)
			}
		}
		for _, tree := range r.SPF {
			if n := nodes(tree.SPFNode); n > 60 {
				t.Errorf("%s: a tree of %d records", name, n)
			}
		}
	}
}

func nodes(n finding.SPFNode) int {
	sum := 1
	for _, c := range n.Children {
		sum += nodes(c)
	}
	return sum
}

// hangs never answers about includes.
type hangs struct{}

func (hangs) Lookup(ctx context.Context, name, rtype string) ([]state.Record, dnsclient.Status, error) {
	if name == "lab.example." && rtype == "TXT" {
		return []state.Record{{Name: name, Type: "TXT", Value: "v=spf1 include:a.example include:b.example include:c.example -all"}}, dnsclient.Found, nil
	}
	<-ctx.Done()
	return nil, dnsclient.Unknown, ctx.Err()
}

func TestNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		r := spf.Check(t.Context(), hangs{}, server, sender)
		if took := time.Since(begun); took > 21*time.Second {
			t.Errorf("%v", took)
		}
		for _, f := range r.Findings {
			if f.Severity == finding.Problem {
				t.Errorf("%s: %s", f.ID, f.Seen)
			}
		}
	})
}
