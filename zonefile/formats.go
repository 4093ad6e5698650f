package zonefile

import (
	"bytes"
	"fmt"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
)

// formatted writes records under the comments of their groups, for files whose comments
// begin with #. Comments have no quotes: dnsmasq counts them.
func formatted(title, indent string, records []state.Record, one func(state.Record) string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s# Mail records of %s\n", indent, oneLine(title))
	for g, rrs := range grouped(records) {
		if len(rrs) > 0 {
			fmt.Fprintf(&b, "%s# %s\n", indent, group(g).comment())
		}
		for _, r := range rrs {
			b.WriteString(indent + one(r) + "\n")
		}
	}
	return b.Bytes()
}

// maxDnsmasq is the longest line of dnsmasq.conf that dnsmasq reads as one.
const maxDnsmasq = 1000

// Dnsmasq returns records as dnsmasq(8) takes them in its configuration. Text
// stands in quotes, since commas separate strings elsewhere, and dnsmasq itself
// cuts it after 255 octets. TTLs are left to its local-ttl.
func Dnsmasq(title string, records []state.Record) []byte {
	return formatted(title, "", records, func(r state.Record) string {
		name, line := dnsname.TrimDot(oneLine(r.Name)), ""
		switch r.Type {
		case "A", "AAAA":
			line = fmt.Sprintf("host-record=%s,%s", name, r.Value)
		case "MX":
			preference, target, _ := strings.Cut(r.Value, " ")
			line = fmt.Sprintf("mx-host=%s,%s,%s", name, dnsname.TrimDot(target), preference)
		case "TXT":
			line = fmt.Sprintf("txt-record=%s,\"%s\"", name, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(r.Value))
		}
		switch {
		case line == "":
			return fmt.Sprintf("# dnsmasq cannot say it: %s %s %s", name, r.Type, oneLine(r.Value))
		case len(line) > maxDnsmasq:
			return fmt.Sprintf("# too long for dnsmasq, %d octets: %s %s", len(r.Value), name, r.Type)
		}
		return oneLine(line)
	})
}

// Unbound returns records as local data of unbound.conf(5). A zone that is
// typetransparent lets names and types beside them be looked up as before.
func Unbound(title, origin string, records []state.Record) []byte {
	var b bytes.Buffer
	b.WriteString("server:\n")
	fmt.Fprintf(&b, "    local-zone: \"%s\" typetransparent\n", origin)
	seen := map[string]bool{}
	for _, r := range records {
		if Relative(r.Name, origin) == r.Name && !seen[r.Name] {
			fmt.Fprintf(&b, "    local-zone: \"%s\" typetransparent\n", oneLine(r.Name))
			seen[r.Name] = true
		}
	}
	b.Write(formatted(title, "    ", records, func(r state.Record) string {
		return fmt.Sprintf("local-data: '%s %d IN %s %s'", oneLine(r.Name), r.TTL, r.Type, unquotedData(r))
	}))
	return b.Bytes()
}

// PowerDNS returns the commands of pdnsutil(1) that add records to a zone in a
// database of PowerDNS, and that make the server forget what it found missing.
// Names are relative to the zone, whatever they look like.
func PowerDNS(title, origin string, records []state.Record) []byte {
	zone := dnsname.TrimDot(origin)
	text := formatted(title, "", records, func(r state.Record) string {
		name := Relative(r.Name, origin)
		if name == r.Name {
			return fmt.Sprintf("# not in %s: %s %s %s", zone, oneLine(r.Name), r.Type, unquotedData(r))
		}
		return fmt.Sprintf("pdnsutil add-record %s %s %s %d '%s'", zone, oneLine(name), r.Type, r.TTL, unquotedData(r))
	})
	return append(text, fmt.Sprintf("pdnsutil increase-serial %s\npdns_control purge '%s$'\n", zone, zone)...)
}

// unquotedData returns a record's data on one line and without the quote ', which could
// end the surrounding string.
func unquotedData(r state.Record) string {
	if r.Type == "TXT" {
		return strings.ReplaceAll(lineData(r), "'", `\039`)
	}
	return strings.ReplaceAll(lineData(r), "'", "")
}
