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
	c := dnsclient.New(dnstest.Serve(t, "127.0.0.1", "0", func(r *dns.Msg) *dns.Msg {
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
	c := dnsclient.New(dnstest.Serve(t, "127.0.0.1", "0", func(r *dns.Msg) *dns.Msg {
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
	c := dnsclient.New(dnstest.Serve(t, "127.0.0.1", "0", func(r *dns.Msg) *dns.Msg {
		asked.Add(1)
		if broken.Load() == 1 {
			return dnstest.Reply(t, r, dns.RcodeServerFailure)
		}
		return dnstest.Reply(t, r, dns.RcodeSuccess, `a.example. 60 IN TXT "x"`)
	})).WithCache()
	for range 2 {
		if _, status, err := c.Lookup(t.Context(), "a.example", "TXT"); status != dnsclient.Unknown || err == nil {
			t.Errorf("%v, %v while the server is broken", status, err)
		}
	}
	broken.Store(0)
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

// Who waits for the question of another goes when it has to.
func TestWaitingEndsWithTheContext(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	c := dnsclient.New(dnstest.Serve(t, "127.0.0.1", "0", func(r *dns.Msg) *dns.Msg {
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
	n := dnsclient.NameServer{Name: "ns", Address: dnstest.Serve(t, "127.0.0.1", "0", func(r *dns.Msg) *dns.Msg {
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
