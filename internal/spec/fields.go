package spec

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"mailsetup/internal/check/ignore"
	"mailsetup/internal/inbound"
	"mailsetup/internal/tomltext"
)

// omittable reports whether a key is left out of a new file if it has no value: keys
// for a set-up that was taken over or is beside ours, and for a zone with wildcards.
func omittable(f tomltext.Field) bool {
	switch f.Key {
	case "mta", "send_only", "dns_hook", "trusted", "opendkim", "partial", "identities", "signed_by", "nonsigning_milters", "repair", "wildcard_records", "role", "ignore", "block_lists", "zone", "selectors", "keep_selectors":
		return f.Value == "[]" || f.Value == "false" || f.Value == `""`
	}
	return inbound.IsDefault(f)
}

// hostFields returns the keys of host.toml, in the order of the file.
func hostFields(h Host) []tomltext.Field {
	root, tables := h.Defaults.fields()
	addresses := make([]string, 0, len(h.Addresses))
	for _, a := range h.Addresses {
		addresses = append(addresses, a.String())
	}
	return slices.Concat([]tomltext.Field{
		field("", "version", strconv.Itoa(h.Version), "The format of these files."),
		field("", "hostname", tomltext.Quote(h.Hostname), "The name this server has in public DNS, for HELO and as target of MX."),
		field("", "addresses", tomltext.List(addresses), "The public addresses it sends from, as other servers see them."),
		field("", "domain", tomltext.Quote(h.Domain), "The domain whose key signs the mail of the host itself (cron, bounces)."),
		field("", "dns", tomltext.Quote(string(h.DNS)), "How records get published: bind, rfc2136, hook, slots, delegate or manual."),
		field("", "dns_hook", tomltext.Quote(h.Update.Hook), "The program that changes records for dns = \"hook\", as an absolute path."),
		field("", "mta", tomltext.Quote(h.MTA), "The mail server that signs: \"exim4\"; without this line Postfix, by OpenDKIM."),
		field("", "send_only", strconv.FormatBool(h.SendOnly), "Whether the mail server listens to this machine alone: no domain is received."),
		field("", "root_alias", tomltext.Quote(h.RootAlias), "Who reads the mail of root and postmaster; \"\" leaves /etc/aliases alone."),
		field("", "milter_default_action", tomltext.Quote(h.MilterDefaultAction), "While the signer is down: \"tempfail\" delays mail, \"accept\" sends it unsigned."),
		field("", "sign_bounces", tomltext.Quote(h.SignBounces), "Do bounces go through other milters to be signed: \"yes\", \"no\", \"\" (not asked)."),
		field("", "leave_services", tomltext.List(h.LeaveServices), "Services with milters of their own that the signer is not added to."),
		field("", "drain", tomltext.Quote(Span(cmp.Or(h.Drain, DefaultDrain))), "How long a key that no longer signs stays in DNS for mail under way."),
		field("", "rotate_every", tomltext.Quote(Span(cmp.Or(h.Every, DefaultEvery))), "The age at which a key gets a successor: \"180d\", \"30d\", \"never\"."),
		field("", "lag", tomltext.Quote(Span(cmp.Or(h.Lag, DefaultLag))), "How long, at least, all servers show a new key's record before it signs."),
		field("", "revoke", tomltext.Quote(Span(cmp.Or(h.Revoke, Never))), "How long a drained key is shown as revoked (an empty p=) before it goes."),
		field("", "notify", tomltext.Quote(h.Notify), "Who is mailed records to publish and why a rotation failed; \"\" for nobody."),
		field("", "repair", tomltext.Quote(h.Repair), "Are records gone from a zone here put back, weekly at most: \"no\", \"yes\"."),
		field("", "trusted", tomltext.List(h.Trusted), "Further hosts and networks whose mail is signed, beside those of Postfix."),
		field("", "opendkim", tomltext.List(h.OpenDKIM), "Lines of opendkim.conf that replace ours; a name alone leaves ours out."),
		field("", "nonsigning_milters", tomltext.List(h.NonsigningMilters), "Milters on other machines that do not sign, as Postfix's lists name them."),
		field("", "block_lists", tomltext.List(h.BlockLists), "Block lists that mailsetup check always asks, as in KEY.zen.dq.spamhaus.net."),
		field("", "ignore", ignore.Format(h.Ignore), "Findings of mailsetup check that are known, each with its reason."),
	}, root, []tomltext.Field{
		field("rfc2136", "server", tomltext.Quote(h.Update.Server), "For dns = \"rfc2136\": where updates go (\"\": the primary), and the TSIG key."),
		field("rfc2136", "key_file", tomltext.Quote(h.Update.KeyFile), ""),
		field("slots", "zone", tomltext.Quote(h.Slots.Zone), "For dns = \"slots\": the zone here in which keys stand, and their selectors."),
		field("slots", "selectors", tomltext.List(h.Slots.Selectors), ""),
	}, tables, h.Inbound.Fields())
}

// fields returns the keys that a domain's own file has, too: those outside of a table,
// and the others.
func (d Defaults) fields() (root, tables []tomltext.Field) {
	for _, f := range domainFields(Domain{Selector: d.Selector, KeyBits: d.KeyBits, TTL: d.TTL, SPF: d.SPF, DMARC: d.DMARC}) {
		switch {
		case slices.Contains([]string{"selector", "key_bits", "ttl"}, f.Key):
			root = append(root, f)
		case f.Table == "spf", f.Table == "dmarc":
			tables = append(tables, f)
		}
	}
	return root, tables
}

// domainFields returns the keys of a domain's file, in the order of the file.
func domainFields(d Domain) []tomltext.Field {
	return []tomltext.Field{
		field("", "domain", tomltext.Quote(d.Name), "The part after the @; this file is named after it."),
		field("", "selector", tomltext.Quote(d.Selector), "The selector of the first DKIM key. A new key gets a new one; keep this."),
		field("", "key_bits", strconv.Itoa(d.KeyBits), "The size of the RSA key: 1024 (if DNS takes no more), 2048, 3072 or 4096."),
		field("", "receive", strconv.FormatBool(d.Receive), "Whether this server receives the domain's mail (publishes an MX)."),
		field("", "role", tomltext.Quote(d.Role), "What it is for: \"send-only\", \"receive-only\", \"parked\"; \"\" for sending and receive."),
		field("", "ttl", strconv.FormatUint(uint64(d.TTL), 10), "How long resolvers keep the records, in seconds."),
		field("", "new_zone", strconv.FormatBool(d.NewZone), "Whether the zone itself is made and served here, and its name servers."),
		field("", "ns", tomltext.List(d.NS), ""),
		field("", "keep_selectors", tomltext.List(d.KeepSelectors), "Selectors of other senders that move into the zone of the keys (dns = \"delegate\")."),
		field("", "keep", tomltext.List(d.Keep), "Records that stay as they are: \"spf\", \"helo\" (the host's), \"dmarc\"."),
		field("", "wildcard_records", tomltext.Quote(d.WildcardRecords), "What a wildcard said of names that exist now: \"copy\", \"drop\", \"\" (not asked)."),
		field("", "signed_by", tomltext.Quote(d.SignedBy), "Who signs: \"\" (mailsetup's OpenDKIM), \"other\" (a milter that was here before)."),
		field("", "dns", tomltext.Quote(string(d.DNS)), "How records get published, if not as the host's."),
		field("", "dns_hook", tomltext.Quote(d.Update.Hook), "The program for dns = \"hook\", if not the host's."),
		field("", "subdomains", strconv.FormatBool(d.Subdomains), "Whether mail of everything below the domain is signed, too."),
		field("", "also", tomltext.List(d.Also), "Further senders signed with its key: domains, \".example.net\", addresses."),
		field("", "drain", tomltext.Quote(Span(d.Drain)), "The life of its keys where it is not as host.toml says: \"30d\", \"\" (as there)."),
		field("", "rotate_every", tomltext.Quote(Span(d.Every)), ""),
		field("", "lag", tomltext.Quote(Span(d.Lag)), ""),
		field("", "revoke", tomltext.Quote(Span(d.Revoke)), ""),
		field("", "repair", tomltext.Quote(d.Repair), "Are its records put back, if not as host.toml says: \"no\", \"yes\"."),
		field("", "partial", strconv.FormatBool(d.Partial), "Whether these are the only ones: not everybody in the domain itself."),
		field("", "identities", tomltext.List(d.Identities), "What i= says for some of them: \"example.net @example.net\"."),
		field("", "ignore", ignore.Format(d.Ignore), "Findings of mailsetup check that are known, each with its reason."),
		field("spf", "all", tomltext.Quote(d.SPF.All), "Mail from others: \"softfail\" (suspicious), \"fail\" (forged) or \"neutral\"."),
		field("spf", "include", tomltext.List(d.SPF.Include), "Others who send for the domain, by the domain of their SPF record."),
		field("spf", "redirect", tomltext.Quote(d.SPF.Redirect), "The domain whose SPF record decides instead of one of its own."),
		field("dmarc", "policy", tomltext.Quote(d.DMARC.Policy), "What receivers do with failing mail: \"none\" (report), \"quarantine\", \"reject\"."),
		field("dmarc", "subdomain_policy", tomltext.Quote(d.DMARC.SubdomainPolicy), "The same for subdomains; \"\" for the policy above."),
		field("dmarc", "adkim", tomltext.Quote(d.DMARC.ADKIM), "Do subdomains count as the domain: \"relaxed\" (yes), \"strict\", \"\" (default)."),
		field("dmarc", "aspf", tomltext.Quote(d.DMARC.ASPF), ""),
		field("dmarc", "rua", tomltext.List(d.DMARC.RUA), "Where daily reports go, as mailto: URIs, and reports on single messages."),
		field("dmarc", "ruf", tomltext.List(d.DMARC.RUF), ""),
		field("rfc2136", "server", tomltext.Quote(d.Update.Server), "Where dynamic updates go and their TSIG key, if not as the host's."),
		field("rfc2136", "key_file", tomltext.Quote(d.Update.KeyFile), ""),
	}
}

// MarshalHost writes host.toml with a comment over each key.
func MarshalHost(h Host) []byte {
	root, tables := h.Defaults.fields()
	isDefault := func(f tomltext.Field) bool {
		return slices.Contains([]string{"0", `""`, "[]"}, f.Value) && slices.Contains(append(root, tables...), f)
	}
	return marshal("This server's mail, for mailsetup. Edit it, then run: mailsetup init", slices.DeleteFunc(hostFields(h), isDefault))
}

// MarshalDomain writes a domain's file with a comment over each key.
func MarshalDomain(d Domain) []byte {
	return marshal("Mail of "+d.Name+", for mailsetup. Edit it, then run: mailsetup init", domainFields(d))
}

// MarshalBrief writes a domain's file without comments and without empty values: an
// empty list, an empty text, a no. Parse reads it like the file itself.
func MarshalBrief(d Domain) []byte {
	var b strings.Builder
	table := ""
	for _, f := range domainFields(d) {
		switch f.Value {
		case `""`, "[]", "false":
			continue
		}
		if f.Table != table {
			table = f.Table
			b.WriteString("[" + table + "]\n")
		}
		b.WriteString(f.Line() + "\n")
	}
	return []byte(b.String())
}

// marshal writes a file without the omittable keys.
func marshal(title string, fields []tomltext.Field) []byte {
	return tomltext.Marshal(title, slices.DeleteFunc(fields, omittable))
}

func field(table, key, value, comment string) tomltext.Field {
	return tomltext.Field{Table: table, Key: key, Value: value, Comment: comment}
}
