package spec_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/spec"
)

func slotAnswers() spec.Answers {
	return spec.Answers{
		Domain: "shop.example", Hostname: "mx1.ours.example", Addresses: []string{"192.0.2.10"}, RootAlias: "ann@shop.example",
		DNS: "slots", SlotZone: "DKIM.ours.example.",
	}
}

// Slots are named after the host and keep their names, whatever it is called later.
func TestSlots(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	s, found := slotAnswers().Spec(nil, now)
	if len(found) > 0 || s.Host.Slots.Zone != "dkim.ours.example" || !slices.Equal(s.Host.Slots.Selectors, []string{"mx1-1", "mx1-2", "mx1-3"}) {
		t.Fatalf("%v, %+v", found, s.Host.Slots)
	}
	files := map[string][]byte{"shop.example": spec.MarshalDomain(s.Domains[0])}
	if read, err := spec.Parse(spec.MarshalHost(s.Host), files); err != nil || read.Host.Slots.Zone != "dkim.ours.example" || len(read.Host.Slots.Selectors) != 3 {
		t.Errorf("%v, %+v", err, read.Host.Slots)
	}
	s, found = spec.Answers{Domain: "shop.example", Hostname: "mail.ours.example", Slots: "5"}.Spec(&s, now)
	if len(found) > 0 || !slices.Equal(s.Host.Slots.Selectors, []string{"mx1-1", "mx1-2", "mx1-3", "mail-1", "mail-2"}) {
		t.Errorf("%v, %+v", found, s.Host.Slots)
	}
	s, found = s.WithDomains([]spec.Answers{{Domain: "blog.example", SlotZone: "other.example"}}, now)
	if len(found) != 1 || !strings.Contains(found[0].String(), "about all domains") {
		t.Errorf("another zone for a further domain: %v", found)
	}
}

// A further domain brings the slots along where the host has none.
func TestSlotsOfAFurtherDomain(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	a := slotAnswers()
	a.DNS, a.SlotZone = "manual", ""
	s, found := a.Spec(nil, now)
	if len(found) > 0 {
		t.Fatal(found)
	}
	s, found = s.WithDomains([]spec.Answers{{Domain: "blog.example", DNS: "slots", SlotZone: "dkim.ours.example", Slots: "4"}}, now)
	if len(found) > 0 || len(s.Host.Slots.Selectors) != 4 || s.Domains[0].DNS != spec.DNSSlots || s.Domains[1].DNS != "" {
		t.Errorf("%v, %+v", found, s)
	}
}

func TestSlotRefusals(t *testing.T) {
	for _, c := range []struct {
		change func(*spec.Answers, *spec.Spec)
		want   []string
	}{
		{func(a *spec.Answers, _ *spec.Spec) { a.SlotZone = "" }, []string{"slots.zone", "is empty", "dkim.shop.example. NS mx1.ours.example.", "port 53"}},
		{func(a *spec.Answers, _ *spec.Spec) { a.Slots = "2" }, []string{"--slots", "3 to 12"}},
		{func(a *spec.Answers, _ *spec.Spec) { a.Slots = "13" }, []string{"--slots", "3 to 12"}},
		{func(a *spec.Answers, _ *spec.Spec) { a.SlotZone = "a b" }, []string{"--slot-zone"}},
		{func(_ *spec.Answers, s *spec.Spec) { s.Host.Every = 21 * 24 * time.Hour }, []string{"rotate_every", "21d is less than 22d", `rotate_every = "22d"`}},
		{func(_ *spec.Answers, s *spec.Spec) { s.Host.Every, s.Host.Lag = 22*24*time.Hour, 48*time.Hour }, []string{"rotate_every", "less than 23d"}},
		{func(a *spec.Answers, _ *spec.Spec) { a.SlotZone = strings.Repeat("d234567890.", 21) + "example" }, []string{"slots.zone", "DNS allows 253"}},
	} {
		a, old := slotAnswers(), spec.Spec{}
		c.change(&a, &old)
		s, found := a.Spec(&old, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
		for _, w := range c.want {
			if !strings.Contains(found.Error(), w) {
				t.Errorf("want %q: %v (%+v)", w, found, s.Host.Slots)
			}
		}
	}
}
