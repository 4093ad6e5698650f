// Package propose works out an answer, with its reason, to every question that
// nobody answered.
package propose

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/adopt"
	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/hint"
	"mailsetup/internal/inbound"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/same"
	"mailsetup/internal/signers"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/wizard"
	"mailsetup/steps/postfix"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// Server is what earlier runs left on the machine, and how it may be read.
type Server struct {
	Spec         *spec.Spec // nil for none
	Ledger       keyring.Ledger
	Hashes       plan.FileHashes // hashes of the files that mailsetup wrote
	Files        signers.Source
	Root         string // the directory that stands for the machine, "" for none
	Unprivileged bool   // what only root may read cannot be read
}

// Gatherer gathers the facts of the machine and of DNS.
type Gatherer interface {
	// Gather looks at the machine, and asks DNS about the names of a spec, for the
	// domains in scope. The scope that it returns leaves out domains of which nothing
	// has changed.
	Gather(ctx context.Context, want *spec.Spec, ledger keyring.Ledger, scope step.Scope) (state.Facts, step.Scope, error)
	// Refresh is Gather of a spec that follows from what was gathered, at once: it
	// looks again only where there is something new.
	Refresh(ctx context.Context, want *spec.Spec, ledger keyring.Ledger, scope step.Scope) (state.Facts, step.Scope, error)
	// Recipients finds out what Postfix will do with mail for the addresses of a spec.
	Recipients(ctx context.Context, in step.Input) map[string]state.Recipient
	// Secondaries looks for other MX hosts of the domains of a spec, and says whether every
	// question was answered.
	Secondaries(ctx context.Context, want spec.Spec, f state.Facts) (found []inbound.Secondary, whole bool)
	// Selectors chooses names for keys, with the DNS answers of the last Gather.
	Selectors(ledger keyring.Ledger, zones []state.Zone) dkimkeys.Selectors
}

// Proposer turns the answers given by flags into a spec. The wizard asks a person for
// the others; if nobody can be asked, facts of the machine and of DNS answer them.
type Proposer struct {
	Server
	Gatherer
	Now time.Time
	// Ask asks a person, nil if nobody is there.
	Ask func(ctx context.Context, o wizard.Options) (spec.Answers, error)
	// Recheck are domains to look at although nothing has changed in their files.
	Recheck []string
	// NeedsYes: a run can neither ask for the word that it needs nor go without.
	NeedsYes bool
	// ReplaceForeign: an OpenDKIM that was set up by hand is not taken over, and
	// AdoptOnly: without one that is taken over nothing is done.
	ReplaceForeign, AdoptOnly bool
	// ReplaceMTA: Postfix may take the place of another mail server.
	ReplaceMTA bool
	// InboundOnly: the questions are those about incoming mail, of a server that is set
	// up; none is asked where one of them is answered.
	InboundOnly bool
}

// Result is the spec to carry out, and what it was made from.
type Result struct {
	Want    spec.Spec
	Facts   state.Facts
	Scope   step.Scope
	Ledger  keyring.Ledger  // with the keys that are taken over
	Hashes  plan.FileHashes // with the hashes of files that are taken over
	Adopted *adopt.Setup    // nil for none
	Notes   []state.Note    // what is to be known of the OpenDKIM that was there
	// Asked are all answers, given ones included, where a person was asked for some.
	Asked *spec.Answers
}

// draft is a Result in the making.
type draft struct {
	*Proposer
	Result
	asked bool // a person, since the first look

	secondaries []state.Note // what becomes of other MX hosts
}

func (p *Proposer) draft(scope step.Scope) *draft {
	return &draft{Proposer: p, Result: Result{Scope: scope, Ledger: p.Ledger, Hashes: p.Hashes}}
}

func (d *draft) basis() *Basis {
	return &Basis{Facts: d.Facts, Spec: d.Spec, Adopted: d.Adopted, Root: d.Root, ReplaceMTA: d.ReplaceMTA}
}

func (d *draft) gather(ctx context.Context, want *spec.Spec) (err error) {
	d.Facts, d.Scope, err = d.Gather(ctx, want, d.Result.Ledger, d.Scope)
	return err
}

// refresh gathers only what is new, unless a person was asked: while they think, a
// machine changes.
func (d *draft) refresh(ctx context.Context, want *spec.Spec) (err error) {
	if d.asked {
		return d.gather(ctx, want)
	}
	d.Facts, d.Scope, err = d.Refresh(ctx, want, d.Result.Ledger, d.Scope)
	return err
}

// Init makes the spec of a server from the answers about it and one of its domains.
func (p *Proposer) Init(ctx context.Context, a spec.Answers) (Result, error) {
	if p.InboundOnly && p.Spec == nil {
		_, err := store.Earlier{}.SetUp(map[bool]string{true: "server", false: "tree"}[p.Root == ""])
		return Result{}, err
	}
	if p.Root != "" && (a.MTA == spec.Exim || p.Spec != nil && p.Spec.Host.MTA == spec.Exim) {
		return Result{}, hint.NewUsage("run it on the server itself, without --root", "mailsetup sets up exim4 on a running system alone")
	}
	d := p.draft(step.Scope{}.Recheck(append(p.Recheck, normalized(a.Domain, syntax.DomainName))...))
	if p.InboundOnly {
		d.Scope = step.HostOnly()
	}
	if a.SendOnly == "yes" {
		a.Receive = cmp.Or(a.Receive, "no")
	}
	first := lookupSpec(a, p.Spec)
	if err := d.gather(ctx, first); err != nil {
		return Result{}, err
	}
	given := a.Domain
	a, err := d.adopt(ctx, a)
	if err == nil && p.AdoptOnly {
		err = d.checkAdopted(ctx, given, a.MTA, first)
	}
	if err != nil {
		return Result{}, err
	}
	a, err = d.complete(ctx, a)
	if err != nil {
		return Result{}, err
	}
	want, findings := a.Spec(d.Spec, d.Now)
	if err := findings.Err(); err != nil {
		return Result{}, err
	}
	if d.Adopted.SignsNothing() && !want.Signs() {
		d.Adopted = nil // it stays as it is
	}
	if d.Adopted != nil { // its settings, and the domains that it signs for
		if want, err = d.addAdopted(ctx, want); err != nil {
			return Result{}, err
		}
	}
	d.seeSecondaries(ctx, &want)
	if !reflect.DeepEqual(first.Host, want.Host) || !same.Lists(first.Domains, want.Domains) {
		if err := d.refresh(ctx, &want); err != nil {
			return Result{}, err
		}
	}
	d.Want = want
	d.noteAdopted()
	d.Notes = append(d.Notes, d.secondaries...)
	return d.withReaders(ctx, a), nil
}

// noteAdopted says what becomes of an OpenDKIM that was set up by hand.
func (d *draft) noteAdopted() {
	switch {
	case d.ReplaceForeign && d.Root == "":
		d.Notes = adopt.Dropped(d.Files, d.Facts, adopt.Options{Hashes: d.Server.Hashes})
	case d.Adopted.SignsNothing():
		d.Notes = d.Adopted.Notes
	case d.Adopted != nil:
		d.Notes = append(slices.Clone(d.Adopted.Notes), d.Adopted.Additions(d.Want, d.Facts, d.Result.Ledger)...)
	}
}

// adopt looks for an OpenDKIM to take over, and looks up its domains. It completes the
// answers from that.
func (d *draft) adopt(ctx context.Context, a spec.Answers) (spec.Answers, error) {
	if d.Root != "" || d.ReplaceForeign {
		return a, nil
	}
	h := spec.Host{MTA: cmp.Or(a.MTA, d.basis().mta().Value, d.basis().hostMTA())}
	if h.MTA == "postfix" {
		h.MTA = ""
	}
	var err error
	if d.Adopted, err = d.byHand(h); d.Adopted != nil && h.MTA == spec.Exim {
		a.MTA = spec.Exim // whose copies of the keys they are
	}
	if err != nil || d.Adopted == nil {
		return a, err
	}
	d.Result.Ledger = d.Adopted.AddKeys(d.Server.Ledger, d.Now)
	if d.Result.Hashes = maps.Clone(d.Server.Hashes); d.Result.Hashes == nil {
		d.Result.Hashes = plan.FileHashes{}
	}
	maps.Copy(d.Result.Hashes, d.Adopted.Hashes)
	if d.Adopted.SignsNothing() {
		return a, nil
	}
	if d.InboundOnly { // what is taken over has domains
		d.Scope = step.Scope{}
	}
	host := cmp.Or(normalized(a.Hostname, syntax.Hostname), d.Facts.FQDN)
	if a, err = d.Adopted.Answer(a, host); err != nil {
		return a, err
	}
	return a, d.gatherAdopted(ctx, *lookupSpec(a, d.Spec))
}

// byHand reads what signs here without mailsetup, nil for nothing. A mail server that takes the
// place of the other one signs with copies of the keys.
func (d *draft) byHand(h spec.Host) (*adopt.Setup, error) {
	openDKIM := func() (*adopt.Setup, error) {
		return adopt.Detect(d.Files, d.Facts, adopt.Options{Hashes: d.Server.Hashes, Unprivileged: d.Unprivileged, Now: d.Now})
	}
	eximHere := d.Facts.Exim != nil && !d.Facts.Installed["postfix"]
	if h.MTA == spec.Exim && !eximHere {
		s, err := openDKIM()
		if err != nil || s == nil || s.SignsNothing() {
			return nil, err
		}
		return s, s.MoveTo(d.Files, h)
	}
	if h.MTA != spec.Exim {
		if s, err := openDKIM(); s != nil || err != nil || !eximHere {
			return s, err
		}
	}
	return adopt.DetectExim(d.Files, d.Facts.Exim, h, d.Server.Ledger, d.Now)
}

// ErrAlreadyManaged says that the OpenDKIM on the machine is mailsetup's already.
var ErrAlreadyManaged = errors.New(string(signer.ConfFile) + " is mailsetup's already")

// checkAdopted returns an error if there is no OpenDKIM, or exim4 that signs, to take over for
// a domain ("" for any), as the run requires.
func (d *draft) checkAdopted(ctx context.Context, domain, mta string, first *spec.Spec) error {
	switch {
	case d.Adopted.SignsNothing():
		return hint.NewUsage("mailsetup init lets it sign, and keeps its settings", "%s was set up by hand and signs nothing: there is no key to take over", signer.ConfFile)
	case d.Adopted != nil && domain != "" && d.Adopted.Domain(normalized(domain, syntax.DomainName)) == nil:
		return hint.NewUsage("mailsetup init --domain "+domain+" adds it, and takes over what is here", "%s does not sign for %s here", map[bool]string{true: "exim4", false: "OpenDKIM"}[mta == spec.Exim], domain)
	case d.Adopted != nil:
		return nil
	case d.Spec != nil && d.Facts.OpenDKIM != nil && !adopt.IsForeign(d.Facts, d.Server.Hashes):
		return ErrAlreadyManaged
	}
	return adopt.NothingFound(ctx, d.Files, postfix.OtherMilters(step.Input{Spec: *first, Facts: d.Facts}))
}

// gatherAdopted looks up the records of all domains that are taken over, beside those
// of a spec.
func (d *draft) gatherAdopted(ctx context.Context, want spec.Spec) error {
	want.Domains = slices.Clone(want.Domains)
	there := map[string]bool{}
	for _, w := range want.Domains {
		there[w.Name] = true
	}
	for _, name := range d.Adopted.Names() {
		if !there[name] {
			want.Domains = append(want.Domains, spec.Domain{Name: name})
		}
	}
	return d.refresh(ctx, &want)
}

// addAdopted adds the set-up that is taken over to a spec.
func (d *draft) addAdopted(ctx context.Context, want spec.Spec) (spec.Spec, error) {
	if d.asked && !d.Adopted.SignsNothing() { // and the answers decided what was looked at last
		if err := d.gatherAdopted(ctx, want); err != nil {
			return want, err
		}
	}
	return d.Adopted.AddDomains(want, d.Spec, d.basis().adoptedAnswers(want), d.Now)
}

// complete turns the flags into answers that are enough for a spec.
func (d *draft) complete(ctx context.Context, a spec.Answers) (spec.Answers, error) {
	switch {
	case d.Ask == nil, d.InboundOnly && a.Inbound.Given(), !d.InboundOnly && d.Spec.Has(a.Domain):
	default:
		asked, err := d.ask(ctx, a)
		if err != nil {
			return a, err
		}
		a, d.Asked = asked, &asked
	}
	b := d.basis()
	a = b.Fill(a)
	flags := a.Missing(d.Spec)
	if d.NeedsYes {
		flags = append(flags, "--yes")
	}
	if d.InboundOnly && len(flags) > 0 {
		return a, hint.NewUsage("add --yes", "nobody can be asked here: stdin or stdout is not a terminal")
	}
	if len(flags) > 0 {
		return a, b.missing(flags, normalized(a.Hostname, syntax.Hostname))
	}
	return d.selector(ctx, a)
}

// ask asks a person for what is not fixed. An answer about the host or the domain may
// need further look-ups; facts of earlier ones are kept.
func (d *draft) ask(ctx context.Context, fixed spec.Answers) (spec.Answers, error) {
	d.asked = true
	if d.InboundOnly {
		return d.Ask(ctx, wizard.Options{Inbound: true, Fixed: fixed, Propose: func(context.Context, spec.Answers) (wizard.Proposals, error) {
			return wizard.Proposals{Incoming: inForce(d.Spec.Host, d.Facts.Rspamd)}, nil
		}})
	}
	return d.Ask(ctx, wizard.Options{
		Fixed: fromSpec(fixed, d.Spec),
		Propose: func(ctx context.Context, a spec.Answers) (wizard.Proposals, error) {
			if err := d.gather(ctx, lookupSpec(a, nil)); err != nil {
				return wizard.Proposals{}, err
			}
			return d.proposals(ctx, a), nil
		},
		WhyUnread: d.whyUnread,
	})
}

// proposals returns what the wizard proposes, including defaults of the host.
func (d *draft) proposals(ctx context.Context, a spec.Answers) wizard.Proposals {
	b := d.basis()
	list := b.Proposals(a)
	list.Addresses = b.sendingAddresses(cmp.Or(normalized(a.Hostname, syntax.Hostname), d.Facts.FQDN))
	if domain, invalid := syntax.DomainName(a.Domain); invalid == nil {
		selector := d.selectors().Choose(ctx, domain, b.defaults().Selector)
		list.Selector = wizard.Proposal{Value: selector, Why: "nobody uses it yet"}
	}
	b.addDefaults(&list, a)
	list.Incoming = b.incoming()
	return list
}

func (d *draft) selectors() dkimkeys.Selectors {
	s := d.Selectors(d.Result.Ledger, d.Facts.Zones)
	if d.Spec != nil {
		s = s.Named(d.Spec.Host)
	}
	return s
}

// selector chooses a selector for a new domain, or checks the requested one.
func (d *draft) selector(ctx context.Context, a spec.Answers) (spec.Answers, error) {
	if d.Spec.Has(a.Domain) {
		return a, nil
	}
	domain, err := syntax.DomainName(a.Domain)
	if err != nil || d.Adopted.Domain(domain) != nil {
		return a, nil // Spec reports it with everything else; the key is there already
	}
	selectors := d.selectors()
	k, resumes := selectors.Resumable(domain)
	if resumes && (a.Selector == "" || strings.EqualFold(a.Selector, k.Selector)) {
		a.Selector = k.Selector
		return a, nil
	}
	if a.Selector == "" {
		a.Selector = selectors.Choose(ctx, domain, d.basis().defaults().Selector)
		return a, nil
	}
	if s, err := syntax.Selector(a.Selector); err == nil && selectors.InUse(ctx, domain, s) {
		why := "is in use already; a selector is never used twice"
		if target := selectors.Alias(ctx, domain, s); target != "" {
			why = "is a CNAME of " + dnsname.TrimDot(target) + " in DNS: no key can stand beside it"
		}
		return a, hint.NewUsage("leave --selector out to get one that is free", "selector %s of %s %s", s, domain, why)
	}
	return a, nil
}
