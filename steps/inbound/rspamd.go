package inbound

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	policy "mailsetup/internal/inbound"
	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
	"mailsetup/steps/step"
)

// guardedByRspamd reports whether rspamd judges incoming mail as a milter. It does what
// policyd-spf, OpenDMARC and block lists of Postfix would do, so those are not put beside it.
// Of a key that cannot be looked up it says temperror, and refuses nothing for that (3.4
// and 3.12).
func guardedByRspamd(in step.Input) bool { return in.Facts.Rspamd }

const (
	rspamdUnit                = "rspamd.service"
	rspamdConf     state.Path = "/etc/rspamd"
	rspamdLocal               = rspamdConf + "/local.d"
	rspamdOverride            = rspamdConf + "/override.d" // counts for more
	rspamdOwner               = "# Made by mailsetup: see [inbound] of /etc/mailsetup/host.toml.\n"
)

// Dirs are directories of the administrator's, of whose files the steps look at all.
func Dirs() []state.Path { return []state.Path{rspamdLocal, rspamdOverride} }

// rspamdModules has rspamd do what the policy asks for. Files of the administrator's stay:
// they have to say it already.
func rspamdModules(in step.Input) (state.Stage, []state.Note, error) {
	p := in.Spec.Host.Inbound
	if p.On() && !in.Facts.Installed["rspamd"] {
		return state.Stage{}, nil, step.Refuse("tell it there, and here: mailsetup inbound --spf off --dmarc off --dnsbl none",
			"a milter of Postfix is rspamd, which judges incoming mail, and its package is not installed here")
	}
	wanted, err := modulesFor(p, ownNetworks(in))
	if err != nil {
		return state.Stage{}, nil, err
	}
	stage := state.Stage{Remove: rspamdFiles(in, wanted), Units: []state.Unit{rspamdReload(in)}}
	for _, m := range wanted {
		has, there := in.Facts.Files[m.path()]
		over := rspamdOverride + "/" + state.Path(m.name)
		switch _, overridden := in.Facts.Files[over]; {
		case overridden:
			return state.Stage{}, nil, step.Refuse("move what it says to "+string(m.path())+", run systemctl reload rspamd, then run this again",
				"rspamd judges incoming mail here, and %s takes the place of what it would be told", over)
		case !there, bytes.HasPrefix(has, []byte(rspamdOwner)):
			stage.Files = append(stage.Files, state.File{Path: m.path(), Mode: 0o644, Owner: state.Root, Content: []byte(rspamdOwner + m.text), Why: m.why})
		case !strings.Contains(squeeze(string(has)), squeeze(m.text)):
			return state.Stage{}, nil, step.Refuse("add to it, in these words: "+squeeze(m.text)+", run systemctl reload rspamd, then run this again",
				"rspamd judges incoming mail here, and %s is yours and does not say what is asked for", m.path())
		}
	}
	stage.Validators = []state.Validator{checkRspamd(in, stage.Remove)}
	if !p.On() {
		return stage, nil, nil
	}
	return stage, []state.Note{{
		Topic: "rspamd", Informational: true,
		Text: "rspamd judges incoming mail here, so it is told what to do, and neither policyd-spf nor OpenDMARC is put beside it",
	}}, nil
}

// checkRspamd has rspamd's own checker read all local files as they will be. What it keeps
// beside its data goes into the scratch tree, too.
func checkRspamd(in step.Input, gone []state.Path) state.Validator {
	var beside []state.Path
	for _, p := range slices.Sorted(maps.Keys(in.Facts.Files)) {
		if slices.Contains(Dirs(), p.Dir()) && !slices.Contains(gone, p) {
			beside = append(beside, p)
		}
	}
	return state.Validator{
		Name: "rspamadm configtest", Needs: beside,
		Argv: func(scratch func(state.Path) string) []string {
			dir := scratch(rspamdConf)
			return []string{"rspamadm", "--var=LOCAL_CONFDIR=" + dir, "--var=DBDIR=" + dir, "configtest"}
		},
	}
}

// rspamdFiles returns our files for rspamd that are there, but for those of some modules.
func rspamdFiles(in step.Input, but []module) (all []state.Path) {
	for _, p := range slices.Sorted(maps.Keys(in.Facts.Files)) {
		kept := slices.ContainsFunc(but, func(m module) bool { return m.path() == p })
		if p.Dir() == rspamdLocal && !kept && bytes.HasPrefix(in.Facts.Files[p], []byte(rspamdOwner)) {
			all = append(all, p)
		}
	}
	return all
}

// rspamdReload has rspamd read its files; a message proves what it has read.
func rspamdReload(in step.Input) state.Unit {
	is, known := in.Facts.Daemons[rspamdUnit]
	u := state.Unit{
		Name: rspamdUnit, Action: state.Reload, Why: "it reads what to do with mail that comes in",
		Always: in.Spec.Host.Inbound.On() && known && !is.Running && !is.Stopped && !is.Masked,
	}
	kind := state.ProbeFilters
	if !in.Spec.Host.Inbound.On() {
		kind = state.ProbeMilter
	}
	for _, m := range postfix.OtherMilters(in) {
		if len(m.Addresses) > 0 && (strings.Contains(m.Endpoint, "rspamd") || strings.HasSuffix(m.Endpoint, ":11332")) {
			u.Probes = append(u.Probes, state.Probe{Kind: kind, Address: m.Addresses[0], Name: mtaName(in), File: rspamdLocal, Within: time.Minute})
		}
	}
	return u
}

// retireRspamd takes our files away where rspamd no longer guards the door.
func retireRspamd(in step.Input) (stage state.Stage) {
	if stage.Remove = rspamdFiles(in, nil); guardedByRspamd(in) || len(stage.Remove) == 0 {
		return state.Stage{}
	}
	if in.Facts.Daemons[rspamdUnit].Running {
		stage.Units = []state.Unit{{Name: rspamdUnit, Action: state.Reload, Why: "it no longer judges incoming mail"}}
	}
	return stage
}

// module is a file for a module of rspamd.
type module struct{ name, text, why string }

func (m module) path() state.Path { return rspamdLocal + "/" + state.Path(m.name) }

// modulesFor returns what rspamd has to be told. What refuses are rules of ours, so that
// who passes is let past these and nothing else.
func modulesFor(p policy.Policy, own []netip.Prefix) (all []module, err error) {
	if !p.On() {
		return nil, nil
	}
	all = []module{{"milter_headers.conf", "use = [\"authentication-results\"];\n", "rspamd marks mail with the results of SPF, DKIM and DMARC"}}
	lists, listed, err := blockLists(p)
	if err != nil {
		return nil, err
	}
	if lists != "" {
		all = append(all, module{"rbl.conf", lists, "rspamd asks the block lists"})
	}
	rules := append(refusals(p), listed...)
	if len(rules) == 0 {
		return all, nil
	}
	var text, names strings.Builder
	for i, r := range rules {
		fmt.Fprintf(&text, "  %s {\n    action = %q;\n    expression = %q;\n", r.name, r.action, r.expression)
		if r.message != "" {
			fmt.Fprintf(&text, "    message = %q;\n", r.message)
		}
		text.WriteString("  }\n")
		fmt.Fprintf(&names, "%s\"FORCE_ACTION_%s\"", []string{"", ", "}[min(i, 1)], r.name)
	}
	all = append(all, module{"force_actions.conf", "rules {\n" + text.String() + "}\n", "rspamd does what is asked for with mail that fails"})
	return append(all, module{
		"settings.conf", rspamdPasses(p, own, names.String()), "who passes that: this machine, the networks Postfix relays for and allow of [inbound]",
	}), nil
}

// squeeze writes a text on one line.
func squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }
