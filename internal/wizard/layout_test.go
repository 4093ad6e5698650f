package wizard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"mailsetup/internal/inbound"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
)

// crowded finds as much as fits, with long names.
func crowded(domain string) func(context.Context, spec.Answers) (Proposals, error) {
	return func(_ context.Context, a spec.Answers) (Proposals, error) {
		p := Proposals{
			Hostname:  Proposal{"mail." + domain, "the full name of this machine"},
			Addresses: Proposal{"192.0.2.25 2001:db8:1234:5678:9abc:def0:1234:5678", "the A and AAAA records of mail." + domain},
			BIND:      true, ZoneServed: a.Domain == "",
		}
		p.Selector.Value = "202611"
		p.SPFAll = Proposal{"fail", "as the SPF record of " + domain + " says"}
		p.SPFInclude = Proposal{"_spf." + domain + " spf.news.example", p.SPFAll.Why}
		p.DMARC = Proposal{"quarantine", "as its DMARC record says"}
		p.MTA = Proposal{spec.Exim, "it is this machine's mail server"}
		p.Receive = Proposal{"yes", "the domain's MX is this server"}
		p.Incoming = Incoming{Proposal{"mark", "a beginning that refuses nothing"}, Proposal{"mark", "as it is now"}, Proposal{"zen.spamhaus.org=127.0.0.[2..11] bl.example=127.0.0.2", "as it is now"}, false, false}
		for i := range 9 {
			p.Found = append(p.Found, fmt.Sprintf("finding %d about %s %s", i, a.Domain, a.Hostname))
		}
		return p, nil
	}
}

// TestPagesFit walks through all questions on the smallest usual terminal and
// looks at each page, with a complaint on it.
func TestPagesFit(t *testing.T) {
	for _, domain := range []string{"example.org", strings.Repeat("long-name.", 3) + "example"} {
		seen := map[topic]bool{}
		for _, where := range []string{dnsNew, "manual"} { // each has a question of its own
			f := newFlow(spec.Answers{}, crowded(domain))
			s := &screen{ctx: t.Context(), page: newPage(Options{Width: 80}), flow: f}
			for {
				if l := f.lookup(); l != nil {
					found, _ := l.run(t.Context())
					f.setProposals(l, found)
				}
				if f.done() {
					break
				}
				s.open()
				s.page.complaint = explain(&syntax.BadValue{Field: "x", Value: domain, Why: "is not what was meant here", Hint: "type something else, as in mail.example.org"})
				fits(t, f.question().topic, s.View())
				seen[f.question().topic] = true
				if err := f.submit(answerFor(f, where)); err != nil {
					t.Fatalf("%s: %v", f.question().topic, err)
				}
			}
		}
		if len(seen) != len(questions()) {
			t.Errorf("%d pages, want all %d questions", len(seen), len(questions()))
		}
	}
}

// answerFor takes the way through all questions, and says where the records go.
func answerFor(f *flow, where string) string {
	switch f.question().topic {
	case aboutDNS:
		return where
	case aboutSettings:
		return settingsOwn
	case aboutMTA:
		return "postfix"
	default:
		return f.value()
	}
}

func fits(t *testing.T, about topic, view string) {
	t.Helper()
	rows := strings.Split(strings.TrimSuffix(view, "\n"), "\n")
	if len(rows) > 23 {
		t.Errorf("%s: %d lines, a terminal of 24 loses the first\n%s", about, len(rows), view)
	}
	for _, row := range rows {
		if n := len([]rune(strings.TrimRight(row, " "))); n > 79 {
			t.Errorf("%s: %d columns: %q", about, n, row)
		}
	}
	if !strings.Contains(view, "\n> ") {
		t.Errorf("%s: the field is not on the page:\n%s", about, view)
	}
}

// TestOptionsFitOneLine: an option that wraps is two options to the eye.
func TestOptionsFitOneLine(t *testing.T) {
	for _, served := range []bool{true, false} {
		f := newFlow(spec.Answers{}, nil)
		f.found.ZoneServed = served
		for _, q := range f.questions {
			if q.options == nil {
				continue
			}
			for _, o := range options(q.options(f)) {
				if len(o.Key) > 76 {
					t.Errorf("%s: %d columns: %s", q.topic, len(o.Key), o.Key)
				}
			}
		}
	}
}

func fault(_ inbound.Mode, f *inbound.Fault) error {
	if f == nil {
		return nil
	}
	return f
}

// TestChoicesAreValid: what can be chosen is what spec takes.
func TestChoicesAreValid(t *testing.T) {
	valid := map[topic]func(string) error{
		aboutMTA:     func(s string) error { _, err := spec.MTA(s); return err },
		aboutReceive: func(s string) error { _, err := spec.YesNo(s); return err },
		aboutKeyBits: func(s string) error { _, err := spec.KeyBits(s); return err },
		aboutSPFAll:  func(s string) error { _, err := spec.SPFAll(s); return err },
		aboutDMARC:   func(s string) error { _, err := spec.DMARCPolicy(s); return err },
		aboutMilter:  func(s string) error { _, err := spec.MilterAction(s); return err },
		aboutDNS: func(s string) error {
			if s == dnsNew {
				return nil
			}
			_, err := spec.DNS(s)
			return err
		},
		aboutSettings: func(string) error { return nil },
		aboutIncoming: func(s string) error {
			spf, dmarc := incomingModes(s)
			return errors.Join(fault(inbound.SPF(spf)), fault(inbound.DMARC(dmarc)))
		},
		aboutInSPF:   func(s string) error { return fault(inbound.SPF(s)) },
		aboutInDMARC: func(s string) error { return fault(inbound.DMARC(s)) },
	}
	f := newFlow(spec.Answers{Receive: "yes"}, nil)
	f.found.MTA.Value = spec.Exim
	f.found.Incoming.SPF.Value, f.found.Incoming.DMARC.Value = "mark", "mark"
	for _, q := range append(f.questions, inboundQuestions()...) {
		if q.options == nil {
			continue
		}
		for _, o := range q.options(f) {
			if err := valid[q.topic](o.value); err != nil {
				t.Errorf("%s: %v", q.topic, err)
			}
		}
		if _, err := q.validate(f, q.offer(f).Value); err != nil {
			t.Errorf("%s: the default is no choice: %v", q.topic, err)
		}
		if _, err := q.validate(f, "nonsense"); err == nil {
			t.Errorf("%s: takes nonsense", q.topic)
		}
	}
}

func TestParent(t *testing.T) {
	for host, want := range map[string]string{
		"mail.example.org":  "example.org",
		"mail.example.org.": "example.org",
		"a.b.example.org":   "b.example.org",
		"example.org":       "example.org",
		"debian":            "debian",
	} {
		if got := parent(host); got != want {
			t.Errorf("parent(%q) = %q, want %q", host, got, want)
		}
	}
}

func TestListAnswers(t *testing.T) {
	q := addressesQuestion()
	for typed, want := range map[string]string{
		"192.0.2.1":                         "192.0.2.1",
		" 192.0.2.1 ,2001:DB8::1;192.0.2.1": "192.0.2.1 2001:db8::1",
		"192.0.2.1,,  ,\t2001:db8::1,":      "192.0.2.1 2001:db8::1",
	} {
		got, err := q.validate(nil, typed)
		if got != want || err != nil {
			t.Errorf("%q: %q, %v, want %q", typed, got, err, want)
		}
	}
	for _, typed := range []string{"", " , ", "192.0.2.1 10.0.0.1", "192.0.2.1/24", "mail.example.org"} {
		if got, err := q.validate(nil, typed); err == nil {
			t.Errorf("%q: taken as %q", typed, got)
		}
	}
}

// TestTypedAheadWaits: keys typed while DNS is asked belong to the question
// that comes, and Ctrl-C does not wait for it.
func TestTypedAheadWaits(t *testing.T) {
	s := &screen{ctx: t.Context(), page: newPage(Options{}), flow: newFlow(spec.Answers{}, nil)}
	look := s.Init()
	s.Update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("x.example")})
	s.Update(look())
	if s.value != "x.example" {
		t.Errorf("the field holds %q, want what was typed ahead", s.value)
	}
	s.looking = true
	s.Update(tea.KeyMsg{Type: tea.KeyCtrlC})
	if !errors.Is(s.err, ErrAborted) || s.View() != "" {
		t.Errorf("after Ctrl-C: error %v, screen %q", s.err, s.View())
	}
}
