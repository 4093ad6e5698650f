package dnscheck_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/jsondoc"
	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
)

const theKeyName = "202611._domainkey.lab.example."

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

func good() dnscheck.Result {
	return dnscheck.Result{Domain: "lab.example", Servers: []dnscheck.ServerResult{
		at("ns1.lab.example", "192.0.2.53:53", right, found("lab.example.", right), found(theKeyName, right)),
		at("ns1.lab.example", "[2001:db8::53]:53", noWay),
	}}
}

func bad() dnscheck.Result {
	return dnscheck.Result{Domain: "lab.example", Servers: []dnscheck.ServerResult{
		at("ns1.lab.example", "192.0.2.53:53", right, found("lab.example.", missing), found(theKeyName, right)),
		at("ns2.lab.example", "192.0.2.54:53", right, found("lab.example.", missing), found(theKeyName, missing)),
		at("ns3.lab.example", "192.0.2.55:53", silent),
	}}
}

// What is wrong in the same way on several servers is told once.
func TestProblems(t *testing.T) {
	want := []dnscheck.Problem{
		{Record: "lab.example TXT", Text: "missing", Remedy: missing.Remedy, Servers: []string{"ns1.lab.example (192.0.2.53)", "ns2.lab.example (192.0.2.54)"}},
		{Record: "202611._domainkey.lab.example TXT", Text: "missing", Remedy: missing.Remedy, Servers: []string{"ns2.lab.example (192.0.2.54)"}},
		{Text: silent.Text, Remedy: silent.Remedy, Servers: []string{"ns3.lab.example (192.0.2.55)"}},
	}
	if diff := cmp.Diff(want, bad().Problems()); diff != "" {
		t.Error(diff)
	}
	if list := good().Problems(); len(list) > 0 {
		t.Errorf("problems where nothing is wrong: %+v", list)
	}
	nobody := dnscheck.Result{Domain: "lab.example", Servers: good().Servers[1:]}
	if list := nobody.Problems(); nobody.OK() || len(list) != 1 || list[0].Text != "no name server can be asked from this machine" {
		t.Errorf("where no server can be asked: %+v", list)
	}
	lost := dnscheck.Result{Domain: "lab.example", NoServer: []dnscheck.RecordResult{found("lab.example.", missing)}}
	if list := lost.Problems(); lost.OK() || len(list) != 1 || list[0].Record != "lab.example TXT" || len(list[0].Servers) > 0 {
		t.Errorf("where nobody is in charge: %+v", list)
	}
}

func TestWhere(t *testing.T) {
	for _, c := range []struct {
		p       dnscheck.Problem
		servers int
		want    string
	}{
		{dnscheck.Problem{Record: "a.example TXT", Servers: []string{"ns1", "ns2"}}, 3, "a.example TXT at ns1, ns2"},
		{dnscheck.Problem{Record: "a.example TXT", Servers: []string{"ns1", "ns2"}}, 2, "a.example TXT at ns1, ns2"},
		{dnscheck.Problem{Record: "a.example TXT", Servers: []string{"ns1", "ns2", "ns3"}}, 3, "a.example TXT at all 3 name servers"},
		{dnscheck.Problem{Record: "a.example TXT"}, 0, "a.example TXT"},
		{dnscheck.Problem{Servers: []string{"ns1"}}, 2, "ns1"},
		{dnscheck.Problem{}, 2, ""},
	} {
		if got := c.p.Where(c.servers); got != c.want {
			t.Errorf("%+v of %d servers: %q, want %q", c.p, c.servers, got, c.want)
		}
	}
}

// What is remembered: one line, and the keys that every server has.
func TestChecked(t *testing.T) {
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	keys := []keyring.Key{{Selector: "202605", Stage: keyring.Gone}, {Selector: "202611", Stage: keyring.Active}}
	silentToo := good()
	silentToo.Servers = append(silentToo.Servers, bad().Servers[2])
	for _, c := range []struct {
		r    dnscheck.Result
		ok   bool
		line string
		seen bool
	}{
		{good(), true, "all 2 records at 1 name server", true},
		{bad(), false, "lab.example TXT at ns1.lab.example (192.0.2.53), ns2.lab.example (192.0.2.54): missing (and 2 more)", false},
		// A server that says nothing may have another record.
		{silentToo, false, "ns3.lab.example (192.0.2.55): it does not answer: nothing listens there", false},
	} {
		want := keyring.LastCheck{At: now, OK: c.ok, Found: c.line, Seen: map[string]time.Time{}}
		if c.seen {
			want.Seen["202611"] = now
		}
		if diff := cmp.Diff(want, c.r.LastCheck(keys, now)); diff != "" {
			t.Error(diff)
		}
	}
}

// A key whose record nobody was asked about was not seen.
func TestServedEverywhere(t *testing.T) {
	for name, want := range map[string]bool{theKeyName: true, "202612._domainkey.lab.example.": false} {
		if got := good().ServedEverywhere(name); got != want {
			t.Errorf("%s is served everywhere: %v, want %v", name, got, want)
		}
	}
	if bad().ServedEverywhere(theKeyName) {
		t.Error("one server lacks the key, and it counts as served everywhere")
	}
}

func TestServerSummary(t *testing.T) {
	var got []string
	for _, s := range append(bad().Servers, good().Servers...) {
		got = append(got, s.Summary())
	}
	want := []string{
		"ns1.lab.example (192.0.2.53) has 1 of 2 records: lab.example TXT (missing)",
		"ns2.lab.example (192.0.2.54) has 0 of 2 records: lab.example TXT (missing), 202611._domainkey.lab.example TXT (missing)",
		"ns3.lab.example (192.0.2.55): it does not answer: nothing listens there",
		"ns1.lab.example (192.0.2.53) has what it should, 2 records",
		"ns1.lab.example (2001:db8::53): not asked, this machine has no way to its address",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// The fields are a contract with scripts.
func TestData(t *testing.T) {
	r := dnscheck.Result{Domain: "lab.example", Servers: []dnscheck.ServerResult{
		at("ns2.lab.example", "192.0.2.54:53", right, found(theKeyName, missing)), at("ns3.lab.example", "", silent),
	}}
	r.Servers[0].Records[0].Seen = []state.Record{{Type: "CNAME", Value: "x.example."}, {Type: "TXT", Value: "other"}}
	want := jsondoc.Domain{Domain: "lab.example", Checked: &jsondoc.Look{Servers: []jsondoc.Server{
		{
			Name: "ns2.lab.example", Address: "192.0.2.54:53", Zone: "lab.example.", Status: "ok",
			Records: []jsondoc.Record{{
				Name: "202611._domainkey.lab.example.", Type: "TXT", Value: "202611._domainkey.lab.example.",
				Status: "missing", Found: "missing", Remedy: "publish it: mailsetup dns lab.example", Seen: []string{"CNAME x.example.", "other"},
			}},
		},
		{
			Name: "ns3.lab.example", Zone: "lab.example.", Status: "no answer",
			Found: "it does not answer: nothing listens there", Remedy: "see that it runs",
		},
	}}}
	if diff := cmp.Diff(want, r.Data()); diff != "" {
		t.Error(diff)
	}
}
