// Package tables checks the tables of Postfix: whether what it looks into is made of the
// text that people edit, and of a type that stays.
package tables

import (
	"context"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/livepath/route"
	"mailsetup/internal/postconf"
	"mailsetup/internal/postmap"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/tablefile"
)

// In returns the tables of a parameter, in main.cf and in services.
func In(p *state.Postfix, name string) []string {
	var all []string
	for _, value := range append([]string{postconf.Effective(p, nil, name)}, route.Everywhere(p, name)...) {
		for _, t := range route.Maps(value) {
			if !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	return all
}

// Check returns what is wrong with the tables of a Postfix. Their texts may have been edited
// and not compiled: Postfix looks into the compiled one.
func Check(ctx context.Context, m system.Runner, p *state.Postfix) (found []finding.Finding) {
	all := tablefile.Named(p)
	var files []string
	for _, t := range all {
		files = append(files, t.Files()...)
	}
	slices.Sort(files)
	at := postmap.Written(ctx, m, slices.Compact(files)...)
	for _, t := range all {
		made := t.Made(at)
		if !made.Missing && !made.Older {
			continue
		}
		f := finding.Finding{
			ID: "live.stale", Severity: finding.Warning, Subject: t.Text, Seen: "changed after " + t.File() + " was made of it: Postfix does not know the change",
			Expected: "the compiled table is newer than its text", Remedy: finding.Command("postmap %s", t.String()), Source: "postmap(1)",
			Fixable: made.Missing || made.Other != "",
		}
		if t.Aliases {
			f.Remedy, f.Source = finding.Command("postalias %s", t.String()), "postalias(1)"
		}
		since := ", made since,"
		if made.Missing {
			f.Seen, f.Severity, since = t.File()+" is missing: Postfix cannot look anything up, and mail waits", finding.Problem, ""
		}
		if made.Other != "" {
			f.Seen += "; " + made.Other + since + " is of a type that it does not look for there"
		}
		found = append(found, f)
	}
	return append(found, old(p)...)
}

// old tells of tables of Berkeley DB where Postfix warns of each: it is going away
// (NON_BERKELEYDB_README).
func old(p *state.Postfix) []finding.Finding {
	if !postconf.AtLeast(p, 3, 11) {
		return nil
	}
	var found []string
	for _, t := range tablefile.Named(p) {
		if t.Type == "hash" || t.Type == "btree" {
			found = append(found, t.String())
		}
	}
	slices.Sort(found)
	f := finding.Finding{ID: "live.tables", Subject: p.Unit, Severity: finding.OK, Seen: "none is of Berkeley DB"}
	if len(found) > 0 {
		f.Severity, f.Seen = finding.Note, strings.Join(found, ", ")
		f.Expected = "tables of type cdb or lmdb"
		f.Remedy = finding.Text("make a table of type cdb, or lmdb in place of btree, of the text of each, name it in main.cf and master.cf, then:").Command("postfix reload")
	}
	return []finding.Finding{f}
}
