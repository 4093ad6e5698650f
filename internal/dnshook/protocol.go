// Package dnshook reads and changes zones by a hook: a program of the administrator's that
// knows the API of a DNS provider. It gets a request as JSON on its standard input and
// answers on its standard output; docs/schema/dns-hook.schema.json describes both.
package dnshook

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/state"
	"mailsetup/zonefile"
)

// Version is that of the requests and answers.
const Version = 1

// Operation is what a hook is asked to do.
type Operation string

// The operations. A hook that changes an RRset does so only if that has the values that are
// expected; any other RRset stays as it is.
const (
	List    Operation = "list"    // name the zones; or the RRsets of one zone
	Present Operation = "present" // have an RRset be these values
	Remove  Operation = "remove"  // have an RRset be gone
)

// Request is what a hook reads.
type Request struct {
	Version   int       `json:"version"`
	Operation Operation `json:"operation"`
	Zone      string    `json:"zone,omitempty"`
	// Names are those whose RRsets are asked for: all types of each.
	Names []string `json:"names,omitempty"`
	// The RRset that is changed.
	Name     string   `json:"name,omitempty"`
	Type     string   `json:"type,omitempty"`
	TTL      *uint32  `json:"ttl,omitempty"` // may be 0
	Values   []string `json:"values,omitzero"`
	Expected []string `json:"expected,omitzero"` // what it has now
	// Add and Delete are the difference, for those who know single records only.
	Add    []string `json:"add,omitzero"`
	Delete []string `json:"delete,omitzero"`
}

// Answer is what a hook writes.
type Answer struct {
	Version int      `json:"version"`
	Zones   []string `json:"zones,omitempty"`
	RRsets  []RRset  `json:"rrsets,omitempty"`
}

// RRset has the values of a name and type as a zone file has them. Of TXT the strings are
// joined, without quotes.
type RRset struct {
	Name   string   `json:"name"`
	Type   string   `json:"type"`
	TTL    uint32   `json:"ttl"`
	Values []string `json:"values"`
}

// The exit codes of a hook. After any other nobody knows what it did.
const (
	exitRefused = 2 // the request or the settings are wrong
	exitChanged = 3 // the RRset is not what was expected
	exitLater   = 4 // the provider cannot be reached, or has had too many requests
	exitDenied  = 5 // the provider does not accept the credential
)

// parse reads the answer to a request.
func parse(text []byte) (Answer, error) {
	var a Answer
	dec := json.NewDecoder(strings.NewReader(string(text)))
	switch err := dec.Decode(&a); {
	case len(strings.TrimSpace(string(text))) == 0:
		return a, errors.New("it wrote nothing")
	case err != nil:
		return a, fmt.Errorf("it wrote no JSON answer: %w", err)
	case strings.TrimSpace(string(text)[dec.InputOffset():]) != "":
		return a, errors.New("it wrote more than one JSON answer")
	case a.Version != Version:
		return a, fmt.Errorf("its answer has version %d, not %d", a.Version, Version)
	}
	for i, z := range a.Zones {
		if _, ok := dns.IsDomainName(z); !ok || z == "" {
			return a, fmt.Errorf("it names a zone %q, which is no domain name", z)
		}
		a.Zones[i] = dns.CanonicalName(z)
	}
	return a, nil
}

// listing has how a hook lists records: what is equal for name servers can be written in
// several ways, and a hook compares texts.
type listing map[state.Record]string

// records returns the records of RRsets that the wanted types are among, or that redirect or
// delegate names, and how they are listed.
func records(sets []RRset, wanted func(name, kind string) bool) ([]state.Record, listing, error) {
	var list []state.Record
	listed := listing{}
	for _, s := range sets {
		name := dns.CanonicalName(s.Name)
		if !wanted(name, s.Type) {
			continue
		}
		for _, v := range s.Values {
			r, err := record(name, s.Type, s.TTL, v)
			if err != nil {
				return nil, nil, err
			}
			list, listed[r] = append(list, r), v
		}
	}
	return list, listed, nil
}

// record reads a value, and brings it into the form that those of name servers have.
func record(name, kind string, ttl uint32, value string) (state.Record, error) {
	r := state.Record{Name: name, Type: kind, TTL: ttl, Value: value}
	if kind == "TXT" {
		r.Value = zonefile.Unescape(value)
		return r, nil
	}
	rr, err := dns.NewRR(fmt.Sprintf("%s %d IN %s %s", name, ttl, kind, value))
	if err != nil || rr == nil || strings.ContainsAny(value, "\r\n") {
		return r, fmt.Errorf("its answer has %s %s with %q, which is no such record", name, kind, value)
	}
	return dnsclient.FromRR(rr), nil
}

// value is that of a record as a hook has it.
func (l listing) value(r state.Record) string {
	if v, is := l[r]; is {
		return v
	}
	if r.Type == "TXT" {
		return zonefile.Escape(r.Value)
	}
	return r.Value
}

func (l listing) values(list []state.Record) []string {
	all := make([]string, 0, len(list))
	for _, r := range list {
		all = append(all, l.value(r))
	}
	slices.Sort(all)
	return all
}
