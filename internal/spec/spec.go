// Package spec is the administrator's intent: what the TOML files under
// /etc/mailsetup say, their defaults, and whether they make sense. It reads
// and writes bytes, never files.
package spec

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"mailsetup/internal/check/ignore"
	"mailsetup/internal/inbound"
	"mailsetup/internal/keyring"
)

// Version is the format of the TOML files this program writes.
const Version = 1

// Spec is the whole intent: one host and its domains.
type Spec struct {
	Host    Host
	Domains []Domain // sorted by name
}

// Host is host.toml.
type Host struct {
	Version   int          // version = 1
	Hostname  string       // hostname: FQDN, A-labels, no final dot; HELO name and target of MX
	Addresses []netip.Addr // addresses: public ones, as receivers see them
	Domain    string       // domain: the primary domain, the d= of the host's own mail
	DNS       DNSMode      // dns
	MTA       string       // mta: the mail server, Exim or "" for Postfix
	SendOnly  bool         // send_only: the mail server listens to this machine alone
	RootAlias string       // root_alias: where root's and postmaster's mail and reports go, "" to leave aliases alone
	// MilterDefaultAction is what Postfix does while our milter does not
	// answer, postconf(5) milter_default_action: tempfail or accept.
	MilterDefaultAction string // milter_default_action
	// SignBounces is the answer where other milters would see bounces too:
	// yes, no, "" while it was not asked.
	SignBounces string // sign_bounces
	// LeaveServices are services of master.cf (submission/inet) with milters of
	// their own, among which the signer is not wanted.
	LeaveServices []string // leave_services
	// Drain is how long the record of a key that stopped signing stays in DNS:
	// mail under way, in queues and retried by others, must still verify.
	Drain    time.Duration // drain
	Rotation               // rotate_every, lag, revoke
	// Notify gets a mail when a key waits for somebody, or a tick failed; "" for
	// nobody.
	Notify string // notify
	// Repair says whether a tick puts back what it had published in a zone here
	// and what is gone: yes, no, "" for yes.
	Repair string        // repair
	Update Update        // [rfc2136]
	Slots  keyring.Slots // [slots], of domains with DNSSlots
	// Trusted are further hosts whose mail is signed, as InternalHosts of
	// opendkim.conf(5) has them: addresses, networks, names, .example.org.
	Trusted []string // trusted
	// OpenDKIM are lines of opendkim.conf(5) in place of ours; a name alone
	// leaves ours out.
	OpenDKIM []string // opendkim
	// NonsigningMilters are milters that could not be asked whether they sign (on
	// other machines), and of which the administrator said that they do not:
	// inet:192.0.2.7:8891, as Postfix's lists have them.
	NonsigningMilters []string // nonsigning_milters
	// BlockLists are zones of block lists that mailsetup check asks (RFC 5782).
	BlockLists []string // block_lists
	// Ignore are findings of mailsetup check that are known, of the server and all domains.
	Ignore   []ignore.Rule  // ignore
	Inbound  inbound.Policy // [inbound]
	Defaults Defaults       // selector, key_bits, ttl, [spf], [dmarc]
}

// Defaults are the values of a new domain that neither a flag nor an existing record
// sets. Zero values are not set. A domain with a file has them from there.
type Defaults struct {
	Selector string // selector, where the domain does not use it yet
	KeyBits  int    // key_bits
	TTL      uint32 // ttl
	SPF      SPF    // [spf]; a domain does not redirect to itself
	DMARC    DMARC  // [dmarc]
}

// Rotation says when a key gets a successor, and how cautiously. A zero value is not
// set: then the host's value counts, and for the host the default.
type Rotation struct {
	Every time.Duration // rotate_every: the age at which a key gets a successor; Never
	// Lag is how long, at least, every server shows the record of a new key before it signs.
	Lag time.Duration // lag
	// Revoke is for how long a drained key's record stays with an empty p=
	// (RFC 6376 section 3.6.1) before it goes; Never for going at once.
	Revoke time.Duration // revoke
}

// DNSMode says how records get published.
type DNSMode string

// The modes.
const (
	DNSBind   DNSMode = "bind"
	DNSManual DNSMode = "manual"
	DNSUpdate DNSMode = "rfc2136"
	DNSSlots  DNSMode = "slots" // keys in a zone of ours, at CNAMEs that somebody pastes once
	DNSHook   DNSMode = "hook"
	// DNSDelegate: the names of the keys are a zone of their own, delegated to the BIND here.
	DNSDelegate DNSMode = "delegate"
)

// Updates reports whether records are changed on somebody else's server, one by one.
func (m DNSMode) Updates() bool { return m == DNSUpdate || m == DNSHook }

// Update says where dynamic updates (RFC 2136) go and who signs them, or which program
// changes records in their place.
type Update struct {
	Server  string // server: name or address, a port if it is not 53; "" for the SOA's MNAME
	KeyFile string // key_file: absolute path of a TSIG key (RFC 8945), as tsig-keygen(8) writes it
	Hook    string // dns_hook, outside of the table: absolute path of the program
}

// Domain is domains.d/<name>.toml.
type Domain struct {
	Name     string // domain: A-labels, lower case, no final dot
	Selector string // selector (RFC 6376 section 3.1) of the first key
	KeyBits  int    // key_bits: 1024, 2048, 3072, 4096
	Receive  bool   // receive: publish an MX to this host
	// Role is what the domain is for: SendOnly, ReceiveOnly, Parked, "" for sending, and
	// receiving as Receive says.
	Role    string   // role
	TTL     uint32   // ttl of the records, seconds
	NewZone bool     // new_zone: the zone is made and served here on request
	NS      []string // ns: name servers of a new zone, or of that of the keys
	// KeepSelectors are selectors of other senders whose records move into the zone of the
	// keys, beside those that are well known.
	KeepSelectors []string // keep_selectors
	SPF           SPF      // [spf]
	DMARC         DMARC    // [dmarc]
	// Keep are records of the zone that stay as they are although they say
	// something else than this file: spf, helo, dmarc.
	Keep []string // keep
	// WildcardRecords is what becomes of records that a wildcard answered for
	// names of the domain until they came into being (RFC 4592): Copy, Drop, ""
	// while it was not asked.
	WildcardRecords string // wildcard_records
	// SignedBy says who signs the domain's mail: "" for the OpenDKIM that mailsetup
	// runs, ByOther for a milter or filter that was here before. Then the domain
	// gets no key here and no row, only its other records.
	SignedBy string // signed_by
	// DNS and Update say how the records of this domain get published where
	// that differs from the host's way. See Spec.DNSOf and Spec.UpdateOf.
	DNS    DNSMode // dns: "" for the host's
	Update Update  // [rfc2136]
	// Subdomains: mail of everything below the domain is signed with its key.
	Subdomains bool // subdomains
	// Also are further senders whose mail is signed with this domain's key:
	// example.net, .example.net for what is below, user@example.net.
	Also []string // also
	// Drain and Rotation are as the host's where they are zero. See
	// Spec.DrainOf and Spec.RotationOf.
	Drain    time.Duration // drain
	Rotation               // rotate_every, lag, revoke
	// Repair is as the host's where it is "". See Spec.Repairs.
	Repair string // repair
	// Partial: only mail of Also is signed, not that of the whole domain.
	Partial bool // partial
	// Identities are what i= of the signature says (RFC 6376 section 3.5) about
	// some of the senders: "example.org @example.org".
	Identities []string // identities
	// Ignore are findings of mailsetup check that are known, of this domain.
	Ignore []ignore.Rule // ignore
}

// SPF is RFC 7208 policy.
type SPF struct {
	All     string   // all: softfail (~all), fail (-all), neutral (?all)
	Include []string // include: third-party senders, domains
	// Redirect is the domain whose record decides instead (RFC 7208 section
	// 6.1), "" for a record of this domain's own.
	Redirect string // redirect
}

// DMARC is RFC 9989 policy.
type DMARC struct {
	Policy          string   // policy: none, quarantine, reject
	SubdomainPolicy string   // subdomain_policy: "" to leave sp out
	ADKIM           string   // adkim: relaxed, strict, "" for the default
	ASPF            string   // aspf: relaxed, strict, "" for the default
	RUA             []string // rua: mailto: URIs
	RUF             []string // ruf: mailto: URIs
}

// Senders returns the patterns of all addresses whose mail the domain's key signs.
func (d Domain) Senders() []string { return append(d.ownSenders(), d.Also...) }

// ownSenders are those of the domain itself.
func (d Domain) ownSenders() []string {
	var patterns []string
	if !d.Partial {
		patterns = append(patterns, d.Name)
	}
	if d.Subdomains {
		patterns = append(patterns, "."+d.Name)
	}
	return patterns
}

// The roles of a domain that does not do both.
const (
	SendOnly    = "send-only"    // nobody takes mail for it
	ReceiveOnly = "receive-only" // nobody sends as it: SPF says so
	Parked      = "parked"       // neither: SPF and DMARC say so
)

// Sends reports whether anybody sends mail as the domain.
func (d Domain) Sends() bool { return d.Role != ReceiveOnly && d.Role != Parked }

// ByOther is Domain.SignedBy where somebody else signs.
const ByOther = "other"

// Signs reports whether the OpenDKIM of mailsetup signs for any of the domains.
func (s Spec) Signs() bool {
	return slices.ContainsFunc(s.Domains, func(d Domain) bool { return d.SignedBy == "" })
}

// DNSOf returns how the records of a domain get published.
func (s Spec) DNSOf(d Domain) DNSMode { return cmp.Or(d.DNS, s.Host.DNS) }

// ByHand reports whether somebody publishes records of a domain, its keys perhaps excepted.
func (s Spec) ByHand(d Domain) bool {
	return s.DNSOf(d) == DNSManual || s.DNSOf(d) == DNSSlots || s.DNSOf(d) == DNSDelegate
}

// DrainOf returns how long a key of the domain stays published once it signs no more.
func (s Spec) DrainOf(d Domain) time.Duration {
	return cmp.Or(d.Drain, s.Host.Drain, DefaultDrain)
}

// RotationOf returns the rotation settings of a domain.
func (s Spec) RotationOf(d Domain) Rotation {
	return Rotation{
		Every:  cmp.Or(d.Every, s.Host.Every, DefaultEvery),
		Lag:    cmp.Or(d.Lag, s.Host.Lag, DefaultLag),
		Revoke: cmp.Or(d.Revoke, s.Host.Revoke, Never),
	}
}

// Repairs reports whether lost records of a domain are restored.
func (s Spec) Repairs(d Domain) bool { return cmp.Or(d.Repair, s.Host.Repair) != "no" }

// UpdateOf returns where the updates of a domain go: to a hook, or to a server.
func (s Spec) UpdateOf(d Domain) Update {
	if s.DNSOf(d) == DNSHook {
		return Update{Hook: cmp.Or(d.Update.Hook, s.Host.Update.Hook)}
	}
	return Update{
		Server:  cmp.Or(d.Update.Server, s.Host.Update.Server),
		KeyFile: cmp.Or(d.Update.KeyFile, s.Host.Update.KeyFile),
	}
}
