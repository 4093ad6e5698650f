// Package tables checks the tables of Postfix: whether what it looks into is made of the
// text that people edit, and of a type that stays.
package tables

import (
	"cmp"
	"context"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/livepath/route"
	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// tableParameters are those whose tables decide where mail goes.
var tableParameters = []string{
	"alias_maps", "virtual_alias_maps", "virtual_alias_domains", "virtual_mailbox_domains", "virtual_mailbox_maps", "relay_domains",
	"transport_maps", "canonical_maps", "sender_canonical_maps", "recipient_canonical_maps", "smtp_generic_maps", "smtp_sasl_password_maps",
	"sender_dependent_relayhost_maps", "smtp_tls_policy_maps",
}

// suffixes are those of the files that postmap(1) makes, by the type of the table.
var suffixes = map[string]string{"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb", "dbm": ".pag"}

// compiled is a table that postmap(1) or postalias(1) makes of a text.
type compiled struct {
	typ, text string
	aliases   bool
}

func (t compiled) file() string { return t.text + suffixes[t.typ] }

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

// deciding returns the compiled tables that decide where mail goes.
func deciding(p *state.Postfix) (all []compiled) {
	seen := map[string]bool{}
	for _, name := range tableParameters {
		for _, table := range In(p, name) {
			typ, text, _ := strings.Cut(strings.TrimPrefix(table, "proxy:"), ":")
			t := compiled{typ, text, name == "alias_maps"}
			if suffixes[typ] == "" || !strings.HasPrefix(text, "/") || seen[t.file()] {
				continue
			}
			seen[t.file()] = true
			all = append(all, t)
		}
	}
	return all
}

// Check returns what is wrong with the tables of a Postfix. Their texts may have been edited
// and not compiled: Postfix looks into the compiled one.
func Check(ctx context.Context, m system.Runner, p *state.Postfix) (found []finding.Finding) {
	all := deciding(p)
	var files []string
	for _, t := range all {
		files = append(files, t.text)
		for _, suffix := range suffixes {
			files = append(files, t.text+suffix)
		}
	}
	slices.Sort(files)
	at := Written(ctx, m, slices.Compact(files)...)
	for _, t := range all {
		text, there := at[t.text]
		made, is := at[t.file()]
		if !there || is && !text.After(made.Add(ClockSlack)) {
			continue
		}
		f := finding.Finding{
			ID: "live.stale", Severity: finding.Warning, Subject: t.text, Seen: "changed after " + t.file() + " was made of it: Postfix does not know the change",
			// With its type: postmap(1) makes one of default_database_type otherwise, and
			// Postfix goes on looking into the old one.
			Expected: "the compiled table is newer than its text", Remedy: finding.Command("postmap %s", t.typ+":"+t.text), Source: "postmap(1)",
		}
		if !is {
			f.Seen, f.Severity = t.file()+" is missing: Postfix cannot look anything up, and mail waits", finding.Problem
		}
		if t.aliases {
			f.Remedy, f.Source = finding.Command("postalias %s", t.typ+":"+t.text), "postalias(1)"
		}
		for _, typ := range slices.Sorted(maps.Keys(suffixes)) {
			if other := t.text + suffixes[typ]; other != t.file() && at[other].After(made) {
				since := ", made since,"
				if !is {
					since = ""
				}
				f.Seen += "; " + other + since + " is of a type that it does not look for there"
				break
			}
		}
		found = append(found, f)
	}
	return append(found, old(p)...)
}

// berkeley matches tables of Berkeley DB.
var berkeley = regexp.MustCompile(`\b(hash|btree):/[^\s,{}]+`)

// old tells of tables of Berkeley DB where Postfix warns of each: it is going away
// (NON_BERKELEYDB_README).
func old(p *state.Postfix) []finding.Finding {
	if !postconf.AtLeast(p, 3, 11) {
		return nil
	}
	values := []string{postconf.Effective(p, nil, "alias_maps")}
	for _, name := range slices.Sorted(maps.Keys(p.Raw)) {
		values = append(values, postconf.Effective(p, nil, name))
	}
	for _, s := range p.Services {
		for _, o := range s.Options {
			values = append(values, cmp.Or(o.Expanded, o.Value))
		}
	}
	found := berkeley.FindAllString(strings.Join(values, "\n"), -1)
	slices.Sort(found)
	f := finding.Finding{ID: "live.tables", Subject: p.Unit, Severity: finding.OK, Seen: "none is of Berkeley DB"}
	if found = slices.Compact(found); len(found) > 0 {
		f.Severity, f.Seen = finding.Note, strings.Join(found, ", ")
		f.Expected = "tables of type cdb or lmdb"
		f.Remedy = finding.Text("make a table of type cdb, or lmdb in place of btree, of the text of each, name it in main.cf and master.cf, then:").Command("postfix reload")
	}
	return []finding.Finding{f}
}

// ClockSlack is how far file times and process times may be apart: both come in steps.
const ClockSlack = 100 * time.Millisecond

// Written returns when files were written; those that are not there are missing.
func Written(ctx context.Context, m system.Runner, files ...string) map[string]time.Time {
	all := map[string]time.Time{}
	if len(files) == 0 {
		return all
	}
	res, err := m.Run(ctx, system.Command{Argv: append([]string{"stat", "-L", "-c", "%.9Y %n", "--"}, files...)})
	if err != nil {
		return all
	}
	for line := range strings.Lines(string(res.Stdout)) {
		at, file, ok := strings.Cut(strings.TrimRight(line, "\n"), " ")
		if n, err := strconv.ParseFloat(at, 64); ok && err == nil {
			all[file] = time.UnixMicro(int64(n * 1e6))
		}
	}
	return all
}
