package inbound

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
)

// forwarding checks aliases.
type forwarding struct{ *checker }

// check tells of mail that aliases pass on to other hosts under its own sender: SPF of
// that sender does not have this server. Tables in text alone are looked at.
func (c forwarding) check() {
	if c.rewritesSenders() {
		return
	}
	here := c.here()
	for _, name := range []string{"alias_maps", "virtual_alias_maps"} {
		for _, table := range postconf.Words(postconf.Effective(c.p, nil, name)) {
			kind, file, ok := strings.Cut(strings.TrimPrefix(table, "proxy:"), ":")
			if !ok || !slices.Contains([]string{"hash", "btree", "lmdb", "cdb", "texthash"}, kind) || !strings.HasPrefix(file, "/") {
				continue
			}
			if to := elsewhere(string(c.text(state.Path(file))), here); len(to) > 0 {
				c.add(finding.Finding{
					ID: "in.srs", Severity: finding.Note, Subject: file,
					Seen:   fmt.Sprintf("aliases pass mail on to %s under the sender that it came with: where SPF of that sender says fail, and no signature holds, it may be refused there", some(to)),
					Remedy: finding.Text("nothing, if mail to these addresses is signed as a rule; else have a program rewrite the sender (SRS), such as postsrsd, or let these people fetch their mail here"),
				})
			}
		}
	}
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

// elsewhere returns the domains to which mail of people leads that are not here.
func elsewhere(text string, here map[string]bool) []string {
	found := map[string]bool{}
	for line := range strings.Lines(text) {
		if line == "" || strings.ContainsRune("# \t\n", rune(line[0])) {
			continue // a comment, or more of the row before: that is enough to be told once
		}
		key := strings.IndexAny(line, ": \t")
		if key < 0 {
			continue
		}
		if slices.Contains(roles, strings.ToLower(strings.TrimRight(line[:key], "@"))) {
			continue
		}
		for word := range strings.FieldsFuncSeq(line[key+1:], func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
			at := strings.LastIndexByte(word, '@')
			if at < 0 || strings.ContainsAny(word, `|/:"`) {
				continue
			}
			domain := strings.ToLower(strings.TrimSuffix(word[at+1:], "."))
			if strings.Contains(domain, ".") && !here[domain] {
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
