package detect

import (
	"context"
	"fmt"
	"strings"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

const dkimUnit = "opendkim.service"

func openDKIM(ctx context.Context, s Source, _ Options, f *state.Facts) error {
	if !f.Installed["opendkim"] {
		return nil
	}
	status, err := s.Status(ctx, dkimUnit)
	if err != nil {
		return fmt.Errorf("look at unit %s: %w", dkimUnit, err)
	}
	override, err := startOverride(s, dkimUnit)
	if err != nil {
		return err
	}
	f.OpenDKIM = &state.OpenDKIM{
		Active: status.Active == "active", Override: override, Deaf: deaf(s), Disabled: disabled(ctx, s, dkimUnit),
	}
	return nil
}

// deaf reports whether the socket file that opendkim.conf(5) names is missing.
// What may not be looked at counts as there.
func deaf(s Source) bool {
	text, err := follow(s, "/etc/opendkim.conf")
	if err != nil {
		return false
	}
	socket := ""
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && strings.EqualFold(f[0], "Socket") {
			socket = f[1]
		}
	}
	kind, name, _ := strings.Cut(socket, ":")
	if kind != "local" && kind != "unix" {
		return false
	}
	p, err := state.ParsePath(name)
	if err != nil {
		return false
	}
	o, err := s.Read(p)
	return err == nil && o.Kind == state.Absent
}

// disabled asks systemctl(1), whose exit status says less than its word.
func disabled(ctx context.Context, s Source, unit string) bool {
	res, err := s.Run(ctx, system.Command{Argv: []string{"systemctl", "is-enabled", unit}})
	return err == nil && strings.TrimSpace(string(res.Stdout)) == "disabled"
}

// startOverride finds the file below /etc or /run that replaces the unit's
// ExecStart: a unit file of the administrator's, or a drop-in, of which the
// last in order counts (systemd.unit(5)).
func startOverride(s Source, unit string) (state.Path, error) {
	found := state.Path("")
	for _, root := range []state.Path{"/run/systemd/system", "/etc/systemd/system"} {
		candidates := []state.Path{root.Join(unit)}
		names, err := s.List(root.Join(unit + ".d"))
		if err != nil {
			return "", err
		}
		for _, name := range names {
			if strings.HasSuffix(name, ".conf") {
				candidates = append(candidates, root.Join(unit+".d", name))
			}
		}
		for _, p := range candidates {
			o, err := s.Read(p)
			if err != nil {
				return "", err
			}
			if o.Kind == state.Regular && setsStart(string(o.Content)) {
				found = p
			}
		}
	}
	return found, nil
}

// setsStart reports whether a unit file sets a command to start; an empty
// assignment alone only clears the list.
func setsStart(text string) bool {
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(line, "=")
		if ok && strings.TrimSpace(name) == "ExecStart" && strings.TrimSpace(value) != "" {
			return true
		}
	}
	return false
}
