package inbound

import (
	"bytes"
	"fmt"
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
// Of a key that cannot be looked up it says temperror, and refuses nothing for that (3.12).
func guardedByRspamd(in step.Input) bool { return in.Facts.Rspamd }

const (
	rspamdUnit             = "rspamd.service"
	rspamdDir   state.Path = "/etc/rspamd/local.d"
	rspamdOwner            = "# Made by mailsetup: see [inbound] of /etc/mailsetup/host.toml.\n"
)

// module is a file for a module of rspamd.
type module struct{ name, text, why string }

func (m module) path() state.Path { return rspamdDir + "/" + state.Path(m.name) }

// rspamdFiles are the files that a policy may need.
func rspamdFiles() []state.Path {
	return []state.Path{rspamdDir + "/milter_headers.conf", rspamdDir + "/force_actions.conf", rspamdDir + "/dmarc.conf"}
}

// modulesFor returns what rspamd has to be told.
func modulesFor(p policy.Policy) (all []module) {
	if p.SPF != policy.Off || p.DMARC != policy.Off {
		all = append(all, module{"milter_headers.conf", "use = [\"authentication-results\"];\n", "rspamd marks mail with the results of SPF, DKIM and DMARC"})
	}
	if p.SPF == policy.Reject {
		all = append(all, module{
			"force_actions.conf", "rules {\n  MAILSETUP_SPF {\n    action = \"reject\";\n    expression = \"R_SPF_FAIL\";\n    message = \"SPF: the domain of the sender forbids this server\";\n  }\n}\n",
			"rspamd refuses mail that fails SPF",
		})
	}
	if p.DMARC.Refuses() {
		reject := map[policy.Mode]string{policy.Quarantine: "add_header", policy.Reject: "reject"}[p.DMARC]
		all = append(all, module{
			"dmarc.conf", fmt.Sprintf("actions {\n  quarantine = \"add_header\";\n  reject = %q;\n}\n", reject), "rspamd does what domains ask for by DMARC",
		})
	}
	return all
}

// rspamdModules has rspamd do what the policy asks for. Files of the administrator's stay:
// they have to say it already.
func rspamdModules(in step.Input) (state.Stage, []state.Note, error) {
	p := in.Spec.Host.Inbound
	if err := checkRspamd(in, p); err != nil {
		return state.Stage{}, nil, err
	}
	var stage state.Stage
	wanted := modulesFor(p)
	for _, m := range wanted {
		has, there := in.Facts.Files[m.path()]
		switch {
		case !there, bytes.HasPrefix(has, []byte(rspamdOwner)):
			stage.Files = append(stage.Files, state.File{Path: m.path(), Mode: 0o644, Owner: state.Root, Content: []byte(rspamdOwner + m.text), Why: m.why})
		case !strings.Contains(squeeze(string(has)), squeeze(m.text)):
			return state.Stage{}, nil, step.Refuse("add to it, in these words: "+squeeze(m.text)+", run systemctl reload rspamd, then run this again",
				"rspamd judges incoming mail here, and %s is yours and does not say what is asked for", m.path())
		}
	}
	for _, path := range rspamdFiles() {
		asked := slices.ContainsFunc(wanted, func(m module) bool { return m.path() == path })
		if has, there := in.Facts.Files[path]; there && !asked && bytes.HasPrefix(has, []byte(rspamdOwner)) {
			stage.Remove = append(stage.Remove, path)
		}
	}
	u := state.Unit{Name: rspamdUnit, Action: state.Reload, Why: "it reads what to do with mail that comes in"}
	for _, m := range postfix.OtherMilters(in) {
		if len(m.Addresses) > 0 && (strings.Contains(m.Endpoint, "rspamd") || strings.HasSuffix(m.Endpoint, ":11332")) {
			u.Probes = append(u.Probes, state.Probe{Kind: state.ProbeMilter, Address: m.Addresses[0], Within: time.Minute})
		}
	}
	stage.Units = []state.Unit{u}
	if !p.On() {
		return stage, nil, nil
	}
	return stage, []state.Note{{
		Topic: "rspamd", Informational: true,
		Text: "rspamd judges incoming mail here, so it is told what to do, and neither policyd-spf nor OpenDMARC is put beside it",
	}}, nil
}

// checkRspamd refuses what rspamd is not told by mailsetup.
func checkRspamd(in step.Input, p policy.Policy) error {
	if p.On() && !in.Facts.Installed["rspamd"] {
		return step.Refuse("tell it there, and here: mailsetup inbound --spf off --dmarc off --dnsbl none",
			"a milter of Postfix is rspamd, which judges incoming mail, and its package is not installed here")
	}
	if len(p.DNSBL) > 0 {
		return step.Refuse("mailsetup inbound --dnsbl none, and rbls { … } in "+string(rspamdDir)+"/rbl.conf, which rspamadm configdump rbl shows",
			"rspamd judges incoming mail here and asks block lists itself: Postfix would refuse mail before rspamd sees it")
	}
	if len(p.Allow) > 0 && (p.SPF == policy.Reject || p.DMARC.Refuses()) {
		return step.Refuse("let them pass in "+string(rspamdDir)+"/settings.conf, and take them out here: mailsetup inbound --disallow "+strings.Join(p.Allow, " --disallow "),
			"rspamd judges incoming mail here, and mailsetup does not tell it whom to let pass")
	}
	return nil
}

// squeeze writes a text on one line.
func squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }
