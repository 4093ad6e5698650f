package signer

import (
	"bytes"
	"fmt"
	"strings"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

const keyDir = "/etc/dkimkeys"

// runsAs returns the user of a unit's process, "" if it has none. The owner of files in
// /proc/PID does not tell: it is root once a process has changed its user (proc(5),
// PR_SET_DUMPABLE).
func runsAs(r system.Reader, status system.UnitStatus) string {
	if status.Active != "active" || status.PID == 0 {
		return ""
	}
	o, err := r.Read(state.Path(fmt.Sprintf("/proc/%d/status", status.PID)))
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(o.Content) {
		if f := strings.Fields(string(line)); len(f) > 2 && f[0] == "Uid:" { // real, effective, …
			return userName(r, f[2])
		}
	}
	return ""
}

// userName looks up a uid in passwd(5); an unknown uid is returned as a number.
func userName(r system.Reader, uid string) string {
	text, err := source.Text(r, "/etc/passwd")
	if err != nil {
		return uid
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(line, ":"); len(f) > 2 && f[2] == uid {
			return f[0]
		}
	}
	return uid
}

func directory(r system.Reader, p state.Path) *state.Dir {
	o, err := r.Read(p)
	if err != nil || o.Kind != state.Directory {
		return nil
	}
	return &state.Dir{Path: p, Mode: o.Mode, Owner: o.Owner}
}

// exposed returns the private keys below a directory that everybody could read, if the
// directories above were open.
func exposed(r system.Reader, dir state.Path, depth int) []state.Path {
	names, err := r.List(dir)
	if err != nil || depth > 3 {
		return nil
	}
	var found []state.Path
	for _, name := range names {
		o, err := r.Read(dir.Join(name))
		switch {
		case err != nil || o.Mode.Perm()&0o005 == 0:
		case o.Kind == state.Directory && o.Mode.Perm()&0o001 != 0:
			found = append(found, exposed(r, dir.Join(name), depth+1)...)
		case o.Kind == state.Regular && o.Mode.Perm()&0o004 != 0 && bytes.Contains(o.Content, []byte("PRIVATE KEY-----")):
			found = append(found, dir.Join(name))
		}
	}
	return found
}
