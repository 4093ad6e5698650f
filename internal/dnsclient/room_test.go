package dnsclient_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
)

// As many questions are on their way as sockets take: few before the first answers, more
// later, and half as many when one was lost of a name server that answers.
func TestQuestionsOnTheirWay(t *testing.T) {
	var now, most, lose atomic.Int64
	held := make(chan struct{})
	var hold atomic.Pointer[chan struct{}]
	hold.Store(&held)
	c := dnsclient.New(dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		if lose.Add(-1) >= 0 {
			return nil
		}
		n := now.Add(1)
		defer now.Add(-1)
		most.Store(max(most.Load(), n))
		<-*hold.Load()
		return dnstest.Reply(t, r, dns.RcodeSuccess, r.Question[0].Name+` 60 IN TXT "x"`)
	})).WithCache()
	c.Timeout = 2 * time.Second
	asked := 0
	ask := func(n int) *sync.WaitGroup {
		var wg sync.WaitGroup
		for range n {
			asked++
			name := fmt.Sprintf("d%d.example", asked)
			wg.Go(func() {
				if _, status, err := c.Lookup(t.Context(), name, "TXT"); status != dnsclient.Found {
					t.Errorf("%s: %v, %v", name, status, err)
				}
			})
		}
		return &wg
	}
	// reaches waits until so many are held, and looks whether more come.
	reaches := func(want int64) {
		t.Helper()
		for range 500 {
			if now.Load() >= want {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
		if got := now.Load(); got != want {
			t.Errorf("%d questions on their way, want %d", got, want)
		}
	}
	let := func(wg *sync.WaitGroup) {
		close(*hold.Load())
		wg.Wait()
		next := make(chan struct{})
		hold.Store(&next)
	}
	first := ask(305)
	reaches(100)
	let(first) // each answer makes room for a tenth of one, all of them for 30
	second := ask(200)
	reaches(130)
	let(second)

	lose.Store(1)
	third := ask(1)
	time.Sleep(50 * time.Millisecond)
	let(third) // it was put again
	fourth := ask(100)
	reaches(75)
	let(fourth)
}

// Who has to go does not take the place of others.
func TestNobodyWaitsForever(t *testing.T) {
	end := make(chan struct{})
	c := dnsclient.New(dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		<-end
		return dnstest.Reply(t, r, dns.RcodeSuccess, r.Question[0].Name+` 60 IN TXT "x"`)
	})).WithCache()
	c.Timeout = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 250 {
		wg.Go(func() { _, _, _ = c.Lookup(ctx, fmt.Sprintf("d%d.example", i), "TXT") })
	}
	time.Sleep(50 * time.Millisecond)
	cancel()
	wg.Wait()
	close(end)
	if _, status, err := c.Lookup(t.Context(), "a.example", "TXT"); status != dnsclient.Found {
		t.Errorf("%v, %v", status, err)
	}
}
