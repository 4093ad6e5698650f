package main

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
	"mailsetup/internal/wizard"
	"mailsetup/steps"
)

var (
	askSPF = state.Question{
		ID: "record lab.example SPF", Kind: state.AskRecord, Subject: "spf", Domain: "lab.example",
		Text: "the record lacks 192.0.2.10", Path: "/etc/bind/db.lab", Line: 7,
		Before: `@ IN TXT "v=spf1 mx -all"`, After: `@ IN TXT "v=spf1 ip4:192.0.2.10 mx -all"`, Declined: "it stays.",
	}
	askDMARC      = state.Question{ID: "record _dmarc.lab.example DMARC", Kind: state.AskRecord, Subject: "dmarc", Domain: "lab.example", Text: "stricter", Declined: "it stays."}
	askSubmission = state.Question{ID: "service submission/inet", Kind: state.AskService, Subject: "submission/inet", Text: "has milters of its own", Declined: "unsigned.", Path: "/etc/postfix/master.cf"}
	askBounces    = state.Question{ID: "bounces", Kind: state.AskBounces, Text: "others see them, too", Declined: "unsigned."}
	askOverride   = state.Question{ID: "override", Kind: state.AskOverride, Text: "has a socket of its own"}
)

// askedSession is a session of which a person, or nobody, answers questions in
// lines of text.
func askedSession(t *testing.T, lines string) (*session, *work, *bytes.Buffer) {
	t.Helper()
	s, _, said, want := bareSession(t)
	s.o.yes = lines == ""
	s.o.accessible, s.c.interactive, s.c.in = true, true, strings.NewReader(lines)
	w, err := s.work(t.Context(), want, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, w, said
}

// outcome is what answers lead to.
type outcome struct {
	Consents, Keep, Leave []string
	Bounces               string
}

func outcomeOf(w *work) outcome {
	o := outcome{Keep: w.input.Spec.Domains[0].Keep, Leave: w.input.Spec.Host.LeaveServices, Bounces: w.input.Spec.Host.SignBounces}
	for id := range w.input.Consents {
		o.Consents = append(o.Consents, id)
	}
	slices.Sort(o.Consents)
	return o
}

func TestSettle(t *testing.T) {
	all := []state.Question{askSPF, askDMARC, askSubmission, askBounces, askOverride}
	for _, tt := range []struct {
		name  string
		flags map[state.QuestionKind]bool
		lines string
		asked []state.Question
		want  outcome
	}{
		{
			"yes by flags",
			map[state.QuestionKind]bool{state.AskRecord: true, state.AskService: true, state.AskBounces: true, state.AskOverride: true},
			"", all,
			outcome{Consents: []string{"bounces", "override", "record _dmarc.lab.example DMARC", "record lab.example SPF", "service submission/inet"}, Bounces: "yes"},
		},
		{
			"no by flags",
			map[state.QuestionKind]bool{state.AskRecord: false, state.AskService: false, state.AskBounces: false},
			"", all[:4],
			outcome{Keep: []string{"spf", "dmarc"}, Leave: []string{"submission/inet"}, Bounces: "no"},
		},
		{"some by flags, which comes first", map[state.QuestionKind]bool{state.AskService: true}, "", all, outcome{Consents: []string{"service submission/inet"}}},
		{
			"yes in person", nil, "y\ny\ny\ny\ny\n", all,
			outcome{Consents: []string{"bounces", "override", "record _dmarc.lab.example DMARC", "record lab.example SPF", "service submission/inet"}, Bounces: "yes"},
		},
		{"each by itself", nil, "n\ny\n\ny\n", all[:4], outcome{Consents: []string{"bounces", "record _dmarc.lab.example DMARC"}, Keep: []string{"spf"}, Leave: []string{"submission/inet"}, Bounces: "yes"}},
		{"the end of the input is a no", nil, "n\n", all[:2], outcome{Keep: []string{"spf", "dmarc"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, w, said := askedSession(t, tt.lines)
			s.o.consents = tt.flags
			again, err := s.settle(t.Context(), w, tt.asked)
			if !again || err != nil {
				t.Fatalf("again %v, %v\n%s", again, err, said)
			}
			if diff := cmp.Diff(tt.want, outcomeOf(w)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// What is remembered is in the files that the same run writes, and not in the
// spec that the caller still has.
func TestANoIsWrittenDown(t *testing.T) {
	s, w, _ := askedSession(t, "n\nn\n")
	given := w.input.Spec
	if _, err := s.settle(t.Context(), w, []state.Question{askSPF, askSubmission}); err != nil {
		t.Fatal(err)
	}
	for path, line := range map[state.Path]string{
		spec.HostFile: `leave_services = ["submission/inet"]`, spec.DomainFile("lab.example"): `keep = ["spf"]`,
	} {
		if text := string(w.input.Documents[path]); !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("%s without %s:\n%s", path, line, text)
		}
	}
	if len(given.Domains[0].Keep) > 0 || len(given.Host.LeaveServices) > 0 {
		t.Errorf("the spec that was given changed: %+v", given)
	}
}

func TestSettleStops(t *testing.T) {
	for _, tt := range []struct {
		name  string
		set   func(*session)
		lines string
		asked []state.Question
		code  int
		says  []string
	}{
		{
			"--yes is not enough", func(*session) {}, "",
			[]state.Question{askSPF, askDMARC, askOverride},
			2,
			[]string{
				"  ? a record of your zone\n", "/etc/bind/db.lab:7\n", `- @ IN TXT "v=spf1 mx -all"`, `+ @ IN TXT "v=spf1 ip4:192.0.2.10 mx -all"`,
				"mailsetup: 3 changes need a consent of their own: nothing was changed\n" +
					"hint: --existing-records change allows it, keep leaves it as it is\nhint: --replace-override allows it\n",
			},
		},
		{
			"nobody is there", func(s *session) { s.o.yes, s.c.interactive = false, false }, "",
			[]state.Question{askBounces},
			2,
			[]string{"mailsetup: this change needs a consent of its own: nothing was changed\n", "hint: --sign-bounces yes allows it, no leaves it as it is\n"},
		},
		{"--json", func(s *session) { s.o.json = true }, "y\n", []state.Question{askBounces}, 2, []string{"hint: --sign-bounces yes"}},
		{
			"a flag says no to what cannot stay", func(s *session) { s.o.consents = map[state.QuestionKind]bool{state.AskOverride: false} }, "y\n",
			[]state.Question{askOverride},
			2,
			[]string{"mailsetup: has a socket of its own\nhint: --replace-override allows it\n"},
		},
		{"a no to what cannot stay", func(*session) {}, "n\n", []state.Question{askOverride}, 1, []string{"not confirmed: nothing was changed"}},
		{
			"the same once packages are there", func(s *session) { s.installed = []string{"opendkim"} }, "n\n",
			[]state.Question{askOverride},
			1,
			[]string{"not confirmed: nothing else was changed"},
		},
		{"asked twice", func(*session) {}, "y\ny\n", []state.Question{askBounces, askBounces}, 1, []string{"asks again for what was answered: bounces"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, w, said := askedSession(t, tt.lines)
			tt.set(s)
			_, err := s.settle(t.Context(), w, tt.asked)
			if code := s.c.finish(err); code != tt.code {
				t.Errorf("exit %d, want %d", code, tt.code)
			}
			for _, text := range tt.says {
				if !strings.Contains(said.String(), text) {
					t.Errorf("nothing of %q in\n%s", text, said)
				}
			}
		})
	}
}

func TestCtrlCAtAConsent(t *testing.T) {
	s, w, _ := askedSession(t, "y\n")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.settle(ctx, w, []state.Question{askSPF})
	if code, _ := judge(err); code != 130 || !errors.Is(err, wizard.ErrAborted) {
		t.Errorf("exit %d, %v", code, err)
	}
	if diff := cmp.Diff(outcome{}, outcomeOf(w)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestADryRunLeavesQuestionsOpen(t *testing.T) {
	s, w, said := askedSession(t, "y\n")
	s.o.dryRun = true
	again, err := s.settle(t.Context(), w, []state.Question{askSPF})
	if again || err != nil || said.Len() > 0 {
		t.Errorf("again %v, %v, said %s", again, err, said)
	}
}

// What a step refuses may stay as it is, if somebody says so.
func TestLeave(t *testing.T) {
	refusal := &steps.Refusal{What: "two SPF records", Hint: "remove one", Keep: &askSPF}
	for _, tt := range []struct {
		name  string
		flags map[state.QuestionKind]bool
		lines string
		left  bool
		says  string
	}{
		{"keep", map[state.QuestionKind]bool{state.AskRecord: false}, "", true, ""},
		{"change cannot be done", map[state.QuestionKind]bool{state.AskRecord: true}, "y\n", false, ""},
		{"nobody says so", nil, "", false, "hint: remove one\nhint: --existing-records keep leaves it as it is\n"},
		{
			"yes in person", nil, "y\n", true,
			"      two SPF records\n      hint: remove one\n      With a yes: it stays.\n      /etc/bind/db.lab:7\n" +
				"      With a no: nothing is changed, and the run ends.\n\nLeave it as it is, and go on?",
		},
		{"no in person", nil, "n\n", false, "two SPF records"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, w, said := askedSession(t, tt.lines)
			s.o.consents = tt.flags
			err := s.leave(t.Context(), w, refusal, refusal)
			s.c.finish(err)
			if left := slices.Equal(outcomeOf(w).Keep, []string{"spf"}); left != tt.left || (err == nil) != tt.left {
				t.Errorf("left %v, %v; want %v", left, err, tt.left)
			}
			if !strings.Contains(said.String(), tt.says) {
				t.Errorf("nothing of %q in\n%s", tt.says, said)
			}
		})
	}
}

// handMade is a tree with a Postfix whose submission service and whose local
// mail have milters of their own.
func handMade(t *testing.T, lines string) (*session, *systemtest.Mem, spec.Spec, *bytes.Buffer) {
	t.Helper()
	s, mem, said, want := bareSession(t)
	s.o.root, s.o.yes = "/image", lines == ""
	s.o.accessible, s.c.interactive, s.c.in = true, true, strings.NewReader(lines)
	mem.PutFile("/etc/postfix/main.cf", "compatibility_level = 3.6\nnon_smtpd_milters = inet:127.0.0.1:11332\n")
	mem.PutFile("/etc/postfix/master.cf", "submission inet n - y - - smtpd\n  -o smtpd_milters=inet:127.0.0.1:11332\n")
	s.facts.Postfix = &state.Postfix{
		Unit: "postfix.service", QueueDirectory: "/var/spool/postfix", Value: map[string]string{},
		Raw: map[string]string{"non_smtpd_milters": "inet:127.0.0.1:11332"},
		Services: []state.Service{
			{Name: "submission/inet", Command: "smtpd", Line: 1, Options: []state.Option{{Name: "smtpd_milters", Value: "inet:127.0.0.1:11332", Line: 2}}},
			{Name: "pickup/unix", Command: "pickup"},
			{Name: "cleanup/unix", Command: "cleanup"},
		},
	}
	mem.ClearTrace()
	return s, mem, want, said
}

// One round of answers changes what is done, and what is written down for the
// next run; nothing is written before the last of them.
func TestProvisionWithConsents(t *testing.T) {
	const (
		main   = state.Path("/etc/postfix/main.cf")
		master = state.Path("/etc/postfix/master.cf")
		host   = spec.HostFile
	)
	for _, tt := range []struct {
		name  string
		flags map[state.QuestionKind]bool
		lines string
		code  int
		says  map[state.Path]string
	}{
		{"--yes alone", nil, "", 2, nil},
		{"one flag is not enough", map[state.QuestionKind]bool{state.AskService: true}, "", 2, nil},
		{
			"yes to both",
			map[state.QuestionKind]bool{state.AskService: true, state.AskBounces: true},
			"", 0,
			map[state.Path]string{
				main: "\ninternal_mail_filter_classes = bounce\n", host: "\nsign_bounces = \"yes\"\n",
				master: "  -o { smtpd_milters = inet:127.0.0.1:11332, { unix:opendkim/opendkim.sock, default_action=tempfail } }\n",
			},
		},
		{
			"no to both", nil, "n\nn\n", 0,
			map[state.Path]string{
				host:   "\nsign_bounces = \"no\"\n# Services with milters of their own that the signer is not added to.\nleave_services = [\"submission/inet\"]\n",
				master: "  -o smtpd_milters=inet:127.0.0.1:11332\n",
			},
		},
		{
			"one of each",
			map[state.QuestionKind]bool{state.AskService: true},
			"n\n", 0,
			map[state.Path]string{host: "\nsign_bounces = \"no\"\n", master: "{ unix:opendkim/opendkim.sock, default_action=tempfail } }\n"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, mem, want, said := handMade(t, tt.lines)
			s.o.consents = tt.flags
			if code := s.c.finish(s.provision(t.Context(), want, nil)); code != tt.code {
				t.Fatalf("exit %d, want %d\n%s", code, tt.code, said)
			}
			if trace := mem.Trace(); tt.code == 2 && len(trace) > 0 {
				t.Errorf("was touched: %q", trace)
			}
			for path, text := range tt.says {
				if content := string(mem.Files()[path].Content); !strings.Contains(content, text) {
					t.Errorf("%s without %q:\n%s", path, text, content)
				}
			}
		})
	}
}

// Nothing is installed on another system before somebody says so.
func TestProvisionOnAnotherRelease(t *testing.T) {
	for _, tt := range []struct {
		name  string
		flags map[state.QuestionKind]bool
		code  int
		says  string
	}{
		{"--yes alone", nil, 2, "This is Ubuntu 24.04 LTS, which derives from Debian."},
		{"--yes alone names the flag", nil, 2, "hint: --any-release allows it"},
		{"with the flag", map[state.QuestionKind]bool{state.AskRelease: true}, 1, "installed and left in place: postfix, opendkim"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, mem, said, want := bareSession(t)
			s.o.consents = tt.flags
			mem.PutFile("/etc/os-release", "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\nPRETTY_NAME=\"Ubuntu 24.04 LTS\"\n")
			if err := s.look(t.Context(), &want); err != nil {
				t.Fatal(err)
			}
			code := s.c.finish(s.provision(t.Context(), want, nil))
			if text := strings.Join(strings.Fields(said.String()), " "); code != tt.code || !strings.Contains(text, tt.says) {
				t.Errorf("exit %d, want %d, and %q\n%s", code, tt.code, tt.says, said)
			}
		})
	}
}

// Both answers about wildcards are kept in the domain's file, and neither a yes to
// the plan nor one about records is one.
func TestWildcardAnswers(t *testing.T) {
	q := state.Question{ID: "wildcard lab.example", Kind: state.AskWildcard, Domain: "lab.example", Text: "lost", Declined: "gone."}
	for _, tt := range []struct {
		flags map[state.QuestionKind]bool
		lines string
		want  string
	}{
		{map[state.QuestionKind]bool{state.AskWildcard: true}, "", "copy"},
		{map[state.QuestionKind]bool{state.AskWildcard: false}, "", "drop"},
		{nil, "y\n", "copy"},
		{nil, "n\n", "drop"},
		{map[state.QuestionKind]bool{state.AskRecord: true}, "", ""},
	} {
		s, w, said := askedSession(t, tt.lines)
		s.o.consents = tt.flags
		_, err := s.settle(t.Context(), w, []state.Question{q})
		if got := w.input.Spec.Domains[0].WildcardRecords; got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%+v: %q, %v", tt, got, err)
		}
		if text := string(w.input.Documents[spec.DomainFile("lab.example")]); tt.want != "" && !strings.Contains(text, "\nwildcard_records = \""+tt.want+"\"\n") {
			t.Errorf("%+v: not kept in\n%s", tt, text)
		}
		if tt.want != "" {
			continue
		}
		s.c.finish(err)
		if want := "hint: --wildcard-records copy allows it, drop goes on without\n"; !strings.HasSuffix(said.String(), want) {
			t.Errorf("said:\n%s\nwant at the end %s", said, want)
		}
	}
}
