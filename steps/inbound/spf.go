package inbound

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/edits"
	"mailsetup/internal/inbound"
	"mailsetup/internal/policydspf"
	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

const (
	// spfBlock is the name of our lines in policyd-spf.conf, master.cf and main.cf.
	spfBlock = "SPF"
	// service is the policy service in master.cf, as the package's documentation calls it.
	service = "policyd-spf"
	// timeLimit is how long a policy process may be connected: as that documentation has
	// it, since the default of 1000 s ends some in the middle of a session.
	timeLimit = "policyd-spf_time_limit"
)

// SPFService makes the policy service that checks SPF: its configuration, and its entry
// in master.cf. It answers before Postfix asks it. See Door.
func SPFService(in step.Input) (state.Stage, []state.Note, error) {
	if in.Spec.Host.Inbound.SPF == inbound.Off || guardedByRspamd(in) {
		return state.Stage{}, nil, nil
	}
	if err := checkConfFile(in, SPFPackage, policydspf.File); err != nil {
		return state.Stage{}, nil, err
	}
	theirs, err := otherService(in)
	if err != nil {
		return state.Stage{}, nil, err
	}
	conf, questions, err := configureSPF(in)
	if err != nil {
		return state.Stage{}, nil, err
	}
	all := []state.Edit{conf}
	if theirs == nil {
		all = append(all, state.BlockEdit{
			Path: postconf.MasterCF, Name: spfBlock, Stamp: true, Reason: "the service that checks SPF",
			Lines: []string{service + " unix - n n - 0 spawn", "  user=policyd-spf argv=/usr/bin/policyd-spf"},
		})
		if _, around, _ := edits.BlockLines(content(in, postconf.MainCF), spfBlock); !sets(around, timeLimit) {
			all = append(all, state.BlockEdit{
				Path: postconf.MainCF, Name: spfBlock, Stamp: true, Reason: "how long a policy process lives", Lines: []string{timeLimit + " = 3600"},
			})
		}
	}
	stage := postfix.Stage(in, all...)
	stage.Questions = in.Unanswered(questions...)
	stage.Units[0].Probes = append(stage.Units[0].Probes, state.Probe{
		Kind: state.ProbePolicy, Within: 30 * time.Second,
		Address: string(signer.QueueDirectory(in.Facts).Join("private").Join(serviceName(theirs))),
	})
	return stage, nil, nil
}

func serviceName(theirs *state.Service) string {
	if theirs == nil {
		return service
	}
	return strings.TrimSuffix(theirs.Name, "/unix")
}

// content returns the text of a file that the steps look at, "" if there is none.
func content(in step.Input, p state.Path) string { return string(in.Facts.Files[p]) }

// sets reports whether a line of main.cf sets a parameter.
func sets(main, name string) bool {
	for line := range strings.Lines(main) {
		if before, _, found := strings.Cut(line, "="); found && strings.TrimRight(before, " \t") == name {
			return true
		}
	}
	return false
}

// otherService returns the entry of master.cf by which the administrator runs policyd-spf
// already, nil if there is none.
func otherService(in step.Input) (*state.Service, error) {
	if in.Facts.Postfix == nil {
		return nil, nil
	}
	_, _, ours := edits.BlockLines(content(in, postconf.MasterCF), spfBlock)
	for i := range in.Facts.Postfix.Services {
		s := &in.Facts.Postfix.Services[i]
		at := fmt.Sprintf("%s:%d: service %s", postconf.MasterCF, s.Line, s.Name)
		program := slices.IndexFunc(s.Args, func(a string) bool { return strings.HasPrefix(a, "argv=") })
		var arguments []string
		if program >= 0 && s.Command == "spawn" {
			arguments = append(strings.Fields(strings.TrimPrefix(s.Args[program], "argv=")), s.Args[program+1:]...)
		}
		switch name := path.Base(append(arguments, "")[0]); {
		case ours && s.Name == service+"/unix":
		case name == "policyd-spf-perl":
			return nil, step.Refuse("take it out, and what asks it; or mailsetup inbound --spf off", "%s: policyd-spf-perl checks SPF already", at)
		case name != "policyd-spf" && s.Name == service+"/unix":
			return nil, step.Refuse("give it another name", "%s: runs something else than policyd-spf", at)
		case name != "policyd-spf":
		case !strings.HasSuffix(s.Name, "/unix"):
			return nil, step.Refuse("make it a service of type unix; or mailsetup inbound --spf off", "%s: listens on a port", at)
		case len(arguments) > 1 && arguments[1] != string(policydspf.File):
			return nil, step.Refuse("let it read "+string(policydspf.File)+"; or mailsetup inbound --spf off", "%s: has a configuration of its own, %s", at, arguments[1])
		default:
			return s, nil
		}
	}
	return nil, nil
}

// configureSPF returns the lines that policyd-spf.conf lacks, and what they overrule.
func configureSPF(in step.Input) (state.BlockEdit, []state.Question, error) {
	policy := in.Spec.Host.Inbound
	_, around, _ := edits.BlockLines(content(in, policydspf.File), spfBlock)
	conf, faults := policydspf.Parse(around)
	if len(faults) > 0 {
		return state.BlockEdit{}, nil, step.Refuse(faults[0].Hint, "%v", faults[0])
	}
	want := policydspf.Want{Reject: policy.SPF == inbound.Reject}
	for _, a := range slices.Concat(in.Spec.Host.Addresses, in.Facts.Addresses) {
		if !slices.Contains(want.Own, a) {
			want.Own = append(want.Own, a)
		}
	}
	for _, e := range policy.Passes() {
		if e.Kind == inbound.Network {
			want.Trusted = append(want.Trusted, e.Network)
		}
	}
	settings, overruled := want.Settings(conf)
	edit := state.BlockEdit{
		Path: policydspf.File, Name: spfBlock, Stamp: true, Last: true, Drop: len(settings) == 0,
		Reason: map[bool]string{true: "mail that fails SPF is refused", false: "mail that fails SPF is marked"}[want.Reject],
	}
	for _, s := range settings {
		edit.Lines = append(edit.Lines, s.Name+" = "+s.Value)
	}
	var questions []state.Question
	for _, d := range overruled {
		questions = append(questions, state.Question{
			ID: "policyd-spf " + d.Key, Kind: state.AskChecks, Subject: d.Key, Path: policydspf.File, Line: d.Line,
			Before: d.Key + " = " + d.Value, After: d.Key + " = " + d.Wanted,
			Text: fmt.Sprintf("policyd-spf was set up with %s = %s, which is not what --spf %s does.", d.Key, d.Value, policy.SPF),
		})
	}
	return edit, questions, nil
}

// retireSPF returns what takes the policy service away where SPF is off. What the
// administrator wrote stays.
func retireSPF(in step.Input) state.Stage {
	if in.Spec.Host.Inbound.SPF != inbound.Off && !guardedByRspamd(in) {
		return state.Stage{}
	}
	var all []state.Edit
	for _, p := range []state.Path{postconf.MasterCF, postconf.MainCF, policydspf.File} {
		if _, _, found := edits.BlockLines(content(in, p), spfBlock); found {
			all = append(all, state.BlockEdit{Path: p, Name: spfBlock, Stamp: true, Drop: true, Reason: "SPF of incoming mail is no longer checked"})
		}
	}
	if len(all) == 0 {
		return state.Stage{}
	}
	return postfix.Stage(in, all...)
}
