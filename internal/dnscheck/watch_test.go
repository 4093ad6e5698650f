package dnscheck_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient/dnstest"
)

// A domain that is right at once is not waited for, and nobody counts down.
func TestWatchOfWhatIsRight(t *testing.T) {
	served := dnstest.Zone(t, zone("8", goodDMARC)...)
	var updates []dnscheck.Progress
	results, err := dnscheck.Watch(t.Context(), labZone(t, served, served), []dnscheck.Expected{policies()}, time.Hour, func(p dnscheck.Progress) {
		updates = append(updates, p)
	})
	if err != nil || dnscheck.Complete(results) != 1 || len(updates) != 1 || updates[0].Next != 0 || updates[0].Remaining <= 0 {
		t.Errorf("%v, %v; updates %+v", results, err, updates)
	}
}

// What is wrong is checked again until it is right.
func TestWatchWaits(t *testing.T) {
	var checks atomic.Int32
	right, wrong := dnstest.Zone(t, zone("8", goodDMARC)...), dnstest.Zone(t, zone("8", `TXT "v=DMARC1; p=reject"`)...)
	late := func(r *dns.Msg) *dns.Msg {
		if r.Question[0].Qtype == dns.TypeSOA {
			checks.Add(1)
		}
		if checks.Load() > 1 {
			return right(r)
		}
		return wrong(r)
	}
	counted := 0
	results, err := dnscheck.Watch(t.Context(), labZone(t, right, late), []dnscheck.Expected{policies()}, time.Minute, func(p dnscheck.Progress) {
		if p.Next > 0 {
			counted++
		}
	})
	if err != nil || dnscheck.Complete(results) != 1 {
		t.Errorf("%s, %v", told(results[0]), err)
	}
	if counted < 2 || counted > 5 {
		t.Errorf("%d updates in the two seconds between the checks", counted)
	}
}

// Without time there is one check, whose result says what is wrong.
func TestWatchOnce(t *testing.T) {
	wrong := dnstest.Zone(t, zone("8", `TXT "v=DMARC1; p=reject"`)...)
	updates := 0
	results, err := dnscheck.Watch(t.Context(), labZone(t, wrong, wrong), []dnscheck.Expected{policies()}, 0, func(dnscheck.Progress) { updates++ })
	if err != nil || dnscheck.Complete(results) != 0 || updates != 1 || len(results[0].Problems()) != 1 {
		t.Errorf("%s, %v after %d updates", told(results[0]), err, updates)
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	wrong := dnstest.Zone(t, zone("8", `TXT "v=DMARC1; p=reject"`)...)
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	_, err := dnscheck.Watch(ctx, labZone(t, wrong, wrong), []dnscheck.Expected{policies()}, time.Hour, func(p dnscheck.Progress) {
		if p.Next > 0 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || time.Since(began) > time.Minute {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}
