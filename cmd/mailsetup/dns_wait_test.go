package main

import (
	"bytes"
	"testing"
	"time"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/state"
)

func found(name string, f dnsclient.Finding) dnscheck.RecordResult {
	return dnscheck.RecordResult{
		ExpectedRecord: dnscheck.ExpectedRecord{Domain: "lab.example", Zone: "lab.example.", Record: state.Record{Name: name, Type: "TXT", Value: name}},
		Finding:        f,
	}
}

func at(host, address string, problem dnsclient.Finding, records ...dnscheck.RecordResult) dnscheck.ServerResult {
	return dnscheck.ServerResult{
		NameServer: dnsclient.NameServer{Name: host, Address: address}, Zone: "lab.example.", ServerProblem: problem, Records: records,
	}
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
		at("ns1.lab.example", "192.0.2.53:53", right, found("lab.example.", right), found(theKey, right)),
		at("ns1.lab.example", "[2001:db8::53]:53", noWay),
	}}
}

func bad() dnscheck.Result {
	return dnscheck.Result{Domain: "lab.example", Servers: []dnscheck.ServerResult{
		at("ns1.lab.example", "192.0.2.53:53", right, found("lab.example.", missing), found(theKey, right)),
		at("ns2.lab.example", "192.0.2.54:53", right, found("lab.example.", missing), found(theKey, missing)),
		at("ns3.lab.example", "192.0.2.55:53", silent),
	}}
}

func TestResultText(t *testing.T) {
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
	for want, r := range map[string]dnscheck.Result{wantGood: good(), wantBad: bad()} {
		if got := resultText(r); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	}
	lost := dnscheck.Result{Domain: "lab.example", NoServer: []dnscheck.RecordResult{
		found("lab.example.", dnsclient.Finding{Fault: dnscheck.Missing, Text: "nobody is in charge", Remedy: "register it"}),
	}}
	if got, want := resultText(lost), "lab.example: 1 problem\n  lab.example TXT:\n    nobody is in charge\n    -> register it\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// What did not change is printed once; on a terminal the line at the bottom goes
// before something is printed above it.
func TestDNSProgress(t *testing.T) {
	var out bytes.Buffer
	results := []dnscheck.Result{bad()}
	p := &dnsProgress{c: console{err: &out}, printed: map[string]string{}}
	p.update(dnscheck.Progress{Results: results})
	p.update(dnscheck.Progress{Results: results, Next: time.Second})
	p.update(dnscheck.Progress{Results: results})
	results[0].Servers[2] = at("ns3.lab.example", "192.0.2.55:53", right, found("lab.example.", right))
	p.update(dnscheck.Progress{Results: results})
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
	p.c.live = true
	p.update(dnscheck.Progress{Results: results, Next: 2 * time.Second, Left: time.Minute})
	p.update(dnscheck.Progress{Results: results})
	if got, want := out.String(), "\r1 of 3 name servers; next look in 2 s, 1m0s left\x1b[K\r\x1b[K"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Of many domains it is only counted how many are right.
func TestDNSProgressOfManyDomains(t *testing.T) {
	var out bytes.Buffer
	p := &dnsProgress{c: console{err: &out}, printed: map[string]string{}}
	results := []dnscheck.Result{good()}
	for range maxDetailed {
		results = append(results, bad())
	}
	p.update(dnscheck.Progress{Results: results})
	if got, want := out.String(), "1 of 21 domains\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
