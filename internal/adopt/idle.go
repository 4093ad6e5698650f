package adopt

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/opendkim"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/text"
)

// SignsNothing reports whether there is an OpenDKIM whose settings are taken over,
// and that signs no mail.
func (t *Setup) SignsNothing() bool { return t != nil && len(t.Domains) == 0 }

// idleNotes says what an OpenDKIM is that signs nothing, and what becomes of it.
func (t *Setup) idleNotes(found opendkim.Setup) []state.Note {
	kept := "none of its settings differs from ours"
	if list := names(t.OpenDKIM); len(list) > 0 {
		kept = "its settings are kept in " + string(spec.HostFile) + " (" + strings.Join(list, ", ") + ")"
	}
	notes := []state.Note{{
		Topic: "taken over", Informational: true,
		Text: fmt.Sprintf("%s was set up by hand and signs nothing (%s). %s; it signs from then on, at the socket of mailsetup",
			found.Conf.Files[0], text.Printable(found.Idle), upperFirst(kept)),
	}}
	if len(t.Trusted) > 0 {
		notes = append(notes, state.Note{
			Topic: "taken over", Informational: true, Text: "mail of the hosts in its InternalHosts is signed, too: " + strings.Join(t.Trusted, ", "),
		})
	}
	for _, s := range found.Conf.Effective() {
		if slices.ContainsFunc(signing, func(name string) bool { return strings.EqualFold(name, s.Name) }) {
			notes = append(notes, state.Note{
				Topic: "left out", Informational: true, Text: fmt.Sprintf("%s: %s %s, with which nothing was signed", s.Place, s.Name, text.Printable(s.Value)),
			})
		}
	}
	return notes
}

// signing are the settings of opendkim.conf(5) that say what is signed.
var signing = []string{"KeyTable", "SigningTable", "Domain", "KeyFile", "Selector"}

// names returns the settings that lines are about, but for those that are only
// unset.
func names(lines []string) []string {
	var list []string
	for _, line := range lines {
		if name, _, set := strings.Cut(line, " "); set {
			list = append(list, name)
		}
	}
	return list
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// Dropped says which settings of an OpenDKIM that was set up by hand a run does
// away with that begins anew.
func Dropped(files system.Reader, f state.Facts, o Options) []state.Note {
	if !IsForeign(f, o.Hashes) {
		return nil
	}
	found, err := opendkim.ParseConf(configuration(f.OpenDKIM.Args), reading(files))
	if err != nil {
		return nil // nothing can be said of it
	}
	lines, _ := keptLines(opendkim.Setup{Conf: found, Idle: "it is replaced"}, f)
	if lines = slices.DeleteFunc(lines, func(line string) bool { return !strings.Contains(line, " ") }); len(lines) == 0 {
		return nil
	}
	return []state.Note{{
		Topic: "opendkim", Informational: true,
		Text: fmt.Sprintf("these settings of %s go, since --overwrite-drift begins anew: %s", found.Files[0], text.Printable(strings.Join(lines, "; "))),
	}}
}
