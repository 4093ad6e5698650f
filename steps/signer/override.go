package signer

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/edits"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// What the package's unit starts, opendkim.service. Our configuration fits
// that: a socket, a user or a PID file from elsewhere would go against it.
const (
	program                  = "/usr/sbin/opendkim"
	userOpenDKIM             = "opendkim"
	pidFile                  = runDir + "/opendkim.pid"
	runDir        state.Path = "/run/opendkim"
	theirTmpfiles state.Path = "/etc/tmpfiles.d/opendkim.conf"
	adminDropIns  state.Path = "/etc/systemd/system/opendkim.service.d/"
)

// unitEdits removes settings from the unit's drop-ins that conflict with our
// configuration, each with a consent of its own. Debian's legacy
// opendkim.service.generate writes such files.
func unitEdits(in step.Input) ([]state.Edit, []state.Question, error) {
	o := in.Facts.OpenDKIM
	if o == nil {
		return nil, nil, nil
	}
	if o.Masked {
		return nil, nil, step.Refuse("systemctl unmask "+Unit, "%s is masked: nothing can start it", Unit)
	}
	if err := wholeUnit(in, *o); err != nil {
		return nil, nil, err
	}
	drop := conflictingSettings(in, *o)
	var all []state.Edit
	var questions []state.Question
	for _, p := range o.DropIns {
		said := assigned(in.Facts.Files[p], drop)
		if len(said) == 0 {
			continue
		}
		if !strings.HasPrefix(string(p), "/etc/") {
			return nil, nil, step.Refuse(fmt.Sprintf("move it to where it can be edited, with the same effect: mkdir -p %s && mv %s %[1]s && systemctl daemon-reload", adminDropIns, p),
				"%s:%d: %s=%s %s", p, said[0].Line, said[0].Name, said[0].Value, overrideEffect(said[0].Name))
		}
		e := state.UnitEdit{Path: p, Reason: "OpenDKIM starts as " + string(ConfFile) + " says"}
		for _, a := range said {
			if !slices.Contains(e.Drop, a.Name) {
				e.Drop = append(e.Drop, a.Name)
			}
		}
		all = append(all, e)
		questions = append(questions, overrideQuestion(p, said, e.Drop))
	}
	return all, questions, nil
}

// conflictingSettings returns the settings of [Service] that keep OpenDKIM from running as our
// configuration says.
func conflictingSettings(in step.Input, o state.OpenDKIM) []string {
	texts := [][]byte{in.Facts.Files[o.Unit]}
	for _, p := range o.DropIns {
		texts = append(texts, in.Facts.Files[p])
	}
	says := func(name string) string { return edits.Service(name, texts...) }
	var drop []string
	if start := says("ExecStart"); start != "" && !startsAsPackaged(in, start) {
		drop = append(drop, "ExecStart")
	}
	if t := says("Type"); t != "" && t != "forking" {
		drop = append(drop, "Type")
	}
	if p := says("PIDFile"); p != "" && strings.TrimPrefix(p, "/var") != string(pidFile) {
		drop = append(drop, "PIDFile")
	}
	if u := says("User"); u != "" && u != "root" && u != userOpenDKIM {
		drop = append(drop, "User", "Group")
	}
	return drop
}

// startsAsPackaged reports whether a command line says nothing that our configuration
// does not say as well, opendkim(8).
func startsAsPackaged(in step.Input, start string) bool {
	words := strings.Fields(strings.TrimLeft(start, "-:+!"))
	if len(words) == 0 || words[0] != program {
		return false
	}
	same := map[string][]string{
		"-P": {string(pidFile), "/var" + string(pidFile)},
		"-x": {string(ConfFile)},
		"-u": {userOpenDKIM},
	}
	for i := 1; i < len(words); i += 2 {
		if words[i] == "-l" { // to the system's log, as Syslog says
			i--
			continue
		}
		if i+1 == len(words) {
			return false
		}
		if value := words[i+1]; !slices.Contains(same[words[i]], value) && (words[i] != "-p" || !ourSocket(in, value)) {
			return false
		}
	}
	return true
}

// assigned returns the assignments of a unit file to some settings. One that only
// clears a list counts if nothing else would be left of it.
func assigned(text []byte, names []string) []edits.Assignment {
	return slices.DeleteFunc(edits.Assignments(text), func(a edits.Assignment) bool {
		return a.Section != "Service" || !slices.Contains(names, a.Name)
	})
}

// wholeUnit refuses a complete unit file of the administrator's that conflicts with our
// configuration: without those lines it would start nothing.
func wholeUnit(in step.Input, o state.OpenDKIM) error {
	if o.Unit == "" {
		return nil
	}
	bare := o
	bare.DropIns = nil
	if said := assigned(in.Facts.Files[o.Unit], conflictingSettings(in, bare)); len(said) > 0 {
		a := said[len(said)-1]
		return step.Refuse(fmt.Sprintf("keep what you need of it in a drop-in (systemctl edit %s), then mv %s %[2]s.old && systemctl daemon-reload",
			Unit, o.Unit), "%s:%d: %s=%s %s", o.Unit, a.Line, a.Name, a.Value, overrideEffect(a.Name))
	}
	return nil
}

// overrideEffect says how a setting conflicts with ours.
func overrideEffect(name string) string {
	switch name {
	case "ExecStart":
		return fmt.Sprintf("starts OpenDKIM with options of its own, which count for more than %s", ConfFile)
	case "PIDFile":
		return fmt.Sprintf("makes systemd wait for a file that %s does not name", ConfFile)
	case "Type":
		return "does not fit a daemon that goes to the background"
	}
	return fmt.Sprintf("keeps OpenDKIM from running as %s, the owner of the keys", userOpenDKIM)
}

// overrideQuestion asks for the consent to change a drop-in, showing the most important
// line.
func overrideQuestion(p state.Path, said []edits.Assignment, drop []string) state.Question {
	show := said[0]
	for _, a := range said {
		if a.Value != "" && (show.Value == "" || a.Name == "ExecStart") {
			show = a
		}
	}
	return state.Question{
		ID: "override " + string(p), Kind: state.AskOverride, Subject: Unit,
		Text: fmt.Sprintf("%s=%s %s. Without %s there the package's own unit counts again; "+
			"everything else in the file stays.", show.Name, show.Value, overrideEffect(show.Name), strings.Join(drop, ", ")),
		Path: p, Line: show.Line, Before: show.Name + "=" + show.Value,
	}
}

// runDirs returns the directory of the PID file if a file of the administrator's masks
// the package's tmpfiles.d(5), which would make it: the generator writes one that makes
// another directory.
func runDirs(in step.Input) []state.Dir {
	theirs, there := in.Facts.Files[theirTmpfiles]
	line := fmt.Sprintf("d %s 0750 %s %s", runDir, userOpenDKIM, userOpenDKIM)
	if !there || strings.Contains(strings.Join(strings.Fields(string(theirs)), " "), line) {
		return nil
	}
	return []state.Dir{{
		Path: runDir, Mode: 0o750, Owner: state.Owner{User: userOpenDKIM, Group: userOpenDKIM},
		Why: fmt.Sprintf("for the PID file; %s makes another one", theirTmpfiles),
	}}
}
