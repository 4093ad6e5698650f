package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// field is one key of a TOML file, with the value as TOML writes it and the
// words that explain it to the people who read the file.
type field struct {
	table, key string
	value      string
	comment    string
}

// path is the key with its table, as in spf.all.
func (f field) path() string {
	if f.table == "" {
		return f.key
	}
	return f.table + "." + f.key
}

// unsaid reports whether a key need not be in a new file: those of a set-up that
// was taken over or stands beside ours, and of a zone with wildcards, where
// nothing is to be said.
func (f field) unsaid() bool {
	switch f.key {
	case "trusted", "opendkim", "partial", "identities", "signed_by", "nonsigning_milters", "repair", "wildcard_records":
		return f.value == "[]" || f.value == "false" || f.value == `""`
	}
	return false
}

func (f field) line() string { return f.key + " = " + f.value }

// hostFields are the keys of host.toml, in the order of the file.
func hostFields(h Host) []field {
	root, tables := h.Defaults.fields()
	addresses := make([]string, 0, len(h.Addresses))
	for _, a := range h.Addresses {
		addresses = append(addresses, a.String())
	}
	return slices.Concat([]field{
		{"", "version", strconv.Itoa(h.Version), "The format of these files."},
		{"", "hostname", quote(h.Hostname), "The name this server has in public DNS, for HELO and as target of MX."},
		{"", "addresses", list(addresses), "The public addresses it sends from, as other servers see them."},
		{"", "domain", quote(h.Domain), "The domain whose key signs the mail of the host itself (cron, bounces)."},
		{"", "dns", quote(string(h.DNS)), "How records get published: \"bind\" (this machine's), \"rfc2136\" or \"manual\"."},
		{"", "root_alias", quote(h.RootAlias), "Who reads the mail of root and postmaster; \"\" leaves /etc/aliases alone."},
		{"", "milter_default_action", quote(h.MilterDefaultAction), "While the signer is down: \"tempfail\" delays mail, \"accept\" sends it unsigned."},
		{"", "sign_bounces", quote(h.SignBounces), "Do bounces go through other milters to be signed: \"yes\", \"no\", \"\" (not asked)."},
		{"", "leave_services", list(h.LeaveServices), "Services with milters of their own that the signer is not added to."},
		{"", "drain", quote(Span(cmp.Or(h.Drain, DefaultDrain))), "How long a key that no longer signs stays in DNS for mail under way."},
		{"", "rotate_every", quote(Span(cmp.Or(h.Every, DefaultEvery))), "The age at which a key gets a successor: \"180d\", \"30d\", \"never\"."},
		{"", "lag", quote(Span(cmp.Or(h.Lag, DefaultLag))), "How long, at least, all servers show a new key's record before it signs."},
		{"", "revoke", quote(Span(cmp.Or(h.Revoke, Never))), "How long a drained key is shown as revoked (an empty p=) before it goes."},
		{"", "notify", quote(h.Notify), "Who is mailed records to publish and why a rotation failed; \"\" for nobody."},
		{"", "repair", quote(h.Repair), "Whether records gone from a zone here are put back, once a week at most: \"no\", \"yes\"."},
		{"", "trusted", list(h.Trusted), "Further hosts and networks whose mail is signed, beside those of Postfix."},
		{"", "opendkim", list(h.OpenDKIM), "Lines of opendkim.conf that replace ours; a name alone leaves ours out."},
		{"", "nonsigning_milters", list(h.NonsigningMilters), "Milters on other machines that do not sign, as Postfix's lists name them."},
	}, root, []field{
		{"rfc2136", "server", quote(h.Update.Server), "For dns = \"rfc2136\": where updates go (\"\": the zone's primary), and the TSIG key."},
		{"rfc2136", "key_file", quote(h.Update.KeyFile), ""},
	}, tables)
}

// fields are the keys that a domain's own file has, too: those outside of a
// table, and the others.
func (d Defaults) fields() (root, tables []field) {
	for _, f := range domainFields(Domain{Selector: d.Selector, KeyBits: d.KeyBits, TTL: d.TTL, SPF: d.SPF, DMARC: d.DMARC}) {
		switch {
		case slices.Contains([]string{"selector", "key_bits", "ttl"}, f.key):
			root = append(root, f)
		case f.table == "spf", f.table == "dmarc":
			tables = append(tables, f)
		}
	}
	return root, tables
}

// domainFields are the keys of a domain's file, in the order of the file.
func domainFields(d Domain) []field {
	return []field{
		{"", "domain", quote(d.Name), "The part after the @; this file is named after it."},
		{"", "selector", quote(d.Selector), "The selector of the first DKIM key. A new key gets a new one; keep this."},
		{"", "key_bits", strconv.Itoa(d.KeyBits), "The size of the RSA key: 1024 (if DNS takes no more), 2048, 3072 or 4096."},
		{"", "receive", strconv.FormatBool(d.Receive), "Whether this server receives the domain's mail (publishes an MX)."},
		{"", "ttl", strconv.FormatUint(uint64(d.TTL), 10), "How long resolvers keep the records, in seconds."},
		{"", "new_zone", strconv.FormatBool(d.NewZone), "Whether the zone itself is made and served here, and its name servers."},
		{"", "ns", list(d.NS), ""},
		{"", "keep", list(d.Keep), "Records of the zone that stay as they are: \"spf\", \"helo\" (the host's), \"dmarc\"."},
		{"", "wildcard_records", quote(d.WildcardRecords), "What a wildcard said of names that exist now: \"copy\", \"drop\", \"\" (not asked)."},
		{"", "signed_by", quote(d.SignedBy), "Who signs: \"\" (mailsetup's OpenDKIM), \"other\" (a milter that was here before)."},
		{"", "dns", quote(string(d.DNS)), "How records get published, if not as the host's."},
		{"", "subdomains", strconv.FormatBool(d.Subdomains), "Whether mail of everything below the domain is signed, too."},
		{"", "also", list(d.Also), "Further senders signed with its key: domains, \".example.net\", addresses."},
		{"", "drain", quote(Span(d.Drain)), "The life of its keys where it is not as host.toml says: \"30d\", \"\" (as there)."},
		{"", "rotate_every", quote(Span(d.Every)), ""},
		{"", "lag", quote(Span(d.Lag)), ""},
		{"", "revoke", quote(Span(d.Revoke)), ""},
		{"", "repair", quote(d.Repair), "Whether its records are put back if they go, if not as host.toml says: \"no\", \"yes\"."},
		{"", "partial", strconv.FormatBool(d.Partial), "Whether these are the only ones: not everybody in the domain itself."},
		{"", "identities", list(d.Identities), "What i= says for some of them: \"example.net @example.net\"."},
		{"spf", "all", quote(d.SPF.All), "Mail from others: \"softfail\" (suspicious), \"fail\" (forged) or \"neutral\"."},
		{"spf", "include", list(d.SPF.Include), "Others who send for the domain, by the domain of their SPF record."},
		{"spf", "redirect", quote(d.SPF.Redirect), "The domain whose SPF record decides instead of one of its own."},
		{"dmarc", "policy", quote(d.DMARC.Policy), "What receivers do with failing mail: \"none\" (report), \"quarantine\", \"reject\"."},
		{"dmarc", "subdomain_policy", quote(d.DMARC.SubdomainPolicy), "The same for subdomains; \"\" for the policy above."},
		{"dmarc", "adkim", quote(d.DMARC.ADKIM), "Do subdomains count as the domain: \"relaxed\" (yes), \"strict\", \"\" (default)."},
		{"dmarc", "aspf", quote(d.DMARC.ASPF), ""},
		{"dmarc", "rua", list(d.DMARC.RUA), "Where daily reports go, as mailto: URIs, and reports on single messages."},
		{"dmarc", "ruf", list(d.DMARC.RUF), ""},
		{"rfc2136", "server", quote(d.Update.Server), "Where dynamic updates go and their TSIG key, if not as the host's."},
		{"rfc2136", "key_file", quote(d.Update.KeyFile), ""},
	}
}

// MarshalHost writes host.toml with a comment over each key.
func MarshalHost(h Host) []byte {
	root, tables := h.Defaults.fields()
	unsaid := func(f field) bool {
		return slices.Contains([]string{"0", `""`, "[]"}, f.value) && slices.Contains(append(root, tables...), f)
	}
	return marshal("This server's mail, for mailsetup. Edit it, then run: mailsetup init", slices.DeleteFunc(hostFields(h), unsaid))
}

// MarshalDomain writes a domain's file with a comment over each key.
func MarshalDomain(d Domain) []byte {
	return marshal("Mail of "+d.Name+", for mailsetup. Edit it, then run: mailsetup init", domainFields(d))
}

// Brief says the same without comments, and leaves out what is not said at all:
// a list without elements, an empty text, a no. Parse reads it as it reads the
// file itself.
func Brief(d Domain) []byte {
	var b strings.Builder
	table := ""
	for _, f := range domainFields(d) {
		switch f.value {
		case `""`, "[]", "false":
			continue
		}
		if f.table != table {
			table = f.table
			b.WriteString("[" + table + "]\n")
		}
		b.WriteString(f.line() + "\n")
	}
	return []byte(b.String())
}

func marshal(title string, fields []field) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", title)
	table := ""
	for _, f := range fields {
		if f.unsaid() {
			continue
		}
		if f.table != table {
			table = f.table
			fmt.Fprintf(&b, "\n[%s]\n", table)
		}
		if f.comment != "" {
			fmt.Fprintf(&b, "# %s\n", f.comment)
		}
		b.WriteString(f.line() + "\n")
	}
	return []byte(b.String())
}

// quote writes a basic string of TOML.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// list writes an array of strings on one line.
func list(texts []string) string {
	quoted := make([]string, 0, len(texts))
	for _, s := range texts {
		quoted = append(quoted, quote(s))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
