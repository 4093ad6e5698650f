package main

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
	"mailsetup/steps"
	"mailsetup/steps/step"
)

// hosting is a server that was set up for n domains, of which the last is in a
// zone of its BIND, and a run that found them all in order.
func hosting(t *testing.T, n int) (*session, *systemtest.Mem, spec.Spec) {
	t.Helper()
	s, mem, _, want := bareSession(t)
	for i := range n - 1 {
		d := want.Domains[0]
		d.Name = fmt.Sprintf("shop%02d.example", i)
		want.Domains = append(want.Domains, d)
	}
	want.Domains[n-1].DNS = spec.DNSBind
	for _, d := range want.Domains {
		s.keys[d.Name] = []keyring.Key{{Selector: "202611", Public: "MIIB", Stage: keyring.Active}}
	}
	mem.Put("/var/lib/mailsetup", state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
	mem.PutFile("/etc/bind/db.shop", "; a zone")
	s.facts.Zones = []state.Zone{{Origin: want.Domains[n-1].Name + ".", Kind: "primary", File: "/etc/bind/db.shop"}}
	s.settledNow(steps.Input{Spec: want, Facts: s.facts, Keys: s.keys, Now: s.Now})
	return s, mem, want
}

// unsettled are the domains that a run looks at again.
func unsettled(t *testing.T, s *session, want spec.Spec) []string {
	t.Helper()
	s.marks = nil // as the next run begins
	if err := s.findSettled(&want); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(namesIn(s.subjects(&want)), func(n string) bool { return n == "lab.example" })
}

func TestOnlyWhatChangedIsLookedAtAgain(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(s *session, mem *systemtest.Mem, want *spec.Spec)
		again  []string
	}{
		{"nothing", func(*session, *systemtest.Mem, *spec.Spec) {}, nil},
		{"the one that is named", func(s *session, _ *systemtest.Mem, _ *spec.Spec) { s.scope = s.scope.Recheck("shop03.example") }, []string{"shop03.example"}},
		{"its file", func(_ *session, _ *systemtest.Mem, want *spec.Spec) { want.Domains[5].SPF.All = "fail" }, []string{"shop04.example"}},
		{"whom it signs for", func(_ *session, _ *systemtest.Mem, want *spec.Spec) {
			want.Domains[5].Also = []string{"example.net"}
		}, []string{"shop04.example"}},
		{"its key", func(s *session, _ *systemtest.Mem, _ *spec.Spec) {
			s.keys["shop04.example"] = []keyring.Key{{Selector: "202612", Public: "MIIC", Stage: keyring.Active}}
		}, []string{"shop04.example"}},
		{"the stage of its key", func(s *session, _ *systemtest.Mem, _ *spec.Spec) {
			s.keys["shop04.example"] = []keyring.Key{{Selector: "202611", Public: "MIIB", Stage: keyring.Draining}}
		}, []string{"shop04.example"}},
		{"its zone", func(_ *session, mem *systemtest.Mem, _ *spec.Spec) {
			mem.PutFile("/etc/bind/db.shop", "; edited")
		}, []string{"shop28.example"}},
		{"our records in its zone", func(_ *session, mem *systemtest.Mem, _ *spec.Spec) {
			mem.PutFile("/etc/bind/mailsetup/shop28.example.zone", "; edited")
		}, []string{"shop28.example"}},
		{"a line of the memory is damaged", func(_ *session, mem *systemtest.Mem, _ *spec.Spec) {
			o, _ := mem.Read(settledFile)
			o.Content = o.Content[:len(o.Content)-3]
			mem.Put(settledFile, o)
		}, []string{"shop28.example"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, mem, want := hosting(t, 30)
			tt.change(s, mem, &want)
			if got := unsettled(t, s, want); !slices.Equal(got, tt.again) {
				t.Errorf("looks at %v again, want %v", got, tt.again)
			}
		})
	}
}

func TestAllAreLookedAtAgain(t *testing.T) {
	for _, tt := range []struct {
		name    string
		domains int
		change  func(s *session, mem *systemtest.Mem, want *spec.Spec)
	}{
		{"few", 20, func(*session, *systemtest.Mem, *spec.Spec) {}},
		{"another address of the host", 30, func(_ *session, _ *systemtest.Mem, want *spec.Spec) {
			want.Host.Addresses = append(want.Host.Addresses, netip.MustParseAddr("192.0.2.11"))
		}},
		{"another way to publish", 30, func(_ *session, _ *systemtest.Mem, want *spec.Spec) {
			want.Host.DNS = spec.DNSUpdate
			for i := range want.Domains {
				want.Domains[i].DNS = ""
			}
		}},
		{"no memory", 30, func(_ *session, mem *systemtest.Mem, _ *spec.Spec) { mem.Delete(settledFile) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, mem, want := hosting(t, tt.domains)
			tt.change(s, mem, &want)
			if got := unsettled(t, s, want); len(got) != tt.domains-1 {
				t.Errorf("looks at %d of %d again: %v", len(got), tt.domains-1, got)
			}
		})
	}
}

// What a name server was told by updates is in a file, which a rollback writes
// back: then the domain is no longer what the digest says.
func TestAnUpdateTakenBackIsLookedAtAgain(t *testing.T) {
	s, mem, want := hosting(t, 30)
	want.Domains[5].DNS = spec.DNSUpdate
	s.facts.Updated = []state.Zone{{Origin: "shop04.example."}}
	mem.PutFile("/var/lib/mailsetup/published/shop04.example.json", "new")
	s.settledNow(steps.Input{Spec: want, Facts: s.facts, Keys: s.keys, Now: s.Now})
	if got := unsettled(t, s, want); len(got) != 0 {
		t.Errorf("looks at %v again", got)
	}
	mem.PutFile("/var/lib/mailsetup/published/shop04.example.json", "old")
	if got := unsettled(t, s, want); !slices.Equal(got, []string{"shop04.example"}) {
		t.Errorf("looks at %v again", got)
	}
}

// A run about one domain neither looks at the others nor forgets them.
func TestARunAboutOneDomainRemembersTheOthers(t *testing.T) {
	s, mem, want := hosting(t, 30)
	before, _ := mem.Read(settledFile)
	s.scope = step.Only("shop04.example")
	want.Domains[5].SPF.All = "fail"
	s.settledNow(steps.Input{Spec: want, Facts: s.facts, Keys: s.keys, Scope: s.scope, Now: s.Now})
	s.scope = step.Scope{}
	if got := unsettled(t, s, want); len(got) != 0 {
		t.Errorf("looks at %v again", got)
	}
	want = want.Without("shop04.example")
	s.settledNow(steps.Input{Spec: want, Facts: s.facts, Keys: s.keys, Scope: step.Only("shop04.example"), Now: s.Now})
	if after, _ := mem.Read(settledFile); len(after.Content) >= len(before.Content) {
		t.Error("a removed domain is remembered")
	}
}

// A key that nobody has seen signing yet keeps its domain from being settled.
func TestADomainWhoseKeyWaitsIsNotSettled(t *testing.T) {
	want := spec.Spec{Host: spec.Host{Domain: "lab.example"}}
	d := spec.Domain{Name: "shop.example"}
	if sum := steps.Sum(want, d, []keyring.Key{{Selector: "a", Stage: keyring.Published}}); sum != "" {
		t.Errorf("digest %q", sum)
	}
}
