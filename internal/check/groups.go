package check

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"mailsetup/internal/check/dkim"
	"mailsetup/internal/check/dmarc"
	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/hosts"
	"mailsetup/internal/check/inbound"
	"mailsetup/internal/check/live"
	"mailsetup/internal/check/operation"
	"mailsetup/internal/check/outside"
	"mailsetup/internal/check/relay"
	"mailsetup/internal/check/reputation"
	"mailsetup/internal/check/spf"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/check/transport"
	"mailsetup/internal/check/zone"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/machine"
	"mailsetup/internal/store"
)

// world is what the checks may ask beside the files of the machine.
type world struct {
	machine *machine.Machine
	dns     *dnsclient.Client // nil with --offline
	online  bool              // hosts of others may be asked
	// wants reports whether an ID, or a group, is asked for; only whether by name.
	wants   func(id string) bool
	only    []string
	letters *letters
	live    live.Options
	relay   relay.Options
}

// group is a package of checks. Server is called once, domain once for each domain,
// several at a time; nil for nothing to check. No group depends on the verdict of
// another.
type group struct {
	name   string // "spf", as in mailsetup check --only spf
	ids    string // what its IDs begin with, as in --only; "" for its name
	needs  finding.Need
	server serverCheck
	domain func(ctx context.Context, w world, s subject.Server, d subject.Domain) finding.Result
	// ofServer are the IDs that server finds out where there is a domain, too, which does
	// not, unless ofBoth.
	ofServer string
	ofBoth   bool
}

type serverCheck func(ctx context.Context, w world, s subject.Server, domains []subject.Domain) finding.Result

// kinds are those of the catalogue that the group is about.
func (g group) kinds() []finding.Kind {
	prefixes := strings.Fields(cmp.Or(g.ids, g.name))
	return slices.DeleteFunc(finding.Catalogue(), func(k finding.Kind) bool { return !slices.Contains(prefixes, k.Group()) })
}

// serverKinds are those of the server, domainKinds those of each domain.
func (g group) serverKinds() []finding.Kind {
	return slices.DeleteFunc(g.kinds(), func(k finding.Kind) bool {
		return g.domain != nil && !slices.Contains(strings.Fields(g.ofServer), k.ID)
	})
}

func (g group) domainKinds() []finding.Kind {
	return slices.DeleteFunc(g.kinds(), func(k finding.Kind) bool {
		return !g.ofBoth && slices.Contains(strings.Fields(g.ofServer), k.ID)
	})
}

// groups returns all groups, a line for each since everybody adds to it.
func groups() []group {
	return []group{
		{name: "hosts", ids: "host addr net", server: func(ctx context.Context, w world, s subject.Server, domains []subject.Domain) finding.Result {
			r := hosts.Name(ctx, w.dns, w.machine.Sys, s, domains)
			r.Add(hosts.Addresses(ctx, w.dns, s))
			if w.machine.Image == nil {
				r.Add(hosts.Network(ctx, w.dns, w.machine.Resolver, w.machine.Sys, s))
			}
			if w.online && w.dns != nil {
				r.Add(hosts.Outside(ctx, outside.World{DNS: w.dns}, w.machine.Sys, s, domains))
			}
			return r
		}},
		zoneGroup(),
		{
			name: "dkim", ofServer: "dkim.sharing",
			server: func(_ context.Context, _ world, s subject.Server, domains []subject.Domain) finding.Result {
				return dkim.CheckServer(domains)
			},
			domain: func(ctx context.Context, w world, s subject.Server, d subject.Domain) finding.Result {
				return dkim.Check(ctx, dkim.Sources{DNS: w.dns, Files: w.machine.Sys, LastCheck: store.New(w.machine.Sys).LastCheck}, s, d)
			},
		},
		{
			name: "dmarc", needs: finding.Resolver, ofServer: "dmarc.align", ofBoth: true,
			server: func(ctx context.Context, w world, s subject.Server, _ []subject.Domain) finding.Result {
				return dmarc.CheckServer(ctx, w.dns, s)
			},
			domain: func(ctx context.Context, w world, s subject.Server, d subject.Domain) finding.Result {
				return dmarc.Check(ctx, w.dns, s, d)
			},
		},
		{name: "queue", server: func(ctx context.Context, w world, s subject.Server, domains []subject.Domain) finding.Result {
			if w.machine.Image != nil {
				return finding.Result{}
			}
			return operation.Queue(ctx, w.machine.Sys, s, domains)
		}},
		{name: "ops", needs: finding.Resolver, server: func(ctx context.Context, w world, s subject.Server, domains []subject.Domain) finding.Result {
			return operation.Changed(ctx, w.dns, s, domains, store.New(w.machine.Sys).LastCheck)
		}},
		{name: "client", needs: finding.Resolver, domain: func(ctx context.Context, w world, s subject.Server, d subject.Domain) finding.Result {
			return operation.Services(ctx, w.dns, s, d)
		}},
		{name: "autoconfig", needs: finding.Resolver, domain: func(ctx context.Context, w world, s subject.Server, d subject.Domain) finding.Result {
			return operation.Autoconfig(ctx, w.dns, s, d)
		}},
		{
			name: "spf", needs: finding.Resolver, ofServer: "spf.helo",
			server: func(ctx context.Context, w world, s subject.Server, _ []subject.Domain) finding.Result {
				return spf.CheckHELO(ctx, w.dns, s)
			},
			domain: func(ctx context.Context, w world, s subject.Server, d subject.Domain) finding.Result {
				return spf.Check(ctx, w.dns, s, d)
			},
		},
		{name: "reputation", ids: "bl rep", needs: finding.Resolver, server: func(ctx context.Context, w world, s subject.Server, domains []subject.Domain) finding.Result {
			return reputation.Check(ctx, w.dns, s, domains, reputation.Options{Online: w.online, Zones: s.Spec.Host.BlockLists})
		}},
		{name: "transport", ids: "tls sts tlsrpt dane caa", server: func(ctx context.Context, w world, s subject.Server, domains []subject.Domain) finding.Result {
			if w.machine.Image != nil {
				s.Facts.Addresses, s.Spec.Host.Addresses = nil, nil // no daemon runs there
			}
			return transport.Check(ctx, w.dns, s, domains, transport.Options{Online: w.online, Files: w.machine.Sys})
		}},
		{name: "live", server: running(func(ctx context.Context, w world, s subject.Server, domains []subject.Domain) finding.Result {
			return live.Check(ctx, w.machine.Sys, w.dns, s, domains, w.live)
		})},
		{name: "relay", ofServer: "relay.open relay.postmaster relay.abuse", server: running(func(ctx context.Context, w world, s subject.Server, domains []subject.Domain) finding.Result {
			return relay.Check(ctx, s, domains, w.relay)
		}), domain: func(ctx context.Context, w world, s subject.Server, d subject.Domain) finding.Result {
			return relay.Return(ctx, w.dns, s, d)
		}},
		{name: "inbound", ids: "in", server: func(ctx context.Context, w world, s subject.Server, _ []subject.Domain) finding.Result {
			return inbound.Check(ctx, w.machine.Sys, w.dns, s, w.machine.Image == nil)
		}},
		{name: "smtp", server: running(func(ctx context.Context, _ world, s subject.Server, _ []subject.Domain) finding.Result {
			return relay.Banner(ctx, s)
		})},
		messageGroup(), // after live, whose message it judges
	}
}

// running leaves a check out below a directory, where no daemon runs.
func running(check serverCheck) serverCheck {
	return func(ctx context.Context, w world, s subject.Server, domains []subject.Domain) finding.Result {
		if w.machine.Image != nil {
			return finding.Result{}
		}
		return check(ctx, w, s, domains)
	}
}

// zoneGroup has one Checker for all domains, which have zones and name servers in common.
func zoneGroup() group {
	var first sync.Once
	var k *zone.Checker
	return group{
		name: "zone", ids: "dns mx zone", needs: finding.Resolver,
		domain: func(ctx context.Context, w world, s subject.Server, d subject.Domain) finding.Result {
			first.Do(func() {
				if k = zone.New(w.dns); w.online {
					k = zone.NewOnline(outside.World{DNS: w.dns})
				}
			})
			return k.Check(ctx, s, d)
		},
	}
}
