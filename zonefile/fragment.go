package zonefile

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
)

// group is a part of the fragment under a comment of its own.
type group int

const (
	addresses group = iota
	servers
	exchangers
	senders
	keys
	policies
	others
)

func (g group) comment() string {
	switch g {
	case addresses:
		return "Addresses of the mail server"
	case servers:
		return "NS: who answers for the zone"
	case exchangers:
		return "MX: who receives mail"
	case senders:
		return "SPF: who may send mail"
	case keys:
		return "DKIM: the public keys that signatures are checked with"
	case policies:
		return "DMARC: what receivers should do with mail that fails, and tell whom"
	default:
		return "Other records"
	}
}

func groupOf(r state.Record) group {
	switch r.Type {
	case "A", "AAAA":
		return addresses
	case "NS":
		return servers
	case "MX":
		return exchangers
	case "TXT":
		return groupOfTXT(r)
	}
	return others
}

func groupOfTXT(r state.Record) group {
	switch {
	case dnsname.IsKey(r.Name):
		return keys
	case dnsname.IsPolicy(r.Name), dnsname.IsReportConsent(r.Name):
		return policies
	case dnsname.IsSPF(r.Value):
		return senders
	}
	return others
}

// Fragment returns the master file that a zone includes: absolute names, TTL
// and class on every record, no directives, since a $TTL leaks out of an
// include and relative names follow whatever origin the includer has. The
// order depends on the records only, not on theirs in the argument. The title
// is what the records are of, a domain for instance. Copies of what wildcards of
// the zone say come last.
func Fragment(title string, records []state.Record, copies ...state.Record) []byte {
	b := text(title, "; Made by mailsetup. Do not edit: the next run writes it anew.\n", records)
	if len(copies) == 0 {
		return b
	}
	b = append(b, copiesMark...)
	for _, rrs := range grouped(copies) {
		b = append(b, lines(rrs)...)
	}
	return b
}

// copiesMark stands before the copies. It is read again: see Copies.
const copiesMark = "\n; Copies of wildcard records of this zone, which no longer count for these names\n"

// Copies returns the part of a fragment with the copies, nil if it has none.
func Copies(fragment []byte) []byte {
	_, copies, _ := bytes.Cut(fragment, []byte(copiesMark))
	return copies
}

// Text returns records as Fragment has them, to be put into a zone by hand.
func Text(title string, records []state.Record) []byte { return text(title, "", records) }

func text(title, remark string, records []state.Record) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "; Mail records of %s\n%s", oneLine(title), remark)
	for g, rrs := range grouped(records) {
		if len(rrs) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n; %s\n", group(g).comment())
		b.Write(lines(rrs))
	}
	return bytes.Clone(b.Bytes()) // without the room that the buffer has left
}

// lines are records with their data below each other.
func lines(rrs []state.Record) []byte {
	var b bytes.Buffer
	width := 0
	for _, r := range rrs {
		width = max(width, len(r.Name))
	}
	for _, r := range rrs {
		b.WriteString(line(r, width))
	}
	return b.Bytes()
}

func grouped(records []state.Record) [others + 1][]state.Record {
	sorted := slices.Clone(records)
	slices.SortFunc(sorted, func(a, b state.Record) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type),
			cmp.Compare(a.Value, b.Value), cmp.Compare(a.TTL, b.TTL))
	})
	var groups [others + 1][]state.Record
	for _, r := range slices.Compact(sorted) {
		g := groupOf(r)
		groups[g] = append(groups[g], r)
	}
	return groups
}

// line writes one record, a TXT on lines of its own where 80 columns are not
// enough. Key material stays in strings of 255 octets all the same: shorter
// ones cost an octet each in an answer that should stay below 512.
func line(r state.Record, width int) string {
	r.Name = oneLine(r.Name)
	head := fmt.Sprintf("%-*s %d IN %-4s ", width, r.Name, r.TTL, r.Type)
	data := Rdata(r)
	if r.Type == "TXT" && len(head)+len(data) > 80 && !strings.Contains(data, "\n") {
		data = multilineTXT([]string{r.Value})
	}
	if strings.HasPrefix(data, "(") {
		head = fmt.Sprintf("%s %d IN %s ", r.Name, r.TTL, r.Type)
	}
	return head + data + "\n"
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// Stamp returns a short hash of a fragment, kept in the line that includes it.
func Stamp(fragment []byte) string {
	sum := sha256.Sum256(fragment)
	return fmt.Sprintf("%x", sum[:4])
}

// Lines returns one line of name, type and value for each record, as the web
// forms of DNS providers take them: names relative to the zone, @ for the zone
// itself, a TXT value whole and without quotes, the preference of an MX record by
// itself.
func Lines(records []state.Record, origin string) string {
	rows := [][4]string{{"name", "type", "", "value"}}
	for _, r := range inGroups(records) {
		row := [4]string{Relative(r.Name, origin), r.Type, "", oneLine(r.Value)}
		if preference, host, ok := strings.Cut(row[3], " "); ok && r.Type == "MX" {
			row[2], row[3], rows[0][2] = preference, host, "priority"
		}
		rows = append(rows, row)
	}
	return columns(rows)
}

// inGroups returns records in the order in which they are shown.
func inGroups(records []state.Record) []state.Record {
	groups := grouped(records)
	return slices.Concat(groups[:]...)
}

// columns lays rows out in columns as wide as what is in them; one in which there is
// nothing is left out.
func columns(rows [][4]string) string {
	var widths [4]int
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row[:3] {
			if widths[i] > 0 {
				fmt.Fprintf(&b, "%-*s  ", widths[i], cell)
			}
		}
		b.WriteString(row[3] + "\n")
	}
	return b.String()
}

// Relative returns a name as seen from the zone; one outside stays absolute.
func Relative(name, origin string) string {
	if !strings.HasSuffix(origin, ".") {
		origin += "."
	}
	if strings.EqualFold(name, origin) {
		return "@"
	}
	cut := len(name) - len(origin) - 1
	if cut > 0 && strings.EqualFold(name[cut:], "."+origin) {
		return name[:cut]
	}
	return name
}
