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
	"mailsetup/internal/store"
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

	files confFiles
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
func readConfig(ctx context.Context, s source.Source, status system.UnitStatus, remembered *store.NamedConf) (conf *namedConfig, o options, problem, hint string) {
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
	if printed, files, ok := remembered.Recall(argv); ok {
		if conf, err := parseConfig(printed); err == nil && conf.inPlace(s) {
			o.files = confFiles{list: files}
			return conf, o, "", ""
		}
	}
	o.files = filesOf(s, o.mainFile())
	before, tells := remembered.Look(argv, o.files.list)
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
	if conf, err = parseConfig(string(res.Stdout)); err != nil {
		return conf, o, err.Error(), printed
	}
	if tells && !o.files.more && slices.Equal(o.files.list, filesOf(s, o.mainFile()).list) {
		remembered.Keep(before, string(res.Stdout))
	}
	return conf, o, "", ""
}

// parseConfig parses what named-checkconf printed.
func parseConfig(printed string) (*namedConfig, error) {
	statements, err := namedconf.Parse(withoutWarnings(printed))
	if err != nil {
		return nil, err
	}
	return newConfig(statements), nil
}

// inPlace reports whether the working directory is there, without which named-checkconf
// would print an error.
func (c *namedConfig) inPlace(r system.Reader) bool {
	p, err := state.ParsePath(c.directory)
	if err != nil {
		return false
	}
	o, err := r.Stat(p)
	return err == nil && o.Kind == state.Directory
}
