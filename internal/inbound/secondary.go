package inbound

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/tomltext"
)

// Secondary is another MX host of domains that are received here. It hands mail of others
// on to this server, which SPF of their senders does not have; so it passes. What DNS named
// once stays in host.toml: an answer that fails for the moment changes nothing.
type Secondary struct {
	Host    string
	Address netip.Addr
	// Missing is the first day on which DNS no longer had it, "" while it does.
	Missing string
	// Judged is the administrator's decision that it does not pass.
	Judged bool
}

const (
	missingWord, judgedWord = "missing", "judged"
	day                     = time.DateOnly
)

// String is the entry of host.toml.
func (s Secondary) String() string {
	words := []string{s.Host, s.Address.String()}
	switch {
	case s.Judged:
		words = append(words, judgedWord)
	case s.Missing != "":
		words = append(words, missingWord, s.Missing)
	}
	return strings.Join(words, " ")
}

const secondaryHint = `as in "mx2.example.org 192.0.2.7"; "judged" behind it has its mail judged as well`

func parseSecondary(text string) (Secondary, *Fault) {
	refuse := func(why string) (Secondary, *Fault) { return Secondary{}, &Fault{text, why, secondaryHint} }
	w := strings.Fields(strings.ToLower(text))
	if len(w) < 2 {
		return refuse("is no host with its address")
	}
	host, why := name(w[0])
	if why != "" {
		return refuse(why)
	}
	a, err := netip.ParseAddr(w[1])
	if err != nil || a.Zone() != "" {
		return refuse("is no host with its address")
	}
	s := Secondary{Host: host, Address: a.Unmap()}
	switch rest := w[2:]; {
	case len(rest) == 0:
	case len(rest) == 1 && rest[0] == judgedWord:
		s.Judged = true
	case len(rest) == 2 && rest[0] == missingWord:
		if _, err := time.Parse(day, rest[1]); err != nil {
			return refuse(fmt.Sprintf("has %q for a day", tomltext.Clip(rest[1])))
		}
		s.Missing = rest[1]
	default:
		return refuse("has something behind its address")
	}
	return s, nil
}

// mx reads an entry and returns its normal form.
func mx(text string) (string, *Fault) {
	s, bad := parseSecondary(text)
	if bad != nil {
		return "", bad
	}
	return s.String(), nil
}

// Secondaries returns the other MX hosts. The policy is valid.
func (p Policy) Secondaries() []Secondary {
	var all []Secondary
	for _, text := range p.MX {
		if s, bad := parseSecondary(text); bad == nil {
			all = append(all, s)
		}
	}
	return all
}

// maxSecondaries bounds what domains of others can have let past.
const maxSecondaries = 64

// See takes what DNS says of other MX hosts, and returns what is new and what is gone. What
// is not there any more goes on the second day on which a look that left nothing out does
// not see it; of a look that did leave something out only what it saw counts.
func (p *Policy) See(seen []Secondary, whole bool, now time.Time) (fresh, gone []Secondary) {
	if !p.On() {
		p.MX = nil
		return nil, nil
	}
	today := now.UTC().Format(day)
	is := func(a Secondary) func(Secondary) bool {
		return func(b Secondary) bool { return a.Host == b.Host && a.Address == b.Address }
	}
	var all []Secondary
	for _, s := range p.Secondaries() {
		switch {
		case slices.ContainsFunc(seen, is(s)):
			s.Missing = ""
		case !whole || s.Judged:
		case s.Missing == "":
			s.Missing = today
		case s.Missing < today:
			gone = append(gone, s)
			continue
		}
		all = append(all, s)
	}
	for _, s := range seen {
		if !slices.ContainsFunc(all, is(s)) && len(all) < maxSecondaries {
			all, fresh = append(all, s), append(fresh, s)
		}
	}
	p.MX = nil
	for _, s := range all {
		p.MX = append(p.MX, s.String())
	}
	return fresh, gone
}

// judge has secondaries within entries that do not pass any more judged, or those within
// entries that pass no longer.
func (p *Policy) judge(entries []string, judged bool) {
	all := p.Secondaries()
	for i, s := range all {
		for _, e := range entries {
			if n, bad := parseEntry(e); bad == nil && (n.Kind == Network && n.Network.Contains(s.Address) || n.Kind == Host && n.Name == s.Host) {
				all[i].Judged = judged
			}
		}
	}
	p.MX = nil
	for _, s := range all {
		p.MX = append(p.MX, s.String())
	}
}
