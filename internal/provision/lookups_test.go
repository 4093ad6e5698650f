package provision_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/propose"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// latency is how far away every name server is.
const latency = 50 * time.Millisecond

// far is DNS as a server sees it whose resolver is far away, and that counts.
type far struct {
	t *testing.T
	// servfail: the parent delegates the new domains to this server, which has no zones
	// for them, so the resolver gets no answer.
	servfail bool

	mu    sync.Mutex
	asked map[string]int // questions, by server, name and type
	now   int            // questions on their way
	most  int
	began time.Time // when the first of those on their way came
	busy  time.Duration
}

// isNew reports whether a name is in one of the new domains.
func isNew(name string) bool {
	labels := dns.SplitDomainName(name)
	return len(labels) > 1 && strings.HasPrefix(labels[len(labels)-2], "new")
}

// client serves the resolver and the name server of example, and returns a client of
// the resolver.
func (f *far) client() *dnsclient.Client {
	f.asked = map[string]int{}
	const soa = "example. 60 IN SOA ns.example. h.example. 1 1 1 1 60"
	names := dnstest.Zone(f.t,
		soa, "example. 60 IN NS ns.example.", "ns.example. 60 IN A 127.0.0.2", "lab.example. 60 IN TXT \"v=spf1 ip4:192.0.2.10 -all\"", "mail.lab.example. 60 IN A 192.0.2.10")
	counted := func(server string, answer func(r *dns.Msg) *dns.Msg) func(r *dns.Msg) *dns.Msg {
		return func(r *dns.Msg) *dns.Msg {
			q := r.Question[0]
			f.mu.Lock()
			f.asked[fmt.Sprintf("%s: %s %s", server, strings.ToLower(q.Name), dns.TypeToString[q.Qtype])]++
			if f.now++; f.now == 1 {
				f.began = time.Now()
			}
			f.most = max(f.most, f.now)
			f.mu.Unlock()
			time.Sleep(latency)
			f.mu.Lock()
			if f.now--; f.now == 0 {
				f.busy += time.Since(f.began)
			}
			f.mu.Unlock()
			return answer(r)
		}
	}
	port := dnstest.ServeAll(f.t, map[string]func(r *dns.Msg) *dns.Msg{
		"127.0.0.1": counted("resolver", func(r *dns.Msg) *dns.Msg {
			if f.servfail && isNew(r.Question[0].Name) {
				return dnstest.Reply(f.t, r, dns.RcodeServerFailure)
			}
			return names(r)
		}),
		"127.0.0.2": counted("example", func(r *dns.Msg) *dns.Msg {
			q := r.Question[0]
			if !f.servfail || !isNew(q.Name) {
				return names(r)
			}
			labels := dns.SplitDomainName(q.Name)
			m := dnstest.Reply(f.t, r, dns.RcodeSuccess)
			m.Authoritative = false
			m.Ns = dnstest.RRs(f.t, labels[len(labels)-2]+".example. 60 IN NS mail.lab.example.")
			return m
		}),
	})
	c := dnsclient.New(net.JoinHostPort("127.0.0.1", port))
	c.Port, c.Timeout = port, 30*time.Second
	return c
}

// newDebian returns a Debian server with Postfix, OpenDKIM and BIND in memory, which is set
// up for lab.example.
func newDebian(t *testing.T) *detecttest.Machine {
	t.Helper()
	d := detecttest.Bookworm()
	sp := lab(t)
	for _, p := range []string{"postfix", "postconf", "postmulti", "postmap", "ss", "named-checkconf", "opendkim", "apt-get", "ip", "id", "getent"} {
		if _, known := d.Answers[p]; !known {
			d.Says(p+" ", "")
		}
	}
	d.Says("named-checkconf -px", "options {\n\tdirectory \"/var/cache/bind\";\n};\n")
	for _, dir := range []state.Path{"/var/spool/postfix", "/var/lib/mailsetup", "/etc/bind", "/var/cache/bind", "/etc/tmpfiles.d", "/etc/systemd/system", "/etc/systemd", "/etc/dkimkeys", "/usr/share"} {
		d.Put(dir, state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
	}
	for _, u := range []string{"named.service", "postfix.service", "opendkim.service"} {
		d.Units[u] = system.UnitStatus{Load: "loaded", Active: "active", Sub: "running"}
	}
	d.PutFile(spec.HostFile, string(spec.MarshalHost(sp.Host)))
	d.PutFile(spec.DomainFile("lab.example"), string(spec.MarshalDomain(sp.Domains[0])))
	return d
}

// manyDomains is how many domains the tests add.
const manyDomains = 200

func newDomain(i int) string { return fmt.Sprintf("new%03d.example", i) }

// opened is a server that was opened for a command, as far as a dry run needs that.
func opened(t *testing.T, d *detecttest.Machine, f *far, command string) *provision.Opened {
	t.Helper()
	m := machine.New(d, f.client(), machine.Options{Command: command, DryRun: true, Clock: func() time.Time { return november }})
	p := provision.New(m, provision.Options{MakeKeys: true, DryRun: true}, &person{})
	t.Cleanup(p.Collector.Close)
	var err error
	if p.Earlier, err = store.Load(m.Sys, true, t.Logf); err != nil {
		t.Fatal(err)
	}
	return p
}

func request(p *provision.Opened, r propose.Result) provision.Request {
	return provision.Request{
		Want: r.Want, Have: p.Earlier.Spec, Scope: r.Scope, Facts: r.Facts, Hashes: r.Hashes, Keys: provision.KeyPlan{Ledger: r.Ledger},
	}
}

// added plans to add domains to a server, with the DNS as it is there.
func added(t *testing.T, d *detecttest.Machine, f *far, a spec.Answers) *provision.Draft {
	t.Helper()
	p := opened(t, d, f, "add-domain")
	names := make([]string, manyDomains)
	for i := range names {
		names[i] = newDomain(i)
	}
	r, err := propose.New(p.Machine, p.Collector, p.Earlier).AddDomains(t.Context(), names, a)
	if err != nil {
		t.Fatal(err)
	}
	draft, err := p.Plan(t.Context(), request(p, r))
	if err != nil {
		t.Fatal(err)
	}
	return draft
}

// lookedUp fails the test if a question was put twice, if there were more than so many for
// each domain, or if they were put one after the other.
func (f *far) lookedUp(each int) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	var twice []string
	total := 0
	for q, n := range f.asked {
		if total += n; n > 1 {
			twice = append(twice, fmt.Sprintf("%d × %s", n, q))
		}
	}
	slices.Sort(twice)
	if len(twice) > 0 {
		f.t.Errorf("%d questions were put more than once, among them\n%s", len(twice), strings.Join(twice[:min(len(twice), 20)], "\n"))
	}
	if most := each*manyDomains + 30; total > most {
		f.t.Errorf("%d questions, at most %d are needed", total, most)
	}
	// A twentieth of the time in a row, on a machine that does nothing else.
	if row := time.Duration(total) * latency; each > 0 && (f.busy > row*3/4 || f.most < 50) || f.most > 500 {
		f.t.Errorf("%d questions took %v, %v in a row; %d at most at a time", total, f.busy, row, f.most)
	}
	f.t.Logf("%d questions in %v, %d at most at a time", total, f.busy, f.most)
}

func TestLookupsOfManyDomains(t *testing.T) {
	zones := spec.Answers{DNS: "bind", NewZone: "yes", NS: []string{"mail.lab.example"}}
	for _, c := range []struct {
		name     string
		answers  spec.Answers
		servfail bool
		each     int // questions about a domain
	}{
		// MX, A, AAAA, TXT, that of _dmarc, and the zone of the key; of printed records the
		// zone of each name, of a new zone its delegation, and the key itself where the
		// resolver says of no name whether it is there.
		{"printed", spec.Answers{DNS: "manual"}, false, 8},
		{"zones", zones, false, 7},
		{"zones that nobody serves yet", zones, true, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &far{t: t, servfail: c.servfail}
			draft := added(t, newDebian(t), f, c.answers)
			if len(draft.Plan.Stages) == 0 {
				t.Error("the plan is empty")
			}
			f.lookedUp(c.each)
		})
	}
}

// What is there already is looked up if something of it has changed, or nobody knows.
func TestLookupsOfInitAgain(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers spec.Answers
		forget  bool // what was looked at last
		each    int
	}{
		{"nothing has changed", spec.Answers{DNS: "manual"}, false, 0},
		{"all is looked at anew", spec.Answers{DNS: "manual"}, true, 8},
		{"all is looked at anew, in zones", spec.Answers{DNS: "bind", NewZone: "yes", NS: []string{"mail.lab.example"}}, true, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDebian(t)
			list := make([]spec.Answers, manyDomains)
			for i := range list {
				list[i] = c.answers
				list[i].Domain, list[i].Selector = newDomain(i), "202611"
			}
			have := lab(t)
			sp, findings := have.WithDomains(list, november)
			if err := findings.Err(); err != nil {
				t.Fatal(err)
			}
			keys := keyring.Ledger{}
			for _, domain := range sp.Domains {
				d.PutFile(spec.DomainFile(domain.Name), string(spec.MarshalDomain(domain)))
				file := signer.KeyFile(domain.Name, "202611")
				keys[domain.Name] = []keyring.Key{{Selector: "202611", Public: "MIIB", Stage: keyring.Active, File: string(file)}}
				d.PutFile(keyring.File(domain.Name), string(keyring.MarshalDomain(keys[domain.Name])))
			}
			if !c.forget {
				if err := store.New(d).SaveFingerprints(step.Input{Spec: sp, Ledger: keys, Now: november}, nil); err != nil {
					t.Fatal(err)
				}
			}
			f := &far{t: t}
			p := opened(t, d, f, "init")
			r, err := propose.New(p.Machine, p.Collector, p.Earlier).Init(t.Context(), spec.Answers{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Plan(t.Context(), request(p, r)); err != nil {
				t.Fatal(err)
			}
			f.lookedUp(c.each)
		})
	}
}
