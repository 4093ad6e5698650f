package provision_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/hint"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

var (
	askSPF = state.Question{
		ID: "record lab.example SPF", Kind: state.AskRecord, Subject: "spf", Domain: "lab.example",
		Text: "the record lacks 192.0.2.10", Path: "/etc/bind/db.lab", Line: 7, Declined: "it stays.",
	}
	askDMARC      = state.Question{ID: "record _dmarc.lab.example DMARC", Kind: state.AskRecord, Subject: "dmarc", Domain: "lab.example", Text: "stricter", Declined: "it stays."}
	askSubmission = state.Question{ID: "service submission/inet", Kind: state.AskService, Subject: "submission/inet", Text: "has milters of its own", Declined: "unsigned.", Path: "/etc/postfix/master.cf"}
	askBounces    = state.Question{ID: "bounces", Kind: state.AskBounces, Text: "others see them, too", Declined: "unsigned."}
	askOverride   = state.Question{ID: "override", Kind: state.AskOverride, Text: "has a socket of its own", Path: "/etc/o.conf"}
	askWildcard   = state.Question{ID: "wildcard lab.example", Kind: state.AskWildcard, Domain: "lab.example", Text: "lost", Declined: "gone."}
)

// asking is a step that asks the questions that nobody has answered: by a yes, or
// by a no that the spec remembers.
func asking(questions ...state.Question) step.Step {
	return step.Step{Name: "Asking", Build: func(in step.Input) (state.Stage, []state.Note, error) {
		stage := change // who changes nothing needs no consent
		for _, q := range questions {
			if !in.Consents[q.ID] && !declined(in.Spec, q) {
				stage.Questions = append(stage.Questions, q)
			}
		}
		return stage, nil, nil
	}}
}

// askingOnce is a step whose questions are answered by a no, too.
func askingOnce(q state.Question) step.Step {
	asked := false
	return step.Step{Name: "Asking", Build: func(in step.Input) (state.Stage, []state.Note, error) {
		stage := change
		if !asked {
			stage.Questions = []state.Question{q}
		}
		asked = true
		return stage, nil, nil
	}}
}

var change = state.Stage{Files: []state.File{{Path: "/etc/changed", Mode: 0o644, Owner: state.Root, Content: []byte("x")}}}

func declined(sp spec.Spec, q state.Question) bool {
	switch q.Kind {
	case state.AskRecord:
		return slices.Contains(sp.Domains[0].Keep, q.Subject)
	case state.AskService:
		return slices.Contains(sp.Host.LeaveServices, q.Subject)
	case state.AskBounces:
		return sp.Host.SignBounces == "no"
	case state.AskWildcard:
		return sp.Domains[0].WildcardRecords == spec.Drop
	}
	return false
}

// outcome is what answers lead to.
type outcome struct {
	Consents, Keep, Leave []string
	Bounces, Wildcards    string
}

func outcomeOf(d *provision.Draft) outcome {
	in := d.Input
	o := outcome{
		Keep: in.Spec.Domains[0].Keep, Leave: in.Spec.Host.LeaveServices, Bounces: in.Spec.Host.SignBounces,
		Wildcards: in.Spec.Domains[0].WildcardRecords,
	}
	for id := range in.Consents {
		o.Consents = append(o.Consents, id)
	}
	slices.Sort(o.Consents)
	return o
}

type kinds = map[state.QuestionKind]bool

func TestAnswers(t *testing.T) {
	all := []state.Question{askSPF, askDMARC, askSubmission, askBounces, askOverride}
	everything := []string{"bounces", "override", "record _dmarc.lab.example DMARC", "record lab.example SPF", "service submission/inet"}
	for _, tt := range []struct {
		name    string
		flags   kinds
		answers map[string]bool
		asks    []state.Question
		want    outcome
		asked   string
	}{
		{
			"yes by flags",
			kinds{state.AskRecord: true, state.AskService: true, state.AskBounces: true, state.AskOverride: true},
			nil, all,
			outcome{Consents: everything, Bounces: "yes"},
			"",
		},
		{
			"no by flags",
			kinds{state.AskRecord: false, state.AskService: false, state.AskBounces: false},
			nil, all[:4],
			outcome{Keep: []string{"spf", "dmarc"}, Leave: []string{"submission/inet"}, Bounces: "no"},
			"",
		},
		{
			"yes in person", nil,
			map[string]bool{askSPF.ID: true, askDMARC.ID: true, askSubmission.ID: true, askBounces.ID: true, askOverride.ID: true},
			all,
			outcome{Consents: everything, Bounces: "yes"},
			"record lab.example SPF|record _dmarc.lab.example DMARC|service submission/inet|bounces|override",
		},
		{
			"each by itself", nil,
			map[string]bool{askDMARC.ID: true, askBounces.ID: true},
			all[:4],
			outcome{Consents: []string{"bounces", "record _dmarc.lab.example DMARC"}, Keep: []string{"spf"}, Leave: []string{"submission/inet"}, Bounces: "yes"},
			"record lab.example SPF|record _dmarc.lab.example DMARC|service submission/inet|bounces",
		},
		{
			"some by flags, the rest in person",
			kinds{state.AskService: true},
			map[string]bool{askBounces.ID: true},
			[]state.Question{askSubmission, askBounces},
			outcome{Consents: []string{"bounces", "service submission/inet"}, Bounces: "yes"},
			"bounces",
		},
		{"a yes to wildcards by a flag", kinds{state.AskWildcard: true}, nil, []state.Question{askWildcard}, outcome{Consents: []string{askWildcard.ID}, Wildcards: "copy"}, ""},
		{"a no to wildcards by a flag", kinds{state.AskWildcard: false}, nil, []state.Question{askWildcard}, outcome{Wildcards: "drop"}, ""},
		{"a yes to wildcards", nil, map[string]bool{askWildcard.ID: true}, []state.Question{askWildcard}, outcome{Consents: []string{askWildcard.ID}, Wildcards: "copy"}, askWildcard.ID},
		{"a no to wildcards", nil, nil, []state.Question{askWildcard}, outcome{Wildcards: "drop"}, askWildcard.ID},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "")
			w.options.Consents, w.answers = tt.flags, tt.answers
			d, err := w.plan(w.request(lab(t), asking(tt.asks...)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, outcomeOf(d)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got := strings.Join(w.asked, "|"); got != tt.asked {
				t.Errorf("asked %s, want %s", got, tt.asked)
			}
			if trace := w.Trace(); len(trace) > 0 {
				t.Errorf("planning touched the machine: %q", trace)
			}
		})
	}
}

// What is remembered is in the files that the same run writes, and not in the spec
// that the caller still has.
func TestANoIsWrittenDown(t *testing.T) {
	w, given := newWorld(t, ""), lab(t)
	d, err := w.plan(w.request(given, asking(askSPF, askSubmission)))
	if err != nil {
		t.Fatal(err)
	}
	for path, line := range map[state.Path]string{
		spec.HostFile: `leave_services = ["submission/inet"]`, spec.DomainFile("lab.example"): `keep = ["spf"]`,
	} {
		if text := string(d.Input.SpecFiles[path]); !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("%s without %s:\n%s", path, line, text)
		}
	}
	if len(given.Domains[0].Keep) > 0 || len(given.Host.LeaveServices) > 0 {
		t.Errorf("the spec that was given changed: %+v", given)
	}
}

// Of hundreds of domains, an answer for all of them is written down in the file of each.
func TestAnswersForManyDomains(t *testing.T) {
	w, given := newWorld(t, ""), lab(t)
	for i := range 500 {
		d := given.Domains[0]
		d.Name = fmt.Sprintf("m%03d.example", i)
		given.Domains = append(given.Domains, d)
	}
	w.options.Consents = kinds{state.AskRecord: false}
	ask := step.Step{Name: "Asking", Build: func(in step.Input) (state.Stage, []state.Note, error) {
		stage := change
		for _, d := range in.Spec.Domains {
			if q := askSPF; !slices.Contains(d.Keep, q.Subject) {
				q.ID, q.Domain = "record "+d.Name+" SPF", d.Name
				stage.Questions = append(stage.Questions, q)
			}
		}
		return stage, nil, nil
	}}
	d, err := w.plan(w.request(given, ask))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range given.Domains {
		if text := string(d.Input.SpecFiles[spec.DomainFile(x.Name)]); !strings.Contains(text, "\nkeep = [\"spf\"]\n") || len(x.Keep) > 0 {
			t.Fatalf("%s keeps %q:\n%s", x.Name, x.Keep, text)
		}
	}
}

// The first questions are introduced; what is said depends on what was done.
func TestIntroduction(t *testing.T) {
	const nothingYet = "What follows would change something of yours, so each is asked by itself. Nothing is changed before you agree to the whole plan."
	for _, tt := range []struct {
		name  string
		flags kinds
		want  []string
	}{
		{"in person", nil, []string{nothingYet}},
		{"after a flag answered some", kinds{state.AskService: true}, nil},
	} {
		w := newWorld(t, "")
		w.options.Consents = tt.flags
		if _, err := w.plan(w.request(lab(t), asking(askSubmission, askBounces))); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(w.intro, tt.want) {
			t.Errorf("%s: %q", tt.name, w.intro)
		}
	}
}

func TestPlansThatStopAtAQuestion(t *testing.T) {
	alone := func(o *provision.Options) { o.Interactive = false }
	for _, tt := range []struct {
		name  string
		set   func(*provision.Options)
		asks  []state.Question
		err   string
		hints string
		usage bool
		says  string
	}{
		{
			"nobody is there", alone,
			[]state.Question{askSPF, askDMARC, askOverride},
			"3 changes need a consent of their own: nothing was changed",
			"--existing-records change allows it, keep leaves it as it is|--replace-override allows it", true,
			"question record lab.example SPF\nquestion record _dmarc.lab.example DMARC\nquestion override\n",
		},
		{
			"one question", alone,
			[]state.Question{askBounces},
			"this change needs a consent of its own: nothing was changed", "--sign-bounces yes allows it, no leaves it as it is", true, "question bounces\n",
		},
		{
			"what a no leads to", func(o *provision.Options) { o.Interactive, o.Consents = false, kinds{state.AskRecord: true} },
			[]state.Question{askWildcard},
			"this change needs a consent of its own: nothing was changed", "--wildcard-records copy allows it, drop goes on without", true, "",
		},
		{
			"files of domains that are gone", alone,
			[]state.Question{
				{ID: "removal shop.example", Kind: state.AskRemoval, Domain: "shop.example"},
				{ID: "removal blog.example", Kind: state.AskRemoval, Domain: "blog.example"},
			},
			"2 changes need a consent of their own: nothing was changed",
			"put the files back in /etc/mailsetup/domains.d, from a backup or with mailsetup add-domain shop.example blog.example: the same keys go on signing|--remove-missing allows it",
			true, "",
		},
		{
			"a directory of thousands that is gone", alone, removals(3000),
			"3000 changes need a consent of their own: nothing was changed",
			"put the files back in /etc/mailsetup/domains.d, from a backup or with mailsetup add-domain --from-file FILE (the names of 3000 domains, a line each): the same keys go on signing|--remove-missing allows it",
			true, "",
		},
		{
			"a flag says no to what cannot stay", func(o *provision.Options) { o.Consents = kinds{state.AskOverride: false} },
			[]state.Question{askOverride},
			"/etc/o.conf: has a socket of its own", "--replace-override allows it", true, "",
		},
		{
			"with its line", func(o *provision.Options) { o.Consents = kinds{state.AskRelease: false} },
			[]state.Question{{ID: "x", Kind: state.AskRelease, Text: "another release", Path: "/etc/os-release", Line: 3}},
			"/etc/os-release:3: another release", "--any-release allows it", true, "",
		},
		{"a no to what cannot stay", func(*provision.Options) {}, []state.Question{askOverride, askBounces}, "not confirmed: nothing was changed", "", false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "")
			tt.set(&w.options)
			_, err := w.plan(w.request(lab(t), asking(tt.asks...)))
			if err == nil || err.Error() != tt.err || hint.IsUsage(err) != tt.usage {
				t.Fatalf("error %v, usage %v", err, hint.IsUsage(err))
			}
			if got := strings.Join(hint.Of(err), "|"); got != tt.hints {
				t.Errorf("hints %s, want %s", got, tt.hints)
			}
			w.says(tt.says)
			if trace := w.Trace(); len(trace) > 0 {
				t.Errorf("the machine was touched: %q", trace)
			}
		})
	}
}

// A step that asks the same again and again ends the run, and not the night.
func TestAskedTwice(t *testing.T) {
	w := newWorld(t, "")
	w.answers[askOverride.ID] = true
	deaf := step.Step{Name: "Deaf", Build: func(step.Input) (state.Stage, []state.Note, error) {
		return state.Stage{Files: change.Files, Questions: []state.Question{askOverride}}, nil, nil
	}}
	if _, err := w.plan(w.request(lab(t), deaf)); err == nil || !strings.Contains(err.Error(), "asks again for what was answered: override") {
		t.Errorf("error %v", err)
	}
}

func TestInterruptedAtAQuestion(t *testing.T) {
	w := newWorld(t, "")
	w.leaves = context.Canceled
	for _, list := range []step.Step{asking(askSPF), refusing(askSPF)} {
		if _, err := w.plan(w.request(lab(t), list)); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	}
}

func TestADryRunLeavesQuestionsOpen(t *testing.T) {
	w := newWorld(t, "")
	w.options.DryRun = true
	d, err := w.plan(w.request(lab(t), asking(askSPF)))
	if err != nil || len(d.Plan.Questions) != 1 || len(w.asked) > 0 || w.said.Len() > 0 {
		t.Fatalf("%v, asked %q, said %q", err, w.asked, &w.said)
	}
	// What a flag answers is answered.
	w.options.Consents = kinds{state.AskRecord: true}
	if d, err = w.plan(w.request(lab(t), asking(askSPF, askBounces))); err != nil || len(d.Plan.Questions) != 1 || !d.Input.Consents[askSPF.ID] {
		t.Errorf("%v, questions %v", err, d.Plan.Questions)
	}
}

// Who signs decides what else is to be asked, so it is asked alone.
func TestWhoSignsIsAskedFirst(t *testing.T) {
	w := newWorld(t, "")
	signer := state.Question{ID: "signer x", Kind: state.AskSigner, Subject: "x", Declined: "it signs."}
	w.answers = map[string]bool{signer.ID: true, askBounces.ID: true}
	if _, err := w.plan(w.request(lab(t), asking(askBounces, signer))); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(w.asked, "|"); got != "signer x|bounces" {
		t.Errorf("asked %s", got)
	}
}

// refusing is a step that refuses what the question is about, until that may stay.
func refusing(q state.Question) step.Step {
	return step.Step{Name: "Refusing", Build: func(in step.Input) (state.Stage, []state.Note, error) {
		if declined(in.Spec, q) {
			return state.Stage{}, nil, nil
		}
		return state.Stage{}, nil, &step.Refusal{What: "two SPF records", Hint: "remove one", Keep: &q}
	}}
}

// What a step refuses may stay as it is, if somebody says so.
func TestWhatIsRefusedMayStay(t *testing.T) {
	for _, tt := range []struct {
		name    string
		flags   kinds
		answers map[string]bool
		set     func(*provision.Options)
		kept    bool
		asked   string
	}{
		{"keep by a flag", kinds{state.AskRecord: false}, nil, nil, true, ""},
		{"change, which cannot be done", kinds{state.AskRecord: true}, nil, nil, false, ""},
		{"nobody is there", nil, nil, func(o *provision.Options) { o.Interactive = false }, false, ""},
		{"a dry run asks nobody", nil, nil, func(o *provision.Options) { o.DryRun = true }, false, ""},
		{"yes in person", nil, map[string]bool{"keep " + askSPF.ID: true}, nil, true, "keep " + askSPF.ID},
		{"no in person", nil, nil, nil, false, "keep " + askSPF.ID},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "")
			w.options.Consents, w.answers = tt.flags, tt.answers
			if tt.set != nil {
				tt.set(&w.options)
			}
			d, err := w.plan(w.request(lab(t), refusing(askSPF)))
			if got := strings.Join(w.asked, "|"); got != tt.asked {
				t.Errorf("asked %q", got)
			}
			if tt.kept {
				if err != nil || !slices.Equal(outcomeOf(d).Keep, []string{"spf"}) {
					t.Errorf("%v", err)
				}
				return
			}
			if err == nil || err.Error() != "Refusing: two SPF records" || !hint.IsUsage(err) {
				t.Errorf("error %v", err)
			}
			if got := hint.Of(err); !slices.Equal(got, []string{"remove one", "--existing-records keep leaves it as it is"}) {
				t.Errorf("hints %q", got)
			}
		})
	}
}

// A refusal without a way to go on ends the plan.
func TestARefusal(t *testing.T) {
	w := newWorld(t, "")
	no := step.Step{Name: "No", Build: func(step.Input) (state.Stage, []state.Note, error) {
		return state.Stage{}, nil, &step.Refusal{What: "not this", Hint: "do that"}
	}}
	if _, err := w.plan(w.request(lab(t), no)); err == nil || !slices.Equal(hint.Of(err), []string{"do that"}) || len(w.asked) > 0 {
		t.Errorf("%v, asked %q", err, w.asked)
	}
}

// handMade is a tree with a Postfix whose submission service and whose local mail
// have milters of their own.
func handMade(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, "/image")
	w.options.MakeKeys = false
	w.PutFile("/etc/postfix/main.cf", "compatibility_level = 3.6\nnon_smtpd_milters = inet:127.0.0.1:11332\n")
	w.PutFile("/etc/postfix/master.cf", "submission inet n - y - - smtpd\n  -o smtpd_milters=inet:127.0.0.1:11332\n")
	w.facts.Postfix = &state.Postfix{
		Unit: "postfix.service", QueueDirectory: "/var/spool/postfix", Value: map[string]string{},
		Raw: map[string]string{"non_smtpd_milters": "inet:127.0.0.1:11332"},
		Services: []state.Service{
			{Name: "submission/inet", Command: "smtpd", Line: 1, Options: []state.Option{{Name: "smtpd_milters", Value: "inet:127.0.0.1:11332", Line: 2}}},
			{Name: "pickup/unix", Command: "pickup"},
			{Name: "cleanup/unix", Command: "cleanup"},
		},
	}
	w.ClearTrace()
	return w
}

// One round of answers changes what is done, and what is written down for the next
// run; nothing is written before the last of them.
func TestConsentsOfAWholeRun(t *testing.T) {
	const (
		main   = state.Path("/etc/postfix/main.cf")
		master = state.Path("/etc/postfix/master.cf")
		host   = spec.HostFile
	)
	for _, tt := range []struct {
		name    string
		flags   kinds
		answers map[string]bool // nil: nobody is there
		ok      bool
		says    map[state.Path]string
	}{
		{"nobody answers", nil, nil, false, nil},
		{"one flag is not enough", kinds{state.AskService: true}, nil, false, nil},
		{
			"yes to both",
			kinds{state.AskService: true, state.AskBounces: true},
			nil, true,
			map[state.Path]string{
				main: "\ninternal_mail_filter_classes = bounce\n", host: "\nsign_bounces = \"yes\"\n",
				master: "  -o { smtpd_milters = inet:127.0.0.1:11332, { unix:opendkim/opendkim.sock, default_action=tempfail } }\n",
			},
		},
		{
			"no to both", nil,
			map[string]bool{},
			true,
			map[state.Path]string{
				host:   "\nsign_bounces = \"no\"\n# Services with milters of their own that the signer is not added to.\nleave_services = [\"submission/inet\"]\n",
				master: "  -o smtpd_milters=inet:127.0.0.1:11332\n",
			},
		},
		{
			"one of each",
			kinds{state.AskService: true},
			map[string]bool{},
			true,
			map[state.Path]string{host: "\nsign_bounces = \"no\"\n", master: "{ unix:opendkim/opendkim.sock, default_action=tempfail } }\n"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := handMade(t)
			w.options.Consents, w.answers, w.options.Interactive = tt.flags, tt.answers, tt.answers != nil
			res, err := w.run(w.request(lab(t)))
			if (err == nil) != tt.ok || res.Changed() != tt.ok {
				t.Fatalf("%v, changed %v\n%s", err, res.Changed(), &w.said)
			}
			if trace := w.Trace(); !tt.ok && len(trace) > 0 {
				t.Errorf("was touched: %q", trace)
			}
			for path, text := range tt.says {
				if content := w.content(path); !strings.Contains(content, text) {
					t.Errorf("%s without %q:\n%s", path, text, content)
				}
			}
		})
	}
}

// removals are questions about n domains whose files are gone.
func removals(n int) (list []state.Question) {
	for i := range n {
		name := fmt.Sprintf("d%04d.example", i)
		list = append(list, state.Question{ID: "removal " + name, Kind: state.AskRemoval, Domain: name})
	}
	return list
}
