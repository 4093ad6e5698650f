package inbound

import (
	"mailsetup/internal/edits"
	policy "mailsetup/internal/inbound"
	"mailsetup/internal/opendmarc"
	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
	"mailsetup/steps/step"
)

// UnitOf returns the unit that a package of Packages brings and starts, "" for none.
func UnitOf(pkg string) string {
	if pkg == DMARCPackage {
		return dmarcUnit
	}
	return ""
}

func started(in step.Input) state.StartedUnits {
	return state.ParseStartedUnits(in.Facts.Files[state.StartedFile])
}

// startedFile is the record of units that off gives back, as a file of a stage.
func startedFile(units state.StartedUnits) state.File {
	return state.File{
		Path: state.StartedFile, Mode: 0o600, Owner: state.Root, AdminOwned: true, Content: units.Text(),
		Why: "remembers which units did not run before, for off",
	}
}

// rememberUnit returns the record with how a unit was found that is about to run for
// mailsetup, if it did not run, or not from the next boot on.
func rememberUnit(in step.Input, unit string) []state.File {
	is, known := in.Facts.Daemons[unit]
	var back []state.UnitAction
	if known && !is.Running {
		back = append(back, state.Stop)
	}
	if is.Disabled {
		back = append(back, state.Disable)
	}
	if _, recorded := started(in)[unit]; recorded || len(back) == 0 {
		return nil
	}
	return []state.File{startedFile(started(in).With(unit, back...))}
}

// giveBack returns what gives a unit back as it was found, nil where it stays as it is.
func giveBack(in step.Input, unit string, socket state.Path) (units []state.Unit) {
	is := in.Facts.Daemons[unit]
	for _, action := range started(in)[unit] {
		u := state.Unit{Name: unit, Action: action, Always: true, Why: "as before mailsetup needed it"}
		switch {
		case is.Masked, action == state.Stop && !is.Running, action == state.Disable && is.Disabled:
			continue
		case action == state.Stop:
			u.WakeSocket = socket
		}
		units = append(units, u)
	}
	return units
}

// forget takes a unit out of the record.
func forget(in step.Input, unit string, stage *state.Stage) {
	if _, recorded := started(in)[unit]; !recorded {
		return
	}
	if left := started(in).Without(unit); len(left) > 0 {
		stage.Files = append(stage.Files, startedFile(left))
		return
	}
	stage.Discard = append(stage.Discard, state.StartedFile)
}

// RetireDirectories takes away the directory of a socket at which nothing listens any more:
// OpenDMARC has let go of it by then.
func RetireDirectories(in step.Input) (state.Stage, []state.Note, error) {
	_, theirs, ours := edits.BlockLines(content(in, opendmarc.ConfFile), opendmarc.Block)
	if !ours || wantsDMARC(in) || opendmarc.Parse(theirs).Value("Socket") == "local:"+string(dmarcSocket(in)) || listensAt(in) != dmarcSocket(in) {
		return state.Stage{}, nil, nil
	}
	return state.Stage{Discard: []state.Path{dmarcSocket(in).Dir()}}, nil, nil
}

// wantsDMARC reports whether OpenDMARC is to judge incoming mail.
func wantsDMARC(in step.Input) bool {
	return in.Spec.Host.Inbound.DMARC != policy.Off && !guardedByRspamd(in)
}

// othersAsk reports whether Postfix asks OpenDMARC where the administrator has it.
func othersAsk(in step.Input) bool {
	_, theirs, _ := edits.BlockLines(content(in, opendmarc.ConfFile), opendmarc.Block)
	return postfix.AsksOpenDMARC(in, opendmarc.Parse(theirs).Value("Socket"))
}
