// Package route is the way of a probe through Postfix: an address that no host
// outside can have, and the entry of transport_maps that leads it to a sink on
// this machine through an SMTP transport of master.cf. It is pure text.
package route

import (
	"slices"
	"strings"

	"mailsetup/internal/state"
)

const (
	// Host is where the sink listens while a probe runs. All of 127.0.0.0/8 is
	// this machine (RFC 1122 section 3.2.1.3).
	Host = "127.83.77.1"
	// Listen is its port, too: below 1024, so that only root can listen there, and
	// not 25, which Postfix itself may have with inet_interfaces = all.
	Listen = Host + ":24"
	// Domain is the address literal (RFC 5321 section 4.1.3) of probe addresses.
	Domain = "[" + Host + "]"
	// Nexthop is the sink in the words of transport(5).
	Nexthop = Domain + ":24"

	// Parameter is the one of main.cf that holds the entry.
	Parameter = "transport_maps"
)

// Transports returns the services of master.cf(5) by which mail may leave over IPv4:
// SMTP clients, but for those that lead to a content filter.
func Transports(p *state.Postfix) []string {
	var all []string
	for _, s := range p.Services {
		name, unix := strings.CutSuffix(s.Name, "/unix")
		if unix && s.Command == "smtp" && !filters(p, name) && overIPv4(p, s) {
			all = append(all, name)
		}
	}
	return all
}

// Everywhere returns the values of a parameter in main.cf and in services of master.cf,
// without empty ones.
func Everywhere(p *state.Postfix, name string) []string {
	all := []string{p.Value[name]}
	for _, s := range p.Services {
		if o, own := s.Option(name); own {
			all = append(all, o.Expanded)
		}
	}
	all = slices.DeleteFunc(all, func(v string) bool { return strings.TrimSpace(v) == "" })
	slices.Sort(all)
	return slices.Compact(all)
}

func filters(p *state.Postfix, transport string) bool {
	return slices.ContainsFunc(Everywhere(p, "content_filter"), func(v string) bool {
		name, _, _ := strings.Cut(v, ":")
		return name == transport
	})
}

func overIPv4(p *state.Postfix, s state.Service) bool {
	value := p.Value["inet_protocols"]
	if o, own := s.Option("inet_protocols"); own {
		value = o.Expanded
	}
	list := Maps(strings.ToLower(value))
	return len(list) == 0 || slices.Contains(list, "all") || slices.Contains(list, "ipv4")
}

// Recipient returns the address whose mail takes a transport to the sink.
func Recipient(transport string) string { return transport + "@" + Domain }

// Table returns the entry for the transports: a table without a file, without postmap
// and default_database_type, and visible in a chroot. All other addresses at the sink
// take the first transport, so that none of their mail leaves.
func Table(transports []string) string {
	if len(transports) == 0 {
		return ""
	}
	rows := []string{Domain + "=" + transports[0] + ":" + Nexthop}
	for _, t := range transports[1:] {
		rows = append(rows, Recipient(t)+"="+t+":"+Nexthop)
	}
	return "inline:{" + strings.Join(rows, ", ") + "}"
}

// Merge puts the entry for the transports first in a value of transport_maps, replacing
// an earlier one of ours. Everything else stays byte for byte. Without transports it
// removes the entry.
func Merge(value string, transports []string) string {
	rest := Without(value)
	switch table := Table(transports); {
	case table == "":
		return rest
	case rest == "":
		return table
	default:
		return table + ", " + rest
	}
}

// Own reports whether a table is one that Table returns: its only keys are addresses of
// probes.
func Own(table string) bool {
	rows, inline := strings.CutPrefix(table, "inline:{")
	rows, closed := strings.CutSuffix(rows, "}")
	for row := range strings.FieldsFuncSeq(rows, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
		if key, _, _ := strings.Cut(row, "="); key != Domain && !strings.HasSuffix(key, "@"+Domain) {
			return false
		}
	}
	return inline && closed
}

// Without returns a value of transport_maps without our entry.
func Without(value string) string {
	for _, m := range cut(value) {
		text := value[m.from:m.to]
		if strings.HasPrefix(text, "inline:{") && strings.Contains(text, Domain+"=") {
			if rest := strings.TrimLeft(value[m.to:], separators); rest != "" {
				return value[:m.from] + rest
			}
			return strings.TrimRight(value[:m.from], separators) // it came last
		}
	}
	return value
}

// Maps returns the tables of a list, postconf(5): separated by commas and white space,
// with braces kept together.
func Maps(value string) []string {
	var all []string
	for _, m := range cut(value) {
		all = append(all, value[m.from:m.to])
	}
	return slices.Clip(all)
}

const separators = ", \t\r\n"

type span struct{ from, to int }

func cut(value string) []span {
	var all []span
	depth, from := 0, -1
	for i := range len(value) {
		separates := depth == 0 && strings.IndexByte(separators, value[i]) >= 0
		switch {
		case separates && from >= 0:
			all = append(all, span{from, i})
			from = -1
		case !separates && from < 0:
			from = i
		}
		switch value[i] {
		case '{':
			depth++
		case '}':
			depth = max(0, depth-1)
		}
	}
	if from >= 0 {
		all = append(all, span{from, len(value)})
	}
	return all
}
