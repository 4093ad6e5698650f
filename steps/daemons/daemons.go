// Package daemons says which units mail needs, and which of them somebody stopped.
package daemons

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"mailsetup/internal/eximconf"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/records"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// daemon is a unit that mail needs, and what is missing while it is down.
type daemon struct {
	unit   string
	atBoot string // the unit that is enabled, where it is another one
	down   string
	probes []state.Probe
}

// daemons returns the units of this host that mail needs, in the order in which they
// need each other. BIND is one if the run may edit zones of ours; if another name server
// answers, that is refused elsewhere.
func daemons(in step.Input) []daemon {
	var all []daemon
	if !in.Scope.IsHostOnly() && records.OtherNameServer(in) == nil && slices.ContainsFunc(in.Spec.Domains, func(d spec.Domain) bool {
		return records.UsesBIND(in.Spec, in.Spec.DNSOf(d))
	}) {
		all = append(all, daemon{unit: "named.service", down: "nobody finds the records", probes: []state.Probe{
			{Kind: state.ProbeActive, Unit: "named.service"},
		}})
	}
	if in.Spec.Host.MTA == spec.Exim {
		all = append(all, daemon{unit: eximconf.Unit, down: "no mail gets through", probes: []state.Probe{{Kind: state.ProbeActive, Unit: eximconf.Unit}}})
		return slices.DeleteFunc(all, func(d daemon) bool { _, known := in.Facts.Daemons[d.unit]; return !known })
	}
	all = append(all, daemon{unit: signer.Unit, down: "no mail gets through", probes: []state.Probe{
		{Kind: state.ProbeMilter, Address: string(signer.Socket(in.Facts))}, {Kind: state.ProbeActive, Unit: signer.Unit},
	}})
	if p := in.Facts.Postfix; p != nil {
		all = append(all, daemon{unit: p.Unit, atBoot: "postfix.service", down: "no mail gets through", probes: []state.Probe{
			{Kind: state.ProbePostfix},
		}})
	}
	return slices.DeleteFunc(all, func(d daemon) bool {
		_, known := in.Facts.Daemons[d.unit]
		return !known || d.unit == signer.Unit && in.SignsNothing() // another program signs
	})
}

// starts returns the unit that is enabled.
func (d daemon) starts() string {
	if d.atBoot != "" {
		return d.atBoot
	}
	return d.unit
}

// Start starts units that are down and enables units that do not start at boot, except
// those that somebody stopped or masked, see Halted.
func Start(in step.Input) (state.Stage, []state.Note, error) {
	var stage state.Stage
	late := lateUnit(in)
	for _, d := range daemons(in) {
		is, boot := in.Facts.Daemons[d.unit], in.Facts.Daemons[d.starts()]
		if is.Stopped || is.Masked || boot.Masked || d.unit == late && late != "" {
			continue
		}
		if boot.Disabled {
			stage.Units = append(stage.Units, state.Unit{
				Name: d.starts(), Action: state.Enable, Always: true, Why: "it is disabled: after a reboot " + d.down,
			})
		}
		if !is.Running {
			stage.Units = append(stage.Units, state.Unit{
				Name: d.unit, Action: state.Start, Always: true, Probes: d.probes, Why: "it is down: " + d.down,
			})
		}
	}
	return stage, nil, nil
}

// lateUnit returns the unit of a Postfix that was installed and not started yet, "" for none:
// mail would come in and leave before anything is set up.
func lateUnit(in step.Input) string {
	if p := in.Facts.Postfix; p != nil && in.Spec.Host.MTA != spec.Exim && in.Facts.Daemons[p.Unit].New {
		return p.Unit
	}
	return ""
}

// StartLast has the last of some stages start such a Postfix, or one that the run installs. The
// stages before it neither have it read their files again nor ask it anything; it is asked then.
func StartLast(in step.Input, stages []state.Stage) {
	if len(stages) == 0 {
		return
	}
	unit, last := lateUnit(in), &stages[len(stages)-1]
	if in.Facts.Postfix == nil && in.Spec.Host.MTA != spec.Exim && len(last.Units) > 0 {
		unit = last.Units[0].Name
	}
	if unit == "" {
		return
	}
	start := state.Unit{Name: unit, Action: state.Start, Always: true, Why: "mail comes in and leaves from now on"}
	for i := range stages {
		st := &stages[i]
		st.Units = slices.DeleteFunc(slices.Clone(st.Units), func(u state.Unit) bool {
			if u.Name != unit || u.Action.AtBoot() {
				return false
			}
			for _, p := range u.Probes {
				if !slices.ContainsFunc(start.Probes, func(is state.Probe) bool { return reflect.DeepEqual(is, p) }) {
					start.Probes = append(start.Probes, p)
				}
			}
			return true
		})
	}
	last.Units = append(last.Units, start)
}

// Halt is a unit that somebody stopped or masked, with the command that reverts that.
type Halt struct {
	Unit, Text, Action string
	Masked             bool
}

// Halted returns the units of the host that somebody stopped or masked. A run does not
// start them: there was a reason.
func Halted(in step.Input) []Halt {
	var all []Halt
	for _, d := range daemons(in) {
		is, boot := in.Facts.Daemons[d.unit], in.Facts.Daemons[d.starts()]
		switch now := map[bool]string{true: "enable --now ", false: "start "}[boot.Disabled] + d.starts(); {
		case is.Masked || boot.Masked:
			all = append(all, Halt{
				Unit: d.unit, Text: fmt.Sprintf("%s is masked: nothing can start it, and %s", d.starts(), d.down), Masked: true,
				Action: fmt.Sprintf("systemctl unmask %s && systemctl %s", strings.Join(masked(in, d), " "), now),
			})
		case is.Stopped:
			all = append(all, Halt{
				Unit: d.unit, Text: fmt.Sprintf("%s was stopped: %s", d.starts(), d.down), Action: "systemctl " + now,
			})
		}
	}
	return all
}

func masked(in step.Input, d daemon) []string {
	var all []string
	for _, u := range []string{d.unit, d.starts()} {
		if in.Facts.Daemons[u].Masked && !slices.Contains(all, u) {
			all = append(all, u)
		}
	}
	return all
}
