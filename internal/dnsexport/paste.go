package dnsexport

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/dnsprovider"
	"mailsetup/internal/parallel"
	"mailsetup/internal/text"
	"mailsetup/zonefile"
)

// FindServers fills in the names of the name servers of each zone, which tell whose form
// its records go to.
func FindServers(ctx context.Context, list []Domain, lookup func(ctx context.Context, zone string) []string) {
	zones := byZone(list)
	servers := map[string][]string{}
	var mu sync.Mutex
	_ = parallel.Do(len(zones), maxLookups, func(i int) error {
		names := lookup(ctx, zones[i].origin)
		mu.Lock()
		defer mu.Unlock()
		servers[zones[i].origin] = names
		return nil
	})
	for i := range list {
		list[i].Servers = servers
	}
}

// serversOf returns the names of the name servers of a zone.
func (r *Records) serversOf(ctx context.Context, zone string) []string {
	records, _, err := r.machine.Resolver.Lookup(ctx, zone, "NS")
	if err != nil {
		return nil
	}
	var names []string
	for _, x := range records {
		if x.Type == "NS" {
			names = append(names, dnsname.TrimDot(x.Value))
		}
	}
	slices.Sort(names)
	return names
}

// screen is how many columns a terminal has at least.
const screen = 80

// paste returns the records of a zone for the fields of a web form, in columns, with what
// is known of the form. A value that has no room in its column stands below them, on a
// line of its own, to be copied whole.
func paste(z zoneRecords, servers []string) []byte {
	var b strings.Builder
	comment := func(format string, a ...any) {
		for line := range strings.Lines(text.Wrap(fmt.Sprintf(format, a...), screen-4)) {
			b.WriteString("# " + line)
		}
		b.WriteString("\n")
	}
	var form dnsprovider.Habits
	zone := dnsname.TrimDot(z.origin)
	switch p := dnsprovider.Of(servers); {
	case p == nil && len(servers) == 0:
		comment("zone %s", zone)
	case p == nil:
		comment("zone %s, at the name servers %s", zone, text.List(servers, 4))
	default:
		comment("zone %s, at %s (name servers %s)", zone, p.Name, text.List(servers, 4))
		form = p.Habits
	}
	if habits := form.String(); habits != "" {
		comment("its form: %s", habits)
	}
	if !form.Relative {
		comment("names are without the domain, as most forms take them: enter them in full where the form does not add it")
	}
	b.WriteString("\n")
	rows := [][]string{{"NAME", "TYPE", "PRIORITY", "TTL", "VALUE"}}
	for _, r := range z.records {
		priority, value := preference(r)
		if r.Type == "TXT" && form.Quotes {
			value = quoted(value)
		}
		rows = append(rows, []string{zonefile.Relative(r.Name, z.origin), r.Type, priority, fmt.Sprint(r.TTL), text.Printable(value)})
	}
	rows, below := withoutEmpty(rows), []string(nil)
	last := len(rows[0]) - 1
	room := screen - last*2
	for i := range last {
		room -= slices.Max(widths(rows, i))
	}
	for _, row := range rows[1:] {
		if value := row[last]; len(value) > max(room, minRoom) {
			below = append(below, fmt.Sprintf("value %d, of %s, %s%s:", len(below)/2+1, row[0], text.Count(len(value), "character"), tooLong(len(value), form.MaxTXT)), value)
			row[last] = fmt.Sprintf("(value %d below)", len(below)/2)
		}
	}
	b.WriteString(text.Columns(rows, screen))
	for i := 0; i < len(below); i += 2 {
		b.WriteString("\n")
		comment("%s", below[i])
		b.WriteString(below[i+1] + "\n")
	}
	for i, r := range z.replaced {
		if i == 0 {
			b.WriteString("\n")
		}
		comment("take out: %s %s %s", zonefile.Relative(r.Name, z.origin), r.Type, text.Printable(r.Value))
	}
	return []byte(b.String())
}

// minRoom is the width that a column of values has beside names that are very long.
const minRoom = 24

func tooLong(octets, most int) string {
	if most == 0 || octets <= most {
		return ""
	}
	return fmt.Sprintf(", more than the %d that this form is said to take", most)
}

// quoted returns a TXT value as a zone file has it on one line.
func quoted(value string) string {
	parts := zonefile.SplitTXT(value)
	for i, p := range parts {
		parts[i] = `"` + zonefile.Escape(p) + `"`
	}
	return strings.Join(parts, " ")
}

// withoutEmpty returns rows without the columns in which only the heading has something.
func withoutEmpty(rows [][]string) [][]string {
	for i := len(rows[0]) - 1; i >= 0; i-- {
		if slices.ContainsFunc(rows[1:], func(row []string) bool { return row[i] != "" }) {
			continue
		}
		for j := range rows {
			rows[j] = slices.Delete(rows[j], i, i+1)
		}
	}
	return rows
}

func widths(rows [][]string, column int) []int {
	list := make([]int, len(rows))
	for i, row := range rows {
		list[i] = len(row[column])
	}
	return list
}
