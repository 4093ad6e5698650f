// Package reputation checks what block lists say of the addresses and domains of a
// server, and whether the lists can be believed.
package reputation

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/parallel"
)

// Options say which lists are asked.
type Options struct {
	Online bool     // those that many receivers use
	Zones  []string // those that the administrator named, always
}

const (
	// atATime is how many questions are put at a time.
	atATime = 16
	// maxDomains is how many domains the public lists are asked about: they are for few
	// questions. maxAnswers bounds what is read of an answer.
	maxDomains, maxAnswers = 50, 20
)

// checker is one run.
type checker struct {
	dns   *dnsclient.Client
	lists []list
	// works says of each list what it can be asked about.
	works []abilities
}

// abilities are what a list has proved.
type abilities struct{ names, ipv4, ipv6 bool }

// Check asks block lists about the addresses from which mail leaves, and about the
// domains. Each list proves itself first.
func Check(ctx context.Context, client *dnsclient.Client, s subject.Server, domains []subject.Domain, o Options) finding.Result {
	c := &checker{dns: client, lists: chosen(o)}
	var r finding.Result
	if client == nil || len(c.lists) == 0 {
		return r
	}
	c.works = make([]abilities, len(c.lists))
	health := make([]finding.Finding, len(c.lists))
	_ = parallel.Do(len(c.lists), atATime, func(i int) error {
		health[i], c.works[i] = c.prove(ctx, c.lists[i])
		return nil
	})
	r.Findings = append(health, c.ofAddresses(ctx, s)...)
	r.Findings = append(r.Findings, c.ofDomains(ctx, domains, len(o.Zones) > 0)...)
	return r
}

// chosen are the lists that are asked: those of the administrator, and with --online
// the others. One with a key stands for the public one.
func chosen(o Options) []list {
	var all []list
	for _, zone := range o.Zones {
		zone = strings.ToLower(strings.TrimSuffix(zone, "."))
		l, known := forKey(zone)
		if i := slices.IndexFunc(lists, func(l list) bool { return l.zone == zone }); i >= 0 {
			l, known = lists[i], true
		}
		if l.zone = zone; !known {
			l.title, _ = hideKey(zone)
		}
		all = append(all, l)
	}
	for _, l := range lists {
		if o.Online && !slices.ContainsFunc(all, func(own list) bool { return own.title == l.title }) {
			all = append(all, l)
		}
	}
	return all
}

// prove asks a list for its own entries (RFC 5782 section 5): one that does not have
// the first is dead or refuses, one that has the second lists everything. Which kinds a
// list of the administrator's has is found by that as well.
func (c *checker) prove(ctx context.Context, l list) (finding.Finding, abilities) {
	f := finding.Finding{ID: "bl.health", Subject: l.shown(), Expected: "it has its own test entry, and nothing else"}
	var can abilities
	var why string
	if l.domains || len(l.codes) == 0 {
		can.names, why = c.believable(ctx, l, or(l.listed, "test"), or(l.clear, "invalid"))
	}
	if !l.domains {
		can.ipv4, why = c.believable(ctx, l, reversed(netip.MustParseAddr("127.0.0.2")), reversed(netip.MustParseAddr("127.0.0.1")))
		if can.ipv4 {
			can.ipv6, _ = c.believable(ctx, l, reversed(netip.MustParseAddr("::ffff:127.0.0.2")), reversed(netip.MustParseAddr("::ffff:127.0.0.1")))
		}
	}
	if can != (abilities{}) {
		f.Severity, f.Seen = finding.OK, "it has its test entry, and only that"
		return f, can
	}
	f.Severity, f.Seen = finding.Unknown, l.title+": "+why
	f.Remedy = "ask through a resolver of your own on this server: mailsetup check --only net.resolver"
	if l.keyed != "" && l.shown() == l.zone {
		f.Remedy = `a resolver of your own on this server, or a key: block_lists = ["KEY.` + l.keyed + `"] in /etc/mailsetup/host.toml`
	}
	return f, can
}

// believable reports whether a list has one entry and lacks another, and why not.
func (c *checker) believable(ctx context.Context, l list, listed, clear string) (bool, string) {
	yes, err := c.ask(ctx, l, listed)
	if err != nil {
		return false, "it does not answer: " + clip(err.Error())
	}
	switch v := l.read(yes); {
	case v.refused != "":
		return false, v.refused
	case len(v.codes) == 0 && len(v.odd) > 0:
		return false, fmt.Sprintf("its test entry says %s, which no block list does", v.odd[0])
	case len(v.codes) == 0:
		return false, "it lacks its test entry: it is dead, or does not answer this resolver"
	}
	no, err := c.ask(ctx, l, clear)
	switch v := l.read(no); {
	case err != nil:
		return false, "it does not answer: " + clip(err.Error())
	case v.refused != "":
		return false, v.refused
	case len(no) > 0:
		return false, "it lists everything, even what no list has"
	}
	return true, ""
}

// ask returns the addresses that a list has for a name.
func (c *checker) ask(ctx context.Context, l list, name string) ([]netip.Addr, error) {
	records, status, err := c.dns.Lookup(ctx, name+"."+l.zone+".", "A")
	if status == dnsclient.Unknown {
		return nil, fmt.Errorf("%s", l.withoutKey(err.Error()))
	}
	var all []netip.Addr
	for _, r := range records {
		if a, err := netip.ParseAddr(r.Value); err == nil && r.Type == "A" && a.Is4() && len(all) < maxAnswers {
			all = append(all, a)
		}
	}
	return all, nil
}

// reason is the text that a list has about an entry, "" if it has none.
func (c *checker) reason(ctx context.Context, l list, name string) string {
	records, _, _ := c.dns.Lookup(ctx, name+"."+l.zone+".", "TXT")
	for _, r := range records {
		if r.Type == "TXT" {
			return clip(l.withoutKey(r.Value))
		}
	}
	return ""
}

// reversed is the name of an address in a list: octets, or nibbles, from the end
// (RFC 5782 sections 2.1 and 2.4).
func reversed(a netip.Addr) string {
	var parts []string
	if a.Is4() {
		for _, o := range a.As4() {
			parts = append(parts, fmt.Sprint(o))
		}
	} else {
		for _, o := range a.As16() {
			parts = append(parts, fmt.Sprintf("%x", o>>4), fmt.Sprintf("%x", o&15))
		}
	}
	slices.Reverse(parts)
	return strings.Join(parts, ".")
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// clip cuts what others wrote.
func clip(text string) string {
	const most = 160
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}
