package dnsclient_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
)

func TestEachQuestionIsPutOnce(t *testing.T) {
	var asked atomic.Int32
	c := dnsclient.New(dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		asked.Add(1)
		return dnstest.Reply(t, r, dns.RcodeSuccess, r.Question[0].Name+` 60 IN TXT "x"`)
	})).WithCache()
	var wg sync.WaitGroup
	for range 20 {
		for _, name := range []string{"a.example", "A.example.", "b.example"} {
			wg.Go(func() {
				records, status, err := c.Lookup(t.Context(), name, "TXT")
				if len(records) != 1 || status != dnsclient.Found || err != nil {
					t.Errorf("%s: %v, %v, %v", name, records, status, err)
				}
			})
		}
	}
	wg.Wait()
	if n := asked.Load(); n != 2 {
		t.Errorf("%d questions for two names", n)
	}
	if _, status, err := c.Lookup(t.Context(), "a.example", "MX"); status != dnsclient.NoData || err != nil || asked.Load() != 3 {
		t.Errorf("%v, %v; %d questions after one about another type", status, err, asked.Load())
	}
}

// A small cache forgets, so that thousands of domains need no more memory than some.
func TestSmallCache(t *testing.T) {
	var asked atomic.Int32
	c := dnsclient.New(dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		asked.Add(1)
		return dnstest.Reply(t, r, dns.RcodeSuccess, r.Question[0].Name+` 60 IN TXT "x"`)
	})).WithSmallCache()
	ask := func(name string) {
		if _, status, err := c.Lookup(t.Context(), name, "TXT"); status != dnsclient.Found || err != nil {
			t.Fatalf("%s: %v, %v", name, status, err)
		}
	}
	for range 2 {
		ask("first.example")
	}
	const most = 4096
	for i := range most {
		ask(fmt.Sprintf("d%d.example", i))
	}
	if n := asked.Load(); n != most+1 {
		t.Errorf("%d questions for %d names", n, most+1)
	}
	ask("first.example")
	if n := asked.Load(); n != most+2 {
		t.Errorf("%d questions: the first name was kept", n)
	}
}

func TestWhatNobodyAnsweredIsAskedAgain(t *testing.T) {
	var asked, broken atomic.Int32
	broken.Store(1)
	c := dnsclient.New(dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		asked.Add(1)
		if broken.Load() == 1 {
			return nil
		}
		return dnstest.Reply(t, r, dns.RcodeSuccess, `a.example. 60 IN TXT "x"`)
	})).WithCache()
	c.Timeout = 50 * time.Millisecond
	for range 2 {
		if _, status, err := c.Lookup(t.Context(), "a.example", "TXT"); status != dnsclient.Unknown || err == nil {
			t.Errorf("%v, %v while the server says nothing", status, err)
		}
	}
	broken.Store(0)
	c.Timeout = 10 * time.Second
	before := asked.Load()
	for range 2 {
		if _, status, err := c.Lookup(t.Context(), "a.example", "TXT"); status != dnsclient.Found || err != nil {
			t.Errorf("%v, %v once it is repaired", status, err)
		}
	}
	if n := asked.Load() - before; n != 1 {
		t.Errorf("%d questions after the repair, want 1", n)
	}
}

// A resolver that says that it failed has spoken: to ask again at once brings the same
// answer, after the same time.
func TestFailuresAreAnswers(t *testing.T) {
	for _, code := range []int{dns.RcodeServerFailure, dns.RcodeRefused} {
		var asked, second atomic.Int32
		fails := func(n *atomic.Int32) string {
			return dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
				n.Add(1)
				return dnstest.Reply(t, r, code)
			})
		}
		c := dnsclient.New(fails(&asked), fails(&second)).WithCache()
		for range 3 {
			if _, status, err := c.Lookup(t.Context(), "a.example", "TXT"); status != dnsclient.Unknown || dnsclient.ServerFailed(err) != (code == dns.RcodeServerFailure) {
				t.Errorf("%v, %v", status, err)
			}
		}
		if asked.Load() != 1 || second.Load() != 1 {
			t.Errorf("%s: %d and %d questions to two resolvers", dns.RcodeToString[code], asked.Load(), second.Load())
		}
		for range 3 {
			if zone, err := c.ZoneOf(t.Context(), "a.example."); err == nil {
				t.Errorf("the zone is %s", zone)
			}
		}
		if asked.Load() != 2 || second.Load() != 2 {
			t.Errorf("%s: %d and %d questions after those for the zone", dns.RcodeToString[code], asked.Load(), second.Load())
		}
	}
}

// That nobody is in charge of a name is known after one look.
func TestNobodyInChargeIsKnown(t *testing.T) {
	var asked atomic.Int32
	zone := dnstest.Zone(t, "example. 60 IN SOA ns.example. h.example. 1 1 1 1 1")
	c := dnsclient.New(dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg { asked.Add(1); return zone(r) })).WithCache()
	for range 3 {
		if _, err := c.ZoneOf(t.Context(), "new.example."); !errors.Is(err, dnsclient.ErrNoZone) {
			t.Error(err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("%d questions", n)
	}
}

// A run about to begin asks each name server each question once, a delegation as well.
func TestForRunAsksNameServersOnce(t *testing.T) {
	var direct, parent atomic.Int32
	zone := dnstest.Zone(t, "lab.example. 60 IN SOA ns.lab.example. h.lab.example. 1 1 1 1 1", `lab.example. 60 IN TXT "x"`)
	above := dnstest.Zone(t, "example. 60 IN SOA ns.example. h.example. 1 1 1 1 1", "example. 60 IN NS ns.example.", "ns.example. 60 IN A 127.0.0.2")
	port := dnstest.ServeAll(t, map[string]func(r *dns.Msg) *dns.Msg{
		"127.0.0.1": above,
		"127.0.0.2": func(r *dns.Msg) *dns.Msg { parent.Add(1); return above(r) },
		"127.0.0.3": func(r *dns.Msg) *dns.Msg { direct.Add(1); return zone(r) },
	})
	asks := func(c *dnsclient.Client) {
		c.Port = port
		for range 3 {
			m, f := c.Ask(t.Context(), dnsclient.NameServer{Name: "ns", Address: "127.0.0.3:" + port}, "lab.example.", "Lab.example.", dns.TypeTXT)
			if !f.OK() || len(m.Answer) != 1 {
				t.Errorf("%+v, %+v", m, f)
			}
			if ns, known, err := c.Delegation(t.Context(), "lab.example."); len(ns) != 0 || !known || err != nil {
				t.Errorf("delegated to %v, %v, %v", ns, known, err)
			}
		}
	}
	asks(dnsclient.New("127.0.0.1:"+port).ForRun(1, nil))
	if direct.Load() != 1 || parent.Load() != 1 {
		t.Errorf("%d questions to the name server, %d to that of the parent", direct.Load(), parent.Load())
	}
	asks(dnsclient.New("127.0.0.1:" + port).WithCache()) // who checks looks a second time
	if direct.Load() != 4 || parent.Load() != 2 {
		t.Errorf("%d questions to the name server, %d to that of the parent", direct.Load(), parent.Load())
	}
}

// A resolver that says nothing is given up, but not for the questions of a moment.
func TestSilentResolverIsGivenUp(t *testing.T) {
	var asked atomic.Int32
	c := dnsclient.New(dnstest.Serve(t, "127.0.0.1", func(*dns.Msg) *dns.Msg { asked.Add(1); return nil })).WithCache()
	c.Timeout = 100 * time.Millisecond
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Go(func() {
			if _, status, err := c.Lookup(t.Context(), fmt.Sprintf("d%d.example", i), "TXT"); status != dnsclient.Unknown || err == nil {
				t.Errorf("%v, %v", status, err)
			}
		})
	}
	wg.Wait()
	if n := asked.Load(); n < 64 || n > 300 { // those that were on their way
		t.Errorf("%d questions", n)
	}
}

// Who waits for the question of another goes when it has to.
func TestWaitingEndsWithTheContext(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	c := dnsclient.New(dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		close(begun)
		<-end
		return dnstest.Reply(t, r, dns.RcodeSuccess, `a.example. 60 IN TXT "x"`)
	})).WithCache()
	c.Timeout = time.Minute
	first := make(chan error)
	go func() {
		_, _, err := c.Lookup(context.Background(), "a.example", "TXT")
		first <- err
	}()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := c.Lookup(ctx, "a.example", "TXT"); !errors.Is(err, context.Canceled) {
		t.Errorf("who waits and has to go: %v", err)
	}
	close(end)
	if err := <-first; err != nil {
		t.Errorf("the one who asked: %v", err)
	}
}

// A name server of thousands of domains that does not answer is not waited for each time.
func TestSilentServerIsGivenUp(t *testing.T) {
	var asked, answers atomic.Int32
	c := dnsclient.New().WithCache()
	c.Timeout = 20 * time.Millisecond
	n := dnsclient.NameServer{Name: "ns", Address: dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		asked.Add(1)
		if answers.Load() == 0 {
			return nil
		}
		return dnstest.Reply(t, r, dns.RcodeSuccess)
	})}
	ask := func() dnsclient.Finding {
		_, f := c.Ask(t.Context(), n, "a.example.", "a.example.", dns.TypeTXT)
		return f
	}
	for range 3 {
		ask()
	}
	answers.Store(1)
	if f := ask(); !f.OK() { // it was only slow
		t.Errorf("after an answer: %+v", f)
	}
	answers.Store(0)
	for range 10 {
		if f := ask(); f.Fault != dnsclient.NoAnswer {
			t.Errorf("while it is silent: %+v", f)
		}
	}
	if n := asked.Load(); n != 2*3+1+2*4 {
		t.Errorf("%d questions", n)
	}
}
