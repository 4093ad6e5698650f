package dnspub

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"mailsetup/internal/policy"
	"mailsetup/internal/state"
)

// Expected is a record that the name servers of a zone should serve.
type Expected struct {
	Domain string // whose mail it is for, without final dot
	Zone   string // origin of the zone that holds its name
	Record state.Record
	// Keys are the domain's public keys by selector, to tell which one stands
	// in the place of another.
	Keys map[string]string
	// Ours: see Wanted.
	Ours bool
	// Wildcard is the one that would answer if the name did not exist, "" for a
	// record that is no copy.
	Wildcard string
}

// Sight is what one name server says about one record.
type Sight struct {
	// Records are those of the record's type at its name, behind the aliases
	// that lead to them.
	Records []state.Record
	// Elsewhere are the texts at Suspects, by name.
	Elsewhere map[string][]state.Record
	// Serial is that of the zone there; 0 if not known.
	Serial uint32
	// Right names a server that has the record as it should be, "" for none,
	// and RightSerial is the serial of the zone there.
	Right       string
	RightSerial uint32
}

// Fault is what is wrong with a record at a name server.
type Fault string

// The faults. The zero value is none.
const (
	OK          Fault = ""
	Missing     Fault = "missing"
	Misplaced   Fault = "wrong name"    // it stands at another name
	Doubled     Fault = "doubled name"  // at name.example.org.example.org
	Cut         Fault = "cut"           // only a part of the value is there
	Unquoted    Fault = "unquoted"      // as a zone file reads a value without quotes
	Quotes      Fault = "quotes"        // inside the value
	Parentheses Fault = "parentheses"   // inside the value
	Backslashes Fault = "backslashes"   // inside the value
	Space       Fault = "space"         // inside the key
	Case        Fault = "case"          // of the letters of the key
	OtherKey    Fault = "other key"     //
	Revoked     Fault = "revoked"       //
	Damaged     Fault = "damaged"       // no record that receivers read
	Different   Fault = "different"     // another value
	Second      Fault = "second record" // where one is allowed
	Alias       Fault = "alias"         // a CNAME in the way
	OldCopy     Fault = "old copy"      // of the zone
	Silent      Fault = "no answer"     // the faults of a server as a whole
	Refuses     Fault = "refuses"
	Lame        Fault = "lame"
	Broken      Fault = "broken"
	NoAddress   Fault = "no address"
	NotAsked    Fault = "not asked" // from here it cannot be; no fault of the server
)

// Finding is what was found about a record at a name server, and what to do.
type Finding struct {
	Fault  Fault
	Text   string
	Remedy string
}

// Diagnose says what is wrong with a record as a name server has it.
func Diagnose(e Expected, s Sight) Finding {
	f := diagnose(e, s)
	if f.Fault == OK || s.Right == "" {
		return f
	}
	switch {
	case s.Serial == 0 || s.RightSerial == 0:
	case s.Serial == s.RightSerial:
		return Finding{
			OldCopy, fmt.Sprintf("another content than at %s under the same serial %d (%s)", s.Right, s.Serial, f.Text),
			"raise the serial of the zone on its primary server and reload it",
		}
	case serialBehind(s.Serial, s.RightSerial):
		return Finding{
			OldCopy, fmt.Sprintf("an old copy of the zone: its serial is %d, and %s has %d (%s)", s.Serial, s.Right, s.RightSerial, f.Text),
			"see why the transfer fails; there, with BIND: rndc retransfer " + noDot(e.Zone),
		}
	}
	f.Text += "; " + s.Right + " has it right"
	return f
}

func diagnose(e Expected, s Sight) Finding {
	want := e.Record
	records := s.Records
	var alias string
	for len(records) > 0 && records[0].Type == "CNAME" && want.Type != "CNAME" {
		alias, records = records[0].Value, records[1:]
	}
	if want.Type == "TXT" {
		records = candidates(e, records)
	}
	good := slices.ContainsFunc(records, func(r state.Record) bool { return e.fits(r) })
	switch {
	case good && (want.Type != "TXT" || len(records) == 1):
		return Finding{}
	case alias != "":
		return e.aliased(alias, len(records))
	case len(records) == 0:
		return e.missing(s)
	case want.Type != "TXT":
		return e.different(records)
	case len(records) > 1:
		return e.several(records, good)
	}
	if f, known := damage(e, records[0].Value); known {
		return f
	}
	return e.different(records)
}

// fits reports whether a record at the right name does the work of ours.
func (e Expected) fits(r state.Record) bool {
	switch e.Record.Type {
	case "TXT":
		return says(e.Record.Value, r.Value)
	case "MX": // whatever the preference
		return strings.EqualFold(target(r.Value), target(e.Record.Value))
	}
	r.Name = e.Record.Name
	return same(r, e.Record)
}

func target(mx string) string { return dns.Fqdn(mx[strings.LastIndexByte(mx, ' ')+1:]) }

// candidates are the texts that stand in the place of ours: all at a name that
// is made for one, elsewhere those that are meant for the same.
func candidates(e Expected, records []state.Record) []state.Record {
	want := e.Record
	if ownName(want.Name) && !strings.Contains(want.Name, "._report._dmarc.") {
		return records
	}
	version, _, _ := strings.Cut(strings.FieldsFunc(want.Value+" ", func(r rune) bool { return r == ' ' || r == ';' })[0], ";")
	return slices.DeleteFunc(slices.Clone(records), func(r state.Record) bool {
		text := strings.ToLower(squeezed(bare(r.Value)))
		return !strings.HasPrefix(text, strings.ToLower(version)) && r.Value != want.Value
	})
}

func (e Expected) aliased(target string, found int) Finding {
	behind := "has no such record"
	if found > 0 {
		behind = "says something else"
	}
	return Finding{
		Alias, fmt.Sprintf("the name is an alias (CNAME) of %s, which %s", noDot(target), behind),
		fmt.Sprintf("take the CNAME at %s out and put the record there: nothing can stand beside a CNAME", noDot(e.Record.Name)),
	}
}

func (e Expected) missing(s Sight) Finding {
	if e.Wildcard != "" {
		return Finding{
			Missing, fmt.Sprintf("lost: %s has it, and answers no longer for a name that exists (RFC 4592)", noDot(e.Wildcard)), e.copied(),
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Elsewhere)) {
		for _, r := range s.Elsewhere[name] {
			if r.Type != e.Record.Type || !e.resembles(r) {
				continue
			}
			if name == doubled(e.Record.Name, e.Zone) || name == doubled(e.Record.Name, e.Domain) {
				return Finding{
					Doubled, "nothing there, but " + noDot(name) + " has it: the domain was added to a name that had it already",
					"enter the name as " + e.relative(),
				}
			}
			return Finding{Misplaced, "nothing there, but " + noDot(name) + " has it", "rename that record to " + e.relative() + " (in full: " + noDot(e.Record.Name) + ")"}
		}
	}
	return Finding{Missing, "missing", e.publish()}
}

// resembles reports whether a record at another name was meant to be ours,
// perhaps with damage of its own.
func (e Expected) resembles(r state.Record) bool {
	if e.fits(r) {
		return true
	}
	f, known := damage(e, r.Value)
	return known && !slices.Contains([]Fault{OtherKey, Revoked, Damaged}, f.Fault)
}

// several explains more than one record where receivers expect one.
func (e Expected) several(records []state.Record, good bool) Finding {
	if a, b := records[0].Value, records[1].Value; len(records) == 2 && (says(e.Record.Value, a+b) || says(e.Record.Value, b+a)) {
		return Finding{
			Second, "the value is spread over two records instead of two strings of one",
			"one record: mailsetup dns " + e.Domain + " --format zone",
		}
	}
	what, effect := "records", "receivers then see none"
	if policy.IsSPF(e.Record.Value) {
		what, effect = "SPF records", "receivers take two for an error"
	}
	if good {
		return Finding{
			Second, fmt.Sprintf("a second record beside ours, and %s: %s", effect, others(e, records)),
			"take the other one out",
		}
	}
	return Finding{
		Second, fmt.Sprintf("%d %s where one is allowed, and none is right: %s", len(records), what, others(e, records)),
		"take them out and " + e.publish(),
	}
}

func others(e Expected, records []state.Record) string {
	var list []string
	for _, r := range records {
		if !e.fits(r) {
			list = append(list, quote(r.Value, ""))
		}
	}
	if len(list) == 0 {
		list = append(list, "the same once more")
	}
	slices.Sort(list) // name servers turn the order around
	return strings.Join(list, ", ")
}

// different says what another value lacks.
func (e Expected) different(records []state.Record) Finding {
	want, lacks := e.Record.Value, []string(nil)
	has := records[0].Value
	switch {
	case policy.IsSPF(want):
		w, _ := policy.ParseSPF(want)
		g, err := policy.ParseSPF(has)
		if err != nil {
			return Finding{Damaged, "receivers do not read the SPF record there: " + err.Error(), e.replace()}
		}
		lacks = g.Lacks(w)
	case policy.IsDMARC(want):
		w, _ := policy.ParseDMARC(want)
		g, err := policy.ParseDMARC(has)
		if err != nil {
			return Finding{Damaged, "receivers do not read the DMARC record there: " + err.Error(), e.replace()}
		}
		lacks = g.Lacks(w)
	}
	if len(lacks) > 0 {
		return Finding{Different, fmt.Sprintf("another value, which lacks %s: %s", strings.Join(lacks, ", "), quote(has, "")), e.replace()}
	}
	return Finding{Different, "another value: " + texts(records, []state.Record{e.Record}), e.replace()}
}

// Suspects are names at which a record may stand that is missing at its own.
func Suspects(e Expected) []string {
	name, domain := e.Record.Name, dns.CanonicalName(e.Domain)
	list := []string{doubled(name, e.Zone), doubled(name, e.Domain)}
	label, rest, _ := strings.Cut(name, ".")
	switch {
	case e.Record.Type != "TXT":
	case isKey(e.Record.Value):
		list = append(list, label+"."+domain, label+".domainkey."+domain, "_domainkey."+domain, domain)
		if e.Zone != domain { // relative to the domain instead of the zone
			list = append(list, label+"._domainkey."+e.Zone)
		}
		for _, selector := range append(slices.Sorted(maps.Keys(e.Keys)), "default", "mail", "dkim") {
			list = append(list, selector+"."+rest)
		}
	case strings.HasPrefix(name, "_dmarc."):
		list = append(list, "dmarc."+rest, rest)
	}
	list = slices.DeleteFunc(list, func(n string) bool { return n == name || !dns.IsSubDomain(e.Zone, n) })
	slices.Sort(list)
	return slices.Compact(list)
}

// doubled is a name to which a form has added the domain once more.
func doubled(name, domain string) string { return name + dns.CanonicalName(domain) }

func noDot(name string) string { return strings.TrimSuffix(name, ".") }

// relative is the name as web forms want it, seen from its zone.
func (e Expected) relative() string {
	if e.Record.Name == e.Zone {
		return "@"
	}
	return strings.TrimSuffix(e.Record.Name, "."+e.Zone)
}
