package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/apply"
	"mailsetup/internal/apt"
	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/plan"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/wizard"
	"mailsetup/steps"
)

// provision is the tail of every command that changes the machine: plan, show,
// confirm, install, make the keys, apply, tell what is left.
func (s *session) provision(ctx context.Context, want spec.Spec, old *spec.Spec) error {
	w, first, err := s.prepare(ctx, want, old)
	if err != nil {
		return err
	}
	if s.o.dryRun {
		return s.showDry(first)
	}
	if first.Empty() {
		return s.nothingToDo(ctx, w, first)
	}
	if err := s.confirmed(ctx, first); err != nil {
		return err
	}
	if err = s.install(ctx, w, &first); err == nil {
		err = s.perform(ctx, w, first)
	}
	if err != nil && !errors.Is(err, errProblemsFound) && len(s.installed) > 0 {
		s.c.say("installed and left in place: %s", strings.Join(s.installed, ", "))
	}
	return err
}

// prepare is the part of it that touches nothing.
func (s *session) prepare(ctx context.Context, want spec.Spec, old *spec.Spec) (*work, plan.Plan, error) {
	w, err := s.work(ctx, want, old)
	if err != nil {
		return nil, plan.Plan{}, err
	}
	if err := s.zoneAllowed(ctx, want); err != nil {
		return nil, plan.Plan{}, err
	}
	if err := s.halted(w, true); err != nil {
		return nil, plan.Plan{}, err
	}
	p, err := s.agreed(ctx, w)
	if err == nil && p.Empty() {
		err = s.halted(w, false)
	}
	return w, p, err
}

// work is one wish on its way to a plan.
type work struct {
	input steps.Input
	old   *spec.Spec      // the spec of earlier runs, nil for the first
	fresh []dkimkeys.Pair // keys that this run makes once it is confirmed

	notes []state.Note // beside those of the steps

	answered  map[string]bool // questions, by ID
	consented []state.Path    // files of the administrator's that a yes is about
}

// work gathers what the steps look at. Keys that have to be made are
// placeholders until the plan is confirmed.
func (s *session) work(ctx context.Context, want spec.Spec, old *spec.Spec) (*work, error) {
	docs, err := s.documents(want)
	if err != nil {
		return nil, err
	}
	if err := s.keysThere(want); err != nil {
		return nil, err
	}
	w := &work{old: old, answered: map[string]bool{}, input: steps.Input{
		Spec: want, Facts: s.facts, Keys: s.keys, Written: s.memory.keys, Documents: docs, Now: s.Now,
		NewKeys: map[state.Path][]byte{}, Consents: map[string]bool{}, Scope: s.scope,
		Removed: s.removed, Retire: s.retire,
	}}
	if s.taken != nil {
		w.input.Unsafe, w.input.Copies = s.taken.Permissions, s.taken.Copies
	}
	s.turn(ctx, w)
	s.askMilters(ctx, w)
	selectors := s.selectors()
	for _, d := range s.subjects(&want) {
		if d.SignedBy != "" {
			w.leave(d.Name)
			continue
		}
		if _, ok := s.keys.Signing(d.Name); ok || s.steps != nil || (s.o.root != "" && !s.o.rootKeys) {
			continue
		}
		if k, ok := selectors.Resumable(d.Name); ok {
			w.resume(d.Name, k)
			continue
		}
		w.fresh = append(w.fresh, dkimkeys.NewPair(d, selectors.ForFirstKey(ctx, d, old), s.Now))
	}
	dkimkeys.AddPairs(&w.input, w.fresh)
	if err := s.primaries(ctx, w); err != nil {
		return nil, err
	}
	return w, s.recipients(ctx, w)
}

// planned compares the desired state with the machine.
func (s *session) planned(ctx context.Context, w *work) (plan.Plan, error) {
	list := s.steps
	if list == nil {
		list = steps.All()
	}
	w.input = steps.Prepare(list, w.input)
	want, err := steps.Some(list, w.input)
	if err != nil {
		return plan.Plan{}, err
	}
	if s.keyPlan == nil {
		want.Notes = append(want.Notes, steps.Advice(w.input)...)
	}
	want.Notes = append(want.Notes, w.notes...)
	if s.taken != nil {
		want.Notes = append(want.Notes, s.taken.Notes...)
	}
	if s.o.root != "" {
		if want, err = steps.BelowRoot(want, s.exists); err != nil {
			return plan.Plan{}, err
		}
	}
	p, err := plan.Make(ctx, want, s.Sys, s.record)
	if err != nil {
		return plan.Plan{}, err
	}
	return p, s.preview(ctx, &p)
}

// preview asks apt what installing the packages would bring and take away.
func (s *session) preview(ctx context.Context, p *plan.Plan) error {
	for i := range p.Stages {
		st := &p.Stages[i]
		if len(st.Packages) == 0 {
			continue
		}
		pre, err := apt.Simulate(ctx, s.Sys, packageNames(st.Packages), !s.o.dryRun)
		if err != nil {
			return err
		}
		st.Install, st.Uninstall = append(pre.Install, pre.Upgrade...), pre.Remove
		for i, q := range p.Questions {
			if q.Kind == state.AskMTA {
				p.Questions[i].Text += " apt removes: " + strings.Join(pre.Remove, " ") + "."
			}
		}
	}
	return nil
}

func packageNames(ps []state.Package) []string {
	names := make([]string, 0, len(ps))
	for _, p := range ps {
		names = append(names, p.Name)
	}
	return names
}

// acceptable refuses plans that need a consent which was not given.
func (s *session) acceptable(ctx context.Context, p plan.Plan) error {
	for _, st := range p.Stages {
		if len(st.Packages) > 0 && !s.o.install {
			return fail("leave --no-install out: what apt would bring and take away is shown before you confirm",
				"not installed, and --no-install forbids it: %s", strings.Join(packageNames(st.Packages), ", "))
		}
	}
	if len(p.Drift) > 0 && !s.o.overwriteDrift && !s.o.dryRun {
		if s.keyPlan != nil { // and the others may go on
			return fail("mailsetup init --dry-run shows the difference; init --overwrite-drift writes our version",
				"%s is not as mailsetup left it", p.Drift[0].Path)
		}
		for _, d := range p.Drift {
			s.c.say("%s: %s\n%s", d.Path, d.Why, strings.TrimRight(d.Diff, "\n"))
		}
		return fail("look at the difference above; --overwrite-drift writes our version (rollback brings yours back)",
			"%s is not as mailsetup left it", p.Drift[0].Path)
	}
	return ctx.Err()
}

// confirmed shows the plan and asks for the word.
func (s *session) confirmed(ctx context.Context, p plan.Plan) error {
	if s.observed {
		return nil
	}
	if !s.o.json {
		s.showPlan(p)
	}
	if s.o.yes || s.o.root != "" {
		return nil
	}
	if s.o.json {
		return usage("add --yes", "--json prints data and asks nothing")
	}
	if !s.asks() {
		return usage("add --yes", "nobody can be asked here: stdin or stdout is not a terminal")
	}
	return s.ask(ctx, p, "Do this?")
}

// ask shows the plan on one screen and takes a yes; anything else leaves the
// machine as it is.
func (s *session) ask(ctx context.Context, p plan.Plan, question string) error {
	p.Notes = plan.Few(oneLiners(p.Notes), mostNotes) // those that showPlan prints
	var summary bytes.Buffer
	_ = p.Summary(&summary)
	fmt.Fprintf(s.c.out, "\n%s\n", summary.String())
	yes, err := wizard.Confirm(ctx, s.terminal(wizard.Options{}), question, "")
	if err != nil {
		return err
	}
	if !yes {
		return s.notConfirmed()
	}
	return nil
}

// install brings the packages, looks at the machine again, and plans the
// second half. It goes on without a question only if that half adds nothing to
// what was announced.
func (s *session) install(ctx context.Context, w *work, announced *plan.Plan) error {
	names := packagesOf(*announced)
	if len(names) == 0 {
		return nil
	}
	s.c.say("installing %s", strings.Join(names, ", "))
	// A main.cf that an earlier installation left is the administrator's.
	fresh := s.facts.Postfix == nil && !s.exists("/etc/postfix/main.cf")
	pre := apt.Preseed{Mailname: steps.Mailname(w.input)}
	release := s.c.hold()
	err := apt.Install(ctx, s.Sys, names, pre, &packageProgress{c: s.c})
	release()
	if err != nil {
		return err
	}
	s.installed = names
	if fresh {
		if err := s.store().MarkFreshPostfix(); err != nil {
			return err
		}
	}
	if err := s.look(ctx, &w.input.Spec); err != nil {
		return err
	}
	w.input.Facts = s.facts
	if err := cmp.Or(s.primaries(ctx, w), s.recipients(ctx, w)); err != nil {
		return err
	}
	second, err := s.agreed(ctx, w)
	if err != nil {
		return err
	}
	if more := plan.Covers(*announced, second, w.consented...); len(more) > 0 {
		if err := s.more(ctx, second, more); err != nil {
			return err
		}
	}
	*announced = second
	return nil
}

// more asks again when the packages brought something the plan did not say.
func (s *session) more(ctx context.Context, p plan.Plan, extra []string) error {
	s.c.say("now that the packages are here, the plan needs more than it said:")
	for _, e := range extra {
		s.c.say("  %s", e)
	}
	s.showPlan(p)
	if !s.asks() {
		return fail("run the same command again if this is what you want", "the plan changed after the packages were installed")
	}
	return s.ask(ctx, p, "Do this as well?")
}

func packagesOf(p plan.Plan) []string {
	var names []string
	for _, st := range p.Stages {
		names = append(names, packageNames(st.Packages)...)
	}
	return names
}

// perform makes the keys and applies the plan that was confirmed. What goes wrong
// after that is fatal.
func (s *session) perform(ctx context.Context, w *work, confirmed plan.Plan) error {
	defer s.c.hold()()
	p := confirmed
	if len(w.fresh) > 0 {
		if err := s.makeKeys(ctx, w); err != nil {
			return err
		}
		var err error
		if p, err = s.planned(ctx, w); err != nil {
			return err
		}
		if diff := provision.Differences(confirmed, p, w.fresh); len(diff) > 0 {
			return fail("run the command again", "the machine changed while the plan was on the screen: %s", diff[0])
		}
	}
	report, err := apply.Run(ctx, s.Sys, p, s.Journal, s.ApplyOptions())
	if err != nil {
		return err
	}
	if err := s.Journal.Prune(apply.DefaultKeep); err != nil {
		s.c.say("old runs stay in the history: %v", err)
	}
	if err := s.done(ctx, w, p, report); err != nil {
		return &provision.FatalError{Err: err}
	}
	return nil
}

// zoneAllowed keeps a new zone from hiding a domain that others serve: this
// machine's resolver would no longer find the domain's website.
func (s *session) zoneAllowed(ctx context.Context, want spec.Spec) error {
	for _, d := range s.subjects(&want) {
		if !d.NewZone || s.o.root != "" || s.facts.Serves(d.Name) {
			continue
		}
		ns, known, err := s.Resolver.Delegation(ctx, d.Name+".")
		if err != nil || !known {
			s.c.say("could not find out who serves %s; going on, since the new zone was asked for", d.Name)
			continue
		}
		ours := slices.ContainsFunc(ns, func(n string) bool {
			n = strings.ToLower(strings.TrimSuffix(n, "."))
			return n == want.Host.Hostname || slices.Contains(d.NS, n)
		})
		if len(ns) > 0 && !ours {
			return usage("--dns manual prints the records for them",
				"%s is served by %s; a zone made here would hide it from this machine", d.Name, strings.Join(ns, ", "))
		}
	}
	return nil
}
