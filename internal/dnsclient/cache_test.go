package dnsclient

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient/dnstest"
)

func TestEachQuestionIsPutOnce(t *testing.T) {
	var asked atomic.Int32
	c := New(dnstest.Serve(t, "127.0.0.1", "0", func(r *dns.Msg) *dns.Msg {
		asked.Add(1)
		return dnstest.Reply(t, r, dns.RcodeSuccess, r.Question[0].Name+` 60 IN TXT "x"`)
	})).WithCache()
	var wg sync.WaitGroup
	for range 20 {
		for _, name := range []string{"a.example", "A.example.", "b.example"} {
			wg.Go(func() {
				records, status, err := c.Lookup(t.Context(), name, "TXT")
				if len(records) != 1 || status != Found || err != nil {
					t.Errorf("%s: %v, %v, %v", name, records, status, err)
				}
			})
		}
	}
	wg.Wait()
	if n := asked.Load(); n != 2 {
		t.Errorf("%d questions for two names", n)
	}
	if _, status, err := c.Lookup(t.Context(), "a.example", "MX"); status != NoData || err != nil || asked.Load() != 3 {
		t.Errorf("%v, %v; %d questions after one about another type", status, err, asked.Load())
	}
}

func TestWhatNobodyAnsweredIsAskedAgain(t *testing.T) {
	m, n := &cache[string]{}, 0
	for range 3 {
		_, err := m.get(t.Context(), "a", func() (string, error) { n++; return "", errors.New("no answer") })
		if err == nil {
			t.Error("no error")
		}
	}
	if v, err := m.get(t.Context(), "a", func() (string, error) { n++; return "x", nil }); v != "x" || err != nil || n != 4 {
		t.Errorf("%q, %v after %d questions", v, err, n)
	}
	if v, err := m.get(t.Context(), "a", nil); v != "x" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
}

// Who waits for the question of another goes when it has to.
func TestWaitingEndsWithTheContext(t *testing.T) {
	m, begun, end := &cache[string]{}, make(chan struct{}), make(chan struct{})
	go func() {
		_, _ = m.get(context.Background(), "a", func() (string, error) { close(begun); <-end; return "x", nil })
	}()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.get(ctx, "a", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(end)
	if v, err := m.get(t.Context(), "a", nil); v != "x" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
}
