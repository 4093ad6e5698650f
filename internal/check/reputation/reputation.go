// Package reputation checks what block lists say of the addresses and domains of a
// server, and whether the lists can be believed.
package reputation

import (
	"context"
	"slices"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsbl"
	"mailsetup/internal/dnsbl/prove"
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
	// questions.
	maxDomains = 50
)

// checker is one run.
type checker struct {
	ask   prove.Asker
	lists []dnsbl.List
	// works says of each list what it can be asked about.
	works []prove.Abilities
}

// Check asks block lists about the addresses from which mail leaves, and about the
// domains. Each list proves itself first.
func Check(ctx context.Context, client *dnsclient.Client, s subject.Server, domains []subject.Domain, o Options) finding.Result {
	c := &checker{ask: prove.Asker{DNS: client}, lists: chosen(o)}
	var r finding.Result
	if client == nil || len(c.lists) == 0 {
		return r
	}
	c.works = make([]prove.Abilities, len(c.lists))
	health := make([]finding.Finding, len(c.lists))
	_ = parallel.Do(len(c.lists), atATime, func(i int) error {
		health[i], c.works[i] = c.prove(ctx, c.lists[i])
		return nil
	})
	r.Findings = append(health, c.ofAddresses(ctx, s, domains)...)
	r.Findings = append(r.Findings, c.ofDomains(ctx, domains, len(o.Zones) > 0)...)
	return r
}

// chosen are the lists that are asked: those of the administrator, and with --online
// the others. One with a key stands for the public one.
func chosen(o Options) []dnsbl.List {
	var all []dnsbl.List
	for _, zone := range o.Zones {
		all = append(all, dnsbl.Named(zone))
	}
	for _, l := range dnsbl.Known() {
		if o.Online && !slices.ContainsFunc(all, func(own dnsbl.List) bool { return own.Title == l.Title }) {
			all = append(all, l)
		}
	}
	return all
}

// prove lets a list prove itself.
func (c *checker) prove(ctx context.Context, l dnsbl.List) (finding.Finding, prove.Abilities) {
	f := finding.Finding{ID: "bl.health", Subject: l.Shown(), Expected: "it has its own test entry, and nothing else"}
	can, why := c.ask.Prove(ctx, l)
	if can != (prove.Abilities{}) {
		f.Severity, f.Seen = finding.OK, "it has its test entry, and only that"
		return f, can
	}
	f.Severity, f.Seen = finding.Unknown, l.Title+": "+why.Text
	f.Remedy = finding.Text("ask through a resolver of your own on this server; about the one in use:").Command("mailsetup check --only net.resolver")
	if keyed := l.WithKey(); keyed != "" {
		f.Remedy = finding.Text(`a resolver of your own on this server, or a key: block_lists = ["` + keyed + `"] in /etc/mailsetup/host.toml`)
	}
	return f, can
}

// severity is how much a listing matters.
func severity(c dnsbl.Code) finding.Severity {
	switch c.Weight {
	case dnsbl.Heavy:
		return finding.Problem
	case dnsbl.Medium:
		return finding.Warning
	case dnsbl.Light:
		return finding.Note
	}
	return finding.OK
}
