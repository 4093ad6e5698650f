package dns_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/dns"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// remove-domain has no --dns: the way out is in the domain's file.
func TestARemovedDomainWhoseZoneIsUnfit(t *testing.T) {
	in := without(steptest.Served(t), false)
	z := &in.Facts.Zones[1]
	z.Problem, z.Hint = "it takes dynamic updates", "rndc freeze shop.example; or --dns manual"
	_, err := steps.Build(steps.All(), in)
	refused, ok := errors.AsType[*step.Refusal](err)
	if !ok {
		t.Fatalf("error %v", err)
	}
	if refused.What != "zone shop.example: it takes dynamic updates" ||
		refused.Hint != `mend that, or set dns = "manual" in /etc/mailsetup/domains.d/shop.example.toml; then run it again` || len(refused.Then) > 0 {
		t.Errorf("%s\nhint: %s\nthen: %q", refused.What, refused.Hint, refused.Then)
	}
	in.Removed[0].DNS = spec.DNSManual
	if _, err := steps.Build(steps.All(), in); err != nil {
		t.Errorf("after that: %v", err)
	}
}

// A BIND whose configuration cannot be read may serve any name: what is wrong with it
// is said, and not that no zone holds a domain.
func TestABINDThatCannotBeRead(t *testing.T) {
	unreadable := []state.Zone{{Origin: ".", Problem: "named-checkconf: /etc/bind/named.conf.local:3: unknown option 'zne'", Hint: "correct that; or --dns manual"}}
	const what = "the configuration of BIND: named-checkconf: /etc/bind/named.conf.local:3: unknown option 'zne'"
	for name, in := range map[string]step.Input{
		"published":    steptest.Served(t),
		"a new zone":   steptest.Served(t),
		"removed":      without(steptest.Served(t), false),
		"keys that go": steptest.Served(t),
	} {
		in.Facts.Zones = unreadable
		list := steps.All()
		switch name {
		case "a new zone":
			in.Spec.Domains = slices.Clone(in.Spec.Domains)
			for i := range in.Spec.Domains {
				in.Spec.Domains[i].NewZone = true
			}
		case "keys that go":
			in.Scope, in.KeysOnly = step.Only("lab.example"), true
			in.Keys.Withdraw, list = map[string][]string{"lab.example": {"old"}}, steps.Withdrawal()
		}
		_, err := steps.Build(list, in)
		refused, ok := errors.AsType[*step.Refusal](err)
		if !ok || refused.What != what || name != "removed" && refused.Hint != "correct that; or --dns manual" {
			t.Errorf("%s: %v, want %s", name, err, what)
		}
	}
	in := steptest.Served(t)
	in.Facts.Zones = unreadable
	in.Spec.Host.DNS = spec.DNSManual
	if _, err := steps.Build(steps.All(), in); err != nil {
		t.Errorf("records that are printed: %v", err)
	}
}

// A new zone is declared in named.conf.local, which named has to read.
func TestANewZoneThatNobodyWouldServe(t *testing.T) {
	in := steptest.Served(t)
	in.Facts.Zones, in.Facts.NewZoneProblem = nil, "named reads /srv/own.conf, which does not include /etc/bind/named.conf.local"
	for i := range in.Spec.Domains {
		in.Spec.Domains[i].NewZone = true
	}
	_, err := steps.Build(steps.All(), in)
	refused, ok := errors.AsType[*step.Refusal](err)
	if !ok || refused.What != "BIND would not serve a new zone for lab.example: named reads /srv/own.conf, which does not include /etc/bind/named.conf.local" {
		t.Errorf("%v", err)
	}
}

// shared is two domains in one zone here, whose records are served.
func shared(t *testing.T) step.Input {
	t.Helper()
	in := steptest.Served(t)
	in.Spec.Domains[1].Name = "shop.lab.example"
	in.Ledger["shop.lab.example"] = in.Ledger["shop.example"]
	delete(in.Ledger, "shop.example")
	in.Facts.Zones = in.Facts.Zones[:1]
	in.Facts.Zones[0].OurRecords = slices.Concat(records.Of(in, in.Spec.Domains[0]), records.Of(in, in.Spec.Domains[1]))
	return in
}

// What a domain has in a zone stays there when it is published in another way:
// it signs, and the new place may not have its key yet.
func TestADomainThatIsPublishedElsewhereStaysInTheSharedZone(t *testing.T) {
	for _, mode := range []spec.DNSMode{spec.DNSManual, spec.DNSUpdate} {
		in := shared(t)
		before := fragmentOf(t, in, "lab.example")
		in.Spec.Domains[1].DNS = mode
		in.Facts.Updated = []state.Zone{{Origin: "shop.lab.example.", Update: &state.UpdateTarget{Server: "192.0.2.53:53"}}}
		st, notes, err := dns.WriteZoneFiles(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := fragmentOf(t, in, "lab.example"); got != before || strings.Count(got, "shop.lab.example.") != 3 {
			t.Errorf("%s: the fragment was\n%s\nis\n%s", mode, before, got)
		}
		if gone := st.Units[0].Probes[0].Gone; len(gone) > 0 {
			t.Errorf("%s: gone %q", mode, steptest.Lines(gone))
		}
		want := state.Note{
			Topic:  "dns",
			Text:   "the zone lab.example of this machine's BIND still has 3 records of shop.lab.example that are no longer kept up to date",
			Action: "once the records are elsewhere: take them out of /etc/bind/mailsetup/lab.example.zone, raise the serial of /etc/bind/db.lab.example, rndc reload",
		}
		if !slices.Contains(notes, want) {
			t.Errorf("%s: notes %+v", mode, notes)
		}
	}
}

// A zone that was not read only looks empty: others may have records in it.
func TestAZoneThatWasNotReadIsNotWritten(t *testing.T) {
	in := steptest.Two("mail.hoster.example", "shop.example")
	in.Facts.Zones = state.SortZones(append(in.Facts.Zones, state.Zone{Origin: "hoster.example.", Kind: "primary", File: "/etc/bind/db.hoster", NotLoaded: true}))
	_, _, err := dns.Publish(in)
	refused, ok := errors.AsType[*step.Refusal](err)
	if !ok {
		t.Fatalf("error %v", err)
	}
	if want := "zone hoster.example. holds mail.hoster.example and was not read: this is a mistake of mailsetup"; refused.What != want {
		t.Errorf("%q, want %q", refused.What, want)
	}
	in.Facts.Zones.Named("hoster.example.")[0].NotLoaded = false
	if _, _, err := dns.Publish(in); err != nil {
		t.Errorf("once it was read: %v", err)
	}
}

// The key may be in a zone below the domain: from there it goes as well.
func TestPurgingAKeyInAZoneOfItsOwn(t *testing.T) {
	for _, origin := range []string{"_domainkey.shop.example.", "202611._domainkey.shop.example."} {
		in := steptest.Served(t)
		key := records.Of(in, in.Spec.Domains[1])[1]
		whole := in.Facts.Zones[1]
		in.Facts.Zones[1].OurRecords = slices.DeleteFunc(slices.Clone(whole.OurRecords), func(r state.Record) bool { return r == key })
		in.Facts.Zones = state.SortZones(append(in.Facts.Zones, state.Zone{
			Origin: origin, Kind: "primary", File: "/etc/bind/db.keys", OurRecords: []state.Record{key},
			Content: []byte(strings.ReplaceAll(steptest.Include, "%s", dnsname.TrimDot(origin))),
		}))
		if got := steptest.Lines([]state.Record{key}); got[0] != "202611._domainkey.shop.example. TXT v=DKIM1; h=sha256; k=rsa; p=MIIC" {
			t.Fatalf("key %q", got)
		}
		want := "/etc/bind/mailsetup/" + dnsname.TrimDot(origin) + ".zone"
		if got := paths(steptest.Stage(t, steptest.Build(t, without(in, true)), "OldKeys").Remove); !slices.Contains(got, want) {
			t.Errorf("removes %q, want %s", got, want)
		}
	}
}
