package zonefile

import (
	"bytes"
	"fmt"
	"strings"

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

// Plain returns one line of name, type and value for each record, as Lines has
// them, without a heading: for programs, and to be pasted piece by piece.
func Plain(records []state.Record, origin string) string {
	_, rows, _ := strings.Cut(Lines(records, origin), "\n")
	return rows
}
