package reputation

import (
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
)

// list is a block list in DNS (RFC 5782).
type list struct {
	zone  string // asked; of one that the administrator named, as he named it
	title string
	// keyed is what ends the zone of those who have a key: KEY.zen.dq.spamhaus.net.
	keyed string
	// domains: it lists domains, by their names; else addresses.
	domains bool
	codes   []code
	// bits: the last octet is a sum of codes.
	bits bool
	// listed and clear are the entries by which it proves itself: one that is in it and
	// one that is not (RFC 5782 section 5); "" for those of the RFC.
	listed, clear string
	page          string // where listings are explained, and removed
}

// code is a range of answers of a list, by their last two octets, and how much a
// listing matters: a problem where many receivers refuse by it.
type code struct {
	first, last int
	means       string
	severity    finding.Severity // OK: it is no listing
}

// octets are the last two of 127.0.a.b.
func octets(a, b int) int { return a<<8 | b }

// Lists that went out of service answer for everything one day, or are for sale. None of
// them belongs here: SORBS, NiX, dnsbl.inps.de, ubl.unsubscore.com, ix.dnsbl.manitu.net,
// megarbl.net.
var lists = []list{
	{
		zone: "zen.spamhaus.org", keyed: "zen.dq.spamhaus.net", title: "Spamhaus ZEN", page: "https://check.spamhaus.org/",
		codes: []code{
			{2, 2, "SBL: spam comes from there", finding.Problem},
			{3, 3, "CSS: spam comes from there", finding.Problem},
			{4, 7, "XBL: a machine that is broken into", finding.Problem},
			{9, 9, "DROP: the network belongs to spammers", finding.Problem},
			{10, 11, "PBL: its provider says that no mail server has this address", finding.Warning},
		},
	},
	{
		zone: "bl.spamcop.net", title: "SpamCop", page: "https://www.spamcop.net/bl.shtml",
		codes: []code{{2, 2, "spam was reported from there", finding.Problem}},
	},
	{
		zone: "b.barracudacentral.org", title: "Barracuda", page: "https://www.barracudacentral.org/rbl/removal-request",
		codes: []code{{2, 2, "spam comes from there", finding.Problem}},
	},
	{
		zone: "psbl.surriel.com", title: "PSBL", page: "https://psbl.org/remove",
		codes: []code{{2, 2, "spam went from there to a trap", finding.Warning}},
	},
	{
		zone: "bl.mailspike.net", title: "Mailspike", page: "https://www.mailspike.org/iplookup.html",
		codes: []code{{2, 2, "spam comes from there now", finding.Warning}, {10, 12, "a bad reputation", finding.Note}, {13, 20, "no bad reputation", finding.OK}},
	},
	{
		zone: "dnsbl-1.uceprotect.net", title: "UCEPROTECT level 1", page: "https://www.uceprotect.net/en/rblcheck.php",
		codes: []code{{2, 2, "spam went from there to a trap", finding.Warning}},
	},
	{
		zone: "dnsbl-2.uceprotect.net", title: "UCEPROTECT level 2", page: "https://www.uceprotect.net/en/rblcheck.php",
		codes: []code{{2, 2, "spam comes from its neighbours", finding.Note}},
	},
	{
		zone: "dnsbl-3.uceprotect.net", title: "UCEPROTECT level 3", page: "https://www.uceprotect.net/en/rblcheck.php",
		codes: []code{{2, 2, "spam comes from its provider", finding.Note}},
	},
	{
		zone: "dbl.spamhaus.org", keyed: "dbl.dq.spamhaus.net", title: "Spamhaus DBL", domains: true, listed: "dbltest.com", clear: "example.com",
		page: "https://check.spamhaus.org/",
		codes: []code{
			{octets(1, 2), octets(1, 2), "a domain of spam", finding.Problem},
			{octets(1, 4), octets(1, 6), "phishing, malware or a botnet", finding.Problem},
			{octets(1, 102), octets(1, 106), "a site that is broken into", finding.Problem},
		},
	},
	{
		zone: "multi.surbl.org", title: "SURBL", domains: true, bits: true, listed: "surbl-org-permanent-test-point.com", clear: "example.com",
		page: "https://surbl.org/surbl-analysis",
		codes: []code{
			{8, 8, "PH: phishing", finding.Problem},
			{16, 16, "MW: malware", finding.Problem},
			{64, 64, "ABUSE: spam", finding.Problem},
			{128, 128, "CR: a site that is broken into", finding.Problem},
		},
	},
	{
		zone: "multi.uribl.com", title: "URIBL", domains: true, bits: true, listed: "test.uribl.com", clear: "example.com", page: "https://lookup.uribl.com/",
		codes: []code{
			{2, 2, "black: a domain of spam", finding.Problem},
			{4, 4, "grey: bulk mail that some did not ask for", finding.Note},
			{8, 8, "red: new, or with a hidden owner", finding.Note},
		},
	},
}

// forKey is the list that a zone with a key is.
func forKey(zone string) (list, bool) {
	i := slices.IndexFunc(lists, func(l list) bool { return l.keyed != "" && strings.HasSuffix(zone, "."+l.keyed) })
	if i < 0 {
		return list{}, false
	}
	return lists[i], true
}

// refusals are what Spamhaus, and lists that follow it, answer instead of a listing.
var refusals = map[int]string{
	252: "the name of the list is mistyped",
	254: "it does not answer this resolver: it is a public one, or has no name of its own",
	255: "it was asked too often",
}

// verdict is what the answers of a list say.
type verdict struct {
	codes   []code
	refused string       // why it does not say
	odd     []netip.Addr // what means nothing that is known
}

// read reads all answers of a list: there may be one for each reason.
func (l list) read(answers []netip.Addr) verdict {
	var v verdict
	for _, a := range answers {
		o := a.As4()
		n := octets(int(o[2]), int(o[3]))
		switch {
		case o[0] != 127:
			v.odd = append(v.odd, a)
		case o[1] == 255 && o[2] == 255:
			v.refused = "it refuses"
			if why := refusals[int(o[3])]; why != "" {
				v.refused = why
			}
		case l.bits && n&1 != 0 || l.domains && n == octets(1, 255):
			v.refused = "it does not answer this resolver"
		case len(l.codes) == 0 && n > 1:
			v.codes = append(v.codes, code{n, n, "listed", finding.Problem})
		default:
			found := l.meanings(n)
			if len(found) == 0 {
				v.odd = append(v.odd, a)
			}
			v.codes = append(v.codes, slices.DeleteFunc(found, func(c code) bool { return c.severity == finding.OK })...)
		}
	}
	return v
}

// meanings are the codes of an answer.
func (l list) meanings(n int) []code {
	return slices.DeleteFunc(slices.Clone(l.codes), func(c code) bool {
		if l.bits {
			return n&c.first == 0
		}
		return n < c.first || n > c.last
	})
}
