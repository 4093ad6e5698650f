package dnscheck

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/text"
)

// Problem is one fault, on one or more name servers.
type Problem struct {
	Record  string // name and type; "" for a problem of the servers as a whole
	Text    string
	Remedy  string
	Servers []string
}

// Problems returns the faults. The same fault on several servers is one problem.
func (r Result) Problems() []Problem {
	var list []Problem
	add := func(record, server string, f dnsclient.Finding) {
		i := slices.IndexFunc(list, func(p Problem) bool { return p.Record == record && p.Text == f.Text && p.Remedy == f.Remedy })
		if i < 0 {
			i, list = len(list), append(list, Problem{Record: record, Text: f.Text, Remedy: f.Remedy})
		}
		if server != "" {
			list[i].Servers = append(list[i].Servers, server)
		}
	}
	for _, record := range r.NoServer {
		add(record.NameAndType(), "", record.Finding)
	}
	for _, s := range r.Servers {
		if !s.ServerProblem.OK() && !s.NotAsked() {
			add("", s.String(), s.ServerProblem)
		}
		for _, record := range s.Records {
			if !record.OK() {
				add(record.NameAndType(), s.String(), record.Finding)
			}
		}
	}
	if len(list) == 0 && !r.OK() {
		list = append(list, Problem{Text: "no name server can be asked from this machine", Remedy: "ask from another network"})
	}
	return list
}

// Where names the record and the servers of a problem in a domain that has a number
// of servers.
func (p Problem) Where(servers int) string {
	at := strings.Join(p.Servers, ", ")
	if len(p.Servers) == servers && servers > 2 {
		at = fmt.Sprintf("all %d name servers", servers)
	}
	switch {
	case p.Record == "":
		return at
	case at == "":
		return p.Record
	}
	return p.Record + " at " + at
}

// NameAndType names the record in messages: "_dmarc.example.org TXT".
func (e ExpectedRecord) NameAndType() string {
	return dnsname.TrimDot(e.Record.Name) + " " + e.Record.Type
}

// Summary returns the result in one line.
func (r Result) Summary() string {
	list := r.Problems()
	if len(list) == 0 {
		return r.summaryOK()
	}
	line := list[0].Text
	if where := list[0].Where(len(r.Servers)); where != "" {
		line = where + ": " + line
	}
	if len(list) > 1 {
		line += fmt.Sprintf(" (and %d more)", len(list)-1)
	}
	return line
}

// summaryOK counts the records and the servers that have them.
func (r Result) summaryOK() string {
	records := map[string]bool{}
	servers := 0
	for _, s := range r.Servers {
		if s.NotAsked() {
			continue
		}
		servers++
		for _, record := range s.Records {
			records[record.NameAndType()+record.Record.Value] = true
		}
	}
	return fmt.Sprintf("all %s at %s", text.Count(len(records), "record"), text.Count(servers, "name server"))
}

// Summary returns the result for one server in one line.
func (s ServerResult) Summary() string {
	n := len(s.Records)
	switch {
	case s.NotAsked():
		return fmt.Sprintf("%s: not asked, %s", s, s.ServerProblem.Text)
	case !s.ServerProblem.OK():
		return fmt.Sprintf("%s: %s", s, s.ServerProblem.Text)
	case s.OK():
		return fmt.Sprintf("%s has what it should, %s", s, text.Count(n, "record"))
	}
	var bad []string
	for _, r := range s.Records {
		if !r.OK() {
			bad = append(bad, fmt.Sprintf("%s (%s)", r.NameAndType(), r.Fault))
		}
	}
	return fmt.Sprintf("%s has %d of %s: %s", s, n-len(bad), text.Count(n, "record"), strings.Join(bad, ", "))
}

// ServedEverywhere reports whether all authoritative servers of a name serve its
// record.
func (r Result) ServedEverywhere(name string) bool {
	served := false
	for _, s := range r.Servers {
		for _, record := range s.Records {
			if record.Record.Name == name {
				if !record.OK() {
					return false
				}
				served = true
			}
		}
		// A server that said nothing might have had another record.
		if !s.ServerProblem.OK() && !s.NotAsked() && strings.HasSuffix(name, "."+s.Zone) {
			return false
		}
	}
	return served
}

// LastCheck returns the result for the file of last checks, with the time at which all
// servers had the record of each key.
func (r Result) LastCheck(keys []keyring.Key, now time.Time) keyring.LastCheck {
	c := keyring.LastCheck{At: now, OK: r.OK(), Found: r.Summary(), Seen: map[string]time.Time{}}
	for _, k := range keys {
		if k.Stage != keyring.Gone && r.ServedEverywhere(dnsname.Key(k.Selector, r.Domain)+".") {
			c.Seen[k.Selector] = now
		}
	}
	return c
}
