package dnsexport

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
	"mailsetup/zonefile"
)

// zoneRecords are the records of one zone, whichever domains need them, and those whose
// place they take.
type zoneRecords struct {
	origin            string
	records, replaced []state.Record
}

// byZone returns the records of all domains by their zones, each once.
func byZone(list []Domain) []zoneRecords {
	var zones []zoneRecords
	at := map[string]int{}
	type entry struct {
		zone string
		state.Record
	}
	seen := map[entry]bool{}
	for _, d := range list {
		for _, r := range d.Records {
			i, known := at[r.Zone]
			if !known {
				i = len(zones)
				at[r.Zone], zones = i, append(zones, zoneRecords{origin: r.Zone})
			}
			zones[i].replaced = append(zones[i].replaced, r.replaced()...)
			if e := (entry{r.Zone, r.Record}); !seen[e] {
				seen[e] = true
				zones[i].records = append(zones[i].records, r.Record)
			}
		}
	}
	return zones
}

// recordSet are the records of one name and type.
type recordSet struct {
	name   string // relative to the zone, "@" for the zone itself
	full   string // with the final dot
	typ    string
	ttl    uint32
	values []string
}

// sets returns the record sets of a zone in the order of the records.
func (z zoneRecords) sets() []recordSet {
	var list []recordSet
	at := map[[2]string]int{}
	for _, r := range z.records {
		id := [2]string{r.Name, r.Type}
		i, known := at[id]
		if !known {
			i = len(list)
			at[id], list = i, append(list, recordSet{name: zonefile.Relative(r.Name, z.origin), full: r.Name, typ: r.Type, ttl: r.TTL})
		}
		list[i].ttl = min(list[i].ttl, r.TTL) // one for the set, RFC 2181 section 5.2
		list[i].values = append(list[i].values, r.Value)
	}
	return list
}

// mx returns the preference and the host of the value of an MX record.
func mx(value string) (preference, host string) {
	preference, host, _ = strings.Cut(value, " ")
	return preference, strings.TrimSpace(host)
}

// preference returns the priority that a form has a field for, "" for most types, and
// the rest of the value.
func preference(r state.Record) (priority, value string) {
	if r.Type == "MX" {
		return mx(r.Value)
	}
	return "", r.Value
}

// csvText returns a table (RFC 4180) with a heading: names relative to their zone, a TXT
// value whole and without the quotes of a zone file, the priority of an MX record by
// itself. Lines end in LF: programs that read tables take that as well, and a CR would go
// along with the last value of a line that is cut in a shell.
func csvText(zones []zoneRecords) []byte {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"zone", "name", "type", "priority", "ttl", "value"})
	for _, z := range zones {
		for _, r := range z.records {
			priority, value := preference(r)
			_ = w.Write([]string{
				dnsname.TrimDot(z.origin), zonefile.Relative(r.Name, z.origin), r.Type, priority, strconv.Itoa(int(r.TTL)), text.Printable(value),
			})
		}
	}
	w.Flush()
	return []byte(b.String())
}

// octodns returns the record sets of a zone as octoDNS's YamlProvider reads them (1.22.0,
// octodns/provider/yaml.py): names in natural order, keys in alphabetical order, host
// names with the final dot, values of TXT whole, their semicolons with a backslash unless
// escaped_semicolons is False. A value of either kind is refused by the other setting.
func octodns(z zoneRecords) []byte {
	var b strings.Builder
	zone := dnsname.TrimDot(z.origin)
	fmt.Fprintf(&b, "# Mail records of %[1]s: put them into %[1]s.yaml, beside what is there, in the\n"+
		"# order of names. octoDNS takes out what that file does not have.\n"+
		"# With escaped_semicolons: False, the default from octoDNS 2.0, write ; for \\;\n---\n", zone)
	sets := z.sets()
	slices.SortStableFunc(sets, func(x, y recordSet) int {
		return cmp.Or(natural(apexAs(x.name, ""), apexAs(y.name, "")), cmp.Compare(x.typ, y.typ))
	})
	for i, s := range sets {
		if i == 0 || sets[i-1].name != s.name {
			fmt.Fprintf(&b, "%s:\n", yamlQuote(apexAs(s.name, "")))
		}
		fmt.Fprintf(&b, "- ttl: %d\n  type: %s\n  values:\n", s.ttl, s.typ)
		for _, v := range s.values {
			switch s.typ {
			case "MX":
				preference, host := mx(v)
				fmt.Fprintf(&b, "  - exchange: %s\n    preference: %s\n", host, preference)
			case "TXT":
				fmt.Fprintf(&b, "  - %s\n", yamlQuote(strings.ReplaceAll(v, ";", `\;`)))
			default:
				fmt.Fprintf(&b, "  - %s\n", yamlQuote(v))
			}
		}
	}
	return []byte(b.String())
}

// yamlQuote writes a text in single quotes, in which only they mean something (YAML 1.2
// section 7.3.2).
func yamlQuote(s string) string { return "'" + strings.ReplaceAll(text.Printable(s), "'", "''") + "'" }

// apexAs returns a relative name, with another word for the zone itself.
func apexAs(name, word string) string {
	if name == "@" {
		return word
	}
	return name
}

// natural compares names with the numbers in them as numbers: s9 before s10.
func natural(a, b string) int {
	for a != "" && b != "" {
		x, y := leading(a, false), leading(b, false)
		if c := cmp.Compare(x, y); c != 0 {
			return c
		}
		a, b = a[len(x):], b[len(y):]
		x, y = leading(a, true), leading(b, true)
		a, b = a[len(x):], b[len(y):]
		x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// leading returns the digits at the beginning of a text, or what is before the first one.
func leading(s string, digits bool) string {
	end := strings.IndexFunc(s, func(r rune) bool { return (r >= '0' && r <= '9') != digits })
	if end < 0 {
		return s
	}
	return s[:end]
}

// dnscontrol returns the records of a zone as DNSControl adds them to a D() of
// dnsconfig.js (4.40.0, pkg/js/helpers.js): host names with the final dot, a TXT value
// as one JavaScript string, which DNSControl itself splits. Its JavaScript is that of
// otto, ECMAScript 5, so no comma comes after the last argument.
func dnscontrol(z zoneRecords) []byte {
	var b strings.Builder
	zone := dnsname.TrimDot(z.origin)
	fmt.Fprintf(&b, "// Mail records of %[1]s: put them below its D(%[2]s, ...). DNSControl\n"+
		"// takes out what dnsconfig.js does not have.\nD_EXTEND(%[2]s", zone, jsQuote(zone))
	for _, r := range z.records {
		name := zonefile.Relative(r.Name, z.origin)
		priority, value := preference(r)
		if priority != "" {
			priority += ", "
		}
		fmt.Fprintf(&b, ",\n  %s(%s, %s%s, TTL(%d))", r.Type, jsQuote(name), priority, jsQuote(value), r.TTL)
	}
	b.WriteString("\n);\n")
	return []byte(b.String())
}

// jsQuote writes a text as a string of JavaScript and of JSON.
func jsQuote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s)
	return strings.TrimSuffix(b.String(), "\n")
}

// terraform returns the record sets of zones as resources of the provider hashicorp/dns
// (3.6.1), which sends dynamic updates: zones and hosts with the final dot, names relative
// to the zone and none for the zone itself. It puts a TXT value between quotes and
// reads that as a zone file does, so that a value of over 255 octets is split there,
// and what a zone file escapes is escaped here.
func terraform(zones []zoneRecords) []byte {
	var b strings.Builder
	b.WriteString("# Mail records, for the provider hashicorp/dns. A record set is all that its name has\n" +
		"# of its type: put the other values of yours into it, TXT at the domain above all.\n")
	labels := map[string]bool{}
	for _, z := range zones {
		for _, s := range z.sets() {
			resource, values := terraformValues(s)
			if resource == "" {
				fmt.Fprintf(&b, "\n# hashicorp/dns has no %s: %s %s\n", s.typ, s.full, text.Printable(strings.Join(s.values, ", ")))
				continue
			}
			fmt.Fprintf(&b, "\nresource \"%s\" \"%s\" {\n  zone = %s\n", resource, label(resource, s.full, labels), hclQuote(z.origin))
			if s.name != "@" {
				fmt.Fprintf(&b, "  name = %s\n", hclQuote(s.name))
			}
			fmt.Fprintf(&b, "  ttl  = %d\n\n%s}\n", s.ttl, values)
		}
	}
	return []byte(b.String())
}

// terraformValues returns the type of the resource for a record set, "" if there is
// none, and the lines with its values.
func terraformValues(s recordSet) (resource, lines string) {
	list := func(argument string, value func(string) string) string {
		var b strings.Builder
		for _, v := range s.values {
			fmt.Fprintf(&b, "    %s,\n", hclQuote(value(v)))
		}
		return "  " + argument + " = [\n" + b.String() + "  ]\n"
	}
	same := func(v string) string { return v }
	switch s.typ {
	case "A":
		return "dns_a_record_set", list("addresses", same)
	case "AAAA":
		return "dns_aaaa_record_set", list("addresses", same)
	case "NS":
		return "dns_ns_record_set", list("nameservers", same)
	case "TXT":
		return "dns_txt_record_set", list("txt", zonefile.Escape)
	case "CNAME":
		return "dns_cname_record", "  cname = " + hclQuote(s.values[0]) + "\n"
	case "MX":
		var b strings.Builder
		for i, v := range s.values {
			preference, host := mx(v)
			if i > 0 {
				b.WriteString("\n")
			}
			fmt.Fprintf(&b, "  mx {\n    preference = %s\n    exchange   = %s\n  }\n", preference, hclQuote(host))
		}
		return "dns_mx_record_set", b.String()
	}
	return "", ""
}

// label returns the name of a resource: letters, digits, - and _, the first no digit.
func label(resource, name string, taken map[string]bool) string {
	l := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, dnsname.TrimDot(name))
	if l == "" || l[0] >= '0' && l[0] <= '9' || l[0] == '-' {
		l = "_" + l
	}
	for taken[resource+l] {
		l += "_"
	}
	taken[resource+l] = true
	return l
}

// hclQuote writes a text as a string of HCL: as in JSON, and with the two characters that
// begin a template doubled, since a macro of SPF looks like one.
func hclQuote(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(jsQuote(s))
}
