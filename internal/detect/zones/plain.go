package zones

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/state"
)

// maxPlain is the length of a zone up to which a process to read it costs more than all
// else.
const maxPlain = 64 << 10

// plainRecords returns the records of a zone file that every reader takes for the same,
// in the order in which named-checkzone -D prints them. Ok is false for all that is
// unusual, or that BIND could find wrong: named-checkzone says what it is. A process for
// each of ten thousand zones takes minutes.
func plainRecords(text, origin string) (list []state.Record, ok bool) {
	lines, ok := plainEntries(text)
	if !ok {
		return nil, false
	}
	p := plainZone{origin: dns.CanonicalName(origin)}
	for _, e := range lines {
		if !p.entry(e) {
			return nil, false
		}
	}
	return p.sorted()
}

// plainEntry are the words of a logical line; quoted ones with their quotes. Blank: it
// has the owner of the one before.
type plainEntry struct {
	words []string
	blank bool
}

// plainEntries splits a text into logical lines, which parentheses may continue.
func plainEntries(text string) (list []plainEntry, ok bool) {
	if len(text) > maxPlain || strings.ContainsFunc(text, func(c rune) bool { return c != '\n' && c != '\t' && (c < ' ' || c > '~') || c == '\\' }) {
		return nil, false
	}
	var e plainEntry
	depth := 0
	for line := range strings.Lines(text) {
		if depth == 0 {
			e = plainEntry{blank: line[0] == ' ' || line[0] == '\t'}
		}
		for rest := strings.Trim(line, " \t\n"); rest != "" && rest[0] != ';'; rest = strings.TrimLeft(rest, " \t") {
			end := strings.IndexAny(rest, " \t;()\"")
			switch {
			case rest[0] == '(' || rest[0] == ')':
				depth += map[byte]int{'(': 1, ')': -1}[rest[0]]
				if depth < 0 || depth > 1 || len(e.words) == 0 {
					return nil, false
				}
				rest = rest[1:]
				continue
			case rest[0] == '"':
				if end = strings.IndexByte(rest[1:], '"') + 2; end < 2 || end < len(rest) && !strings.ContainsRune(" \t;()", rune(rest[end])) {
					return nil, false
				}
			case end < 0:
				end = len(rest)
			case rest[end] == '"':
				return nil, false
			}
			e.words, rest = append(e.words, rest[:end]), rest[end:]
		}
		if depth == 0 && len(e.words) > 0 {
			list = append(list, e)
		}
	}
	return list, depth == 0
}

// plainZone collects the records of a zone.
type plainZone struct {
	origin, ttl, owner string
	rrs                []dns.RR
}

var (
	plainName = regexp.MustCompile(`^(@|\*|(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?)$`)
	plainTime = regexp.MustCompile(`^([0-9]{1,9}|[0-9]{1,3}[smhdwSMHDW])$`)
	plainText = regexp.MustCompile(`^"[^"]{0,255}"$`)
)

// entry adds a record, or takes note of $TTL, which stands before all records.
func (p *plainZone) entry(e plainEntry) bool {
	if words := e.words; !e.blank && words[0] == "$TTL" {
		p.ttl = words[len(words)-1]
		return len(p.rrs) == 0 && len(words) == 2 && plainTime.MatchString(p.ttl)
	}
	words := e.words
	if !e.blank {
		if p.owner, words = p.absolute(words[0]), words[1:]; p.owner == "" || !dns.IsSubDomain(p.origin, p.owner) {
			return false
		}
	}
	ttl := p.ttl
	if len(words) > 0 && plainTime.MatchString(words[0]) {
		ttl, words = words[0], words[1:]
	}
	if len(words) > 0 && strings.EqualFold(words[0], "IN") {
		words = words[1:]
	}
	if p.owner == "" || ttl == "" || len(words) == 0 {
		return false
	}
	data, ok := p.data(strings.ToUpper(words[0]), words[1:])
	if !ok {
		return false
	}
	rr, err := dns.NewRR(fmt.Sprintf("%s %s IN %s %s", p.owner, ttl, words[0], data))
	if err != nil || rr == nil {
		return false
	}
	p.rrs = append(p.rrs, rr)
	return true
}

// absolute returns a name with the origin, "" for one that is not plain.
func (p *plainZone) absolute(name string) string {
	switch {
	case !plainName.MatchString(name):
		return ""
	case name == "@":
		return p.origin
	case !strings.HasSuffix(name, "."):
		name += "." + p.origin
	}
	if _, ok := dns.IsDomainName(name); !ok {
		return ""
	}
	return name
}

// data returns the data of a record with absolute names.
func (p *plainZone) data(rtype string, words []string) (string, bool) {
	all := func(list []string, is func(string) bool) bool {
		return !slices.ContainsFunc(list, func(w string) bool { return !is(w) })
	}
	fits := func(w string, bits int) bool { _, err := strconv.ParseUint(w, 10, bits); return err == nil }
	names := 0
	switch n := len(words); {
	case rtype == "A" && n == 1, rtype == "AAAA" && n == 1:
		a, err := netip.ParseAddr(words[0])
		return words[0], err == nil && a.Is4() == (rtype == "A") && a.Zone() == "" && !a.Is4In6()
	case rtype == "TXT" && n > 0:
		return strings.Join(words, " "), all(words, plainText.MatchString)
	case rtype == "NS" && n == 1, rtype == "CNAME" && n == 1:
		names = 1
	case rtype == "MX" && n == 2 && fits(words[0], 16):
		words, names = []string{words[1], words[0]}, 1
	case rtype == "SOA" && n == 7 && all(words[3:], plainTime.MatchString) && fits(words[2], 32):
		names = 2
	default:
		return "", false
	}
	words = slices.Clone(words)
	for i := range names {
		if words[i] = p.absolute(words[i]); words[i] == "" || words[i][0] == '*' {
			return "", false
		}
	}
	if rtype == "MX" {
		slices.Reverse(words)
	}
	return strings.Join(words, " "), true
}

// sorted returns the records, if they make up a zone that BIND loads without a word.
func (p *plainZone) sorted() (list []state.Record, ok bool) {
	if len(p.rrs) == 0 || p.rrs[0].Header().Rrtype != dns.TypeSOA || dns.CanonicalName(p.rrs[0].Header().Name) != p.origin {
		return nil, false
	}
	wire := map[dns.RR][]byte{}
	for _, rr := range p.rrs {
		rr.Header().Name = dns.CanonicalName(rr.Header().Name)
		b := make([]byte, dns.Len(rr))
		n, err := dns.PackRR(rr, b, 0, nil, false)
		if err != nil {
			return nil, false
		}
		wire[rr] = bytes.ToLower(b[len(rr.Header().Name)+len("\x00ttccTTTTll") : n])
	}
	slices.SortStableFunc(p.rrs, func(a, b dns.RR) int {
		x, y := a.Header(), b.Header()
		return cmp.Or(compareNames(x.Name, y.Name), cmp.Compare(place(x.Rrtype), place(y.Rrtype)), bytes.Compare(wire[a], wire[b]))
	})
	for i, rr := range p.rrs {
		h := rr.Header()
		if i > 0 && h.Name == p.rrs[i-1].Header().Name {
			before := p.rrs[i-1]
			b := before.Header()
			same := b.Rrtype == h.Rrtype
			if same && (b.Ttl != h.Ttl || bytes.Equal(wire[before], wire[rr]) || h.Rrtype == dns.TypeSOA) || b.Rrtype == dns.TypeCNAME || h.Rrtype == dns.TypeCNAME {
				return nil, false
			}
		} else if h.Rrtype == dns.TypeSOA && h.Name != p.origin {
			return nil, false
		}
		list = append(list, dnsclient.FromRR(rr))
	}
	return list, hasServers(list)
}

// hasServers reports whether a zone names its servers, with an address for each that is
// inside of it, and hands nothing on to other servers.
func hasServers(list []state.Record) bool {
	n := 0
	for _, r := range list {
		if r.Type != "NS" {
			continue
		}
		known := slices.ContainsFunc(list, func(a state.Record) bool { return a.Name == r.Value && (a.Type == "A" || a.Type == "AAAA") })
		if n++; r.Name != list[0].Name || !known && dns.IsSubDomain(r.Name, r.Value) {
			return false
		}
	}
	return n > 0
}

// place is the order of types at a name.
func place(rtype uint16) int {
	return int(rtype) + map[uint16]int{dns.TypeSOA: -100, dns.TypeNS: -90}[rtype]
}

// compareNames compares names in the order of RFC 4034 section 6.1.
func compareNames(a, b string) int {
	x, y := dns.SplitDomainName(a), dns.SplitDomainName(b)
	slices.Reverse(x)
	slices.Reverse(y)
	return slices.Compare(x, y)
}
