package detect

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// zones lists the zones of the local BIND. When named.conf cannot be read the
// list is one zone "." whose Problem says why: it is above every name.
func zones(ctx context.Context, s Source, o Options, f *state.Facts) error {
	if !f.Installed["bind9"] {
		return nil
	}
	found, directory, problem := configured(ctx, s)
	if problem != "" {
		f.Zones = []state.Zone{{Origin: ".", Problem: problem}}
		return nil
	}
	contradictions(found)
	for i := range found {
		z := &found[i]
		if z.Problem == "" && above(z.Origin, o.Origins) {
			if err := load(ctx, s, o, directory, z); err != nil {
				return err
			}
		}
	}
	f.Zones = found
	return nil
}

// configured asks BIND's own tool for the configuration, includes and all.
func configured(ctx context.Context, r system.Runner) (found []state.Zone, directory, problem string) {
	res, err := r.Run(ctx, system.Command{Argv: []string{"named-checkconf", "-px"}})
	if err != nil {
		return nil, "", fmt.Sprintf("named-checkconf could not be run: %v", err)
	}
	if res.Code != 0 {
		return nil, "", "named-checkconf: " + complaint(res)
	}
	conf, err := parseNamedConf(withoutWarnings(string(res.Stdout)))
	if err != nil {
		return nil, "", err.Error()
	}
	found, directory = zoneList(conf)
	return found, directory, ""
}

// withoutWarnings drops the lines FILE:LINE: TEXT, which named-checkconf mixes
// with the configuration on its standard output.
func withoutWarnings(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		file, rest, ok := strings.Cut(line, ":")
		number, _, more := strings.Cut(rest, ":")
		if ok && more && !strings.ContainsAny(file, " \t\"{};") && number != "" && strings.Trim(number, "0123456789") == "" {
			continue
		}
		b.WriteString(line)
	}
	return b.String()
}

// zoneList returns the zones of class IN, without those every server has, and
// the directory that relative file names start from.
func zoneList(conf []statement) (found []state.Zone, directory string) {
	options, _ := first(conf, "options")
	directory = "/"
	if d, ok := first(options.block(), "directory"); ok {
		directory = d.word(1)
	}
	add := func(z statement, view string, scopes ...[]statement) {
		if class := z.word(2); class != "" && !strings.EqualFold(class, "IN") {
			return
		}
		scopes = append([][]statement{z.block()}, scopes...)
		if zone := describe(z.word(1), view, directory, scopes); !builtIn(zone) {
			found = append(found, zone)
		}
	}
	for _, s := range conf {
		switch s.word(0) {
		case "zone":
			add(s, "", options.block())
		case "view":
			for _, inner := range s.block() {
				if inner.word(0) == "zone" {
					add(inner, s.word(1), s.block(), options.block())
				}
			}
		}
	}
	return found, directory
}

// describe reads one zone; scopes are its own block, then the ones it inherits
// from.
func describe(name, view, directory string, scopes [][]statement) state.Zone {
	inherited := func(option string) statement {
		for _, scope := range scopes {
			if s, ok := first(scope, option); ok {
				return s
			}
		}
		return statement{}
	}
	own := scopes[0]
	kind, _ := first(own, "type")
	file, _ := first(own, "file")
	policy := inherited("dnssec-policy").word(1)
	_, updatePolicy := first(own, "update-policy")
	z := state.Zone{
		Origin:  strings.ToLower(strings.TrimSuffix(name, ".")) + ".",
		Kind:    modern(kind.word(1)),
		View:    view,
		Dynamic: updatePolicy || admits(inherited("allow-update")),
		Signed:  yes(inherited("inline-signing").word(1)) || policy != "" && policy != "none",
	}
	if shared, ok := first(own, "in-view"); ok {
		return state.Zone{
			Origin: z.Origin, Kind: "in-view", View: view,
			Problem: fmt.Sprintf("it is shared from view %s", shared.word(1)),
		}
	}
	z.File, z.Problem = place(directory, file.word(1))
	z.Problem = obstacle(z, own)
	return z
}

// obstacle says why the zone's file cannot be edited, "" if nothing is known
// to stand in the way.
func obstacle(z state.Zone, own []statement) string {
	format, _ := first(own, "masterfile-format")
	_, database := first(own, "database")
	_, dlz := first(own, "dlz")
	switch {
	case z.Kind != "primary":
		return fmt.Sprintf("it is a %s zone here: its records are made elsewhere", z.Kind)
	case z.Dynamic:
		return "it takes dynamic updates: its file belongs to named"
	case database || dlz:
		return "its records come from a database"
	case format.word(1) != "" && format.word(1) != "text":
		return fmt.Sprintf("its file is in %s format", format.word(1))
	case z.Problem == "" && z.File == "":
		return "it has no file"
	default:
		return z.Problem
	}
}

// place makes a file name of named.conf absolute.
func place(directory, file string) (state.Path, string) {
	if file == "" {
		return "", ""
	}
	if !path.IsAbs(file) {
		file = path.Join(directory, file)
	}
	p, err := state.ParsePath(file)
	if err != nil {
		return "", err.Error()
	}
	return p, ""
}

// modern translates the words for zone types that BIND 9.16 replaced.
func modern(kind string) string {
	switch kind = strings.ToLower(kind); kind {
	case "master":
		return "primary"
	case "slave":
		return "secondary"
	default:
		return kind
	}
}

// admits reports whether an address match list lets anybody in.
func admits(list statement) bool {
	return slices.ContainsFunc(list.block(), func(s statement) bool { return s.word(0) != "none" })
}

func yes(word string) bool {
	return slices.Contains([]string{"yes", "true", "1"}, strings.ToLower(word))
}

// builtIn reports whether a zone is one of those that Debian or RFC 6303 give
// to every server.
func builtIn(z state.Zone) bool {
	if z.Kind == "hint" || z.Kind == "mirror" && z.Origin == "." {
		return true
	}
	names := []string{".", "localhost.", "127.in-addr.arpa.", "0.in-addr.arpa.", "255.in-addr.arpa."}
	files := []state.Path{"/etc/bind/db.empty", "/etc/bind/db.local", "/etc/bind/db.127", "/etc/bind/db.0", "/etc/bind/db.255"}
	return slices.Contains(names, z.Origin) || slices.Contains(files, z.File)
}

// contradictions marks zones that several views serve from different files:
// which one the world sees is not ours to guess.
func contradictions(list []state.Zone) {
	files := map[string]map[state.Path]bool{}
	for _, z := range list {
		if z.Kind == "in-view" {
			continue
		}
		if files[z.Origin] == nil {
			files[z.Origin] = map[state.Path]bool{}
		}
		files[z.Origin][z.File] = true
	}
	for i, z := range list {
		if len(files[z.Origin]) > 1 && z.Problem == "" {
			list[i].Problem = "several views serve it, each from a file of its own"
		}
	}
}

// above reports whether the zone is equal to or above one of the names.
func above(origin string, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		name = strings.ToLower(strings.TrimSuffix(name, ".")) + "."
		return name == origin || origin == "." || strings.HasSuffix(name, "."+origin)
	})
}
