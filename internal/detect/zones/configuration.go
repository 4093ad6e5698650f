package zones

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/edits"
	"mailsetup/internal/namedconf"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

const (
	defaults  state.Path = "/etc/default/named"
	mainConf  state.Path = "/etc/bind/named.conf"
	localConf state.Path = "/etc/bind/named.conf.local" // where zones of ours are declared
)

// options are those of named(8) that decide what it reads.
type options struct {
	file string // -c, "" for the usual one
	root string // -t, "" for none
	by   string // what says so
}

// startOptions returns the options of the named that runs, or with which its unit
// would start it: Debian's takes them from /etc/default/named.
func startOptions(s source.Source, status system.UnitStatus) (options, error) {
	text, err := source.Text(s, defaults)
	if err != nil {
		return options{}, err
	}
	variable := strings.Fields(shellValue(text, "OPTIONS"))
	o := parseOptions(variable)
	o.by = string(defaults)
	args := source.ProcessArguments(s, status)
	if len(args) == 0 {
		if args, err = unitArguments(s, variable); err != nil || len(args) == 0 {
			return o, err
		}
	}
	if got := parseOptions(args[1:]); got.file != o.file || got.root != o.root {
		got.by = NamedUnit
		return got, nil
	}
	return o, nil
}

// unitArguments returns the command line in unit files of the administrator's, nil
// where they have none.
func unitArguments(s source.Source, variable []string) ([]string, error) {
	whole, dropIns, err := source.UnitFiles(s, NamedUnit)
	if err != nil {
		return nil, err
	}
	var texts [][]byte
	for _, p := range append([]state.Path{whole}, dropIns...) {
		if p == "" {
			continue
		}
		text, err := source.Text(s, p)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	var args []string
	for _, word := range strings.Fields(edits.Service("ExecStart", texts...)) {
		if word == "$OPTIONS" || word == "${OPTIONS}" {
			args = append(args, variable...)
		} else {
			args = append(args, word)
		}
	}
	return args, nil
}

// shellValue returns the last value of a variable in a file of assignments.
func shellValue(text []byte, name string) string {
	found := ""
	for line := range bytes.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(string(line)), name+"="); ok {
			found = strings.Trim(value, `"'`)
		}
	}
	return found
}

// withArgument are the options of named(8) that take an argument.
const withArgument = "CcDdELMmNnpStTuUXx"

// parseOptions reads a command line of named(8) without its first word, as
// getopt(3) does: several letters may share a word.
func parseOptions(words []string) options {
	var o options
	for len(words) > 0 {
		letters, is := strings.CutPrefix(words[0], "-")
		words = words[1:]
		if letters == "-" {
			break
		}
		for is && letters != "" {
			letter := letters[0]
			letters = letters[1:]
			if !strings.ContainsRune(withArgument, rune(letter)) {
				continue
			}
			argument := letters
			if argument == "" && len(words) > 0 {
				argument, words = words[0], words[1:]
			}
			switch letter {
			case 'c':
				o.file = argument
			case 't':
				o.root = argument
			}
			break
		}
	}
	return o
}

// checkerWithin bounds a checker of BIND, which reads whatever the administrator
// included: of a pipe it waits for a writer, and of /dev/zero it keeps 85 MB a second
// (BIND 9.18). For a zone of a million records it takes six seconds.
const checkerWithin = 30 * time.Second

// readConfig asks BIND's own tool for the configuration, includes and all.
func readConfig(ctx context.Context, s source.Source, status system.UnitStatus) (conf *namedConfig, o options, problem, hint string) {
	o, err := startOptions(s, status)
	switch {
	case err != nil:
		return conf, o, err.Error(), printed
	case o.root != "" && o.root != "/":
		return conf, o, fmt.Sprintf("named runs in a directory of its own (-t %s in %s), where paths are not those of this machine", o.root, o.by), printed
	case o.file != "" && !path.IsAbs(o.file):
		return conf, o, fmt.Sprintf("named reads %s (-c in %s), and from which directory is not known", o.file, o.by), "write the whole path there; " + orManual
	}
	argv := []string{"named-checkconf", "-px"}
	if o.file != "" {
		argv = append(argv, o.file)
	}
	res, err := s.Run(ctx, system.Command{Argv: argv, Within: checkerWithin})
	if slow := (*system.SlowError)(nil); errors.As(err, &slow) {
		return conf, o, fmt.Sprintf("named-checkconf did not end within %v: what it includes may be a pipe or a device", checkerWithin),
			fmt.Sprintf("look with timeout %d %s; %s", int(checkerWithin.Seconds()), strings.Join(argv, " "), orManual)
	}
	if err != nil {
		return conf, o, fmt.Sprintf("named-checkconf could not be run: %v", err), printed
	}
	if res.Code != 0 {
		return conf, o, "named-checkconf: " + checkerOutput(res),
			"correct that, until " + strings.Join(slices.Concat(argv[:1], argv[2:]), " ") + " says nothing; " + orManual
	}
	statements, err := namedconf.Parse(withoutWarnings(string(res.Stdout)))
	if err != nil {
		return conf, o, err.Error(), printed
	}
	return newConfig(statements), o, "", ""
}

// newZoneProblem says why named would not see a zone that is declared in
// named.conf.local, "" if it does or that cannot be found out.
func (o options) newZoneProblem(r system.Reader) string {
	file := mainConf
	if p, err := state.ParsePath(o.file); err == nil {
		file = p
	}
	if file == localConf || includes(r, file, 0) {
		return ""
	}
	return fmt.Sprintf("named reads %s, which does not include %s", file, localConf)
}

// maxIncludes bounds files that include each other.
const maxIncludes = 10

// includes reports whether a file takes in named.conf.local, or may do so.
func includes(r system.Reader, file state.Path, depth int) bool {
	text, err := source.Text(r, file)
	if err != nil || text == nil || depth > maxIncludes {
		return depth == 0
	}
	list, err := namedconf.Parse(string(text))
	return err != nil || includedIn(r, list, depth)
}

func includedIn(r system.Reader, list []namedconf.Statement, depth int) bool {
	return slices.ContainsFunc(list, func(s namedconf.Statement) bool {
		for _, block := range s.Blocks {
			if includedIn(r, block, depth) {
				return true
			}
		}
		if s.Word(0) != "include" {
			return false
		}
		name := s.Word(1)
		if fits, _ := path.Match(name, string(localConf)); fits || !path.IsAbs(name) { // glob(7); from a directory that is not known
			return true
		}
		p, err := state.ParsePath(name)
		return err == nil && includes(r, p, depth+1)
	})
}
