package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
)

func seen(name string, f dnsclient.Finding) dnscheck.RecordResult {
	return dnscheck.RecordResult{
		ExpectedRecord: dnscheck.ExpectedRecord{Domain: "lab.example", Zone: "lab.example.", Record: state.Record{Name: name, Type: "TXT", Value: name}},
		Finding:        f,
	}
}

func at(host, address string, wrong dnsclient.Finding, records ...dnscheck.RecordResult) dnscheck.ServerResult {
	return dnscheck.ServerResult{NameServer: dnsclient.NameServer{Name: host, Address: address}, Zone: "lab.example.", ServerProblem: wrong, Records: records}
}

var (
	right   = dnsclient.Finding{}
	missing = dnsclient.Finding{Fault: dnscheck.Missing, Text: "missing", Remedy: "publish it: mailsetup dns lab.example"}
	silent  = dnsclient.Finding{Fault: dnsclient.NoAnswer, Text: "it does not answer: nothing listens there", Remedy: "see that it runs"}
	noWay   = dnsclient.Finding{Fault: dnsclient.NotAsked, Text: "this machine has no way to its address", Remedy: "ask it from another network"}
)

const theKey = "202611._domainkey.lab.example."

func good() dnscheck.Result {
	return dnscheck.Result{Domain: "lab.example", Servers: []dnscheck.ServerResult{
		at("ns1.lab.example", "192.0.2.53:53", right, seen("lab.example.", right), seen(theKey, right)),
		at("ns1.lab.example", "[2001:db8::53]:53", noWay),
	}}
}

func bad() dnscheck.Result {
	return dnscheck.Result{Domain: "lab.example", Servers: []dnscheck.ServerResult{
		at("ns1.lab.example", "192.0.2.53:53", right, seen("lab.example.", missing), seen(theKey, right)),
		at("ns2.lab.example", "192.0.2.54:53", right, seen("lab.example.", missing), seen(theKey, missing)),
		at("ns3.lab.example", "192.0.2.55:53", silent),
	}}
}

func TestViewText(t *testing.T) {
	const wantGood = `lab.example: all 2 records at 1 name server
  ns1.lab.example (2001:db8::53): not asked, this machine has no way to its
    address
`
	const wantBad = `lab.example: 3 problems
  lab.example TXT at ns1.lab.example (192.0.2.53), ns2.lab.example
    (192.0.2.54):
    missing
    -> publish it: mailsetup dns lab.example
  202611._domainkey.lab.example TXT at ns2.lab.example (192.0.2.54):
    missing
    -> publish it: mailsetup dns lab.example
  ns3.lab.example (192.0.2.55):
    it does not answer: nothing listens there
    -> see that it runs
`
	for want, v := range map[string]dnscheck.Result{wantGood: good(), wantBad: bad()} {
		if got := viewText(v); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	}
	lost := dnscheck.Result{Domain: "lab.example", NoServer: []dnscheck.RecordResult{seen("lab.example.", dnsclient.Finding{Fault: dnscheck.Missing, Text: "nobody is in charge", Remedy: "register it"})}}
	if got, want := viewText(lost), "lab.example: 1 problem\n  lab.example TXT:\n    nobody is in charge\n    -> register it\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	nobody := dnscheck.Result{Domain: "lab.example", Servers: good().Servers[1:]}
	if nobody.OK() || !strings.Contains(viewText(nobody), "no name server can be asked from this machine") {
		t.Errorf("what nobody was asked about is right:\n%s", viewText(nobody))
	}
}

func TestChecked(t *testing.T) {
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	s := &session{o: options{now: func() time.Time { return now }}}
	keys := keyring.Ledger{"lab.example": {{Selector: "202605", Stage: keyring.Gone}, {Selector: "202611", Stage: keyring.Active}}}
	for _, c := range []struct {
		v     dnscheck.Result
		ok    bool
		found string
		seen  int
	}{
		{good(), true, "all 2 records at 1 name server", 1},
		{bad(), false, "lab.example TXT at ns1.lab.example (192.0.2.53), ns2.lab.example (192.0.2.54): missing (and 2 more)", 0},
		// A server that says nothing leaves the key unseen.
		{dnscheck.Result{Domain: "lab.example", Servers: append(good().Servers, bad().Servers[2])}, false, "ns3.lab.example (192.0.2.55): it does not answer: nothing listens there", 0},
	} {
		w := &watch{s: s, views: []dnscheck.Result{c.v}, keys: keys}
		got := w.checked()["lab.example"]
		if got.OK != c.ok || got.Found != c.found || len(got.Seen) != c.seen || !got.At.Equal(now) || c.seen == 1 && !got.Seen["202611"].Equal(now) {
			t.Errorf("got %+v\nwant %+v", got, c)
		}
	}
}

// What did not change is told once; on a terminal the line at the bottom goes
// before something is said above it.
func TestWatchTells(t *testing.T) {
	var out bytes.Buffer
	w := &watch{s: &session{c: console{err: &out}}, views: []dnscheck.Result{bad()}, told: map[string]string{}}
	w.progress()
	w.progress()
	w.views[0].Servers[2] = at("ns3.lab.example", "192.0.2.55:53", right, seen("lab.example.", right))
	w.progress()
	const want = `lab.example: ns1.lab.example (192.0.2.53) has 1 of 2 records: lab.example TXT
  (missing)
lab.example: ns2.lab.example (192.0.2.54) has 0 of 2 records: lab.example TXT
  (missing), 202611._domainkey.lab.example TXT (missing)
lab.example: ns3.lab.example (192.0.2.55): it does not answer: nothing listens
  there
lab.example: ns3.lab.example (192.0.2.55) has what it should, 1 record
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	out.Reset()
	w.s.c.live = true
	w.deadline = time.Now().Add(time.Minute)
	if err := w.sleep(t.Context(), 10*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	w.line("")
	if got, want := out.String(), "\r1 of 3 name servers; next look in 0 s, 1m0s left\x1b[K\r\x1b[K"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
