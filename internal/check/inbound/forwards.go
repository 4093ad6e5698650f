package inbound

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/postconf"
	"mailsetup/internal/postmap"
	"mailsetup/internal/recipient"
	"mailsetup/internal/state"
)

// forwarding checks aliases.
type forwarding struct {
	*checker
	tables *postmap.Tables
}

// check tells of mail that aliases pass on to other hosts under its own sender: SPF of
// that sender does not have this server.
func (c forwarding) check(ctx context.Context) {
	if c.rewritesSenders() {
		return
	}
	here := c.here()
	for _, name := range []string{"alias_maps", "virtual_alias_maps"} {
		for _, table := range recipient.Elements(postconf.Effective(c.p, nil, name)) {
			if to := elsewhere(c.rows(ctx, table, 0), here); len(to) > 0 {
				c.add(finding.Finding{
					ID: "in.srs", Severity: finding.Note, Subject: shown(table),
					Seen:   fmt.Sprintf("aliases pass mail on to %s under the sender that it came with: where SPF of that sender says fail, and no signature holds, it may be refused there", some(to)),
					Remedy: finding.Text("nothing, if mail to these addresses is signed as a rule; else have a program rewrite the sender (SRS), such as postsrsd, or let these people fetch their mail here"),
				})
			}
		}
	}
}

// shown is a table as it is told of: the file of one that has a file.
func shown(table string) string {
	kind, file, _ := strings.Cut(strings.TrimPrefix(table, "proxy:"), ":")
	if strings.HasPrefix(file, "/") {
		return file
	}
	return finding.Excerpt(kind + ":" + file)
}

// rows returns rows of a table of aliases: all of one that can be listed, else what it
// answers for names that are known here. Those of other programs, which may write or wait
// (tcp, socketmap), are not asked.
func (c forwarding) rows(ctx context.Context, table string, depth int) (all []postmap.Row) {
	const deepest = 3
	table = strings.TrimPrefix(table, "proxy:")
	kind, rest, ok := strings.Cut(table, ":")
	if !ok || depth > deepest {
		return nil
	}
	switch kind {
	case "hash", "btree", "lmdb", "cdb", "dbm", "sdbm", "texthash":
		if c.running {
			if rows, err := c.tables.Rows(ctx, table); err == nil {
				return rows
			}
		}
		if strings.HasPrefix(rest, "/") { // not compiled, or not to be read by this user
			return textRows(string(c.text(state.Path(rest))))
		}
	case "inline":
		all, _ = c.tables.Rows(ctx, table)
	case "regexp", "pcre":
		if strings.HasPrefix(rest, "/") {
			return patternRows(string(c.text(state.Path(rest))))
		}
	case "static":
		return []postmap.Row{{Value: strings.Trim(rest, "{} ")}}
	case "unionmap", "pipemap":
		for _, inner := range recipient.Elements(strings.TrimSuffix(strings.TrimPrefix(rest, "{"), "}")) {
			all = append(all, c.rows(ctx, inner, depth+1)...)
		}
	case "randmap":
		return []postmap.Row{{Value: strings.Trim(rest, "{} ")}}
	case "ldap", "mysql", "pgsql", "sqlite", "mongodb":
		if c.running {
			return c.answers(ctx, table)
		}
	}
	return all
}

// answers returns what a table answers for users of this machine and for the rest of its
// domains.
func (c forwarding) answers(ctx context.Context, table string) (all []postmap.Row) {
	const most = 500
	var users, keys []string
	for line := range strings.Lines(string(c.text("/etc/passwd"))) {
		if f := strings.Split(line, ":"); len(f) > 2 && len(f[2]) > 3 && f[0] != "nobody" { // a person, adduser.conf(5)
			users = append(users, f[0])
		}
	}
	keys = append(keys, users...)
	for _, domain := range slices.Sorted(maps.Keys(c.here())) {
		if !strings.Contains(domain, ".") || strings.ContainsAny(domain, ":/$") {
			continue
		}
		keys = append(keys, "@"+domain)
		for _, u := range users {
			keys = append(keys, u+"@"+domain)
		}
	}
	keys = keys[:min(len(keys), most)]
	c.tables.Prefetch(ctx, table, keys)
	for _, key := range keys {
		value, found, err := c.tables.Lookup(ctx, table, key)
		if err != nil {
			return all // it does not answer
		}
		if found {
			all = append(all, postmap.Row{Key: key, Value: value})
		}
	}
	return all
}

// logical joins the lines of rows that go on, and leaves comments out.
func logical(text string) (lines []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.TrimSpace(line) == "", strings.HasPrefix(strings.TrimSpace(line), "#"):
		case (line[0] == ' ' || line[0] == '\t') && len(lines) > 0:
			lines[len(lines)-1] += line
		default:
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// textRows reads the text of aliases(5) or virtual(5).
func textRows(text string) (rows []postmap.Row) {
	for _, line := range logical(text) {
		if key := strings.IndexAny(line, ": \t"); key > 0 {
			rows = append(rows, postmap.Row{Key: line[:key], Value: line[key+1:]})
		}
	}
	return rows
}

// patternRows reads a table of regexp_table(5) or pcre_table(5); keys are the names that
// its patterns are made of.
func patternRows(text string) (rows []postmap.Row) {
	for _, line := range logical(text) {
		line = strings.TrimPrefix(line, "!")
		if line == "" || strings.Trim(line[:1], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
			continue // if, endif
		}
		end := 1
		for end < len(line) && line[end] != line[0] {
			if line[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(line) {
			continue
		}
		name := strings.TrimLeft(line[1:end], "^(")
		_, value, _ := strings.Cut(line[end:], " ")
		rows = append(rows, postmap.Row{Key: name[:len(name)-len(strings.TrimLeft(name, "abcdefghijklmnopqrstuvwxyz-"))], Value: value})
	}
	return rows
}

// rewritesSenders reports whether something that does SRS is here.
func (c forwarding) rewritesSenders() bool {
	srs := func(value string) bool { return strings.Contains(strings.ToLower(value), "srs") }
	canonical := postconf.Effective(c.p, nil, "sender_canonical_maps")
	return srs(canonical) || strings.Contains(canonical, ":10001") || // postsrsd before 2.0
		srs(postconf.Effective(c.p, nil, "smtpd_milters")) || srs(postconf.Effective(c.p, nil, "non_smtpd_milters")) ||
		slices.ContainsFunc(c.p.Services, func(s state.Service) bool { return srs(s.Name) })
}

// maxNamed is how many are named.
const maxNamed = 3

func some(names []string) string {
	if rest := len(names) - maxNamed; rest > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), rest)
	}
	return strings.Join(names, ", ")
}

// roles are aliases whose mail is of this server or about it, as a rule (RFC 2142).
var roles = []string{"root", "postmaster", "abuse", "hostmaster", "webmaster", "mailer-daemon", "noc", "security"}

// elsewhere returns the domains to which mail of people leads that are not here. Mail of a
// list with an owner gets the owner for its sender, aliases(5).
func elsewhere(rows []postmap.Row, here map[string]bool) []string {
	found, owners := map[string]bool{}, map[string]bool{}
	for _, r := range rows {
		if list, ok := strings.CutPrefix(strings.ToLower(r.Key), "owner-"); ok {
			owners[list] = true
		}
	}
	for _, r := range rows {
		local, _, _ := strings.Cut(strings.ToLower(r.Key), "@")
		if slices.Contains(roles, local) || owners[local] || strings.HasPrefix(local, "owner-") {
			continue
		}
		for word := range strings.FieldsFuncSeq(r.Value, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
			at := strings.LastIndexByte(word, '@')
			if at < 0 || strings.ContainsAny(word, `|/:"`) {
				continue
			}
			domain := strings.ToLower(strings.TrimSuffix(word[at+1:], "."))
			if strings.Contains(domain, ".") && !strings.ContainsAny(domain, "${}()") && !here[domain] {
				found[domain] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// here are the domains of this server, for all that is known.
func (c forwarding) here() map[string]bool {
	all := map[string]bool{c.s.Name: true}
	for _, name := range []string{"mydestination", "virtual_mailbox_domains", "virtual_alias_domains"} {
		for _, d := range postconf.Words(strings.ToLower(postconf.Effective(c.p, nil, name))) {
			all[d] = true
		}
	}
	for _, d := range c.p.Listed {
		all[d] = true
	}
	for d, is := range c.s.Facts.MailDomains {
		all[d] = all[d] || is.Class != state.ClassDefault
	}
	for _, d := range c.s.Spec.Domains {
		all[d.Name] = true
	}
	return all
}
