package rotation_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mailsetup/internal/apply"
	"mailsetup/internal/detect/zones"
	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/provision"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/rotation"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
	"mailsetup/keygen"
	"mailsetup/steps"
	"mailsetup/steps/dns"
	"mailsetup/steps/records"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
	"mailsetup/zonefile"
)

// server is a mail server in memory whose keys are planned and applied by the
// code that does it on a real one. The name servers, OpenDKIM and the
// administrator who publishes records by hand are fakes.
type server struct {
	t    *testing.T
	r    *rand.Rand
	mem  *systemtest.Mem
	j    *apply.Journal
	sp   spec.Spec
	now  time.Time
	boot time.Time
	made int // keys

	generated int // private keys

	// What the fakes have and do.
	mailbox    string
	broken     error             // the ledger cannot be read
	missing    map[string]string // what DNS says instead of a key, by selector and domain
	unusable   map[string]string // what is wrong with a zone, by origin
	silent     string            // the domain whose name servers do not answer
	late       map[string]bool   // domains for whose keys there is no time
	until      time.Time         // that a run may make keys
	refuse     bool              // whoever is asked says no
	checks     map[string]keyring.LastCheck
	schedule   recordwatch.Schedule
	successors map[string]dkimkeys.Pair
	fresh      []dkimkeys.Pair
	confirmed  []plan.Plan
	attempts   []string // domains, as often as a run about them was tried
	gathered   int

	observations atomic.Int32 // of keys, in DNS

	passed keyring.Elapsed
	hand   map[string]map[string]string // published by hand: values by domain and selector
	signed map[string]time.Time         // when a key signed last, by name of its record
	ui     ui
	drain  time.Duration  // the shortest that was ever wished for
	moves  map[string]int // how often which moves met in a run
	gone   *spec.Domain   // removed, and not back yet
	back   int            // domains that came back with their key
}

const updateKey = "/etc/mailsetup/tsig.key"

// newServer is a server with keys that sign for its domains: each a zone of its
// own, but for shop.lab.example in lab.example.
func newServer(t *testing.T, r *rand.Rand, modes map[string]spec.DNSMode) *server {
	s := &server{
		t: t, r: r, mem: systemtest.NewMem(), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		hand: map[string]map[string]string{}, signed: map[string]time.Time{}, moves: map[string]int{}, drain: 400 * 24 * time.Hour,
		missing: map[string]string{}, unusable: map[string]string{}, checks: map[string]keyring.LastCheck{}, successors: map[string]dkimkeys.Pair{},
		mailbox: filepath.Join(t.TempDir(), "root"),
	}
	s.boot = s.now
	s.j = apply.NewJournal(s.mem, apply.JournalDir)
	s.mem.PutFile("/etc/postfix/main.cf", "smtpd_milters = unix:opendkim/opendkim.sock\n")
	s.mem.PutFile("/etc/bind/named.conf.local", "")
	for _, dir := range []state.Path{"/var/spool/postfix", "/etc/tmpfiles.d"} {
		s.mem.Put(dir, state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
	}
	s.sp.Host = spec.Host{
		Version: 1, Hostname: "mail.lab.example", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")},
		Domain: "lab.example", DNS: spec.DNSBind, MilterDefaultAction: "tempfail",
	}
	s.sp.Host.Slots = keyring.Slots{Zone: "dkim.lab.example", Selectors: []string{"mx1", "mx2", "mx3", "mx4"}}
	for _, name := range slices.Sorted(maps.Keys(modes)) {
		s.sp.Domains = append(s.sp.Domains, spec.Domain{
			Name: name, DNS: modes[name], KeyBits: 2048, TTL: 600, SPF: spec.SPF{All: "softfail"}, DMARC: spec.DMARC{Policy: "none"},
			Update: spec.Update{Server: "192.0.2.53:53", KeyFile: updateKey},
		})
		s.hand[name] = map[string]string{}
	}
	for _, origin := range s.origins() {
		s.mem.PutFile(zoneFile(origin), "$TTL 600\n@ IN SOA ns1.lab.example. h.lab.example. (\n 1 3600 900 604800 600 )\n@ IN NS ns1.lab.example.\n")
		s.mem.Zone(origin, state.Record{Name: origin, Type: "NS", TTL: 600, Value: "ns1.lab.example."})
	}
	s.mem.Unit("named.service", "/etc/bind/")
	s.mem.Unit("opendkim.service", "/etc/opendkim/")
	s.mem.Unit("postfix.service", "/etc/postfix/main.cf")
	s.mem.OnProbe = s.probe
	s.begin()
	return s
}

func zoneFile(origin string) state.Path {
	return state.Path("/etc/bind/db." + strings.TrimSuffix(origin, "."))
}

// origins are the zones: those above which there is no other.
func (s *server) origins() []string {
	var list []string
	for _, d := range s.sp.Domains {
		if !strings.HasSuffix(d.Name, ".lab.example") {
			list = append(list, d.Name+".")
		}
	}
	return list
}

// begin gives each domain its first key, as init does.
func (s *server) begin() {
	in := s.input()
	var fresh []dkimkeys.Pair
	for _, d := range s.sp.Domains {
		fresh = append(fresh, s.pair(d))
	}
	s.apply(in, withoutPostfix(), fresh)
	s.publish()
}

// pair is the next key of a domain, in a slot or under a selector of its own.
func (s *server) pair(d spec.Domain) dkimkeys.Pair {
	slots, keys := records.Slots(s.sp, d), s.ledger()[d.Name]
	if slot := slots.Free(keys, s.now); slot != "" {
		s.made++
		return dkimkeys.NewPair(d, slot, s.now).InSlot(s.sp.Host, slots.Zone, keys, s.mem)
	}
	return dkimkeys.NewPair(d, s.selector(), s.now)
}

// withoutPostfix are the steps that matter to keys.
func withoutPostfix() []step.Step {
	return slices.DeleteFunc(steps.All(), func(x step.Step) bool {
		return !slices.Contains([]string{"Keys", "DNS", "OpenDKIM", "OldKeys", "Ledger"}, x.Name)
	})
}

func (s *server) selector() string {
	s.made++
	return fmt.Sprintf("k%d", s.made)
}

// ledger is what the files say.
func (s *server) ledger() keyring.Ledger {
	l := keyring.Ledger{}
	names, err := s.mem.List(keyring.Dir())
	s.must(err)
	for _, name := range names {
		domain := strings.TrimSuffix(name, ".json")
		o, err := s.mem.Read(keyring.File(domain))
		s.must(err)
		l[domain], err = keyring.ParseDomain(o.Content)
		s.must(err)
	}
	return l
}

func (s *server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%s: %v", s.now.Format(time.DateTime), err)
	}
}

// input is what a run begins with: the wish, and the machine as it is found.
func (s *server) input() step.Input {
	keys := s.ledger()
	facts := state.Facts{
		Release: state.Release{ID: "debian", Version: "13"}, DNS: state.BIND, Installed: map[string]bool{"bind9": true, "opendkim": true},
		OpenDKIM: &state.OpenDKIM{Active: true},
	}
	published, err := zones.Published(s.mem)
	s.must(err)
	facts.Published = published
	for _, origin := range s.origins() {
		o, err := s.mem.Read(zoneFile(origin))
		s.must(err)
		own, ours := s.parse(origin, string(o.Content), func(p state.Path) string {
			f, err := s.mem.Read(p)
			s.must(err)
			return string(f.Content)
		})
		z := state.Zone{Origin: origin, Kind: "primary", File: zoneFile(origin), Content: o.Content, Records: own, OurRecords: ours}
		if f, err := s.mem.Read(dns.Fragment(z)); err == nil && len(ours) == 0 && len(f.Content) > 0 {
			z.OurRecords, _ = s.parse(origin, string(f.Content), nil)
			z.IncludeLost = len(z.OurRecords) > 0
		}
		facts.Zones = append(facts.Zones, z)
		if !slices.ContainsFunc(s.sp.Domains, func(d spec.Domain) bool {
			return s.sp.DNSOf(d) == spec.DNSUpdate && strings.HasSuffix("."+d.Name+".", "."+origin)
		}) && !slices.ContainsFunc(published, func(p state.Published) bool { return p.Origin == origin }) {
			continue
		}
		z = state.Zone{Origin: origin, Kind: "primary", Dynamic: true, Update: &state.UpdateTarget{Server: "192.0.2.53:53", KeyFile: updateKey}}
		for _, r := range s.mem.Served(origin) {
			mine := slices.ContainsFunc(published, func(p state.Published) bool {
				return p.Origin == origin && slices.ContainsFunc(p.Records, func(x state.Record) bool { return state.Same(x, r) })
			})
			if mine {
				z.Update.OurRecords = append(z.Update.OurRecords, r)
			} else {
				z.Records = append(z.Records, r)
			}
		}
		facts.Updated = append(facts.Updated, z)
	}
	return step.Input{
		Spec: s.sp, Facts: facts, Ledger: keys, Keys: step.KeyChanges{OnDisk: maps.Clone(keys), Private: map[state.Path][]byte{}}, Now: s.now,
		Consents: map[string]bool{},
	}
}

// parse is a zone file and the fragments that it includes.
func (s *server) parse(origin, text string, file func(state.Path) string) (own, ours []state.Record) {
	rest := ""
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "$INCLUDE" {
			rest += line
			continue
		}
		list, err := zonefile.Parse([]byte(file(state.Path(strings.Trim(f[1], `"`)))), origin, nil)
		s.must(err)
		ours = append(ours, list...)
	}
	own, err := zonefile.Parse([]byte(rest), origin, nil)
	s.must(err)
	return own, ours
}

// apply does what a wish needs. It reports whether there was anything to do.
func (s *server) apply(in step.Input, list []step.Step, fresh []dkimkeys.Pair) bool {
	s.t.Helper()
	dkimkeys.AddPairs(&in, fresh)
	announced, err := s.plan(in, list)
	s.must(err)
	if announced.Empty() {
		return false
	}
	_, err = s.carryOut(announced, in, list, fresh)
	s.must(err)
	return true
}

// carryOut makes the keys, plans again, insists that this is what was announced,
// and does it.
func (s *server) carryOut(announced plan.Plan, in step.Input, list []step.Step, fresh []dkimkeys.Pair) (apply.Report, error) {
	s.t.Helper()
	var made []dkimkeys.Pair
	for i := range fresh {
		if fresh[i].Key.Pending() {
			fresh[i] = fresh[i].WithKey(s.key())
			made = append(made, fresh[i])
		}
	}
	dkimkeys.AddPairs(&in, fresh)
	actual, err := s.plan(in, list)
	s.must(err)
	if diff := provision.Differences(announced, actual, made); len(diff) > 0 {
		s.t.Fatalf("%s: the plan is not what was announced: %q", s.now.Format(time.DateTime), diff)
	}
	report, err := apply.Run(context.Background(), s.mem, actual, s.j, apply.Options{
		Command: "rotate-dkim", Now: func() time.Time { return s.now }, ID: apply.NewID(s.now, fmt.Sprintf("%08x", s.r.Uint32())),
	})
	if err != nil {
		return report, err
	}
	s.must(s.j.Prune(2))
	again := s.input()
	again.Scope, again.Keys.During = in.Scope, nil
	p, err := s.plan(again, slices.DeleteFunc(slices.Clone(list), func(x step.Step) bool { return x.Name == "OldKeys" }))
	s.must(err)
	if !p.Empty() {
		s.t.Fatalf("%s: not done in one run: %v", s.now.Format(time.DateTime), p.Stages)
	}
	return report, nil
}

// pool are private keys that all servers use, since it takes time to make one.
var pool struct {
	sync.Mutex
	keys []*keygen.Key
}

// key returns one that the server has not used.
func (s *server) key() *keygen.Key {
	pool.Lock()
	defer pool.Unlock()
	for len(pool.keys) <= s.generated {
		k, err := keygen.Generate(1024)
		s.must(err)
		pool.keys = append(pool.keys, k)
	}
	s.generated++
	return pool.keys[s.generated-1]
}

func (s *server) plan(in step.Input, list []step.Step) (plan.Plan, error) {
	in.KeysOnly = true
	want, err := steps.Build(list, in)
	if err != nil {
		return plan.Plan{}, err
	}
	p, err := plan.Make(context.Background(), want, s.mem, s.record())
	if err == nil && len(p.Questions) > 0 {
		err = fmt.Errorf("questions %v", p.Questions)
	}
	if err == nil && len(p.Drift) > 0 {
		err = fmt.Errorf("%s is not as mailsetup left it", p.Drift[0].Path)
	}
	return p, err
}

func (s *server) record() plan.FileHashes {
	o, err := s.mem.Read(plan.HashesFile)
	s.must(err)
	rec, err := plan.ParseFileHashes(o.Content)
	s.must(err)
	return rec
}

// tick is one run of rotate-dkim about all domains that have keys, and before it
// one that begins a rotation of those that are asked for.
func (s *server) tick(asked ...string) {
	s.t.Helper()
	if len(asked) > 0 {
		s.run(rotation.Options{Domains: asked, Force: true})
	}
	var all []string
	for domain, keys := range s.ledger() {
		if len(keyring.Existing(keys)) > 0 {
			all = append(all, domain)
		}
	}
	s.run(rotation.Options{Domains: all})
}

// run is one run that ends well.
func (s *server) run(o rotation.Options) *rotation.Report {
	s.t.Helper()
	report, err := s.rotator().Run(s.t.Context(), o)
	if skipped, is := errors.AsType[*rotation.SkippedError](err); is && strings.Contains(strings.Join(skipped.Lines, " "), "slots is free") {
		err = nil // somebody asked for more than there are
	}
	s.must(err)
	return report
}

func (s *server) domain(name string) (spec.Domain, bool) {
	for _, d := range s.sp.Domains {
		if d.Name == name {
			return d, true
		}
	}
	return spec.Domain{}, false
}

// served are the records that the world sees of a zone: what BIND has loaded,
// or what was sent to the primary.
func (s *server) served(origin string) []state.Record {
	loaded := s.mem.Loaded("named.service")
	own, ours := s.parse(origin, loaded[zoneFile(origin)], func(p state.Path) string { return loaded[p] })
	return slices.Concat(own, ours, s.mem.Served(origin))
}

// has reports whether the world sees the record of a key.
func (s *server) has(domain string, k keyring.Key) bool {
	if k.SlotZone == "" && s.hand[domain][k.Selector] == keygen.Record(k.Public) {
		return true
	}
	name := k.RecordName(domain) + "."
	for _, origin := range s.origins() {
		if strings.HasSuffix("."+name, "."+origin) && slices.ContainsFunc(s.served(origin), func(r state.Record) bool {
			return r.Name == name && r.Value == keygen.Record(k.Public)
		}) {
			return true
		}
	}
	return false
}

// publish is the administrator, who puts into DNS what the ledger asks for.
func (s *server) publish() {
	for domain, keys := range s.ledger() {
		for _, k := range keys {
			switch {
			case k.Stage == keyring.Gone:
				delete(s.hand[domain], k.Selector)
			case s.sp.DNSOf(domainNamed(s.sp, domain)) != spec.DNSManual:
			case k.Stage == keyring.Revoked:
				s.hand[domain][k.Selector] = keygen.Record("")
			default:
				s.hand[domain][k.Selector] = keygen.Record(k.Public)
			}
		}
	}
}

func domainNamed(sp spec.Spec, name string) spec.Domain {
	for _, d := range sp.Domains {
		if d.Name == name {
			return d
		}
	}
	return spec.Domain{Name: name}
}

// probe is asked by apply whether what a stage did has come true.
func (s *server) probe(p state.Probe) error {
	switch p.Kind {
	case state.ProbeServed:
		there := s.served(p.Origin)
		has := func(r state.Record) bool {
			return slices.ContainsFunc(there, func(x state.Record) bool { return state.Same(x, r) })
		}
		for _, r := range p.Records {
			if !has(r) {
				return fmt.Errorf("%s is not served", r.Name)
			}
		}
		for _, r := range p.Gone {
			if has(r) {
				return fmt.Errorf("%s is still served", r.Name)
			}
		}
	case state.ProbeSigns:
		for _, x := range p.Signers {
			if got := s.signing()[x.Domain]; got != x.Selector {
				return fmt.Errorf("%s signs for %s, and %s should", got, x.Domain, x.Selector)
			}
		}
	}
	return nil
}

// signing are the selectors that OpenDKIM has loaded, by domain.
func (s *server) signing() map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(s.mem.Loaded("opendkim.service")[signer.KeyTable]) {
		if _, row, ok := strings.Cut(strings.TrimSpace(line), " "); ok && line[0] != '#' {
			if f := strings.Split(row, ":"); len(f) == 3 {
				out[strings.TrimSpace(f[0])] = f[1]
			}
		}
	}
	return out
}

// check is what must hold at any time: what signs has its private key and its
// record, and so has what signed mail that may still be under way.
func (s *server) check() {
	s.t.Helper()
	keys := s.ledger()
	signing := s.signing()
	for _, d := range s.sp.Domains {
		if signing[d.Name] == "" {
			s.t.Fatalf("%s: nothing signs for %s", s.now.Format(time.DateTime), d.Name)
		}
	}
	for domain, list := range keys {
		if err := keyring.Validate(list); err != nil {
			s.t.Fatalf("%s: %v", s.now.Format(time.DateTime), err)
		}
		for _, k := range list {
			if k.SlotZone != "" && k.Stage == keyring.Gone { // another one may be in its slot
				continue
			}
			name := strings.TrimSpace(k.Selector + " " + domain + " " + strings.TrimPrefix(k.SlotZone+" "+k.Fingerprint, " "+k.Fingerprint))
			if signing[domain] == k.Selector {
				s.signed[name] = s.now
				if o, err := s.mem.Read(state.Path(k.File)); err != nil || o.Kind != state.Regular {
					s.t.Fatalf("%s: %s signs, and its file is %v, %v", s.now.Format(time.DateTime), name, o.Kind, err)
				}
			}
			last, ever := s.signed[name]
			if ever && s.now.Sub(last) < s.drain && !k.Compromised && !s.has(domain, k) {
				s.t.Fatalf("%s: mail signed by %s is under way, and its record is gone", s.now.Format(time.DateTime), name)
			}
		}
	}
}
