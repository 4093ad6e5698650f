package zonefile

import (
	"bytes"
	"fmt"

	"mailsetup/internal/state"
)

// Nsupdate returns a script of nsupdate(1) that adds records to a zone, after
// taking out those whose place they take. Without a server nsupdate asks the
// one that the zone's SOA names. Records outside the zone are left out.
func Nsupdate(title, origin, server string, records, replaced []state.Record) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "; Mail records of %s\n", oneLine(title))
	if server != "" {
		fmt.Fprintf(&b, "server %s\n", oneLine(server))
	}
	fmt.Fprintf(&b, "zone %s\n", oneLine(origin))
	for _, rrs := range grouped(replaced) {
		for _, r := range rrs {
			if Relative(r.Name, origin) != r.Name {
				fmt.Fprintf(&b, "update delete %s IN %s %s\n", oneLine(r.Name), r.Type, lineData(r))
			}
		}
	}
	for g, rrs := range grouped(records) {
		commented := false
		for _, r := range rrs {
			if Relative(r.Name, origin) == r.Name {
				continue
			}
			if !commented {
				fmt.Fprintf(&b, "; %s\n", group(g).comment())
				commented = true
			}
			fmt.Fprintf(&b, "update add %s %d IN %s %s\n", oneLine(r.Name), r.TTL, r.Type, lineData(r))
		}
	}
	b.WriteString("send\n")
	return b.Bytes()
}

// lineData is a record's data on one line.
func lineData(r state.Record) string {
	if r.Type == "TXT" {
		return quotedTXT(r.Value)
	}
	return oneLine(r.Value)
}

// Plain returns one line of name, type and value for each record, without a heading:
// names as Lines has them, values as in a zone file but for quotes. It is for programs,
// and to be pasted piece by piece.
func Plain(records []state.Record, origin string) string {
	var rows [][4]string
	for _, r := range inGroups(records) {
		rows = append(rows, [4]string{Relative(r.Name, origin), fmt.Sprintf("%-4s", r.Type), "", oneLine(r.Value)})
	}
	return columns(rows)
}
