package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// foundSession is a session on a machine whose BIND serves lab.example, and whose
// host name DNS knows.
func foundSession(t *testing.T) *session {
	t.Helper()
	return &session{
		Machine: &machine.Machine{
			Now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), Sys: systemtest.NewMem(), Resolver: dnsclient.New("127.0.0.1:1"),
		},
		keys: keyring.Ledger{}, o: options{root: "/image", rootKeys: true},
		facts: state.Facts{
			FQDN: "srv1.lab.example", DNS: state.BIND,
			Zones: []state.Zone{{Origin: "lab.example.", Kind: "primary", File: "/etc/bind/db.lab"}},
			Live: map[string]state.LiveDNS{
				"lab.example":      {Asked: true, MX: []string{"mail.lab.example"}},
				"mail.lab.example": {Asked: true, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")}},
			},
		},
	}
}

func TestSelectorOfASpecWithoutAKeyIsLookedUp(t *testing.T) {
	s := foundSession(t)
	old := &spec.Spec{Host: spec.Host{Domain: "lab.example"}, Domains: []spec.Domain{{Name: "lab.example", Selector: "202609", KeyBits: 2048}}}
	s.facts.Zones[0].Records = []state.Record{{Name: "202609._domainkey.lab.example.", Type: "TXT", Value: "v=DKIM1; p=AAAA"}}
	work := func() string {
		t.Helper()
		w, err := s.work(t.Context(), *old, old)
		if err != nil {
			t.Fatal(err)
		}
		var made []string
		for _, f := range w.fresh {
			made = append(made, f.Key.Selector+" "+f.Key.File)
		}
		return strings.Join(made, ", ")
	}
	if got := work(); got != "202611 /etc/dkimkeys/lab.example/202611.private" {
		t.Errorf("a machine with the spec of another one makes %q", got)
	}
	s.facts.Zones[0].Records = nil
	if got := work(); got != "202609 /etc/dkimkeys/lab.example/202609.private" {
		t.Errorf("nobody has the selector: makes %q", got)
	}
	s.keys = keyring.Ledger{"lab.example": {{Selector: "202609", Stage: keyring.Active}}}
	if got := work(); got != "" {
		t.Errorf("with a key of its own: makes %q", got)
	}
}
