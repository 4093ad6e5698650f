package dnscheck_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
)

func TestText(t *testing.T) {
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
		if got := r.Text(); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	}
	lost := dnscheck.Result{Domain: "lab.example", NoServer: []dnscheck.RecordResult{
		found("lab.example.", dnsclient.Finding{Fault: dnscheck.Missing, Text: "nobody is in charge", Remedy: "register it"}),
	}}
	if got, want := lost.Text(), "lab.example: 1 problem\n  lab.example TXT:\n    nobody is in charge\n    -> register it\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// printer prints on out; the line at the bottom of the terminal stands in brackets.
func printer(out *strings.Builder) *dnscheck.ProgressPrinter {
	return &dnscheck.ProgressPrinter{
		Print:  func(lines string) { fmt.Fprintln(out, lines) },
		Status: func(line string) { fmt.Fprintf(out, "[%s]\n", line) },
	}
}

// What did not change is printed once; the line at the bottom goes before something
// is printed above it.
func TestProgressPrinter(t *testing.T) {
	var out strings.Builder
	results, p := []dnscheck.Result{bad()}, printer(&out)
	p.Update(dnscheck.Progress{Results: results})
	p.Update(dnscheck.Progress{Results: results, Next: 2 * time.Second, Remaining: time.Minute})
	p.Update(dnscheck.Progress{Results: results})
	results[0].Servers[2] = at("ns3.lab.example", "192.0.2.55:53", right, found("lab.example.", right))
	results[0].NoServer = []dnscheck.RecordResult{found("mail.lab.example.", dnsclient.Finding{Fault: dnscheck.Missing, Text: "nobody is in charge"})}
	p.Update(dnscheck.Progress{Results: results})
	const want = `[]
lab.example: ns1.lab.example (192.0.2.53) has 1 of 2 records: lab.example TXT
  (missing)
lab.example: ns2.lab.example (192.0.2.54) has 0 of 2 records: lab.example TXT
  (missing), 202611._domainkey.lab.example TXT (missing)
lab.example: ns3.lab.example (192.0.2.55): it does not answer: nothing listens
  there
[0 of 3 name servers; next look in 2 s, 1m0s left]
[]
[]
lab.example: nobody is in charge
lab.example: ns3.lab.example (192.0.2.55) has what it should, 1 record
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// Of many domains it is only counted how many are right.
func TestProgressPrinterOfManyDomains(t *testing.T) {
	var out strings.Builder
	results := []dnscheck.Result{good()}
	for range 20 {
		results = append(results, bad())
	}
	printer(&out).Update(dnscheck.Progress{Results: results})
	if got, want := out.String(), "[]\n1 of 21 domains\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
