package facts_test

import (
	"crypto/md5"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/facts"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"

	"mailsetup/steps/step"
)

var november = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// server is a Debian server in memory, with a resolver that knows no name.
type server struct {
	*systemtest.Mem
	*machine.Machine
	mu      sync.Mutex
	looked  int             // how often dpkg was asked for packages that are mail servers
	asked   map[string]bool // names that DNS was asked about
	ran     map[string]int  // how often each command line was run
	mta     string          // the package of the mail server, "" for none
	shipped []string        // files that are as their package shipped them
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{Mem: systemtest.NewMem(), asked: map[string]bool{}, ran: map[string]int{}}
	s.PutFile("/etc/os-release", "ID=debian\nVERSION_ID=\"13\"\n")
	s.Put("/var/lib/mailsetup", state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
	s.OnRun = s.run
	s.Machine = machine.New(s.Mem, dnsclient.New(s.resolver(t)), machine.Options{
		Command: "init", Clock: func() time.Time { return november },
	})
	return s
}

// run answers for dpkg.
func (s *server) run(c system.Command) (system.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out strings.Builder
	line := strings.Join(c.Argv, " ")
	s.ran[line]++
	if line == "hostname --fqdn" {
		return system.Result{Stdout: []byte("mail.lab.example\n")}, nil
	}
	if c.Argv[0] == "dpkg-query" {
		if s.looked++; s.mta != "" {
			fmt.Fprintf(&out, "installed|%s|mail-transport-agent\n", s.mta)
		}
		for _, f := range s.shipped {
			o, _ := s.Read(state.Path(f))
			fmt.Fprintf(&out, " %s %x\n", f, md5.Sum(o.Content))
		}
	}
	return system.Result{Stdout: []byte(out.String())}, nil
}

// resolver answers that there are no names, and takes note of them.
func (s *server) resolver(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		s.mu.Lock()
		s.asked[strings.TrimSuffix(q.Question[0].Name, ".")] = true
		s.mu.Unlock()
		_ = w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeNameError))
	})}
	ready := make(chan struct{})
	d.NotifyStartedFunc = func() { close(ready) }
	go func() { _ = d.ActivateAndServe() }()
	<-ready
	t.Cleanup(func() { _ = d.Shutdown() })
	return conn.LocalAddr().String()
}

// counts returns how often the machine was looked at, and what DNS was asked
// about since the last call.
func (s *server) counts() (looked int, asked []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.asked {
		asked = append(asked, name)
	}
	slices.Sort(asked)
	looked = s.looked
	s.looked, s.asked = 0, map[string]bool{}
	return looked, asked
}

// hosting is the wish for lab.example and some shops.
func hosting(t *testing.T, shops int) spec.Spec {
	t.Helper()
	sp, findings := spec.Answers{
		Domain: "lab.example", Hostname: "mail.lab.example", Addresses: []string{"192.0.2.10"},
	}.Spec(nil, november)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	for i := range shops {
		d := sp.Domains[0]
		d.Name = fmt.Sprintf("shop%02d.example", i)
		sp.Domains = append(sp.Domains, d)
	}
	return sp
}

// setUp leaves the server as a run does that found everything in order.
func (s *server) setUp(t *testing.T, sp spec.Spec) keyring.Ledger {
	t.Helper()
	s.PutFile(spec.HostFile, string(spec.MarshalHost(sp.Host)))
	keys := keyring.Ledger{}
	for _, d := range sp.Domains {
		s.PutFile(spec.DomainFile(d.Name), string(spec.MarshalDomain(d)))
		keys[d.Name] = []keyring.Key{{Selector: "202611", Public: "MIIB", Stage: keyring.Active}}
	}
	if err := store.New(s.Mem).SaveFingerprints(step.Input{Spec: sp, Ledger: keys, Now: november}, nil); err != nil {
		t.Fatal(err)
	}
	return keys
}

func gather(t *testing.T, c *facts.Collector, r facts.Request) facts.Gathered {
	t.Helper()
	g, err := c.Gather(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// The records of the host come with its own domain, in whatever zone its name is.
func TestZonesThatARunLooksInto(t *testing.T) {
	want := hosting(t, 1)
	want.Host.Hostname = "mail.hoster.example"
	want.Domains[1].Name, want.Domains[1].DMARC.RUA = "shop.example", []string{"mailto:dmarc@lab.example"}
	bind := want
	bind.Domains = slices.Clone(want.Domains)
	bind.Domains[1].DNS = spec.DNSBind
	const consent = "shop.example._report._dmarc.lab.example"
	withdrawn := []step.Step{{Name: "DNS", DNS: true}}
	for _, tt := range []struct {
		name string
		r    facts.Request
		want []string
	}{
		{"all domains", facts.Request{Spec: want}, []string{"lab.example", "mail.hoster.example", "shop.example", consent}},
		{"the primary domain", facts.Request{Spec: want, Scope: step.Only("lab.example")}, []string{"lab.example", "mail.hoster.example"}},
		{"another one", facts.Request{Spec: want, Scope: step.Only("shop.example")}, []string{"shop.example", consent}},
		{"one that is removed", facts.Request{
			Spec: want.Without("shop.example"), Scope: step.Only("shop.example"), Removed: want.Domains[1:],
		}, []string{"shop.example", consent}},
		{"all, when one is removed", facts.Request{Spec: want.Without("shop.example"), Removed: want.Domains[1:]}, []string{"lab.example", "mail.hoster.example", "shop.example", consent}},
		{"all, when the file of one is gone", facts.Request{
			Spec: want.Without("shop.example"), Ledger: keyring.Ledger{"shop.example": {{Selector: "s1", Stage: keyring.Active}}, "old.example": {{Selector: "s1", Stage: keyring.Draining}}},
		}, []string{"lab.example", "mail.hoster.example", "shop.example"}},
		{"a rotation", facts.Request{Spec: bind, Scope: step.Only("shop.example"), Steps: withdrawn}, []string{"shop.example"}},
		{"a rotation of a domain that is published by hand", facts.Request{Spec: want, Scope: step.Only("shop.example"), Steps: withdrawn}, nil},
		{"a rotation that changes no record", facts.Request{Spec: bind, Scope: step.Only("shop.example"), Steps: []step.Step{{Name: "Tables"}}}, nil},
	} {
		if got := tt.r.ZoneNames(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestDNSIsAskedAboutTheDomainsInScope(t *testing.T) {
	s := newServer(t)
	want := hosting(t, 2)
	want.Domains[1].SPF.Include = []string{"_spf.third.example"}
	all := []string{"lab.example", "mail.lab.example", "shop00.example", "shop01.example", "_dmarc.shop01.example"}
	for _, tt := range []struct {
		name       string
		r          facts.Request
		asked, not []string
	}{
		{"all", facts.Request{Spec: want}, all, nil},
		{
			"one",
			facts.Request{Spec: want, Scope: step.Only("shop00.example")},
			[]string{"mail.lab.example", "shop00.example", "_dmarc.shop00.example", "_spf.third.example"},
			[]string{"lab.example", "shop01.example"},
		},
		{"a rotation", facts.Request{Spec: want, Scope: step.Only("shop00.example"), Steps: []step.Step{{Name: "DNS", DNS: true}}}, nil, all},
	} {
		s.counts()
		g := gather(t, facts.New(s.Machine), tt.r)
		_, asked := s.counts()
		for _, name := range tt.asked {
			if !slices.Contains(asked, name) {
				t.Errorf("%s: %s was not asked about; %q", tt.name, name, asked)
			}
		}
		for _, name := range tt.not {
			if slices.Contains(asked, name) {
				t.Errorf("%s: %s was asked about", tt.name, name)
			}
		}
		if tt.asked != nil && !g.Facts.Live["shop00.example"].Asked {
			t.Errorf("%s: what DNS says is not among the facts: %v", tt.name, g.Facts.Live)
		}
	}
}

// With many domains those of which nothing has changed are neither looked up nor in
// the scope of the run, but for one that is named.
func TestUnchangedDomainsAreLeftOut(t *testing.T) {
	s := newServer(t)
	want := hosting(t, 30)
	keys := s.setUp(t, want)
	want.Domains[4].SPF.All = "fail"
	c := facts.New(s.Machine)
	g := gather(t, c, facts.Request{Spec: want, Ledger: keys, Scope: step.Scope{}.Recheck("shop09.example")})
	var left []string
	for d := range g.Scope.Domains(want) {
		left = append(left, d.Name)
	}
	if want := []string{"lab.example", "shop03.example", "shop09.example"}; !slices.Equal(left, want) {
		t.Errorf("the run is about %q, want %q", left, want)
	}
	if _, asked := s.counts(); slices.Contains(asked, "shop05.example") || !slices.Contains(asked, "shop03.example") {
		t.Errorf("asked about %q", asked)
	}
	if !g.Scope.WholeHost() {
		t.Error("the run is no longer about the host")
	}
	want.Domains[6].SPF.All = "fail"
	g, err := c.Refresh(t.Context(), facts.Request{Spec: want, Ledger: keys, Scope: g.Scope}, g.Facts)
	if err != nil || !g.Scope.Includes("shop05.example") || g.Scope.Includes("shop06.example") {
		t.Errorf("of a spec that follows from the facts, the scope is %v, %v", g.Scope, err)
	}
	only := gather(t, facts.New(s.Machine), facts.Request{Spec: want, Ledger: keys, Scope: step.Only("shop05.example")})
	if !only.Scope.Includes("shop05.example") {
		t.Error("a run about one domain leaves it out")
	}
}

func TestAPrefetchOfTheRightZonesIsUsed(t *testing.T) {
	want := hosting(t, 30)
	for _, tt := range []struct {
		name   string
		guess  []string
		shops  int
		before int // looks ahead of Gather
		all    int
	}{
		{"the right zones", []string{"mail.lab.example", "lab.example", "", "lab.example"}, 30, 1, 1},
		{"other zones", []string{"other.example"}, 30, 1, 2},
		{"few domains", []string{"lab.example", "mail.lab.example"}, 5, 0, 1},
	} {
		s := newServer(t)
		s.setUp(t, hosting(t, tt.shops))
		c := facts.New(s.Machine)
		var host spec.Host
		if err := c.Prefetch(t.Context(), func(h spec.Host) []string { host = h; return slices.Clone(tt.guess) }); err != nil {
			t.Fatal(err)
		}
		if tt.before == 1 && host.Hostname != "mail.lab.example" {
			t.Errorf("%s: guesses for %+v", tt.name, host)
		}
		gather(t, c, facts.Request{Spec: want, Scope: step.Only("lab.example")})
		if looked, _ := s.counts(); looked != tt.all {
			// one that was given up may have been before its first program
			if tt.all != 2 || looked != 1 {
				t.Errorf("%s: looked %d times, want %d", tt.name, looked, tt.all)
			}
		}
		gather(t, c, facts.Request{Spec: want, Scope: step.Only("lab.example")})
		if looked, _ := s.counts(); looked != 1 {
			t.Errorf("%s: a later look counts %d", tt.name, looked)
		}
		c.Close()
	}
}

func TestCloseEndsAPrefetch(t *testing.T) {
	s := newServer(t)
	s.setUp(t, hosting(t, 30))
	c := facts.New(s.Machine)
	if err := c.Prefetch(t.Context(), func(h spec.Host) []string { return []string{h.Domain} }); err != nil {
		t.Fatal(err)
	}
	c.Close()
	s.counts()
	time.Sleep(20 * time.Millisecond)
	if looked, _ := s.counts(); looked != 0 {
		t.Error("a look goes on after the end")
	}
	facts.New(s.Machine).Close() // where nothing was begun
}

func TestOnlyTheSignersConfigurationMayBeReplacedAsShipped(t *testing.T) {
	s := newServer(t)
	s.PutFile("/etc/opendkim.conf", "Syslog yes\n")
	s.PutFile("/etc/bind/named.conf.options", "options { };\n")
	s.shipped = []string{"/etc/opendkim.conf", "/etc/bind/named.conf.options"}
	g := gather(t, facts.New(s.Machine), facts.Request{Spec: hosting(t, 0)})
	if !g.Facts.Pristine["/etc/bind/named.conf.options"] {
		t.Fatal("the machine does not say that its files are as shipped")
	}
	if len(g.Pristine) != 1 || g.Pristine["/etc/opendkim.conf"] != plan.Hash([]byte("Syslog yes\n")) {
		t.Errorf("pristine %v", g.Pristine)
	}
	s.shipped = []string{"/etc/bind/named.conf.options"}
	if g := gather(t, facts.New(s.Machine), facts.Request{Spec: hosting(t, 0)}); len(g.Pristine) != 0 {
		t.Errorf("an edited file is pristine: %v", g.Pristine)
	}
}

// What the run itself replaced is told to the end: its queue and its aliases stay.
func TestAMailServerThatWasReplacedIsRemembered(t *testing.T) {
	s := newServer(t)
	s.mta = "exim4-daemon-light"
	c := facts.New(s.Machine)
	if g := gather(t, c, facts.Request{Spec: hosting(t, 0)}); g.Facts.OtherMTA == nil || g.Facts.OtherMTA.Package != s.mta {
		t.Fatalf("found %+v", g.Facts.OtherMTA)
	}
	s.mta = ""
	if g := gather(t, c, facts.Request{Spec: hosting(t, 0)}); g.Facts.OtherMTA == nil || g.Facts.OtherMTA.Package != "exim4-daemon-light" {
		t.Errorf("after it was replaced: %+v", g.Facts.OtherMTA)
	}
	if g := gather(t, facts.New(s.Machine), facts.Request{Spec: hosting(t, 0)}); g.Facts.OtherMTA != nil {
		t.Errorf("in the next run: %+v", g.Facts.OtherMTA)
	}
}

func TestRefreshAsksOnlyForWhatIsNew(t *testing.T) {
	s := newServer(t)
	want := hosting(t, 0)
	c := facts.New(s.Machine)
	g := gather(t, c, facts.Request{Spec: want})
	s.counts()
	want.Domains = slices.Clone(want.Domains)
	want.Domains[0].SPF.Include = []string{"_spf.third.example"}
	g, err := c.Refresh(t.Context(), facts.Request{Spec: want}, g.Facts)
	looked, asked := s.counts()
	if err != nil || looked != 0 || !slices.Contains(asked, "_spf.third.example") || slices.Contains(asked, "lab.example") {
		t.Errorf("looked %d times, asked %q, %v", looked, asked, err)
	}
	if !g.Facts.Live["lab.example"].Asked {
		t.Errorf("what was known is gone: %v", g.Facts.Live)
	}
	want.Domains[0].DMARC.RUA = []string{"mailto:dmarc@reports.example"}
	if _, err := c.Refresh(t.Context(), facts.Request{Spec: want}, g.Facts); err != nil {
		t.Fatal(err)
	}
	if looked, _ := s.counts(); looked != 1 {
		t.Errorf("the zone of a receiver of reports is another one: looked %d times", looked)
	}
}

// Until a run changes something, no program is asked the same twice: not even where
// the name of the host, and with it the zones that matter, follow from the first look.
func TestNoProgramIsAskedTwice(t *testing.T) {
	s := newServer(t)
	c := facts.New(s.Machine)
	g := gather(t, c, facts.Request{Spec: spec.Spec{Host: spec.Host{Domain: "lab.example"}}})
	want := hosting(t, 0)
	if want.Host.Hostname != g.Facts.FQDN {
		t.Fatalf("the machine calls itself %q", g.Facts.FQDN)
	}
	if _, err := c.Refresh(t.Context(), facts.Request{Spec: want}, g.Facts); err != nil {
		t.Fatal(err)
	}
	for line, n := range s.ran {
		if n != 1 {
			t.Errorf("%d times: %s", n, line)
		}
	}
	if len(s.ran) < 4 || s.ran["hostname --fqdn"] != 1 {
		t.Errorf("ran %v", s.ran)
	}
	want.Host.Hostname = "mail.other.example"
	if _, err := c.Refresh(t.Context(), facts.Request{Spec: want}, g.Facts); err != nil || s.ran["hostname --fqdn"] != 2 {
		t.Errorf("another host name has another zone, %v; ran %v", err, s.ran)
	}
}

// updates is a spec whose domain is changed by dynamic updates.
func updates(t *testing.T) step.Input {
	t.Helper()
	sp := hosting(t, 0)
	sp.Host.DNS, sp.Domains[0].DNS = spec.DNSUpdate, ""
	sp.Host.Update = spec.Update{Server: "192.0.2.53", KeyFile: "/etc/mailsetup/tsig.key"}
	return step.Input{Spec: sp, Now: november, Ledger: keyring.Ledger{
		"lab.example": {{Selector: "202611", Public: "MIIB", Stage: keyring.Active}},
	}}
}

func TestKeysOfUpdatesNeedRoot(t *testing.T) {
	s := newServer(t)
	s.Machine.Sys = machine.Unprivileged{System: s.Mem}
	in := updates(t)
	err := facts.New(s.Machine).GatherUpdates(t.Context(), &in, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "only root may read what zones are asked with (dns rfc2136 or hook)") || !slices.Equal(hint.Of(err), []string{hint.AsRoot}) {
		t.Errorf("error %v, hints %q", err, hint.Of(err))
	}
	if err := facts.New(s.Machine).GatherUpdates(t.Context(), &in, []step.Step{{Name: "Tables"}}); err != nil {
		t.Errorf("a step that is about no record: %v", err)
	}
}

// directory is a machine below a directory.
func directory(t *testing.T) *machine.Machine {
	t.Helper()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "etc/postfix"), 0o755); err != nil {
		t.Fatal(err)
	}
	m, err := machine.Open(t.Context(), machine.Options{Root: root, Command: "init", Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func TestADirectoryIsNotLookedUpInDNS(t *testing.T) {
	m := directory(t)
	c := facts.New(m)
	if err := c.Prefetch(t.Context(), func(spec.Host) []string { t.Error("guesses zones"); return nil }); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	scope := step.Only("lab.example")
	g := gather(t, c, facts.Request{Spec: hosting(t, 30), Scope: scope})
	if len(g.Facts.Live) != 0 || g.Pristine != nil || !g.Scope.Includes("lab.example") || g.Scope.WholeHost() {
		t.Errorf("%+v", g)
	}
	again, err := c.Refresh(t.Context(), facts.Request{Spec: hosting(t, 30), Scope: scope}, state.Facts{FQDN: "mail.lab.example"})
	if err != nil || again.Facts.FQDN != "mail.lab.example" || len(again.Facts.Live) != 0 {
		t.Errorf("refreshed: %+v, %v", again.Facts, err)
	}
	in := updates(t)
	if err := c.GatherUpdates(t.Context(), &in, nil); !hint.IsUsage(err) || !strings.HasPrefix(err.Error(), "--root works on files") {
		t.Errorf("updates: %v", err)
	}
}
