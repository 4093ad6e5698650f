package dnscheck

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/dnsprovider"
	"mailsetup/internal/policy"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
	"mailsetup/zonefile"
)

// ExpectedRecord is a record that the name servers of a zone should serve.
type ExpectedRecord struct {
	Domain string // whose mail it is for, without final dot
	Zone   string // origin of the zone that holds its name
	Record state.Record
	// Keys are the domain's public keys by selector, to tell which one stands
	// in the place of another.
	Keys map[string]string
	// PublishedByUs: mailsetup publishes the record itself.
	PublishedByUs bool
	// Wildcard is the one that would answer if the name did not exist, "" for a
	// record that is no copy.
	Wildcard string
}

// Answer is what one name server says about one record.
type Answer struct {
	// Records are those of the record's type at its name, behind the aliases
	// that lead to them.
	Records []state.Record
	// Elsewhere are the records at misplacedNames, by name.
	Elsewhere map[string][]state.Record
	// Serial is that of the zone there; 0 if not known.
	Serial uint32
	// CorrectServer names a server that has the right record, "" for none, and
	// CorrectSerial is the serial of the zone there.
	CorrectServer string
	CorrectSerial uint32
}

// The faults of a record. OK, the zero value, is none.
const (
	Missing        dnsclient.Fault = "missing"
	Misplaced      dnsclient.Fault = "wrong name"    // it stands at another name
	DomainAppended dnsclient.Fault = "doubled name"  // at name.example.org.example.org
	Truncated      dnsclient.Fault = "cut"           // only a part of the value is there
	Unquoted       dnsclient.Fault = "unquoted"      // as a zone file reads a value without quotes
	Quotes         dnsclient.Fault = "quotes"        // inside the value
	Parentheses    dnsclient.Fault = "parentheses"   // inside the value
	Backslashes    dnsclient.Fault = "backslashes"   // inside the value
	Space          dnsclient.Fault = "space"         // inside the key
	Case           dnsclient.Fault = "case"          // of the letters of the key
	OtherKey       dnsclient.Fault = "other key"     //
	Revoked        dnsclient.Fault = "revoked"       //
	Damaged        dnsclient.Fault = "damaged"       // no record that receivers read
	Different      dnsclient.Fault = "different"     // another value
	Duplicate      dnsclient.Fault = "second record" // where one is allowed
	Alias          dnsclient.Fault = "alias"         // a CNAME in the way
	OldCopy        dnsclient.Fault = "old copy"      // of the zone
)

func finding(f dnsclient.Fault, text, remedy string) dnsclient.Finding {
	return dnsclient.Finding{Fault: f, Text: text, Remedy: remedy}
}

// Diagnose returns what is wrong with a record on a name server.
func Diagnose(e ExpectedRecord, s Answer) dnsclient.Finding {
	f := diagnose(e, s)
	if f.Fault == dnsclient.OK || s.CorrectServer == "" {
		return f
	}
	switch {
	case s.Serial == 0 || s.CorrectSerial == 0:
	case s.Serial == s.CorrectSerial:
		return finding(
			OldCopy, fmt.Sprintf("another content than at %s under the same serial %d (%s)", s.CorrectServer, s.Serial, f.Text),
			"raise the serial of the zone on its primary server and reload it",
		)
	case zonefile.SerialBehind(s.Serial, s.CorrectSerial):
		return finding(
			OldCopy, fmt.Sprintf(oldCopy+"its serial is %d, and %s has %d (%s)", s.Serial, s.CorrectServer, s.CorrectSerial, f.Text),
			"see why the transfer fails; there, with BIND: rndc retransfer "+dnsname.TrimDot(e.Zone),
		)
	}
	f.Text += "; " + s.CorrectServer + " has it right"
	return f
}

// oldCopy begins what is said of a server that a transfer of the zone would mend.
const oldCopy = "an old copy of the zone: "

// IsBehind reports whether a transfer of the zone would mend what is wrong with a server.
func IsBehind(f dnsclient.Finding) bool {
	return f.Fault == OldCopy && strings.HasPrefix(f.Text, oldCopy)
}

// IsBehind reports whether a transfer of a zone would mend what is wrong with some server.
func (v Result) IsBehind() bool {
	return slices.ContainsFunc(v.Servers, func(s ServerResult) bool {
		return slices.ContainsFunc(s.Records, func(r RecordResult) bool { return IsBehind(r.Finding) })
	})
}

func diagnose(e ExpectedRecord, s Answer) dnsclient.Finding {
	want := e.Record
	records := s.Records
	var alias string
	for len(records) > 0 && records[0].Type == "CNAME" && want.Type != "CNAME" {
		alias, records = records[0].Value, records[1:]
	}
	if want.Type == "TXT" {
		records = candidates(e, records)
	}
	if want.Type == "CNAME" && len(records) == 1 && records[0].Type == "TXT" && isKey(records[0].Value) {
		return dnsclient.Finding{} // a copy of what is behind it, see ask
	}
	if e.isDelegation() {
		return e.delegated(records)
	}
	good := slices.ContainsFunc(records, func(r state.Record) bool { return e.satisfiedBy(r) })
	switch {
	case good && (want.Type != "TXT" || len(records) == 1):
		return dnsclient.Finding{}
	case alias != "":
		return e.aliased(alias, len(records))
	case len(records) == 0:
		return e.missing(s)
	case want.Type != "TXT":
		return e.different(records)
	case len(records) > 1:
		return e.several(records, good)
	}
	if f, known := classify(e, records[0].Value); known {
		return f
	}
	return e.different(records)
}

// satisfiedBy reports whether a record at the right name does what the expected one
// does.
func (e ExpectedRecord) satisfiedBy(r state.Record) bool {
	switch e.Record.Type {
	case "TXT":
		return satisfies(e.Record.Value, r.Value)
	case "MX": // whatever the preference
		return strings.EqualFold(mxTarget(r.Value), mxTarget(e.Record.Value))
	}
	r.Name = e.Record.Name
	return dnsclient.Same(r, e.Record)
}

func mxTarget(mx string) string { return dns.Fqdn(mx[strings.LastIndexByte(mx, ' ')+1:]) }

// candidates returns the texts to compare with the expected one: all at a name that has
// one record only, else those with the same version tag.
func candidates(e ExpectedRecord, records []state.Record) []state.Record {
	want := e.Record
	if dnsname.IsKey(want.Name) || dnsname.IsPolicy(want.Name) {
		return records
	}
	version, _, _ := strings.Cut(strings.FieldsFunc(want.Value+" ", func(r rune) bool { return r == ' ' || r == ';' })[0], ";")
	return slices.DeleteFunc(slices.Clone(records), func(r state.Record) bool {
		text := strings.ToLower(removeSpace(stripSyntax(r.Value)))
		return !strings.HasPrefix(text, strings.ToLower(version)) && r.Value != want.Value
	})
}

func (e ExpectedRecord) aliased(target string, found int) dnsclient.Finding {
	behind := "has no such record"
	if found > 0 {
		behind = "says something else"
	}
	return finding(
		Alias, fmt.Sprintf("the name is an alias (CNAME) of %s, which %s", dnsname.TrimDot(target), behind),
		fmt.Sprintf("take the CNAME at %s out and put the record there: nothing can stand beside a CNAME", dnsname.TrimDot(e.Record.Name)),
	)
}

func (e ExpectedRecord) missing(s Answer) dnsclient.Finding {
	if e.Wildcard != "" {
		return finding(
			Missing, fmt.Sprintf("lost: %s has it, and answers no longer for a name that exists (RFC 4592)", dnsname.TrimDot(e.Wildcard)), e.copyRemedy(),
		)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Elsewhere)) {
		for _, r := range s.Elsewhere[name] {
			if r.Type != e.Record.Type || !e.resembles(r) {
				continue
			}
			if name == withDomainAppended(e.Record.Name, e.Zone) || name == withDomainAppended(e.Record.Name, e.Domain) {
				return finding(
					DomainAppended, "nothing there, but "+dnsname.TrimDot(name)+" has it: the domain was added to a name that had it already",
					"enter the name as "+e.relative(),
				)
			}
			return finding(Misplaced, "nothing there, but "+dnsname.TrimDot(name)+" has it", "rename that record to "+e.relative()+" (in full: "+dnsname.TrimDot(e.Record.Name)+")")
		}
	}
	if domain := dns.CanonicalName(e.Domain); !e.PublishedByUs && e.Zone != domain && dns.IsSubDomain(domain, e.Zone) {
		zone := dnsname.TrimDot(e.Zone)
		return finding(
			Missing, fmt.Sprintf("missing: %s is a zone of its own, so that nothing counts that the zone above has there", zone),
			fmt.Sprintf("publish it in the zone %s, as %s, or take the NS records of %s out of the zone above: mailsetup dns %s --format paste", zone, e.relative(), zone, e.Domain),
		)
	}
	return finding(Missing, "missing", e.publishRemedy())
}

// resembles reports whether a record at another name is probably ours, perhaps damaged.
func (e ExpectedRecord) resembles(r state.Record) bool {
	if e.satisfiedBy(r) {
		return true
	}
	f, known := classify(e, r.Value)
	return known && !slices.Contains([]dnsclient.Fault{OtherKey, Revoked, Damaged}, f.Fault)
}

// several explains several records where receivers expect one.
func (e ExpectedRecord) several(records []state.Record, good bool) dnsclient.Finding {
	if a, b := records[0].Value, records[1].Value; len(records) == 2 && (satisfies(e.Record.Value, a+b) || satisfies(e.Record.Value, b+a)) {
		return finding(
			Duplicate, "the value is spread over two records instead of two strings of one",
			"one record: mailsetup dns "+e.Domain+" --format zone",
		)
	}
	what, effect := "records", "receivers then see none"
	if policy.IsSPF(e.Record.Value) {
		what, effect = "SPF records", "receivers take two for an error"
	}
	if good {
		return finding(
			Duplicate, fmt.Sprintf("a second record beside ours, and %s: %s", effect, others(e, records)),
			"take the other one out",
		)
	}
	return finding(
		Duplicate, fmt.Sprintf("%d %s where one is allowed, and none is right: %s", len(records), what, others(e, records)),
		"take them out and "+e.publishRemedy(),
	)
}

func others(e ExpectedRecord, records []state.Record) string {
	var list []string
	for _, r := range records {
		if !e.satisfiedBy(r) {
			list = append(list, dnsclient.Quote(r.Value, ""))
		}
	}
	if len(list) == 0 {
		list = append(list, "the same once more")
	}
	slices.Sort(list) // name servers turn the order around
	return text.List(list, 3)
}

// different explains how another value differs.
func (e ExpectedRecord) different(records []state.Record) dnsclient.Finding {
	want, lacks := e.Record.Value, []string(nil)
	has := records[0].Value
	if proxy := dnsprovider.ProxyOf(has); proxy != "" && (e.Record.Type == "A" || e.Record.Type == "AAAA") {
		return finding(
			Different, fmt.Sprintf("the address %s of %s's proxy is there, which takes no mail", has, proxy),
			fmt.Sprintf(`have %s as "DNS only" there, without the proxy`, dnsname.TrimDot(e.Record.Name)),
		)
	}
	switch {
	case policy.IsSPF(want):
		w, _ := policy.ParseSPF(want)
		g, err := policy.ParseSPF(has)
		if err != nil {
			return finding(Damaged, "receivers do not read the SPF record there: "+err.Error(), e.replaceRemedy())
		}
		lacks = g.Missing(w)
	case policy.IsDMARC(want):
		w, _ := policy.ParseDMARC(want)
		g, err := policy.ParseDMARC(has)
		if err != nil {
			return finding(Damaged, "receivers do not read the DMARC record there: "+err.Error(), e.replaceRemedy())
		}
		lacks = g.Missing(w)
	}
	if len(lacks) > 0 {
		return finding(Different, fmt.Sprintf("another value, which lacks %s: %s", strings.Join(lacks, ", "), dnsclient.Quote(has, "")), e.replaceRemedy())
	}
	return finding(Different, "another value: "+dnsclient.DescribeValues(records, []state.Record{e.Record}), e.replaceRemedy())
}

// misplacedNames returns names at which people put a record by mistake.
func misplacedNames(e ExpectedRecord) []string {
	name, domain := e.Record.Name, dns.CanonicalName(e.Domain)
	list := []string{withDomainAppended(name, e.Zone), withDomainAppended(name, e.Domain)}
	label, rest, _ := strings.Cut(name, ".")
	switch {
	case e.Record.Type != "TXT":
	case isKey(e.Record.Value):
		list = append(list, label+"."+domain, label+".domainkey."+domain, "_domainkey."+domain, domain)
		if e.Zone != domain { // relative to the domain instead of the zone
			list = append(list, dnsname.Key(label, e.Zone))
		}
		for _, selector := range append(slices.Sorted(maps.Keys(e.Keys)), "default", "mail", "dkim") {
			list = append(list, selector+"."+rest)
		}
	case dnsname.IsPolicy(name):
		list = append(list, "dmarc."+rest, rest)
	}
	list = slices.DeleteFunc(list, func(n string) bool { return n == name || !dns.IsSubDomain(e.Zone, n) })
	slices.Sort(list)
	return slices.Compact(list)
}

// withDomainAppended returns a name to which a web form appended the domain.
func withDomainAppended(name, domain string) string { return name + dns.CanonicalName(domain) }

// relative returns the name relative to its zone, as web forms want it.
func (e ExpectedRecord) relative() string {
	if e.Record.Name == e.Zone {
		return "@"
	}
	return strings.TrimSuffix(e.Record.Name, "."+e.Zone)
}
