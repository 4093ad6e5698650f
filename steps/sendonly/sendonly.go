// Package sendonly has the mail server of a machine that receives nothing from outside listen
// to the machine itself alone.
package sendonly

import (
	"slices"
	"strings"

	"mailsetup/internal/eximconf"
	"mailsetup/internal/postconf"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/exim"
	"mailsetup/steps/postfix"
	"mailsetup/steps/step"
)

const (
	why = "nothing is accepted from outside: this server only sends"
	// loopback is dc_local_interfaces as Debian's package proposes it.
	loopback = "127.0.0.1 ; ::1"
)

// Listen closes the way in from outside. A server that listens nowhere else stays as it is.
func Listen(in step.Input) (state.Stage, []state.Note, error) {
	switch {
	case !in.Spec.Host.SendOnly:
		return state.Stage{}, nil, nil
	case in.Spec.Host.MTA == spec.Exim:
		return eximStage(in), nil, nil
	case in.Facts.Postfix != nil && closed(in.Facts.Postfix.Value["inet_interfaces"], ","):
		return state.Stage{}, nil, nil
	}
	stage := postfix.Stage(in, state.PostfixEdit{
		Path: postconf.MainCF, Set: []state.Setting{{Name: "inet_interfaces", Value: "loopback-only"}}, Reason: why,
	})
	for i := range stage.Units {
		stage.Units[i].Action, stage.Units[i].Why = state.Restart, "it listens elsewhere"
	}
	return stage, nil, nil
}

func eximStage(in step.Input) state.Stage {
	if e := in.Facts.Exim; e != nil && closed(e.Interfaces, ";") {
		return state.Stage{}
	}
	unit, valid := exim.Reading(in)
	unit.Action, unit.Why = state.Restart, "it listens elsewhere"
	return state.Stage{
		Edits: []state.Edit{state.EximEdit{
			Path: eximconf.DebconfFile, Set: []state.Setting{{Name: "dc_local_interfaces", Value: loopback}}, Reason: why,
		}},
		Units: []state.Unit{unit}, Validators: []state.Validator{valid},
	}
}

// closed reports whether a list of interfaces names some, and all of them are this machine's.
func closed(list, separator string) bool {
	words := strings.FieldsFunc(strings.ToLower(list), func(r rune) bool { return strings.ContainsRune(separator+" \t", r) })
	return len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool {
		return w != "loopback-only" && w != "localhost" && !postconf.OnlyLoopback(w)
	})
}
