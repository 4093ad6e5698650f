package inbound

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dnsbl"
	"mailsetup/internal/edits"
	"mailsetup/internal/eximconf"
	"mailsetup/internal/inbound"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/exim"
	"mailsetup/steps/step"
)

// EximSPFPackage is the package of the exim4 that can check SPF.
const EximSPFPackage = "exim4-daemon-heavy"

// NeedsEximSPF reports whether exim4 has to check SPF.
func NeedsEximSPF(in step.Input) bool {
	return in.Spec.Host.MTA == spec.Exim && in.Spec.Host.Inbound.SPF != inbound.Off
}

// EximChecks writes what a recipient of mail from others has to pass, for Debian's ACL to
// include. A file that is included must be there before any exim4 reads the configuration, or
// sendmail(8) itself ends with an error: so this comes before EximDoor, and RetireExim behind.
func EximChecks(in step.Input) (state.Stage, []state.Note, error) {
	if !in.Spec.Host.Inbound.On() {
		return state.Stage{}, nil, nil
	}
	text, notes, err := eximACL(in)
	if err != nil {
		return state.Stage{}, nil, err
	}
	stage := state.Stage{Files: []state.File{{
		Path: eximconf.Checks, Mode: 0o644, Owner: state.Root, Content: []byte(text), Why: "what mail from others has to pass",
	}}}
	if eximAsks(in) {
		stage.Units, stage.Validators = eximReload(in)
	}
	return stage, notes, nil
}

// EximDoor has Debian's ACL include these checks, behind what lets this machine, its relay
// clients and those who log in pass, and what refuses to relay.
func EximDoor(in step.Input) (state.Stage, []state.Note, error) {
	split, on := in.Facts.Exim != nil && in.Facts.Exim.Split, in.Spec.Host.Inbound.On()
	theirs, set := eximMacro(in, eximconf.ChecksMacro)
	if on && set && !theirs.Includes {
		return state.Stage{}, nil, step.Refuse(
			fmt.Sprintf("echo '.include_if_exists %s' >>%s, then run this again", eximconf.Checks, strings.ReplaceAll(theirs.Value, "CONFDIR", "/etc/exim4")),
			"%s: %s names a file of yours, and Debian's ACL includes one only", theirs.At, eximconf.ChecksMacro)
	}
	line := eximconf.ChecksMacro + " = " + string(eximconf.Checks)
	const why = "incoming mail is checked, behind what refuses to relay"
	var stage state.Stage
	if asks := on && !set; asks && split {
		stage.Files = []state.File{{
			Path: eximconf.ChecksFile, Mode: 0o644, Owner: state.Root, Why: why,
			Content: []byte("# Written by mailsetup: see [inbound] of /etc/mailsetup/host.toml.\n" + line + "\n"),
		}}
	} else {
		stage.Remove = []state.Path{eximconf.ChecksFile}
		block := state.BlockEdit{Path: eximconf.MacrosFile, Name: eximconf.ChecksBlock, Lines: []string{line}, Create: true, Stamp: true, Drop: !asks, Reason: why}
		if _, _, there := edits.BlockLines(content(in, eximconf.MacrosFile), eximconf.ChecksBlock); asks || there {
			stage.Edits = []state.Edit{block}
		}
	}
	stage.Units, stage.Validators = eximReload(in)
	return stage, nil, nil
}

// RetireExim takes the checks away, once Exim includes them no more.
func RetireExim(in step.Input) (state.Stage, []state.Note, error) {
	if in.Spec.Host.Inbound.On() {
		return state.Stage{}, nil, nil
	}
	return state.Stage{Remove: []state.Path{eximconf.Checks}}, nil, nil
}

// eximAsks reports whether Exim includes the checks already.
func eximAsks(in step.Input) bool {
	if m, set := eximMacro(in, eximconf.ChecksMacro); set {
		return m.Includes
	}
	if e := in.Facts.Exim; e != nil && e.Split {
		return len(in.Facts.Files[eximconf.ChecksFile]) > 0
	}
	_, _, there := edits.BlockLines(content(in, eximconf.MacrosFile), eximconf.ChecksBlock)
	return there
}

func eximMacro(in step.Input, name string) (m state.EximMacro, set bool) {
	if in.Facts.Exim != nil {
		m, set = in.Facts.Exim.Checks[name]
	}
	return m, set
}

// eximReload has Exim read its configuration again, and judge a client as it would then.
func eximReload(in step.Input) ([]state.Unit, []state.Validator) {
	unit, valid := exim.Reading(in)
	if in.Spec.Host.Inbound.On() {
		p := state.Probe{Kind: state.ProbeEximDoor, File: eximconf.Checks, Recipients: []string{"root@" + in.Spec.Host.Hostname}, Within: time.Minute}
		if i := slices.IndexFunc(in.Spec.Host.Inbound.Lists(), func(s dnsbl.Site) bool { return !s.Domains }); i >= 0 {
			p.Name = dnsbl.Shown(in.Spec.Host.Inbound.Lists()[i].Zone)
		}
		unit.Probes = append(unit.Probes, p)
	}
	return []state.Unit{unit}, []state.Validator{valid}
}

// eximHead begins the file. Mail to those who mend what refuses mail is never judged
// (RFC 5321 section 4.5.1, RFC 2142), nor is mail of this machine.
const eximHead = `# Written by mailsetup: see [inbound] of /etc/mailsetup/host.toml. Debian's acl_check_rcpt
# includes this behind what lets your own users pass, and what refuses to relay.
  accept
    local_parts = postmaster : abuse
`

// eximSPF marks what SPF says; _HAVE_SPF is set by the daemon that can. A look-up that fails
// for the moment (temperror) refuses nothing.
const eximSPF = `.ifdef _HAVE_SPF
  warn
    spf = pass:fail:softfail:neutral:none:permerror:temperror
    add_header = :at_start:$spf_received
%s.endif
`

const eximSPFRefusal = `  deny
    !acl = acl_local_deny_exceptions
    spf = fail
    message = 550 5.7.23 $sender_host_address is not allowed to send mail from ${if def:sender_address_domain{$sender_address_domain}{$sender_helo_name}} (SPF)
    log_message = SPF fail
`

// eximACL returns the text of the checks.
func eximACL(in step.Input) (string, []state.Note, error) {
	policy, notes := in.Spec.Host.Inbound, []state.Note(nil)
	var b strings.Builder
	b.WriteString(eximHead)
	eximPasses(&b, in)
	for _, site := range policy.Lists() {
		text, err := eximList(site)
		if err != nil {
			return "", nil, err
		}
		b.WriteString(text)
		if cost := dnsbl.Named(site.Zone).Cost; cost != "" && !strings.Contains(content(in, eximconf.Checks), site.Zone) {
			notes = append(notes, state.Note{Topic: "dnsbl", Informational: true, Text: dnsbl.Shown(site.Zone) + " is " + cost})
		}
	}
	theirs, set := eximMacro(in, eximconf.SPFMacro)
	switch {
	case policy.SPF == inbound.Off:
	case set:
		notes = append(notes, state.Note{Topic: "spf", Informational: true, Text: fmt.Sprintf(
			"%s has Debian's ACL check SPF already, which refuses what fails and puts off what cannot be looked up; it stays as it is, whatever --spf says", theirs.At)})
	case policy.SPF == inbound.Reject:
		fmt.Fprintf(&b, eximSPF, eximSPFRefusal)
	default:
		fmt.Fprintf(&b, eximSPF, "")
	}
	return b.String(), notes, nil
}

// eximPasses writes who is accepted before anything is checked. Patterns are regular
// expressions between \N, in which Exim expands nothing.
func eximPasses(b *strings.Builder, in step.Input) {
	networks, hosts, senders := []string{"@[]"}, []string{"+ignore_unknown", "+ignore_defer"}, []string(nil)
	for _, a := range in.Spec.Host.Addresses {
		networks = append(networks, a.String())
	}
	for _, e := range in.Spec.Host.Inbound.Passes() {
		pattern := regexp.QuoteMeta(e.Name)
		switch e.Kind {
		case inbound.Network:
			networks = append(networks, e.Network.String())
		case inbound.Host:
			if strings.HasPrefix(e.Name, ".") {
				pattern = ".*" + pattern
			}
			hosts = append(hosts, `\N^(?i)`+pattern+`$\N`)
		case inbound.Domain:
			senders = append(senders, `\N^(?i).*@`+pattern+`$\N`)
		case inbound.Sender:
			senders = append(senders, `\N^(?i)`+pattern+`$\N`)
		}
	}
	write := func(condition, separator string, items []string) {
		fmt.Fprintf(b, "  accept\n    %s%s\n", condition, strings.Join(items, separator+" \\\n      "))
	}
	write("hosts = <; ", " ;", networks)
	if len(hosts) > 2 { // the first two say what becomes of clients without a name
		write("hosts = ", " :", hosts)
	}
	if len(senders) > 0 {
		write("senders = ", " :", senders)
	}
}

// maxAnswers is how many answers of a list Exim is told one by one: it knows no ranges.
const maxAnswers = 256

// eximList returns what refuses clients, or senders, of a block list. The replies name the
// list without a key. A look-up that fails refuses nothing (Exim specification, dnslists).
func eximList(site dnsbl.Site) (string, error) {
	answers := site.Answers(maxAnswers)
	if answers == nil {
		return "", step.Refuse("name those that count, as in "+dnsbl.Shown(site.Zone)+"="+dnsbl.DefaultCodes,
			"block list %s: exim4 is told each answer by itself, and these are more than %d", site.Shown(), maxAnswers)
	}
	key, condition, who := "", "", "client [$sender_host_address]"
	if site.Domains {
		key, condition, who = "/$sender_address_domain", "    !senders = :\n", "sender domain"
	}
	return fmt.Sprintf(`  deny
    !acl = acl_local_deny_exceptions
%[1]s    dnslists = %[2]s=%[3]s%[4]s
    message = 550 5.7.1 Service unavailable; %[5]s is blocked using %[6]s
    log_message = blocked using %[6]s
`, condition, site.Zone, strings.Join(answers, ","), key, who, dnsbl.Shown(site.Zone)), nil
}
