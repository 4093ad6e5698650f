// Package exim collects what Debian's exim4 is configured to do.
package exim

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/edits"
	"mailsetup/internal/eximconf"
	"mailsetup/internal/state"
)

// sections are the directories of a split configuration, in the order of
// update-exim4.conf(8).
var sections = []string{"main", "acl", "router", "transport", "retry", "rewrite", "auth"}

// Find collects the facts about exim4 where it is installed.
func Find(ctx context.Context, s source.Source, _ source.Options, f *state.Facts) error {
	if !f.Installed["exim4-daemon-light"] && !f.Installed["exim4-daemon-heavy"] {
		return nil
	}
	text, err := source.Text(s, eximconf.DebconfFile)
	if err != nil {
		return err
	}
	values := eximconf.Values(string(text))
	e := &state.Exim{
		Type: strings.ToLower(values["dc_eximconfig_configtype"]), Split: strings.EqualFold(values["dc_use_split_config"], "true"),
		Local:     strings.FieldsFunc(strings.ToLower(values["dc_other_hostnames"]), func(r rune) bool { return r == ':' || r == ';' || r == ' ' }),
		Smarthost: values["dc_smarthost"], Interfaces: values["dc_local_interfaces"], SPF: f.Installed["exim4-daemon-heavy"],
	}
	_, version, _ := strings.Cut(source.OptionalOutput(ctx, s, "exim4", "-bV"), "Exim version ")
	e.Version, _, _ = strings.Cut(version, " ")
	if o, err := s.Stat(eximconf.WholeFile); err == nil && o.Kind != state.Absent {
		e.Whole = eximconf.WholeFile
	}
	e.Files = []state.Path{eximconf.DebconfFile, eximconf.TemplateFile, eximconf.MacrosFile}
	for _, section := range sections {
		dir := eximconf.ConfDir.Join(section)
		names, _ := s.List(dir)
		slices.Sort(names)
		for _, name := range names {
			e.Files = append(e.Files, dir.Join(name))
		}
	}
	f.Exim = e
	return readSigning(s, e)
}

// readSigning looks for DKIM in the files that count, apart from ours.
func readSigning(s source.Source, e *state.Exim) error {
	var macros []eximconf.Macro
	ours := slices.Contains(e.Files, eximconf.SplitFile) && e.Split
	for _, p := range e.Files {
		if p == eximconf.MacrosFile && e.Split {
			if err := findIgnored(s, e); err != nil {
				return err
			}
		}
		split := strings.HasPrefix(string(p), string(eximconf.ConfDir)+"/")
		if p == eximconf.DebconfFile || split != e.Split || p == eximconf.SplitFile || p == eximconf.SmarthostFile {
			continue
		}
		text, err := source.Text(s, p)
		if err != nil {
			return err
		}
		theirs := edits.BlankBlock(string(text), eximconf.BlockName)
		ours = ours || theirs != string(text)
		if p != eximconf.ChecksFile {
			addChecks(s, e, p, edits.BlankBlock(theirs, eximconf.ChecksBlock))
		}
		for _, m := range eximconf.SigningMacros(theirs) {
			m.At = fmt.Sprintf("%s:%d", p, m.Line)
			macros, e.Signs = append(macros, m), append(e.Signs, m.At)
		}
	}
	e.Breaks = eximconf.Faults(macros, ours)
	if len(macros) > 0 {
		var unknown string
		if e.Hand, unknown = eximconf.ByHand(macros); e.Hand == nil {
			e.Signs = slices.Insert(slices.DeleteFunc(e.Signs, func(at string) bool { return at == unknown }), 0, unknown)
		}
	}
	return nil
}

// addChecks adds the macros of a file by which Debian's ACL checks incoming mail.
func addChecks(s source.Source, e *state.Exim, file state.Path, text string) {
	for name, m := range eximconf.CheckMacros(text) {
		m.At = fmt.Sprintf("%s:%s", file, m.At)
		if name == eximconf.ChecksMacro {
			included, _ := source.Text(s, state.Path(strings.ReplaceAll(m.Value, "CONFDIR", "/etc/exim4")))
			m.Includes = eximconf.IncludesChecks(string(included))
		}
		if e.Checks == nil {
			e.Checks = map[string]state.EximMacro{}
		}
		e.Checks[name] = m
	}
}

// findIgnored looks for settings of an administrator where nobody reads them.
func findIgnored(s source.Source, e *state.Exim) error {
	text, err := source.Text(s, eximconf.MacrosFile)
	if err != nil {
		return err
	}
	for line := range strings.Lines(edits.BlankBlock(string(text), eximconf.BlockName)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			e.Ignored = eximconf.MacrosFile
		}
	}
	return nil
}
