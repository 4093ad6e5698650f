package wizard_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/spec"
	"mailsetup/internal/wizard"
)

// machine is a server with BIND that serves example.org; it counts look-ups.
type machine struct{ asked []spec.Answers }

func (m *machine) propose(_ context.Context, a spec.Answers) (wizard.Proposals, error) {
	m.asked = append(m.asked, a)
	p := wizard.Proposals{
		Hostname: wizard.Proposal{Value: "mail.example.org", Why: "the full name of this machine"},
		BIND:     true,
		Found:    []string{"Postfix 3.10 is installed"},
	}
	p.Selector.Value = "202611"
	switch a.Domain {
	case "example.org":
		p.ZoneServed = true
		p.Addresses = wizard.Proposal{Value: "192.0.2.25 2001:db8::25", Why: "the A and AAAA records"}
		p.Receive = wizard.Proposal{Value: "yes", Why: "its MX record points here"}
	case "example.net":
		p.Addresses = wizard.Proposal{Value: "198.51.100.7", Why: "the A record"}
		p.Found = append(p.Found, "example.net is served elsewhere")
	}
	return p, nil
}

// accepted are the answers when every proposal is taken.
func accepted() spec.Answers {
	return spec.Answers{
		Domain: "example.org", Hostname: "mail.example.org",
		Addresses: []string{"192.0.2.25", "2001:db8::25"},
		Receive:   "yes", DNS: "bind", RootAlias: "none",
		Selector: "202611", KeyBits: "2048", SPFAll: "softfail", DMARC: "none",
		MilterDefaultAction: "tempfail",
	}
}

func with(change func(*spec.Answers)) spec.Answers {
	a := accepted()
	change(&a)
	return a
}

// ask types lines at plain prompts and returns what was said.
func ask(t *testing.T, m *machine, fixed spec.Answers, typed string) (spec.Answers, string, error) {
	t.Helper()
	var out bytes.Buffer
	a, err := wizard.Ask(t.Context(), wizard.Options{
		In: strings.NewReader(typed), Out: &out, Accessible: true,
		Fixed: fixed, Propose: m.propose,
	})
	return a, out.String(), err
}

// lines are what a person types, each followed by Enter.
func lines(l ...string) string { return strings.Join(l, "\n") + "\n" }

func TestAskPlainly(t *testing.T) {
	for _, tt := range []struct {
		name  string
		typed []string
		want  spec.Answers
	}{
		{"every proposal", make([]string, 7), accepted()},
		{
			"answers of one's own",
			[]string{"Example.NET.", "mx.example.net", "203.0.113.9;2001:DB8::9, 203.0.113.9", " NO ", "1", "ops@example.net", "", "1"},
			with(func(a *spec.Answers) {
				a.Domain, a.Hostname, a.Receive, a.DNS = "example.net", "mx.example.net", "no", "manual"
				a.Addresses, a.RootAlias = []string{"203.0.113.9", "2001:db8::9"}, "ops@example.net"
				a.Notify = "ops@example.net" // as proposed, since a person publishes the records
			}),
		},
		{
			"a new zone",
			[]string{"example.net", "", "", "", "2", "mail.example.org ns2.example.net", "", ""},
			with(func(a *spec.Answers) {
				a.Domain, a.Addresses, a.Receive = "example.net", []string{"198.51.100.7"}, "no"
				a.NewZone, a.NS = "yes", []string{"mail.example.org", "ns2.example.net"}
			}),
		},
		{
			"every setting",
			[]string{"", "", "", "", "", "", "change", "Mail1", "4096", "2", "_spf.example.net", "3", "2"},
			with(func(a *spec.Answers) {
				a.Selector, a.KeyBits, a.SPFAll = "mail1", "4096", "fail"
				a.SPFInclude, a.DMARC, a.MilterDefaultAction = []string{"_spf.example.net"}, "reject", "accept"
			}),
		},
		{
			"wrong first, right then",
			[]string{"localhost", "exa mple.org", "", "mail", "", "10.0.0.1", "nonsense", "", "3", "x", "", "", "nobody", "ops@example.org", "", ""},
			with(func(a *spec.Answers) { a.RootAlias = "ops@example.org" }),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, said, err := ask(t, &machine{}, spec.Answers{}, lines(tt.typed...))
			if err != nil {
				t.Fatalf("error %v after:\n%s", err, said)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("answers (-want +got):\n%s\n%s", diff, said)
			}
		})
	}
}

func TestEndOfInputIsNoAnswer(t *testing.T) {
	full := []string{"", "", "", "", "", "", "2", "", "", "", "", "", ""}
	for n := range full {
		typed := strings.Repeat("\n", min(n, 6))
		if n > 6 {
			typed += "2\n" + strings.Repeat("\n", n-7)
		}
		// A proposal stands at every question, and "1" is cut off in the middle.
		for _, rest := range []string{"", "1", "mail.example.org"} {
			got, said, err := ask(t, &machine{}, spec.Answers{}, typed+rest)
			if !errors.Is(err, wizard.ErrAborted) {
				t.Errorf("after %d answers and %q: error %v, want ErrAborted\n%s", n, rest, err, said)
			}
			if diff := cmp.Diff(spec.Answers{}, got); diff != "" {
				t.Errorf("after %d answers: %s", n, diff)
			}
		}
	}
	// The control: with the last line there, it is an answer.
	if _, said, err := ask(t, &machine{}, spec.Answers{}, "\n\n\n\n\n\n2\n\n\n\n\n\n\n"); err != nil {
		t.Errorf("complete input: %v\n%s", err, said)
	}
}

func TestEndOfInputAfterWrongAnswer(t *testing.T) {
	if _, _, err := ask(t, &machine{}, spec.Answers{}, "local host\n"); !errors.Is(err, wizard.ErrAborted) {
		t.Errorf("error %v, want ErrAborted", err)
	}
}

func TestBackKeepsAnswers(t *testing.T) {
	m := &machine{}
	got, said, err := ask(t, m, spec.Answers{}, lines(
		"", "mx.example.org", "192.0.2.99", "2", // now at DNS
		"<", "<", "<", // back to the host name, across the look-up
		"", "", "", // all as they were
		"", "", "",
	))
	if err != nil {
		t.Fatal(err, said)
	}
	want := with(func(a *spec.Answers) {
		a.Hostname, a.Addresses, a.Receive = "mx.example.org", []string{"192.0.2.99"}, "no"
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s\n%s", diff, said)
	}
	if len(m.asked) != 2 {
		t.Errorf("%d look-ups, want 2: the names did not change", len(m.asked))
	}
}

func TestBackAndAnotherDomain(t *testing.T) {
	m := &machine{}
	got, said, err := ask(t, m, spec.Answers{}, lines(
		"", "", "", "", "", "ops@example.org", // at the settings
		"<", "<", "<", "<", "<", "<", "<", // one more than there are
		"example.net", "", "", "", "", "", "none", "",
	))
	if err != nil {
		t.Fatal(err, said)
	}
	want := with(func(a *spec.Answers) {
		a.Domain, a.RootAlias = "example.net", "ops@example.org" // typed: stays
		a.Addresses = []string{"198.51.100.7"}                   // proposed: follows the domain
		a.Receive, a.DNS, a.Notify = "no", "manual", "none"
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s\n%s", diff, said)
	}
	if !strings.Contains(said, "This is the first question.") {
		t.Error("going back from the first question is not explained")
	}
	if n := strings.Count(said, "Found: example.net is served elsewhere"); n != 1 {
		t.Errorf("the news of the third look-up are told %d times, want once", n)
	}
	if len(m.asked) != 3 {
		t.Errorf("%d look-ups, want 3", len(m.asked))
	}
}

func TestFixedIsNotAsked(t *testing.T) {
	fixed := spec.Answers{
		Domain: "example.net", Addresses: []string{"203.0.113.1"}, RootAlias: "none",
		DNS: "manual", KeyBits: "3072", TTL: "600", DMARCSP: "reject",
	}
	m := &machine{}
	got, said, err := ask(t, m, fixed, lines("", "1", "ops@example.net", "1"))
	if err != nil {
		t.Fatal(err, said)
	}
	want := fixed
	want.Hostname, want.Receive, want.Notify = "mail.example.org", "yes", "ops@example.net"
	want.Selector, want.SPFAll, want.DMARC, want.MilterDefaultAction = "202611", "softfail", "none", "tempfail"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if !strings.Contains(said, "Question 4 of 4") || !strings.Contains(said, "a key of 3072 bits") {
		t.Errorf("said:\n%s", said)
	}
}

func TestNothingToAsk(t *testing.T) {
	got, said, err := ask(t, &machine{}, accepted(), "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(accepted(), got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if strings.Contains(said, "uestion") {
		t.Errorf("said:\n%s", said)
	}
}

func TestProposalsFailing(t *testing.T) {
	broken := errors.New("read /etc/bind/named.conf: permission denied")
	_, err := wizard.Ask(t.Context(), wizard.Options{
		In: strings.NewReader("\n\n"), Out: io.Discard, Accessible: true,
		Propose: func(_ context.Context, a spec.Answers) (wizard.Proposals, error) {
			if a.Domain == "" {
				return wizard.Proposals{Domain: wizard.Proposal{Value: "example.org"}}, nil
			}
			return wizard.Proposals{}, broken
		},
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

// TestCancelled stands for Ctrl-C at a plain prompt: the read goes on, we do
// not.
func TestCancelled(t *testing.T) {
	in, keyboard := io.Pipe()
	defer keyboard.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	o := wizard.Options{In: in, Out: io.Discard, Accessible: true}
	if _, err := wizard.Ask(ctx, o); !errors.Is(err, wizard.ErrAborted) {
		t.Errorf("Ask: error %v, want ErrAborted", err)
	}
	if yes, err := wizard.Confirm(ctx, o, "Apply?", nil); yes || !errors.Is(err, wizard.ErrAborted) {
		t.Errorf("Confirm: %v, %v, want false and ErrAborted", yes, err)
	}
}

func TestLongLine(t *testing.T) {
	_, _, err := ask(t, &machine{}, spec.Answers{}, strings.Repeat("a", 100_000)+"\n")
	if err == nil || !strings.Contains(err.Error(), "the line is too long") {
		t.Errorf("error %v", err)
	}
}

func TestConfirmPlainly(t *testing.T) {
	for typed, want := range map[string]bool{
		"y\n": true, " YES \n": true, "maybe\ny\n": true,
		"": false, "\n": false, "n\n": false, "no\n": false, "<\n": false,
		"y": false, // cut off: never entered
	} {
		var out bytes.Buffer
		o := wizard.Options{In: strings.NewReader(typed), Out: &out, Accessible: true}
		got, err := wizard.Confirm(t.Context(), o, "Apply these changes?", nil)
		if got != want || err != nil {
			t.Errorf("%q: %v, %v, want %v", typed, got, err, want)
		}
		if !strings.HasPrefix(out.String(), "Apply these changes? [y/N]") {
			t.Errorf("%q: said %q", typed, out.String())
		}
	}
}

// TestAskLeavesTheRest: the answer to the confirm, typed ahead or piped, is
// not lost.
func TestAskLeavesTheRest(t *testing.T) {
	in := strings.NewReader(strings.Repeat("\n", 7) + "y\n")
	o := wizard.Options{In: in, Out: io.Discard, Accessible: true, Propose: (&machine{}).propose}
	if _, err := wizard.Ask(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if yes, err := wizard.Confirm(t.Context(), o, "Apply?", nil); !yes || err != nil {
		t.Errorf("Confirm: %v, %v, want true", yes, err)
	}
}

// TestHostileFindings: what DNS says does not steer the terminal.
func TestHostileFindings(t *testing.T) {
	var out bytes.Buffer
	evil := "a\x1b]0;owned\x07\u009b2J\nyes"
	_, err := wizard.Ask(t.Context(), wizard.Options{
		In: strings.NewReader("example.org\nmail.example.org\n"), Out: &out, Accessible: true,
		Propose: func(context.Context, spec.Answers) (wizard.Proposals, error) {
			evil := wizard.Proposal{Value: evil, Why: evil}
			return wizard.Proposals{
				Domain: evil, Hostname: evil, Addresses: evil, Found: []string{evil.Why},
			}, nil
		},
	})
	if !errors.Is(err, wizard.ErrAborted) {
		t.Fatal(err)
	}
	if said := out.String(); strings.ContainsAny(said, "\x1b\x07\u009b") || !strings.Contains(said, "Found: a?]0;owned??2J?yes") {
		t.Errorf("said %q", said)
	}
}

func TestPlainIsPlain(t *testing.T) {
	_, said, err := ask(t, &machine{}, spec.Answers{}, lines("", "", "", "", "", "", "2", "", "", "", "", "", ""))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(said, "\n") {
		for _, r := range line {
			if r < ' ' || r > '~' {
				t.Errorf("%q in %q", r, line)
			}
		}
		if len(line) > 80 && !strings.Contains(line, ": Question") {
			t.Errorf("%d columns: %q", len(line), line)
		}
	}
}

// A refused choice is no answer, and there is a way back from it and out.
func TestAfterARefusedChoiceThereIsAWayBackAndOut(t *testing.T) {
	typed := lines("example.org", "", "", "perhaps", "<", "", "no", "", "", "")
	got, said, err := ask(t, &machine{}, spec.Answers{}, typed)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if diff := cmp.Diff(with(func(a *spec.Answers) { a.Receive = "no" }), got); diff != "" {
		t.Errorf("%s\n%s", diff, said)
	}
	for _, refused := range []string{"perhaps", "7", "-1"} {
		if _, _, err := ask(t, &machine{}, spec.Answers{}, lines("example.org", "", "", refused)); !errors.Is(err, wizard.ErrAborted) {
			t.Errorf("the input ends after %q: %v, want %v", refused, err, wizard.ErrAborted)
		}
	}
}

// All that would be done is printed on request, and the question comes again.
func TestDetailsPlainly(t *testing.T) {
	for _, all := range []string{"a", "ALL"} {
		var out bytes.Buffer
		o := wizard.Options{In: strings.NewReader(lines(all, "yes")), Out: &out, Accessible: true}
		const want = "Do this? [y/N, or a to see all of it] \nevery file\n\nDo this? [y/N, or a to see all of it] "
		if got, err := wizard.Confirm(t.Context(), o, "Do this?", func(w io.Writer) error { _, err := io.WriteString(w, "every file\n"); return err }); !got || err != nil || out.String() != want {
			t.Errorf("%s: %v, %v, said %q", all, got, err, out.String())
		}
	}
}

// An exim4 that is here is proposed, and nothing asked that is Postfix's alone.
func TestMailServerThatIsHere(t *testing.T) {
	for _, tt := range []struct{ answer, want, says, not string }{
		{"", "exim4", "Which mail server is to send and sign?", "When the signer is down"},
		{"2", "postfix", "When the signer is down: mail waits", "\x00"},
	} {
		var out bytes.Buffer
		m := &machine{}
		a, err := wizard.Ask(t.Context(), wizard.Options{
			In: strings.NewReader(lines("", "", tt.answer, "", "", "", "", "")), Out: &out, Accessible: true,
			Propose: func(ctx context.Context, a spec.Answers) (wizard.Proposals, error) {
				p, err := m.propose(ctx, a)
				p.MTA = wizard.Proposal{Value: "exim4", Why: "it is this machine's mail server"}
				p.Incoming.SPF.Value = "off"
				return p, err
			},
		})
		if asksIncoming := strings.Contains(out.String(), "Incoming mail:"); err != nil || a.MTA != tt.want || asksIncoming != (tt.want == "postfix") {
			t.Errorf("%q: %v, %q\n%s", tt.answer, err, a.MTA, out.String())
		}
		if said := out.String(); !strings.Contains(said, tt.says) || strings.Contains(said, tt.not) {
			t.Errorf("%q:\n%s", tt.answer, said)
		}
	}
}
