package store_test

import (
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/steps/step"
)

// lookedAtAgain is a run that reads everything, in which a person may want something else
// than the files say. It returns the domains that it did not skip.
func lookedAtAgain(t *testing.T, m *stamped, other func(want *spec.Spec, keys keyring.Ledger)) []string {
	t.Helper()
	e, err := store.Load(m, false, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	want, keys := *e.Spec, keyring.Ledger{}
	want.Domains = slices.Clone(want.Domains)
	for domain, list := range e.Ledger {
		keys[domain] = list
	}
	other(&want, keys)
	s := store.New(m)
	known, err := s.LoadFingerprints()
	if err != nil {
		t.Fatal(err)
	}
	unchanged, err := s.Unchanged(want, keys, known, e)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SaveFingerprints(step.Input{Spec: want, Ledger: keys, Now: november, Scope: step.Scope{}.Skip(unchanged)}, known); err != nil {
		t.Fatal(err)
	}
	var again []string
	for _, d := range want.Domains {
		if !unchanged[d.Name] && d.Name != "lab.example" {
			again = append(again, d.Name)
		}
	}
	return again
}

// What is wanted of a domain is not worked out again while its files, the host and the
// program are the same: then a wrong digest of it is believed, and only then.
func TestWhatIsWantedIsWorkedOutOnce(t *testing.T) {
	active := []keyring.Key{{
		Selector: "202611", Bits: 1024, Public: "MIIB", Fingerprint: "SHA256:x", File: "/etc/dkimkeys/x", Stage: keyring.Active,
		Since: map[keyring.Stage]time.Time{keyring.Staged: november, keyring.Active: november},
	}}
	as := func(*spec.Spec, keyring.Ledger) {}
	for _, tt := range []struct {
		name   string
		change func(m *stamped)
		other  func(want *spec.Spec, keys keyring.Ledger)
		again  int // of 299 domains
		one    string
	}{
		{"nothing", func(*stamped) {}, as, 0, ""},
		{"its file was written again", func(m *stamped) {
			o, _ := m.Read("/etc/mailsetup/domains.d/shop004.example.toml")
			m.put("/etc/mailsetup/domains.d/shop004.example.toml", o.Content, 2)
		}, as, 1, "shop004.example"},
		{"its ledger was written again", func(m *stamped) {
			m.put("/var/lib/mailsetup/keyring/shop005.example.json", keyring.MarshalDomain(active), 2)
		}, as, 1, "shop005.example"},
		{"its file has no stamp any more", func(m *stamped) {
			delete(m.stamps, "/etc/mailsetup/domains.d/shop006.example.toml")
		}, as, 1, "shop006.example"},
		{"the host's file says something else", func(m *stamped) {
			o, _ := m.Read(spec.HostFile)
			host, err := spec.SetHost(o.Content, spec.Host{
				Version: 1, Hostname: "mx.lab.example", Domain: "lab.example", Addresses: labSpec(t).Host.Addresses,
				DNS: spec.DNSManual, MilterDefaultAction: "tempfail",
			})
			if err != nil {
				t.Fatal(err)
			}
			m.PutFile(spec.HostFile, string(host))
		}, as, 299, "shop000.example"},
		{"somebody wants something else of it", func(*stamped) {}, func(want *spec.Spec, _ keyring.Ledger) {
			i := slices.IndexFunc(want.Domains, func(d spec.Domain) bool { return d.Name == "shop007.example" })
			want.Domains[i].TTL = 60
		}, 1, "shop007.example"},
		{"another host name is asked for", func(*stamped) {}, func(want *spec.Spec, _ keyring.Ledger) {
			want.Host.Hostname = "mx.lab.example"
		}, 299, "shop000.example"},
		{"its key gets another stage", func(*stamped) {}, func(_ *spec.Spec, keys keyring.Ledger) {
			keys["shop008.example"] = []keyring.Key{active[0].At(keyring.Draining, november)}
		}, 1, "shop008.example"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, want := shops(t, 300)
			for _, d := range want.Domains {
				m.put(keyring.File(d.Name), keyring.MarshalDomain(active), 1)
			}
			if again := lookedAtAgain(t, m, as); len(again) != 299 {
				t.Fatalf("the first run looked at %d domains", len(again))
			}
			if again := lookedAtAgain(t, m, as); len(again) != 0 {
				t.Fatalf("the second run looked at %v again", again)
			}
			o, err := m.Read(state.UnchangedFile)
			if err != nil {
				t.Fatal(err)
			}
			wrong := regexp.MustCompile(`\t[0-9a-f]{32}`).ReplaceAll(o.Content, []byte("\t"+fmt.Sprintf("%032d", 0)))
			m.PutFile(state.UnchangedFile, string(wrong))
			tt.change(m)
			again := lookedAtAgain(t, m, tt.other)
			if len(again) != tt.again || tt.one != "" && !slices.Contains(again, tt.one) {
				t.Errorf("looked at %d domains again, want %d with %s: %.200q", len(again), tt.again, tt.one, again)
			}
		})
	}
}

func TestHasMoreDomains(t *testing.T) {
	m, _ := shops(t, 30)
	for than, want := range map[int]bool{20: true, 30: false} {
		if more, err := store.HasMoreDomains(m, than); err != nil || more != want {
			t.Errorf("30 domains are more than %d: %v, %v", than, more, err)
		}
	}
	m.PutFile(state.SpecCache, "") // of more, which are not listed once more for this
	if more, err := store.HasMoreDomains(m, 30); err != nil || !more {
		t.Errorf("a cache of domains: %v, %v", more, err)
	}
}
