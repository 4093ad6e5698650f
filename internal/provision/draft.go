package provision

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"mailsetup/internal/apt"
	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/parallel"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
	"mailsetup/internal/text"
	"mailsetup/steps"
	"mailsetup/steps/daemons"
	"mailsetup/steps/records"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// Draft is a request with its plan. Nothing is changed yet.
type Draft struct {
	Request
	// Plan has placeholders for keys that are not made yet.
	Plan plan.Plan
	// Input is what the steps made the plan from: with the answers of the person,
	// whose memory goes into the spec.
	Input step.Input

	pairs     []dkimkeys.Pair // keys that the run makes once it is confirmed
	ahead     *keysAhead      // that are made before; nil for none
	notes     []state.Note    // beside those of the steps
	answered  map[string]bool // questions, by ID
	consents  []consent       // that were given or refused
	consented []state.Path    // files of the administrator's that a yes is about
	installed []string        // packages

	ownSpec     bool // the domains of Input.Spec are shared with no other spec
	specChanged bool // by an answer: the files of the spec have to be made anew
}

// newDraft gathers the input of the steps. Keys to be made are placeholders until the
// plan is confirmed.
func (p *Provisioner) newDraft(ctx context.Context, r Request) (*Draft, error) {
	if err := moveKeys(p, &r); err != nil {
		return nil, err
	}
	var lost error // looked for while others are asked
	var looking sync.WaitGroup
	if !p.Options.DryRun { // which may not be allowed to look
		looking.Go(func() { lost = checkPrivateKeys(p, r) })
	}
	d, err := gatherInput(ctx, p, r)
	looking.Wait()
	if lost != nil {
		return nil, lost
	}
	return d, err
}

// gatherInput is newDraft without a look at the keys that there are.
func gatherInput(ctx context.Context, p *Provisioner, r Request) (*Draft, error) {
	files, err := specFiles(p, r, r.Want)
	if err != nil {
		return nil, err
	}
	d := &Draft{Request: r, answered: map[string]bool{}, Input: step.Input{
		Spec: r.Want, Facts: r.Facts, Ledger: r.Keys.Ledger, SpecFiles: files, Now: p.Machine.Now,
		Consents: map[string]bool{}, Scope: r.Scope, Removed: r.Removed,
		Keys: step.KeyChanges{
			OnDisk: p.Earlier.LedgerOnDisk, Private: map[state.Path][]byte{}, Withdraw: r.Keys.Withdraw,
			Permissions: r.Keys.Permissions, Copies: r.Keys.Copies,
		},
	}}
	if r.Keys.After != nil {
		d.Input.Ledger, d.Input.Keys.During = r.Keys.After, r.Keys.During
	}
	p.addSuccessors(ctx, d)
	d.Input.Milters, d.Input.MiltersAsked = p.Facts.Milters(ctx, r, d.Input)
	p.addFirstKeys(ctx, d)
	dkimkeys.AddPairs(&d.Input, d.pairs)
	return d, p.readFacts(ctx, d)
}

// moveKeys has a mail server that takes the place of the other one sign with the same keys.
func moveKeys(p *Provisioner, r *Request) error {
	if !r.Scope.WholeHost() || r.Scope.IsHostOnly() || r.KeysOnly || p.isDirectory() {
		return nil
	}
	ledger, copies, err := dkimkeys.Move(p.Machine.Sys, r.Want.Host, r.Keys.Ledger)
	if err != nil || ledger == nil {
		return err
	}
	maps.Copy(copies, r.Keys.Copies) // of keys that are taken over
	r.Keys.Ledger, r.Keys.Copies = ledger, copies
	r.Notes = append(slices.Clone(r.Notes), state.Note{
		Topic: "keys", Informational: true,
		Text: fmt.Sprintf("the same private keys go on signing, from %s; their files of before stay, for a way back, until the key has a successor and is deleted", signer.KeyFileOf(r.Want.Host, "DOMAIN", "SELECTOR")),
	})
	return nil
}

// specFiles returns the texts of the TOML files of a spec.
func specFiles(p *Provisioner, r Request, sp spec.Spec) (map[state.Path][]byte, error) {
	domains := slices.Collect(r.Scope.Domains(sp))
	if r.Given != nil {
		return r.Given.Files(p.Machine.Sys, r.Have, sp.Host, domains)
	}
	return store.NewWith(p.Machine.Sys, p.Brought.Texts).SpecFiles(sp.Host, domains, p.Earlier.SpecOnDisk)
}

// checkPrivateKeys refuses to go on if the key of a domain that signs is missing: its
// mail is deferred, and a new key could not sign at once. A rotation is the way to one
// that can.
func checkPrivateKeys(p *Provisioner, r Request) error {
	domains := r.Want.Domains
	if !r.Scope.WholeHost() {
		domains = slices.Collect(r.Scope.Domains(r.Want))
	}
	return dkimkeys.CheckAll(p.Machine.Sys, domains, r.Keys.Ledger, func(domain string, k keyring.Key) bool {
		_, copied := r.Keys.Copies[state.Path(k.File)]
		return copied || r.Keys.Replaced[domain] || p.Brought.Keys[state.Path(k.File)]
	})
}

// addSuccessors adds successors for domains with a key that signs: those that were made
// already, for a run that was undone, or new ones.
func (p *Provisioner) addSuccessors(ctx context.Context, d *Draft) {
	wanted := make(map[string]bool, len(d.Keys.Successors)) // ten thousand, after rotate-dkim --now
	for _, name := range d.Keys.Successors {
		wanted[name] = true
	}
	var domains []spec.Domain
	for _, domain := range d.Want.Domains {
		if wanted[domain.Name] {
			domains = append(domains, domain)
		}
	}
	selectors := p.Selectors(d.Keys.Ledger, d.Facts.Zones).Named(d.Want.Host)
	pairs := make([]dkimkeys.Pair, len(domains))
	_ = parallel.Do(len(domains), lookupConcurrency, func(i int) error {
		var made bool
		if pairs[i], made = p.pairs[domains[i].Name]; !made {
			pairs[i] = newPair(p.Machine, d, domains[i], func() string { return selectors.Choose(ctx, domains[i].Name, "") })
		}
		return nil
	})
	if !p.Options.DryRun { // which makes none
		p.keep(pairs)
	}
	d.pairs = append(d.pairs, pairs...)
}

// newPair returns the pair of a new key of a domain: in a slot that is free, if it has slots,
// or else with a selector of its own.
func newPair(m *machine.Machine, d *Draft, domain spec.Domain, selector func() string) dkimkeys.Pair {
	slots, keys := records.Slots(d.Want, domain), d.Keys.Ledger[domain.Name]
	if slot := slots.Free(keys, m.Now); slot != "" {
		return dkimkeys.NewPair(domain, slot, m.Now).InSlot(d.Want.Host, slots.Zone, keys, m.Sys)
	}
	return dkimkeys.NewPair(domain, selector(), m.Now).On(d.Want.Host)
}

// lookupConcurrency is the number of domains about which DNS is asked at a time. Its
// client bounds the questions.
const lookupConcurrency = 256

// addFirstKeys adds a key for each domain without one that signs. A domain that comes
// back signs with its former key.
func (p *Provisioner) addFirstKeys(ctx context.Context, d *Draft) {
	selectors := p.Selectors(d.Keys.Ledger, d.Facts.Zones).Named(d.Want.Host)
	var fresh []spec.Domain
	for domain := range d.Scope.Domains(d.Want) {
		if domain.SignedBy != "" {
			d.pairs = dkimkeys.StopSigning(&d.Input, d.pairs, domain.Name)
			continue
		}
		if _, signs := d.Keys.Ledger.Signing(domain.Name); signs || d.KeysOnly || !p.Options.MakeKeys {
			continue
		}
		if k, ok := selectors.Resumable(domain.Name); ok {
			dkimkeys.Resume(&d.Input, domain.Name, k)
			d.notes = append(d.notes, state.Note{
				Topic: "dkim", Text: fmt.Sprintf("%s has a key already: %s signs again", domain.Name, k.Selector), Informational: true,
			})
			continue
		}
		fresh = append(fresh, domain)
	}
	chosen := d.Have // by earlier runs, or by nobody who looked whether a selector is free
	if d.Given != nil {
		chosen = &d.Want
	}
	pairs := make([]dkimkeys.Pair, len(fresh))
	_ = parallel.Do(len(fresh), lookupConcurrency, func(i int) error {
		pairs[i] = newPair(p.Machine, d, fresh[i], func() string { return selectors.ForFirstKey(ctx, fresh[i], chosen) })
		return nil
	})
	d.pairs = append(d.pairs, pairs...)
}

// silentPlan is the time after which people are told what they wait for.
const silentPlan = 2 * time.Second

// makePlan compares the desired state with the machine.
func (p *Provisioner) makePlan(ctx context.Context, d *Draft) (plan.Plan, error) {
	defer time.AfterFunc(silentPlan, func() {
		p.UI.Logf("comparing what %s and this %s should have with what is there", text.Count(len(d.Want.Domains), "domain"), p.Machine.Kind())
	}).Stop()
	list := d.Steps
	if list == nil {
		list = p.Brought.among(steps.All())
	}
	d.Input = steps.Prepare(list, d.Input)
	in := d.Input
	in.KeysOnly = d.KeysOnly
	if p.isDirectory() {
		list, in = steps.WithoutInbound(list, in)
	}
	want, err := steps.Build(list, in)
	if err != nil {
		return plan.Plan{}, atInit(d.Have, err)
	}
	if d.Advice {
		want.Notes = append(want.Notes, steps.Advice(d.Input)...)
	}
	want.Notes = append(append(want.Notes, d.notes...), d.Notes...)
	if p.isDirectory() {
		if want, err = steps.BelowRoot(want, func(path state.Path) bool { return exists(p.Machine.Sys, path) }); err != nil {
			return plan.Plan{}, err
		}
	}
	made, err := plan.Make(ctx, want, p.Machine.Sys, d.Hashes)
	if err != nil {
		return plan.Plan{}, err
	}
	made.Answers = d.answers()
	return made, simulatePackages(ctx, p.Machine.Sys, &made, !p.Options.DryRun)
}

var inFlagsOfInit = strings.NewReplacer("mailsetup inbound ", "mailsetup init ", "--spf ", "--inbound-spf ", "--dmarc ", "--inbound-dmarc ", "--dnsbl ", "--inbound-dnsbl ")

// atInit returns an error in the words of init, which knows mailsetup inbound by flags of its
// own, where the server is not set up yet.
func atInit(have *spec.Spec, err error) error {
	refused, ok := errors.AsType[*step.Refusal](err)
	if have != nil || !ok || !strings.Contains(refused.Hint, "mailsetup inbound --") {
		return err
	}
	again := *refused
	again.Hint = inFlagsOfInit.Replace(again.Hint)
	return &again
}

// simulatePackages asks apt what installing the packages of a plan would install and
// remove. Update lets apt refresh its lists.
func simulatePackages(ctx context.Context, runner system.Runner, made *plan.Plan, update bool) error {
	for i := range made.Stages {
		st := &made.Stages[i]
		if len(st.Packages) == 0 {
			continue
		}
		sim, err := apt.Simulate(ctx, runner, packageNames(st.Packages), update)
		if err != nil {
			return err
		}
		st.Install, st.Uninstall = append(sim.Install, sim.Upgrade...), sim.Remove
		for i, q := range made.Questions {
			if q.Kind == state.AskMTA {
				made.Questions[i].Text += " apt removes: " + strings.Join(sim.Remove, " ") + "."
			}
		}
	}
	return nil
}

// checkNewZones refuses a new zone for a domain that other name servers serve: it would
// hide the domain's website from this machine's resolver.
func (p *Provisioner) checkNewZones(ctx context.Context, d *Draft) error {
	if p.isDirectory() {
		return nil
	}
	var fresh []spec.Domain
	for domain := range d.Scope.Domains(d.Want) {
		if domain.NewZone && !d.Facts.Serves(domain.Name) {
			fresh = append(fresh, domain)
		}
	}
	delegated, known := make([][]string, len(fresh)), make([]bool, len(fresh))
	_ = parallel.Do(len(fresh), lookupConcurrency, func(i int) error {
		delegated[i], known[i] = p.Facts.Delegation(ctx, fresh[i].Name)
		return nil
	})
	var unknown []string
	for i, domain := range fresh {
		if !known[i] {
			unknown = append(unknown, domain.Name)
			continue
		}
		servers := delegated[i]
		ours := slices.ContainsFunc(servers, func(name string) bool {
			name = strings.ToLower(dnsname.TrimDot(name))
			return name == d.Want.Host.Hostname || slices.Contains(domain.NS, name)
		})
		if len(servers) > 0 && !ours {
			return hint.NewUsage("--dns manual prints the records for them",
				"%s is served by %s; a zone made here would hide it from this machine", domain.Name, strings.Join(servers, ", "))
		}
	}
	if len(unknown) > 0 {
		p.UI.Logf("could not find out who serves %s; going on, since the new zone was asked for", text.List(unknown, 5))
	}
	return ctx.Err()
}

// checkStopped returns the error of a unit that somebody stopped or masked. A masked
// one makes any run fail.
func (p *Provisioner) checkStopped(d *Draft, maskedOnly bool) error {
	if p.isDirectory() || d.Proof != ProveDelivery {
		return nil
	}
	for _, h := range daemons.Halted(d.Input) {
		if h.Masked || !maskedOnly {
			return hint.New(h.Action, "%s", h.Text)
		}
	}
	return nil
}

func packageNames(list []state.Package) []string {
	names := make([]string, 0, len(list))
	for _, p := range list {
		names = append(names, p.Name)
	}
	return names
}

// packages returns the names of the packages that a plan installs.
func packages(p plan.Plan) []string {
	var names []string
	for _, st := range p.Stages {
		names = append(names, packageNames(st.Packages)...)
	}
	return names
}
