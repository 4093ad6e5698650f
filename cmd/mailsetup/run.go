package main

import (
	"context"
	"slices"

	"mailsetup/internal/check"
	"mailsetup/internal/console"
	"mailsetup/internal/jsondoc"
	"mailsetup/internal/machine"
	"mailsetup/internal/prompt"
	"mailsetup/internal/propose"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// ui is where a command talks, with the flags that say how.
type ui struct {
	c console.Console
	o options
}

// person is who is shown plans and asked in this run.
func (u ui) person() prompt.UI {
	return prompt.UI{
		Console: u.c, Yes: u.o.yes, JSON: u.o.json, DryRun: u.o.dryRun, Tree: u.o.root != "",
		Verbose: u.o.verbose, Accessible: u.o.accessible,
	}
}

// rootOnly is what commands tell that only root may see.
var rootOnly = map[string]string{
	"history": "what was changed", "rollback": "what was changed",
	"rotate-dkim": "which keys there are", "status": "which keys there are", "backup": "which keys there are", "restore": "which keys there are", "uninstall": "what was changed",
}

// machine says how to open the machine that a command works on.
func (u ui) machine() machine.Options {
	return machine.Options{
		Root: u.o.root, Private: rootOnly[u.o.command], DryRun: u.o.dryRun, Command: u.o.command,
		Previews:   slices.Contains([]string{"init", "add-domain", "apply", "inbound"}, u.o.command),
		Unattended: slices.Contains([]string{"rotate-dkim", "apply", "backup"}, u.o.command), Interactive: u.c.Interactive,
		Logf: u.c.Say, Hold: u.c.Hold, Bar: u.person().StartBar,
	}
}

// provisioning says how runs work.
func (u ui) provisioning() provision.Options {
	return provision.Options{
		DryRun: u.o.dryRun, Install: u.o.install, OverwriteDrift: u.o.overwriteDrift, MakeKeys: u.o.root == "" || u.o.rootKeys,
		Consents: u.o.consents, Interactive: u.person().Asks(), Strict: u.o.command == "apply", SkipUnreadable: u.o.command == "apply",
	}
}

// openProvisioner opens the machine for a change; zones are the names whose zones
// will probably matter, nil if nobody knows.
func openProvisioner(ctx context.Context, u ui, zones func(spec.Host) []string) (*provision.Opened, error) {
	return provision.Open(ctx, u.machine(), u.provisioning(), u.person(), zones)
}

// proposer works out what nobody answered, and asks the person who is there.
func proposer(u ui, on *provision.Opened) *propose.Proposer {
	p := propose.New(on.Machine, on.Collector, on.Earlier)
	p.ReplaceForeign, p.ReplaceMTA = u.o.overwriteDrift, u.o.consents[state.AskMTA]
	p.NeedsYes = !u.o.yes && !u.o.dryRun && !u.c.Interactive && u.o.root == ""
	if u.person().Asks() {
		p.Ask = u.person().AskAnswers
	}
	return p
}

// carryOutProposal carries out what was worked out. Selector is the one that the
// command line names.
func carryOutProposal(ctx context.Context, u ui, p *provision.Opened, r propose.Result, selector string) error {
	req := provision.Request{
		Want: r.Want, Have: p.Earlier.Spec, Scope: r.Scope, Facts: r.Facts, Hashes: r.Hashes, Notes: r.Notes, Advice: u.o.command != "inbound",
		Keys: provision.KeyPlan{Ledger: r.Ledger, Selector: selector},
	}
	if r.Asked != nil && u.o.command != "adopt" {
		req.Command = slices.Concat([]string{"mailsetup", u.o.command}, propose.Flags(*r.Asked), u.o.modeFlags())
	}
	if r.Adopted == nil {
		return carryOut(ctx, u, p, req)
	}
	req.Keys.Permissions, req.Keys.Copies = r.Adopted.Permissions, r.Adopted.Copies
	return carryOut(ctx, u, p, req, r.Adopted.Data()...)
}

// carryOut is the tail of every command that changes what the machine is for: plan,
// show, confirm, carry out, print what is left.
func carryOut(ctx context.Context, u ui, p *provision.Opened, r provision.Request, adopted ...jsondoc.Domain) error {
	d, err := p.Plan(ctx, r)
	if err != nil {
		return err
	}
	if u.o.dryRun {
		return showDry(u, d.Plan, adopted...)
	}
	if !d.Plan.Empty() {
		if err := p.Confirm(ctx, d); err != nil {
			return err
		}
	}
	domains := r.Scope.Selection()
	res, err := p.Run(ctx, d)
	if err != nil {
		return err
	}
	known := p.Forget()
	d, r = nil, provision.Request{} // of ten thousand domains nothing is held twice while they are checked
	var found check.Closing
	if res.Changed() {
		found = check.After(ctx, p.Machine, known, domains)
	}
	return printRun(u, res, found, adopted...)
}
