package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
)

// errProblemsFound is not an error of this program's: the exit code says that
// what was asked about is not as it should be.
var errProblemsFound = errors.New("problems found")

// How long to wait between two looks: quick while somebody watches, and easy on
// the servers of others later.
const (
	firstPause = 2 * time.Second
	lastPause  = 30 * time.Second
)

// atOnce is how many domains are looked at in parallel.
const atOnce = 16

// watch waits for the name servers of domains.
type watch struct {
	s        *session
	want     []dnscheck.Expected
	views    []dnscheck.Result
	keys     keyring.Ledger
	deadline time.Time
	told     map[string]string // what was last said of a server
}

// waitForDNS looks until every name server has what it should, or until the
// time is over, and tells what is wrong then.
func (s *session) waitForDNS(ctx context.Context, in steps.Input, domains []spec.Domain, timeout time.Duration) error {
	w := &watch{s: s, keys: in.Keys, deadline: time.Now().Add(timeout), told: map[string]string{}}
	for _, d := range domains {
		w.want = append(w.want, expected(in, d))
	}
	w.views = make([]dnscheck.Result, len(w.want))
	if err := w.wait(ctx); err != nil {
		return err
	}
	w.remember()
	return w.result()
}

// expected is what the name servers of a domain should have: its records, and
// what its names would lose of wildcards otherwise.
func expected(in steps.Input, d spec.Domain) dnscheck.Expected {
	w := wantedOf(in.Spec, d, steps.Served(in, d), in.Keys[d.Name])
	w.Copies = steps.Copies(in, d)
	var lost []state.Record
	for r := range w.Copies {
		if !slices.Contains(w.Records, r) {
			lost = append(lost, r)
		}
	}
	slices.SortFunc(lost, func(a, b state.Record) int {
		return strings.Compare(a.Name+" "+a.Type+" "+a.Value, b.Name+" "+b.Type+" "+b.Value)
	})
	w.Records = append(w.Records, lost...)
	return w
}

// wantedOf is what to look for at the name servers of a domain.
func wantedOf(sp spec.Spec, d spec.Domain, rrs []state.Record, keys []keyring.Key) dnscheck.Expected {
	return dnscheck.Expected{Domain: d.Name, Records: rrs, Keys: publicKeys(keys), Ours: sp.DNSOf(d) != spec.DNSManual}
}

func publicKeys(keys []keyring.Key) map[string]string {
	public := map[string]string{}
	for _, k := range keys {
		public[k.Selector] = k.Public
	}
	return public
}

func (w *watch) wait(ctx context.Context) error {
	defer w.line("")
	for pause := firstPause; ; pause = min(pause*3/2, lastPause) {
		w.look(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.progress()
		left := time.Until(w.deadline)
		if w.right() == len(w.views) || left <= 0 {
			return nil
		}
		if err := w.sleep(ctx, min(pause, left)); err != nil {
			return err
		}
	}
}

// look asks about every domain that was not right yet.
func (w *watch) look(ctx context.Context) {
	var wg sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for i := range w.views {
		if w.views[i].OK() {
			continue
		}
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			w.views[i] = dnscheck.Check(ctx, w.s.Resolver, w.want[i], w.views[i])
		})
	}
	wg.Wait()
}

// right is how many domains are as they should be.
func (w *watch) right() int {
	n := 0
	for _, v := range w.views {
		if v.OK() {
			n++
		}
	}
	return n
}

// sleep waits, and on a terminal counts the time down.
func (w *watch) sleep(ctx context.Context, d time.Duration) error {
	until := time.Now().Add(d)
	for time.Now().Before(until) {
		w.line(fmt.Sprintf("%s; next look in %d s, %v left", w.state(), seconds(time.Until(until)), time.Until(w.deadline).Round(time.Second)))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(time.Second, time.Until(until))):
		}
	}
	return nil
}

func seconds(d time.Duration) int { return int(d.Round(time.Second) / time.Second) }

// state says in a few words how far it is.
func (w *watch) state() string {
	if len(w.views) == 1 {
		good := 0
		for _, s := range w.views[0].Servers {
			if s.OK() {
				good++
			}
		}
		return fmt.Sprintf("%d of %s", good, count(len(w.views[0].Servers), "name server"))
	}
	return fmt.Sprintf("%d of %s", w.right(), count(len(w.views), "domain"))
}

// line writes the line at the bottom of a terminal anew.
func (w *watch) line(text string) {
	if w.s.c.live {
		fmt.Fprintf(w.s.c.err, "\r%s\x1b[K", text)
	}
}

// manyDomains is where a line for each server is more than anybody reads.
const manyDomains = 20

// progress says what is new: a line for each server whose answer changed.
func (w *watch) progress() {
	w.line("")
	if len(w.views) > manyDomains {
		w.tell("", w.state())
		return
	}
	for _, v := range w.views {
		for _, l := range v.NoServer {
			w.tell(v.Domain+l.Record.Name, v.Domain+": "+l.Text)
		}
		for _, s := range v.Servers {
			w.tell(v.Domain+s.Zone+s.String(), v.Domain+": "+serverLine(s))
		}
	}
}

func (w *watch) tell(who, text string) {
	if w.told[who] != text {
		w.told[who] = text
		w.s.c.say("%s", strings.ReplaceAll(fold(text, 78), "\n", "\n  "))
	}
}

// serverLine is what one server has.
func serverLine(s dnscheck.ServerResult) string {
	n := len(s.Records)
	switch {
	case s.ServerProblem.Fault == dnsclient.NotAsked:
		return fmt.Sprintf("%s: not asked, %s", s, s.ServerProblem.Text)
	case s.ServerProblem.Fault != dnsclient.OK:
		return fmt.Sprintf("%s: %s", s, s.ServerProblem.Text)
	case s.OK():
		return fmt.Sprintf("%s has what it should, %s", s, count(n, "record"))
	}
	var bad []string
	for _, r := range s.Records {
		if r.Fault != dnsclient.OK {
			bad = append(bad, fmt.Sprintf("%s (%s)", recordName(r), r.Fault))
		}
	}
	return fmt.Sprintf("%s has %d of %s: %s", s, n-len(bad), count(n, "record"), strings.Join(bad, ", "))
}

func recordName(r dnscheck.RecordResult) string {
	return strings.TrimSuffix(r.Record.Name, ".") + " " + r.Record.Type
}
