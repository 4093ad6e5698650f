// Package check finds out whether the mail of a server will arrive, and what to type
// if it will not. It changes nothing but its own last result.
package check

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/live"
	"mailsetup/internal/check/relay"
	"mailsetup/internal/check/report"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/gclimit"
	"mailsetup/internal/hint"
	"mailsetup/internal/machine"
	"mailsetup/internal/mailbox"
	"mailsetup/internal/parallel"
	"mailsetup/internal/store"
)

const (
	// maxDomains is how many domains are checked at a time, each with half a dozen look-ups:
	// of 10,000 whose name servers are 50 ms away, processors wait for few. More of them
	// would take more memory.
	maxDomains = 100
	// maxListed is up to how many domains a report lists what is right, one by one.
	maxListed = 100
	// memoryLimit is what a check of all domains may take before garbage is collected more
	// often. The program has some 20 MB more, its code among them.
	memoryLimit = 66 << 20
	// transferTime is how long a run waits for changes that are just being transferred: BIND
	// lets five seconds pass before it tells the secondaries (notify-delay).
	transferTime = 8 * time.Second
)

// Run checks a machine.
func Run(ctx context.Context, on machine.Options, o Options) (report.Report, error) {
	if err := o.Validate(); err != nil {
		return report.Report{}, err
	}
	if say := on.Logf; say != nil {
		on.Logf = func(format string, a ...any) {
			o.rewrite("")
			say(format, a...)
		}
	}
	if many := len(o.Domains) == 0 || len(o.Domains) > maxListed; many && !o.Fix {
		gclimit.Set(memoryLimit) // also while the report is written
	}
	m, err := machine.Open(ctx, on)
	if err != nil {
		return report.Report{}, err
	}
	defer m.Close()
	o.Mailbox = cmp.Or(o.Mailbox, mailbox.Root)
	defer o.rewrite("")
	return On(ctx, m, o)
}

// On checks an open machine.
func On(ctx context.Context, m *machine.Machine, o Options) (report.Report, error) {
	r, s, err := o.find(ctx, m, nil)
	if err != nil {
		return r, err
	}
	return r, o.tell(m, &r, s.Memory, func(r report.Report) bool { return o.mailChanges(ctx, m, s, r) })
}

// find looks at a machine and runs the groups of checks. Known is what was read before a
// run changed the domains, nil for nothing.
func (o Options) find(ctx context.Context, m *machine.Machine, known *store.Earlier) (report.Report, subject.Server, error) {
	m.RemoveProbe(ctx)
	seen, err := o.lookInTime(ctx, func(ctx context.Context) (seen, error) { return look(ctx, m, o, known) })
	if err != nil {
		return report.Report{}, seen.server, err
	}
	w := world{machine: m, online: o.Online, wants: o.Wants, only: o.Only, relay: relay.Options{AllSpellings: slices.Contains(o.Only, "relay")}}
	if w.live, err = o.live(m); err != nil {
		return report.Report{}, seen.server, err
	}
	if w.letters, err = o.named(); err != nil {
		return report.Report{}, seen.server, err
	}
	w.live.Arrived = w.letters.arrived
	if !o.Offline {
		if w.dns = m.Resolver; o.Resolver != "" {
			w.dns = dnsclient.New(o.Resolver)
		}
		if w.dns = w.dns.WithCache(); len(seen.domains) > maxListed {
			w.dns = w.dns.WithSmallCache()
		}
		w.dns.Behind = behindNAT(seen.server)
	}
	all := finding.Result{Findings: seen.findings}
	for _, g := range o.groups() {
		if g.server == nil {
			continue
		}
		o.progress(g.name)
		limited, cancel := context.WithTimeout(ctx, groupTime+domainTime*time.Duration(len(seen.domains)))
		found, late := sideBySide(limited, 1, func(int) finding.Result { return g.server(limited, w, seen.server, seen.domains) })
		cancel()
		if all.Add(found[0]); len(late) > 0 {
			all.Findings = append(all.Findings, o.unlooked(g, g.serverKinds(), seen.server, nil)...)
		}
		if ctx.Err() != nil {
			return report.Report{}, seen.server, ctx.Err()
		}
	}
	if len(seen.domains) > maxListed {
		all.Condense()
	}
	each := o.eachDomain(ctx, w, seen)
	each.Add(all) // has room, and the report sorts
	all = each
	all.Findings = o.Choose(all.Findings)
	overwriting(seen.server, all.Findings)
	seen.ignore(all.Findings)
	return report.New(all, o.asked(seen)), seen.server, ctx.Err()
}

// behindNAT returns where the server's own name server is asked in place of addresses
// that receivers see and no interface has.
func behindNAT(s subject.Server) map[netip.Addr]string {
	f, m := s.Facts, map[netip.Addr]string{}
	for _, a := range s.Spec.Host.Addresses {
		if f.DNSAddress != "" && len(f.Addresses) > 0 && !slices.Contains(f.Addresses, a) {
			m[a] = f.DNSAddress
		}
	}
	return m
}

// live returns how messages are sent.
func (o Options) live(m *machine.Machine) (live.Options, error) {
	l := live.Options{Wants: o.Wants, Lock: m.Exclusively, Logf: m.Logf, SendTo: o.SendTo}
	if o.Login == "" && o.SendTo == "" {
		return l, nil
	}
	if m.Unprivileged() || m.Image != nil {
		return l, hint.NewUsage(hint.AsRoot, "--login and --send-to need root, on the server itself")
	}
	if o.Login == "" {
		return l, nil
	}
	login, err := live.ReadLogin(m.Sys, o.Login)
	l.Login = login
	return l, err
}

// asked is what the report has to know of a run.
func (o Options) asked(l seen) report.Asked {
	a := report.Asked{
		Server: l.server.Name, Time: l.server.Now, EveryDomain: len(o.Domains) == 0, Selection: o.Selection,
		Offline: o.Offline, Online: o.Online, Unprivileged: l.server.Unprivileged, NotManaged: !l.server.SetUp,
		Needs: map[string]finding.Need{},
	}
	for _, d := range l.domains {
		a.Domains = append(a.Domains, d.Name)
	}
	for _, g := range groups() {
		for _, k := range g.kinds() {
			a.Needs[k.ID] |= g.needs
		}
	}
	return a
}

// groups returns the groups that are asked for, and can be answered.
func (o Options) groups() []group {
	return slices.DeleteFunc(groups(), func(g group) bool {
		return !o.WantsAny(g.kinds()) || g.needs&finding.Resolver != 0 && o.Offline
	})
}

// progress shows what is looked at, in a line that what is said or printed takes away.
func (o Options) progress(what string) { o.rewrite("checking: " + what) }

func (o Options) rewrite(line string) {
	if o.Rewrite != nil {
		o.Rewrite(line)
	}
}

// eachDomain checks several domains at a time: of each domain all groups, since they ask
// for the same names.
func (o Options) eachDomain(ctx context.Context, w world, seen seen) finding.Result {
	list := slices.DeleteFunc(o.groups(), func(g group) bool { return g.domain == nil })
	if len(list) == 0 {
		return finding.Result{}
	}
	limited, cancel := context.WithTimeout(ctx, domainsTime+domainTime*time.Duration(len(seen.domains)))
	defer cancel()
	var mu sync.Mutex
	var all finding.Result
	unlooked := make([][]string, len(list)) // domains that there was no time for, by group
	done, of, texts := 0, len(seen.domains), texts{}
	_ = parallel.Do(of, maxDomains, func(i int) error {
		d := seen.domains[i]
		each, late := checkDomain(limited, w, seen.serverOf(d), d, list)
		var one finding.Result
		for _, r := range each {
			if of > maxListed {
				r.Condense()
			}
			one.Add(r)
		}
		mu.Lock()
		defer mu.Unlock()
		texts.share(one.Findings)
		all.Add(one)           // in any order: the report sorts
		if done == maxListed { // as much room as all will take: slices that grow leave as much again behind
			all.Findings = slices.Grow(all.Findings, len(all.Findings)*(of-done)/done+maxListed)
		}
		for _, k := range late {
			unlooked[k] = append(unlooked[k], d.Name)
		}
		if done++; done == 1 || done%100 == 0 || done == of {
			o.progress(fmt.Sprintf("domains %d/%d", done, of))
		}
		return nil
	})
	for k, domains := range unlooked {
		if len(domains) > 0 {
			all.Findings = append(all.Findings, o.unlooked(list[k], list[k].domainKinds(), seen.server, domains)...)
		}
	}
	return all
}

// texts are those of findings that recur: thousands of domains need not have each its own.
type texts map[string]string

// maxTexts is how many are kept.
const maxTexts = 1000

func (t texts) share(list []finding.Finding) {
	for i := range list {
		f := &list[i]
		for _, text := range []*string{&f.Subject, &f.Seen, &f.Expected} {
			if known, is := t[*text]; is {
				*text = known
			} else if len(t) < maxTexts {
				t[*text] = *text
			}
		}
	}
}

// checkDomain runs groups of checks on a domain, side by side since each waits for answers
// of its own. Late are those that there was no time for.
func checkDomain(ctx context.Context, w world, s subject.Server, d subject.Domain, list []group) (found []finding.Result, late []int) {
	if ctx.Err() != nil {
		for k := range list {
			late = append(late, k)
		}
		return nil, late
	}
	limited, cancel := context.WithTimeout(ctx, groupTime)
	defer cancel()
	return sideBySide(limited, len(list), func(k int) finding.Result { return list[k].domain(limited, w, s, d) })
}
