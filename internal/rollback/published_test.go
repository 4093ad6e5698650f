package rollback_test

import (
	"testing"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
)

var ns1 = dnsclient.NameServer{Name: "ns1.lab.example", Address: "192.0.2.53:53"}

// without is a name server that does not have the record of the selector, and has
// the others.
func without(selector string) func(dnscheck.Expected) dnscheck.Result {
	return func(w dnscheck.Expected) dnscheck.Result {
		server := dnscheck.ServerResult{NameServer: ns1, Zone: "lab.example."}
		for _, r := range w.Records {
			v := dnscheck.RecordResult{ExpectedRecord: dnscheck.ExpectedRecord{Record: r}}
			if r.Name == selector+"._domainkey."+w.Domain+"." {
				v.Fault, v.Text = dnscheck.Missing, "there is no such name"
			}
			server.Records = append(server.Records, v)
		}
		return dnscheck.Result{Servers: []dnscheck.ServerResult{server}}
	}
}

// switched is a host whose run replaced s1, which signed, by s2.
func switched(t *testing.T, more ...change) *host {
	t.Helper()
	h := newHost(t)
	h.Put(labLedger, ledger(key("s1", keyring.Active), key("s2", keyring.Published)))
	h.run("a", append(more, change{labLedger, ledger(key("s1", keyring.Draining), key("s2", keyring.Active))})...)
	return h
}

// A key that a rollback makes sign again has to be in DNS still.
func TestAKeyWhoseRecordIsGoneDoesNotSignAgain(t *testing.T) {
	h := switched(t)
	h.dns = without("s1")
	_, err := h.make("a")
	if err == nil || hint.IsUsage(err) ||
		err.Error() != "s1 would sign for lab.example again, and no message would verify: ns1.lab.example (192.0.2.53): there is no such name" {
		t.Fatalf("error %v", err)
	}
	hints := hint.Of(err)
	if len(hints) != 2 || hints[0] != "publish it again: s1._domainkey.lab.example TXT v=DKIM1; h=sha256; k=rsa; p=PUBLICs1" ||
		hints[1] != "or leave that key: mailsetup rotate-dkim --now lab.example makes another one" {
		t.Errorf("hints %q", hints)
	}
}

func TestKeysThatMaySignAgain(t *testing.T) {
	for _, tt := range []struct {
		name string
		host func(*testing.T) *host
	}{
		{"its record is there", func(t *testing.T) *host {
			h := switched(t)
			h.dns = without("s2")
			return h
		}},
		{"nothing signs below --root", func(t *testing.T) *host { return switched(t) }},
		{"no name server can be asked", func(t *testing.T) *host {
			h := switched(t)
			h.dns = func(dnscheck.Expected) dnscheck.Result {
				return dnscheck.Result{Servers: []dnscheck.ServerResult{{NameServer: ns1, ServerProblem: dnsclient.Finding{Fault: dnsclient.NoAnswer}}}}
			}
			return h
		}},
		{"the rollback publishes it", func(t *testing.T) *host {
			const fragment = "s1._domainkey.lab.example. 60 IN TXT \"v=DKIM1; p=PUBLICs1\"\n"
			h := newHost(t)
			h.PutFile("/etc/bind/mailsetup/lab.example.zone", fragment)
			h.Put(labLedger, ledger(key("s1", keyring.Active)))
			h.run("a", change{labLedger, ledger(key("s1", keyring.Draining))}, change{"/etc/bind/mailsetup/lab.example.zone", file("")})
			h.dns = without("s1")
			return h
		}},
		{"it signed before the rollback, too", func(t *testing.T) *host {
			h := newHost(t)
			h.Put(labLedger, ledger(key("s1", keyring.Active), key("s2", keyring.Publishing)))
			h.run("a", change{labLedger, ledger(key("s1", keyring.Active), key("s2", keyring.Published))})
			h.dns = without("s1")
			return h
		}},
		{"nothing signs after the rollback", func(t *testing.T) *host {
			h := newHost(t)
			h.run("a", change{labLedger, ledger(key("s1", keyring.Active))})
			h.dns = without("s1")
			return h
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tt.host(t).make("a"); err != nil {
				t.Error(err)
			}
		})
	}
}

// A rollback that publishes the record on a name server by a dynamic update asks
// no name server before.
func TestAnUpdateThatPublishesTheKeyAgain(t *testing.T) {
	record := state.Record{Name: "s1._domainkey.lab.example.", Type: "TXT", TTL: 60, Value: "v=DKIM1; p=PUBLICs1"}
	h := newHost(t)
	h.Zone("lab.example.", record)
	h.Put(labLedger, ledger(key("s1", keyring.Active)))
	drained := plan.Change{Op: plan.Modify, Path: labLedger, Before: ledger(key("s1", keyring.Active)), After: ledger(key("s1", keyring.Draining))}
	h.apply("a", plan.Plan{Stages: []plan.StageChanges{
		{Name: "Ledger", Changes: []plan.Change{drained}},
		{Name: "OldKeys", Updates: []state.Update{{Origin: "lab.example.", Server: "192.0.2.53:53", Remove: []state.Record{record}, Expected: []state.Record{record}}}},
	}})
	h.dns = without("s1")
	r, err := h.make("a")
	if err != nil {
		t.Fatal(err)
	}
	h.apply("back", r.Plan)
	if got := h.Served("lab.example."); len(got) != 1 || !state.Same(got[0], record) {
		t.Errorf("the zone has %v", got)
	}
}
