// Package reference describes every key of the TOML files below /etc/mailsetup: the
// manual page mailsetup.toml(5) and the schemas docs/schema/host.schema.json and
// domain.schema.json are made from it (go test ./internal/reference -update).
package reference

// Kind is the type of a value.
type Kind string

// The kinds, in the words of the manual.
const (
	Text   Kind = "text"
	Number Kind = "whole number"
	Flag   Kind = "true or false"
	Texts  Kind = "list of texts"
	Tables Kind = "list of tables"
)

// Key is one key of a file.
type Key struct {
	Table string // "" for those above the first table
	Name  string
	Kind  Kind
	// Unit is what a number counts, or what a text is: "seconds", "span of time".
	Unit string
	// Words are those that the value, or an item of the list, may be; nil for any.
	Words []string
	// Default is what counts without the key, as TOML has it; "" for a key that has to be
	// there, or where Otherwise says what counts.
	Default   string
	Otherwise string
	Example   string // as TOML has it
	Meaning   string // sentences
}

// Path is the key with its table: "spf.all".
func (k Key) Path() string {
	if k.Table == "" {
		return k.Name
	}
	return k.Table + "." + k.Name
}

// Required reports whether a file has to have the key.
func (k Key) Required() bool { return k.Default == "" && k.Otherwise == "" }

// Units of texts.
const (
	hostName  = "host name"
	domain    = "domain"
	address   = "mail address"
	span      = "span of time"
	reportURI = "mailto: URI"
)

const spanMeaning = " It is a number and a unit: \"10s\", \"90m\", \"12h\", \"14d\"."

// Host returns the keys of host.toml, in the order of the file.
func Host() []Key {
	keys := []Key{
		{Name: "version", Kind: Number, Example: "1", Meaning: "The format of these files, now 1."},
		{Name: "hostname", Kind: Text, Unit: hostName, Example: `"mail.example.org"`, Meaning: "The name that this server has in public DNS: Postfix greets with it, and MX records point to it."},
		{Name: "addresses", Kind: Texts, Unit: "IP address", Example: `["192.0.2.10", "2001:db8::10"]`, Meaning: "The public addresses that mail leaves from, as other servers see them; behind NAT that of the router. At least one."},
		{Name: "domain", Kind: Text, Unit: domain, Example: `"example.org"`, Meaning: "The domain whose key signs the mail of the host itself, as that of cron and bounces. It has a file in domains.d."},
		{
			Name: "dns", Kind: Text, Words: []string{"bind", "rfc2136", "hook", "slots", "delegate", "manual"}, Default: `"manual"`, Example: `"bind"`,
			Meaning: "How records are published: into the zones of the BIND of this machine, by dynamic updates (RFC 2136) to the server of [rfc2136], by the program dns_hook, or by you, from what is printed. With \"slots\" you do that once: keys then change behind CNAMEs, in the zone of [slots].",
		},
		{Name: "dns_hook", Kind: Text, Unit: "absolute path", Default: `""`, Example: `"/usr/lib/mailsetup/hooks/powerdns"`, Meaning: "For dns = \"hook\": the program that changes records at your provider. It and what is above it belong to root, and nobody else may write there."},
		{
			Name: "mta", Kind: Text, Words: []string{"postfix", "exim4", ""}, Default: `""`, Example: `"exim4"`,
			Meaning: "The mail server that sends: Postfix, for which OpenDKIM signs (also where it is empty), or exim4, which signs itself. mailsetup init --replace-mta exchanges one that is set up for the other.",
		},
		{Name: "send_only", Kind: Flag, Default: "false", Example: "true", Meaning: "Whether the mail server listens to this machine alone, as on one that only sends notices. No domain is received then."},
		{Name: "root_alias", Kind: Text, Unit: address, Default: `""`, Example: `"ann@example.org"`, Meaning: "Who reads the mail of root and postmaster. Empty leaves /etc/aliases as it is."},
		{
			Name: "milter_default_action", Kind: Text, Words: []string{"tempfail", "accept"}, Default: `"tempfail"`, Example: `"accept"`,
			Meaning: "What becomes of mail while the signer is down, milter_default_action of postconf(5): it waits (tempfail), or leaves unsigned (accept).",
		},
		{
			Name: "sign_bounces", Kind: Text, Words: []string{"yes", "no", ""}, Default: `""`, Example: `"yes"`,
			Meaning: "Whether bounces go through other milters of Postfix as well, which is the way to have them signed. Empty: nobody was asked.",
		},
		{Name: "leave_services", Kind: Texts, Unit: "service of master.cf", Default: "[]", Example: `["submission/inet"]`, Meaning: "Services with milters of their own to which the signer is not added, as postconf -M names them."},
		{Name: "drain", Kind: Text, Unit: span, Default: `"14d"`, Example: `"30d"`, Meaning: "How long the record of a key that no longer signs stays in DNS, for mail under way. At most a year." + spanMeaning},
		{Name: "rotate_every", Kind: Text, Unit: span, Default: `"180d"`, Example: `"30d"`, Meaning: "The age at which a key gets a successor, or \"never\"."},
		{Name: "lag", Kind: Text, Unit: span, Default: `"1h"`, Example: `"2h"`, Meaning: "How long, at least, every name server has had the record of a new key before the key signs. At most a month."},
		{Name: "revoke", Kind: Text, Unit: span, Default: `"never"`, Example: `"30d"`, Meaning: "How long the record of a drained key then says that it is revoked (an empty p=, RFC 6376 section 3.6.1) before it goes; \"never\": it goes at once."},
		{Name: "notify", Kind: Text, Unit: address, Default: `""`, Example: `"ann@example.org"`, Meaning: "Who is mailed records to publish, and why a rotation failed. Empty for nobody."},
		{
			Name: "repair", Kind: Text, Words: []string{"yes", "no", ""}, Default: `""`, Example: `"no"`,
			Meaning: "Whether records of ours that are gone from a zone of this machine are put back, once a week at most. Empty is yes.",
		},
		{Name: "trusted", Kind: Texts, Unit: "host or network", Default: "[]", Example: `["192.0.2.0/24", "relay.example.org"]`, Meaning: "Further hosts whose mail is signed beside those of mynetworks of Postfix, as InternalHosts of opendkim.conf(5) names them."},
		{Name: "opendkim", Kind: Texts, Unit: "line of opendkim.conf", Default: "[]", Example: `["Canonicalization simple/simple"]`, Meaning: "Lines that replace ours; the name of a parameter alone leaves ours out."},
		{Name: "nonsigning_milters", Kind: Texts, Unit: "milter", Default: "[]", Example: `["inet:192.0.2.7:8891"]`, Meaning: "Milters on other machines that do not sign: they cannot be asked. As the lists of Postfix name them."},
		{Name: "block_lists", Kind: Texts, Unit: "zone", Default: "[]", Example: `["KEY.zen.dq.spamhaus.net"]`, Meaning: "Block lists (RFC 5782) that mailsetup check asks about this server, also without --online."},
		ignoreKey(),
		{Name: "selector", Kind: Text, Unit: "selector", Default: `""`, Example: `"s1"`, Meaning: "For domains that are new: the selector of their first key. Empty: year and month, as 202611."},
		{Name: "key_bits", Kind: Number, Unit: "bits", Words: bits, Otherwise: "2048", Example: "4096", Meaning: "For domains that are new: the size of their keys."},
		{Name: "ttl", Kind: Number, Unit: "seconds", Otherwise: "3600", Example: "7200", Meaning: "For domains that are new: how long resolvers keep their records. From 60 to 604800."},
	}
	keys = append(keys, updates()...)
	keys = append(keys, slots()...)
	for _, k := range append(spf(), dmarc()...) {
		k.Meaning = "For domains that are new. " + k.Meaning
		if k.Default == `"softfail"` || k.Default == `"none"` {
			k.Default, k.Otherwise = "", "what the domain has in DNS already, else "+k.Default
		}
		keys = append(keys, k)
	}
	return append(keys, inbound()...)
}

// Domain returns the keys of a file of domains.d, in the order of the file.
func Domain() []Key {
	keys := []Key{
		{Name: "domain", Kind: Text, Unit: domain, Example: `"example.org"`, Meaning: "The part after the @. The file is named after it."},
		{Name: "selector", Kind: Text, Unit: "selector", Example: `"202611"`, Meaning: "The selector (RFC 6376 section 3.1) of its first key. Later keys get others; this one stays."},
		{Name: "key_bits", Kind: Number, Unit: "bits", Words: bits, Default: "2048", Example: "3072", Meaning: "The size of its RSA keys; 1024 for DNS that takes no longer records."},
		{Name: "receive", Kind: Flag, Default: "false", Example: "true", Meaning: "Whether this server receives its mail: an MX record is published."},
		{
			Name: "role", Kind: Text, Words: []string{"send-only", "receive-only", "parked", ""}, Default: `""`, Example: `"parked"`,
			Meaning: "What it is for, if not for sending, and receiving as receive says. SPF of a domain that is receive-only or parked passes nobody, and DMARC of a parked one says p=reject.",
		},
		{Name: "ttl", Kind: Number, Unit: "seconds", Default: "3600", Example: "7200", Meaning: "How long resolvers keep its records. From 60 to 604800."},
		{Name: "new_zone", Kind: Flag, Default: "false", Example: "true", Meaning: "Whether the zone itself is made and served by the BIND of this machine. Needs ns."},
		{Name: "ns", Kind: Texts, Unit: hostName, Default: "[]", Example: `["ns1.example.net", "ns2.example.net"]`, Meaning: "The name servers of a new zone, or of the zone of the keys with dns = \"delegate\" (empty: this host)."},
		{Name: "keep_selectors", Kind: Texts, Unit: "selectors", Default: "[]", Example: `["newsletter"]`, Meaning: "Selectors of other senders whose records move into the zone of the keys (dns = \"delegate\"), beside those that are well known."},
		{Name: "keep", Kind: Texts, Words: []string{"spf", "helo", "dmarc"}, Default: "[]", Example: `["dmarc"]`, Meaning: "Records that stay as they are in the zone although they say something else: SPF, that of the host name, DMARC."},
		{
			Name: "wildcard_records", Kind: Text, Words: []string{"copy", "drop", ""}, Default: `""`, Example: `"copy"`,
			Meaning: "What becomes of records that a wildcard answered for names which exist because of ours (RFC 4592): published there as well, or not. Empty: nobody was asked.",
		},
		{Name: "signed_by", Kind: Text, Words: []string{"other", ""}, Default: `""`, Example: `"other"`, Meaning: "Who signs: the OpenDKIM of mailsetup (empty), or another signer that was here before. Then it has no key here."},
		{Name: "dns", Kind: Text, Words: []string{"bind", "rfc2136", "hook", "slots", "delegate", "manual", ""}, Default: `""`, Example: `"manual"`, Meaning: "How its records are published, if not as host.toml says."},
		{Name: "dns_hook", Kind: Text, Unit: "absolute path", Default: `""`, Example: `"/usr/lib/mailsetup/hooks/desec"`, Meaning: "As in host.toml, which counts where this is empty."},
		{Name: "subdomains", Kind: Flag, Default: "false", Example: "true", Meaning: "Whether mail of everything below it is signed, too."},
		{Name: "also", Kind: Texts, Unit: "sender", Default: "[]", Example: `["example.net", ".example.net", "ann@example.com"]`, Meaning: "Further senders whose mail is signed with its key: domains, what is below one (with a dot before it), addresses, \"*\" for all."},
		{Name: "drain", Kind: Text, Unit: span, Default: `""`, Example: `"30d"`, Meaning: "As in host.toml, which counts where this is empty."},
		{Name: "rotate_every", Kind: Text, Unit: span, Default: `""`, Example: `"never"`, Meaning: "As in host.toml, which counts where this is empty."},
		{Name: "lag", Kind: Text, Unit: span, Default: `""`, Example: `"2h"`, Meaning: "As in host.toml, which counts where this is empty."},
		{Name: "revoke", Kind: Text, Unit: span, Default: `""`, Example: `"30d"`, Meaning: "As in host.toml, which counts where this is empty."},
		{Name: "repair", Kind: Text, Words: []string{"yes", "no", ""}, Default: `""`, Example: `"no"`, Meaning: "As in host.toml, which counts where this is empty."},
		{Name: "partial", Kind: Flag, Default: "false", Example: "true", Meaning: "Whether only the senders of also are signed, and not everybody in the domain itself. Of a set-up that was taken over."},
		{Name: "identities", Kind: Texts, Unit: "sender and identity", Default: "[]", Example: `["example.org @example.org"]`, Meaning: "What i= of the signature says (RFC 6376 section 3.5) of some senders, where % is the domain of the address. Of a set-up that was taken over."},
		ignoreKey(),
	}
	keys = append(keys, spf()...)
	keys = append(keys, dmarc()...)
	for _, k := range updates() {
		k.Meaning = "As in host.toml, which counts where this is empty."
		keys = append(keys, k)
	}
	return keys
}

var bits = []string{"1024", "2048", "3072", "4096"}

func ignoreKey() Key {
	return Key{
		Name: "ignore", Kind: Tables, Default: "[]", Example: `[{id = "spf.all", subject = "example.org", reason = "until the move", until = 2027-01-31}]`,
		Meaning: "Findings of mailsetup check that are known. id is one of its IDs or a group of them (mailsetup check --explain all), reason is shown beside what is ignored; subject, of the finding, and until, the last day, may be left out. At most 100.",
	}
}

func updates() []Key {
	return []Key{
		{Table: "rfc2136", Name: "server", Kind: Text, Unit: "name or address", Default: `""`, Example: `"ns1.example.org"`, Meaning: "For dns = \"rfc2136\": the primary that takes updates, with a port if it is not 53. Empty: the one that the zone names."},
		{Table: "rfc2136", Name: "key_file", Kind: Text, Unit: "absolute path", Default: `""`, Example: `"/etc/mailsetup/tsig.key"`, Meaning: "The TSIG key (RFC 8945) that signs updates, as tsig-keygen(8) writes it."},
	}
}

func slots() []Key {
	return []Key{
		{Table: "slots", Name: "zone", Kind: Text, Unit: domain, Default: `""`, Example: `"dkim.example.net"`, Meaning: "For dns = \"slots\": the zone in which the keys stand, of the BIND of this machine, or of the primary of [rfc2136] where that has a key_file."},
		{Table: "slots", Name: "selectors", Kind: Texts, Unit: "selector", Default: "[]", Example: `["mail-1", "mail-2", "mail-3"]`, Meaning: "The slots, 3 to 12: selectors that come back with another key. Each domain with dns = \"slots\" has a CNAME for each."},
	}
}

func spf() []Key {
	return []Key{
		{
			Table: "spf", Name: "all", Kind: Text, Words: []string{"softfail", "fail", "neutral"}, Default: `"softfail"`, Example: `"fail"`,
			Meaning: "What the SPF record (RFC 7208) says of mail from others: suspicious (~all), forged (-all), or nothing (?all).",
		},
		{Table: "spf", Name: "include", Kind: Texts, Unit: domain, Default: "[]", Example: `["_spf.example.net"]`, Meaning: "Others who send for the domain, by the domain of their SPF record."},
		{Table: "spf", Name: "redirect", Kind: Text, Unit: domain, Default: `""`, Example: `"example.net"`, Meaning: "The domain whose SPF record decides in place of one of its own (RFC 7208 section 6.1)."},
	}
}

func dmarc() []Key {
	policies := []string{"none", "quarantine", "reject"}
	return []Key{
		{Table: "dmarc", Name: "policy", Kind: Text, Words: policies, Default: `"none"`, Example: `"quarantine"`, Meaning: "What receivers are asked to do with mail that fails (RFC 9989): report it, file it as spam, refuse it."},
		{Table: "dmarc", Name: "subdomain_policy", Kind: Text, Words: append(append([]string{}, policies...), ""), Default: `""`, Example: `"reject"`, Meaning: "The same for subdomains (sp). Empty: as policy."},
		{Table: "dmarc", Name: "adkim", Kind: Text, Words: []string{"relaxed", "strict", ""}, Default: `""`, Example: `"strict"`, Meaning: "Whether the domain of a DKIM signature may be another below the same organisation (relaxed) or has to be that of From (strict). Empty leaves it out, which is relaxed."},
		{Table: "dmarc", Name: "aspf", Kind: Text, Words: []string{"relaxed", "strict", ""}, Default: `""`, Example: `"strict"`, Meaning: "The same of SPF."},
		{Table: "dmarc", Name: "rua", Kind: Texts, Unit: reportURI, Default: "[]", Example: `["mailto:dmarc@example.org"]`, Meaning: "Where daily reports go."},
		{Table: "dmarc", Name: "ruf", Kind: Texts, Unit: reportURI, Default: "[]", Example: `["mailto:dmarc@example.org"]`, Meaning: "Where reports on single messages go."},
	}
}

func inbound() []Key {
	return []Key{
		{Table: "inbound", Name: "spf", Kind: Text, Words: []string{"off", "mark", "reject"}, Default: `"off"`, Example: `"mark"`, Meaning: "Mail that comes in from servers that its sender's domain forbids: not checked, marked by a header, or refused."},
		{Table: "inbound", Name: "dmarc", Kind: Text, Words: []string{"off", "mark", "quarantine", "reject"}, Default: `"off"`, Example: `"mark"`, Meaning: "Mail that comes in and fails the DMARC policy of the domain in From: not checked, marked, marked to be filed as that domain asks, or refused as it asks."},
		{Table: "inbound", Name: "dnsbl", Kind: Texts, Unit: "block list", Default: "[]", Example: `["zen.spamhaus.org=127.0.0.[2..11]"]`, Meaning: "Block lists (RFC 5782) whose clients are refused, each with the answers that count, as reject_rbl_client of postconf(5) has them."},
		{Table: "inbound", Name: "allow", Kind: Texts, Unit: "who passes", Default: "[]", Example: `["192.0.2.7", "mail.example.net", ".example.net", "@example.com", "ann@example.com"]`, Meaning: "Who passes all of that: addresses and networks, hosts by their verified names, those below a domain, senders of a domain, a sender."},
		{Table: "inbound", Name: "mx", Kind: Texts, Unit: "host and address", Default: "[]", Example: `["mx2.example.org 192.0.2.20"]`, Meaning: "Other MX hosts of domains here, as DNS named them; mailsetup writes them. Their mail is not judged, unless \"judged\" stands behind one."},
	}
}
