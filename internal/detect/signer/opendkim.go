// Package signer finds an OpenDKIM, the user it runs as, and who may read its keys.
package signer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/edits"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

const (
	// Unit is the unit of OpenDKIM.
	Unit        = "opendkim.service"
	defaultConf = "/etc/opendkim.conf"
	tablesDir   = "/etc/opendkim"
	// tmpfiles hides the package's file of that name, which makes the
	// directory of the PID file, tmpfiles.d(5).
	tmpfiles = "/etc/tmpfiles.d/opendkim.conf"
)

// Find collects the facts about an installed OpenDKIM.
func Find(ctx context.Context, s source.Source, _ source.Options, f *state.Facts) error {
	if !f.Installed["opendkim"] {
		return nil
	}
	status, err := s.Status(ctx, Unit)
	if err != nil {
		return fmt.Errorf("look at unit %s: %w", Unit, err)
	}
	o := &state.OpenDKIM{
		Active: status.Active == "active", Masked: status.Load == "masked", NeedsDaemonReload: status.NeedsDaemonReload,
		Disabled: status.AtBoot == "disabled",
	}
	if o.Unit, o.DropIns, err = source.UnitFiles(s, Unit); err != nil {
		return err
	}
	for _, p := range append([]state.Path{o.Unit, tmpfiles}, o.DropIns...) {
		if err := source.AddText(s, p, f); err != nil {
			return err
		}
	}
	if args := arguments(s, status, o, f.Files); len(args) > 0 {
		o.Args = args
	}
	o.Endpoint = endpoint(s, o.Args)
	o.User, o.Tables, o.Keys = runsAs(s, status), directory(s, tablesDir), directory(s, keyDir)
	for _, d := range []*state.Dir{o.Tables, o.Keys} {
		if d != nil && !slices.Contains([]string{"", state.Root.User, signerUser}, o.User) {
			o.Exposed = append(o.Exposed, exposed(s, d.Path, 0)...)
		}
	}
	o.SocketGone = socketGone(s, o.Endpoint)
	f.OpenDKIM = o
	return nil
}

// arguments returns the arguments of the running process, else those of the unit's
// files.
func arguments(s source.Source, status system.UnitStatus, o *state.OpenDKIM, files map[state.Path][]byte) []string {
	if args := source.ProcessArguments(s, status); len(args) > 0 {
		return args
	}
	texts := [][]byte{files[o.Unit]}
	for _, p := range o.DropIns {
		texts = append(texts, files[p])
	}
	return strings.Fields(edits.Service("ExecStart", texts...))
}

// endpoint returns where an OpenDKIM with these arguments listens: -p takes precedence
// over Socket, opendkim(8).
func endpoint(s source.Source, args []string) string {
	if at := argument(args, "-p"); at != "" {
		return at
	}
	conf, err := state.ParsePath(argument(args, "-x"))
	if err != nil {
		conf = defaultConf
	}
	text, err := source.Text(s, conf)
	if err != nil {
		return ""
	}
	socket := ""
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && strings.EqualFold(f[0], "Socket") {
			socket = f[1]
		}
	}
	return socket
}

// argument returns the value of an option, written as -p x or -px.
func argument(args []string, option string) string {
	value := ""
	for i, a := range args {
		rest, ok := strings.CutPrefix(a, option)
		switch {
		case ok && rest != "":
			value = rest
		case ok && i+1 < len(args):
			value = args[i+1]
		}
	}
	return value
}

// socketGone reports whether the socket file of OpenDKIM is missing. One that cannot be
// examined counts as present.
func socketGone(s source.Source, endpoint string) bool {
	kind, name, found := strings.Cut(endpoint, ":")
	if !found {
		kind, name = "local", endpoint
	}
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
