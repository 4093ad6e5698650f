package dnsbl

import (
	"cmp"
	"slices"
	"strings"
)

// List is a block list in DNS (RFC 5782).
type List struct {
	Zone  string // asked; of one that the administrator named, as he named it
	Title string
	// Keyed is what ends the zone of those who have a key: KEY.zen.dq.spamhaus.net.
	Keyed string
	// Domains: it lists domains, by their names; else addresses.
	Domains bool
	Codes   []Code
	// Bits: the last octet is a sum of codes.
	Bits bool
	// Listed and Clear are the entries by which it proves itself: one that is in it and
	// one that is not (RFC 5782 section 5); "" for those of the RFC.
	Listed, Clear string
	Page          string // where listings are explained, and removed
	// Refuse are the answers by which a server may refuse mail, as postconf(5) writes
	// them; "" for DefaultCodes.
	Refuse string
	// Cost says in a line what to expect of it at the door.
	Cost string
	// Unfit says why mail cannot be refused by it, "" if it can.
	Unfit string
}

// Code is a range of answers of a list, by their last two octets, and how much a
// listing matters.
type Code struct {
	First, Last int
	Means       string
	Weight      Weight
}

// Weight is how many receivers refuse mail by a listing.
type Weight int

// The weights.
const (
	Heavy  Weight = iota // many do
	Medium               // some do
	Light                // few do
	None                 // it is no listing
)

// OfUsers is what the PBL means: whole ranges of addresses are on it, unless whoever runs
// a mail server at one of them asks for it to be taken out.
const OfUsers = "PBL: its provider says that no mail server has this address"

// octets are the last two of 127.0.a.b.
func octets(a, b int) int { return a<<8 | b }

// known are the lists of which the codes are known.
var known = []List{
	{
		Zone: "zen.spamhaus.org", Keyed: "zen.dq.spamhaus.net", Title: "Spamhaus ZEN", Page: "https://check.spamhaus.org/",
		Codes: []Code{
			{2, 2, "SBL: spam comes from there", Heavy},
			{3, 3, "CSS: spam comes from there", Heavy},
			{4, 7, "XBL: a machine that is broken into", Heavy},
			{9, 9, "DROP: the network belongs to spammers", Heavy},
			{10, 11, OfUsers, Heavy},
		},
		Cost: "free for small servers that are no business, by a resolver of their own; others get a key (KEY.zen.dq.spamhaus.net)",
	},
	{
		Zone: "bl.spamcop.net", Title: "SpamCop", Page: "https://www.spamcop.net/bl.shtml", Refuse: "127.0.0.2",
		Codes: []Code{{2, 2, "spam was reported from there", Heavy}},
		Cost:  "free; by reports of users, so big providers are listed for hours now and then, and their mail is refused",
	},
	{
		Zone: "b.barracudacentral.org", Title: "Barracuda", Page: "https://www.barracudacentral.org/rbl/removal-request", Refuse: "127.0.0.2",
		Codes: []Code{{2, 2, "spam comes from there", Heavy}},
		Cost:  "free for those who register the address of their resolver at barracudacentral.org first",
	},
	{
		Zone: "psbl.surriel.com", Title: "PSBL", Page: "https://psbl.org/remove", Refuse: "127.0.0.2",
		Codes: []Code{{2, 2, "spam went from there to a trap", Medium}},
		Cost:  "free; by traps, and anybody may take an address out",
	},
	{
		Zone: "bl.mailspike.net", Title: "Mailspike", Page: "https://www.mailspike.org/iplookup.html", Refuse: "127.0.0.2",
		Codes: []Code{{2, 2, "spam comes from there now", Medium}, {10, 12, "a bad reputation", Light}, {13, 20, "no bad reputation", None}},
		Cost:  "free for small servers; 127.0.0.2 alone is used, since its other answers are a reputation",
	},
	{
		Zone: "dnsbl-1.uceprotect.net", Title: "UCEPROTECT level 1", Page: "https://www.uceprotect.net/en/rblcheck.php", Refuse: "127.0.0.2",
		Codes: []Code{{2, 2, "spam went from there to a trap", Medium}},
		Cost:  "free; an address stays listed for a week, unless somebody pays",
	},
	{
		Zone: "dnsbl-2.uceprotect.net", Title: "UCEPROTECT level 2", Page: "https://www.uceprotect.net/en/rblcheck.php",
		Codes: []Code{{2, 2, "spam comes from its neighbours", Light}}, Unfit: "it lists whole networks for what neighbours do: honest mail would be refused",
	},
	{
		Zone: "dnsbl-3.uceprotect.net", Title: "UCEPROTECT level 3", Page: "https://www.uceprotect.net/en/rblcheck.php",
		Codes: []Code{{2, 2, "spam comes from its provider", Light}}, Unfit: "it lists whole providers: honest mail would be refused",
	},
	{
		Zone: "dbl.spamhaus.org", Keyed: "dbl.dq.spamhaus.net", Title: "Spamhaus DBL", Domains: true, Listed: "dbltest.com", Clear: "example.com",
		Page: "https://check.spamhaus.org/", Refuse: "127.0.1.[2..99]",
		Codes: []Code{
			{octets(1, 2), octets(1, 2), "a domain of spam", Heavy},
			{octets(1, 4), octets(1, 6), "phishing, malware or a botnet", Heavy},
			{octets(1, 102), octets(1, 106), "a site that is broken into", Heavy},
		},
		Cost: "free for small servers that are no business, by a resolver of their own; asked about the domain of the sender",
	},
	{
		Zone: "multi.surbl.org", Title: "SURBL", Domains: true, Bits: true, Listed: "surbl-org-permanent-test-point.com", Clear: "example.com",
		Page: "https://surbl.org/surbl-analysis", Unfit: linksOnly,
		Codes: []Code{
			{8, 8, "PH: phishing", Heavy},
			{16, 16, "MW: malware", Heavy},
			{64, 64, "ABUSE: spam", Heavy},
			{128, 128, "CR: a site that is broken into", Heavy},
		},
	},
	{
		Zone: "multi.uribl.com", Title: "URIBL", Domains: true, Bits: true, Listed: "test.uribl.com", Clear: "example.com", Page: "https://lookup.uribl.com/",
		Unfit: linksOnly,
		Codes: []Code{
			{2, 2, "black: a domain of spam", Heavy},
			{4, 4, "grey: bulk mail that some did not ask for", Light},
			{8, 8, "red: new, or with a hidden owner", Light},
		},
	},
}

const linksOnly = "it lists domains of links in messages, which a content filter sees (rspamd, SpamAssassin) and Postfix does not"

// dead are lists that went out of service, by the end of their zones: they answer
// nothing, or for everything one day, or are for sale.
var dead = map[string]string{
	"sorbs.net":           "SORBS was closed in June 2024",
	"ix.dnsbl.manitu.net": "NiX Spam is empty since January 2025",
	"dnsbl.inps.de":       "it was closed in 2020",
	"ubl.unsubscore.com":  "it does not answer any more",
	"megarbl.net":         "it lists every address since 2019",
	"njabl.org":           "NJABL was closed in 2013",
	"ahbl.org":            "AHBL was closed in 2015 and listed every address then",
	"ordb.org":            "ORDB was closed in 2006 and listed every address later",
	"dsbl.org":            "DSBL was closed in 2008",
	"bl.spamcannibal.org": "SpamCannibal was closed in 2018 and listed every address then",
	"opm.blitzed.org":     "it was closed in 2006",
}

// Dead says why a list is asked in vain, "" if nothing is known against it.
func Dead(zone string) string {
	for end, why := range dead {
		if zone == end || strings.HasSuffix(zone, "."+end) {
			return why
		}
	}
	return ""
}

// Known returns the lists of which the codes are known.
func Known() []List { return slices.Clone(known) }

// Named returns the list of a zone; a zone with a key stands for the public one. One that
// is not known has a title alone.
func Named(zone string) List {
	zone = strings.ToLower(strings.TrimSuffix(zone, "."))
	for _, l := range known {
		if l.Zone == zone {
			return l
		}
		if l.Keyed != "" && strings.HasSuffix(zone, "."+l.Keyed) {
			l.Zone, l.Cost = zone, "asked with a key, by any resolver; the key stands in the configuration of the mail server, which everybody here can read"
			return l
		}
	}
	return List{Zone: zone, Title: Shown(zone)}
}

// WithKey returns the zone of those who have a key for a list that is named without one,
// "" if there is none.
func (l List) WithKey() string {
	if l.Keyed == "" || l.Shown() != l.Zone {
		return ""
	}
	return "KEY." + l.Keyed
}

// Entries returns the names of the entry that a list has and of the one that it lacks, of
// domains (RFC 5782 section 5).
func (l List) Entries() (listed, clear string) {
	return cmp.Or(l.Listed, "test"), cmp.Or(l.Clear, "invalid")
}
