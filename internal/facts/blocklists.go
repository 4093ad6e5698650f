package facts

import (
	"context"
	"slices"
	"strings"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/dnsbl"
	"mailsetup/internal/dnsbl/prove"
	"mailsetup/internal/eximconf"
	"mailsetup/internal/hint"
	"mailsetup/internal/resolvconf"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// proveLists has the block lists of the spec prove themselves through the resolver of this
// machine, before anything is written: one that is dead refuses nothing, or all mail. Those
// that Postfix asks already are left alone: that they are in trouble today is no reason not
// to go on, and mailsetup check tells of it.
func (c *Collector) proveLists(ctx context.Context, r Request, f state.Facts) error {
	for _, s := range r.Spec.Host.Inbound.Lists() {
		if asked(f.Postfix, s) || strings.Contains(string(f.Files[eximconf.Checks]), s.Zone) {
			continue
		}
		why := prove.Asker{DNS: c.client}.Door(ctx, s)
		if why == (prove.Doubt{}) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return hint.NewUsage(strings.Join(instead(ctx, c.m.Sys, f, s, why), "\n"), "block list %s cannot be used here: %s", dnsbl.Shown(s.Zone), why.Text)
	}
	return nil
}

// asked reports whether Postfix asks a list already, whatever for.
func asked(p *state.Postfix, s dnsbl.Site) bool {
	if p == nil {
		return false
	}
	has := func(value string) bool { return strings.Contains(strings.ToLower(value), s.Zone) }
	for _, v := range p.Raw {
		if has(v) {
			return true
		}
	}
	return slices.ContainsFunc(p.Services, func(service state.Service) bool {
		return slices.ContainsFunc(service.Options, func(o state.Option) bool { return has(o.Value) })
	})
}

// instead is what can be done about a list that does not prove itself, a line each.
func instead(ctx context.Context, r system.Reader, f state.Facts, s dnsbl.Site, why prove.Doubt) (lines []string) {
	zone := dnsbl.Shown(s.Zone)
	switch at, listens := resolvconf.Listener(f.DNSAddress); why.Kind {
	case prove.Refuses:
		does := resolvconf.NotRunning
		if listens {
			does = prove.Resolves(ctx, f.DNSAddress, s)
		}
		if own := resolvconf.Own(f.DNS, does, ResolvConf(r), at); len(own) > 0 {
			lines = append(append(lines, "it wants to be asked by a resolver of your own on this server:"), own...)
		}
		if keyed := dnsbl.Named(s.Zone).WithKey(); keyed != "" {
			lines = append(lines, "with a key of its operator any resolver may ask: "+keyed)
		}
	case prove.Silent, prove.Unanswered:
		lines = []string{"dig +short " + dnsbl.TestEntry(dnsbl.Site{Zone: zone, Domains: s.Domains}) + " has an answer where a list is in service"}
	case prove.Wrong:
	}
	return append(lines, "leave it out, or name another list")
}

// ResolvConf reads resolv.conf(5), and finds out what writes it.
func ResolvConf(r system.Reader) resolvconf.File {
	target := ""
	o, err := r.Read(resolvconf.Path)
	if err == nil && o.Kind == state.Symlink {
		target = string(o.Content)
	}
	text, _ := source.Text(r, resolvconf.Path) // what cannot be read names nobody
	run, _ := r.List("/run")
	return resolvconf.Read(target, text, run)
}
