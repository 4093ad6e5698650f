package state

import (
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
)

// Facts are what was found on the machine before anything is decided. Steps
// read them; nothing in them is a wish.
type Facts struct {
	Release   Release
	FQDN      string          // the machine's own idea of its name, "" without one
	Installed map[string]bool // Debian packages asked about: is it installed
	Hostname  string          // what the machine calls itself, with or without a domain
	MTA       string          // the package that provides mail-transport-agent, "" if none
	OtherMTA  *OtherMTA       // that Postfix replaces, or has replaced in this run; nil for none
	Addresses []netip.Addr    // of the interfaces, without loopback and link-local
	Pristine  map[Path]bool   // configuration files still as Debian shipped them
	Files     map[Path][]byte // content of the files steps need to look at
	Postfix   *Postfix        // nil while Postfix is not installed
	Exim      *Exim           // nil while exim4 is not installed
	OpenDKIM  *OpenDKIM       // nil while OpenDKIM is not installed
	DNS       DNSServer       // what answers DNS on this machine
	// DNSAddress and SMTPAddress are where the name server and the mail server
	// of this machine can be asked, host:port; "" while nothing listens.
	DNSAddress, SMTPAddress string
	Zones                   Zones // of the local BIND
	// NewZoneProblem says why BIND would not serve a zone that is declared in
	// named.conf.local, "" if it would.
	NewZoneProblem string
	Updated        Zones       // that dynamic updates publish in, here or elsewhere
	Published      []Published // by dynamic updates of earlier runs
	// ByHand is what name servers have of the records that the administrator
	// publishes; of some nothing could be found out.
	ByHand map[Record]Served
	// Covered are zones of others for which records are printed, with the wildcards and
	// names that matter for these records.
	Covered Zones
	Live    map[string]LiveDNS // what the world sees, by domain and host name
	// OtherKeys are those of domains whose keys are to get a zone of their own here, by
	// domain.
	OtherKeys map[string]OtherKeys
	// SPF are the evaluated SPF records of the domains and the host, by name. Names
	// without a record are missing.
	SPF    map[string]SPF
	Rspamd bool // a milter of rspamd is configured in Postfix
	// MailDomains is what Postfix does with mail for the domains of the run, by name.
	// Of one that is missing nothing is known.
	MailDomains map[string]MailDomain
	// Recipients are what Postfix does with mail for addresses of the spec after the
	// run. An address that is missing is not known.
	Recipients map[string]Recipient
	// Sources are the source addresses of packets to the Internet, one for each family
	// at most; nil if that is not known.
	Sources []netip.Addr
	// Daemons are the units of the mail and name server that are installed, by name.
	Daemons map[string]Daemon
	// PostfixUnit is the unit that systemd will drive once the package that apt offers
	// is installed; "" if that is not known.
	PostfixUnit string
}

// Daemon is the state of a unit in systemd, which may differ from its files.
type Daemon struct {
	Running bool
	// Disabled: not started at boot. Masked: not started at all.
	Disabled, Masked bool
	// Stopped: it ran since the boot and was stopped. A unit that failed, or was never
	// started, is neither Running nor Stopped.
	Stopped bool
	// New: a mail server that mailsetup has installed, and that was not started since (package
	// standby).
	New bool
}

// Release is /etc/os-release.
type Release struct {
	ID, Version, Pretty string // debian, 13, Debian GNU/Linux 13 (trixie)
	// Like are the IDs of what it is derived from (ubuntu says debian).
	Like []string
}

// Postfix is an installed Postfix.
type Postfix struct {
	// Fresh: installed by mailsetup and not touched since, so that its settings
	// are the package's and nobody else's.
	Fresh bool
	// Unit is what systemd really drives: postfix@-.service where
	// postfix.service is a oneshot (Debian 12), else postfix.service.
	Unit string
	// Version, as postconf mail_version prints it.
	Version string
	// Raw holds parameters of main.cf as written, unexpanded; a parameter that
	// is not set there is missing.
	Raw map[string]string
	// Lines are those of main.cf in which the parameters of Raw are set; of two
	// with one name, the last, which counts.
	Lines map[string]int
	// Value holds effective values, $names expanded (postconf -x).
	Value map[string]string
	// Networks is what mynetworks evaluates to, IPv4-mapped ranges as IPv4.
	Networks []netip.Prefix
	// ExcludedNetworks are parts of Networks that do not belong to them
	// (!192.0.2.7): of all entries with an address, the longest prefix counts.
	ExcludedNetworks []netip.Prefix
	// OtherNetworks are the elements of mynetworks that are no plain network:
	// tables and files.
	OtherNetworks []string
	// Services are those of master.cf(5), in its order.
	Services []Service
	// Instances are the configuration directories of further instances, which
	// have a queue and a master.cf of their own (postmulti(1)).
	Instances []string
	// Outdated are tables of whose text a table of another type was made since, which
	// Postfix does not look into: hash:/etc/postfix/virtual.
	Outdated []string
	// QueueDirectory is where chrooted services see their root.
	QueueDirectory Path
	// Listed are the domains with mailboxes or aliases here that stand in tables and
	// files, and Unlisted those tables and files whose domains cannot be listed.
	Listed, Unlisted []string
	// Rewrites are the tables by which SMTP clients change messages while they
	// deliver them, after the milters (smtp_generic_maps, smtp_header_checks, …).
	Rewrites []Rewrite
}

// Rewrite is a table of such a parameter, and where that is set.
type Rewrite struct {
	Parameter string
	Service   string // of master.cf, "" for main.cf
	Line      int
	Table     string // as written: regexp:/etc/postfix/smtp_header_checks
	// Text is that of a regexp or pcre table; File is "" where it stands in the
	// parameter itself.
	Text []byte
	File Path
	// Rows are what a table of addresses has, or says of those at our names.
	Rows []Setting
	// Problem says why the table could not be read, "" if it could.
	Problem string
}

// Service is one entry of master.cf(5).
type Service struct {
	Name    string   // as postconf(1) names it: submission/inet, pickup/unix
	Command string   // smtpd, cleanup, pipe, …
	Args    []string // of the command, without the -o options
	Options []Option // in order; of two with one name the last counts
	Line    int      // where the entry begins
}

// Option is one -o name=value of a service.
type Option struct {
	Name, Value string // unexpanded
	Line        int
	// Expanded is the value of the one that counts, $names expanded.
	Expanded string
}

// Option returns what the service itself sets.
func (s Service) Option(name string) (Option, bool) {
	for _, o := range slices.Backward(s.Options) {
		if o.Name == name {
			return o, true
		}
	}
	return Option{}, false
}

// OpenDKIM is an installed OpenDKIM.
type OpenDKIM struct {
	// Unit is a unit file of the administrator's that hides the package's, "" for
	// none, and DropIns are the files that add to it, in the order in which
	// systemd reads them (systemd.unit(5)). Their texts are in Facts.Files.
	Unit    Path
	DropIns []Path
	// NeedsDaemonReload: systemd has not read the latest of those files.
	NeedsDaemonReload bool
	// Endpoint is where the daemon listens, in OpenDKIM's words
	// (local:/run/opendkim/opendkim.sock, inet:8891@localhost): the -p that its
	// unit gives it, else Socket of its configuration; "" if neither says.
	Endpoint string
	Active   bool
	// Args are those of its process, or that its unit would give it.
	Args []string
	// User is whom its process runs as, "" if there is none.
	User string
	// Tables is /etc/opendkim as it stands, and Keys is /etc/dkimkeys; nil if it
	// is not there.
	Tables, Keys *Dir
	// Exposed are private keys in those two that everybody could read, were it not
	// for the directory.
	Exposed []Path
	// SocketGone: the socket that its configuration names is gone, together with its
	// directory perhaps. A daemon that still runs has to be started again.
	SocketGone bool
	// Disabled: not started at boot. Masked: not started at all.
	Disabled, Masked bool
}

// DNSServer names the software that answers DNS here.
type DNSServer string

// The name servers that are recognised.
const (
	NoDNSServer DNSServer = ""
	BIND        DNSServer = "bind"
	Dnsmasq     DNSServer = "dnsmasq"
	Unbound     DNSServer = "unbound"
	NSD         DNSServer = "nsd"
	PowerDNS    DNSServer = "powerdns"
)

// Title is what the software calls itself.
func (d DNSServer) Title() string {
	switch d {
	case Dnsmasq:
		return "dnsmasq"
	case Unbound:
		return "Unbound"
	case NSD:
		return "NSD"
	case PowerDNS:
		return "PowerDNS"
	}
	return "BIND"
}

// Zone is a zone in the configuration of the local BIND.
type Zone struct {
	Origin  string // absolute, lower case, with the final dot
	Kind    string // primary, secondary, forward, …, in named.conf's words
	View    string
	File    Path   // absolute
	Dynamic bool   // takes updates: its file must not be edited
	Signed  bool   // inline-signing or dnssec-policy: serves a serial of its own
	Content []byte // of the file of a static primary zone
	Dir     Path   // where relative names of files in it start from
	// Records are the zone's RRsets as named-checkzone -D prints them, without
	// those that come from our own fragment. Of a zone that is updated they are
	// those at the names that were asked for.
	Records []Record
	// NotLoaded: the run was not about any name of the zone when it was listed, so its
	// records were not read.
	NotLoaded bool
	// OurRecords are those that come from our own fragment. Of a zone that is updated
	// see Update.
	OurRecords []Record
	// IncludeLost: the fragment with OurRecords is there, but the zone file no longer
	// includes it, since somebody rewrote that file.
	IncludeLost bool
	// Copies are those of our records that stand at names which a wildcard of the
	// zone no longer answers for (RFC 4592).
	Copies []Record
	// Names are further names that exist, for a zone with a part of its Records.
	Names []string
	// Update says how to change a zone that is updated; nil for one whose file is
	// edited.
	Update  *UpdateTarget
	Problem string // why the zone cannot be edited, "" if it can
	Hint    string // what can be done about it, a line for each step
}

// WithOurRecords returns the facts with the records of our fragments among those of their
// zones, for those to whom it does not matter who wrote them.
func (f Facts) WithOurRecords() Facts {
	f.Zones = slices.Clone(f.Zones)
	for i, z := range f.Zones {
		f.Zones[i].Records = slices.Concat(z.Records, z.OurRecords)
	}
	return f
}

// Contains reports whether the records of an absolute name belong into the zone:
// it is at or below the origin, and the zone does not delegate it.
func (z Zone) Contains(name string) bool {
	_, given := z.Delegation(name)
	return !given && dnsname.Within(strings.ToLower(name), z.Origin)
}

// Delegation returns the record by which the zone hands an absolute name over: NS
// delegates names at and below its owner to other servers (RFC 1034 section 4.2.1),
// and DNAME redirects names below its owner (RFC 6672 section 2.3).
func (z Zone) Delegation(name string) (Record, bool) {
	name = strings.ToLower(name)
	i := slices.IndexFunc(z.Records, func(r Record) bool {
		if r.Type != "NS" && r.Type != "DNAME" {
			return false
		}
		cut := strings.ToLower(r.Name)
		return r.Type == "NS" && cut != z.Origin && dnsname.Within(name, cut) || r.Type == "DNAME" && cut != name && dnsname.Within(name, cut)
	})
	if i < 0 {
		return Record{}, false
	}
	return z.Records[i], true
}

// Served is what name servers have in the place of a record.
type Served struct {
	Everywhere bool     // all that answered have the record, or what does its work
	Instead    []Record // others that stand in its place
}

// LiveDNS is what resolvers answer for one name.
type LiveDNS struct {
	Asked     bool // false: no answer could be had, which is not "nothing there"
	MX        []string
	Addresses []netip.Addr
	TXT       []string
	PTR       []string // of an address
}

// OtherKeys are the records below _domainkey of a domain before that becomes a zone of its
// own.
type OtherKeys struct {
	Found []Record // TXT, or a CNAME that leads to the key of another sender
	// Unanswered are selectors that nobody could be asked about, with the reason.
	Unanswered []string
}

// SPF is an existing SPF record, evaluated (RFC 7208).
type SPF struct {
	Record string // as published, joined
	// Denied are those of this server's addresses that the record does not pass, for
	// receivers that query addresses of the sender's family only.
	Denied []netip.Addr
	// Unreached are those with a term of their own in the record that such a receiver
	// never reaches: it gives up at the third name in front of it without an address of
	// that family (section 4.6.4).
	Unreached []netip.Addr
	// Lookups is the number of terms with a DNS query, nested ones included; section
	// 4.6.4 allows ten.
	Lookups int
	// Problem says why the record is unusable: there are two, a syntax error, more than
	// ten look-ups, an include that does not exist.
	Problem string
	// Unresolved names what could not be looked up and may matter, "" if all could. If
	// it is set, addresses that are not in Denied need not pass.
	Unresolved string
}
