package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec/syntax"
)

// How many slots a domain has: one signs, one drains, and one is free for an emergency.
const (
	minSlots = 3
	maxSlots = 12
)

// slotsText is the table [slots] of host.toml.
type slotsText struct {
	Zone      string   `toml:"zone"`
	Selectors []string `toml:"selectors"`
}

func (raw slotsText) slots(d *document) (s keyring.Slots) {
	setField(&d.findingList, "slots.zone", raw.Zone, &s.Zone, syntax.DomainName)
	setList(&d.findingList, "slots.selectors", raw.Selectors, &s.Selectors, syntax.Selector)
	return s
}

// SlotCount accepts how many slots each domain has.
func SlotCount(s string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < minSlots || n > maxSlots {
		return 0, &syntax.BadValue{
			Field: "slots", Value: s, Why: fmt.Sprintf("is not a number from %d to %d", minSlots, maxSlots),
			Hint: "3 are enough for a rotation now and then; with more, each selector comes back later",
		}
	}
	return n, nil
}

// slots applies the answers about slots to the host. Slots that are there keep their names.
func (a Answers) slots(f *findingList, h *Host) {
	setField(f, "--slot-zone", a.SlotZone, &h.Slots.Zone, syntax.DomainName)
	n := len(h.Slots.Selectors)
	setField(f, "--slots", a.Slots, &n, SlotCount)
	if h.Slots.Zone != "" {
		h.Slots.Selectors = slotSelectors(h.Hostname, h.Slots.Selectors, cmp.Or(n, minSlots))
	}
}

// slotsOfNew is slots for answers about a further domain, which does not move the keys of others.
func (a Answers) slotsOfNew(f *findingList, h *Host) {
	zone := h.Slots.Zone
	setField(f, "--slot-zone", a.SlotZone, &zone, syntax.DomainName)
	switch n := len(h.Slots.Selectors); {
	case h.Slots.Zone == "":
		a.slots(f, h)
	case zone != h.Slots.Zone:
		f.add("--slot-zone", fmt.Sprintf("%q instead of %q is about all domains", zone, h.Slots.Zone), "leave the flag out; init takes it")
	default:
		setField(f, "--slots", a.Slots, &n, SlotCount)
		if n != len(h.Slots.Selectors) {
			f.add("--slots", fmt.Sprintf("%d instead of %d is about all domains", n, len(h.Slots.Selectors)), "leave the flag out; init takes it")
		}
	}
}

// slotSelectors returns the selectors of n slots: those there are, then new ones with the first
// label of the host's name, so that two servers of a domain do not take the same.
func slotSelectors(hostname string, there []string, n int) []string {
	tag, _, _ := strings.Cut(hostname, ".")
	tag = strings.TrimRight(tag[:min(len(tag), 60)], "-") // a label has 63 octets
	list := slices.Clone(there[:min(n, len(there))])
	for i := 1; len(list) < n; i++ {
		if name := fmt.Sprintf("%s-%d", tag, i); !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// validateSlots finds what keeps the keys of a domain from going into slots.
func (s Spec) validateSlots(f *findingList, d Domain) {
	at := func(key string) string { return d.Name + ": " + key }
	slots := s.Host.Slots
	if slots.Zone == "" {
		zone := "dkim." + s.Host.Domain
		f.add(at("slots.zone"), "is empty, and no zone is known here in which the keys could stand",
			fmt.Sprintf("--slot-zone %s names one, which is made here; first have the DNS of %s say: %s. NS %s.; port 53 (UDP and TCP) has to be open, and a second name server for it is wise",
				zone, s.Host.Domain, zone, s.Host.Hostname))
		return
	}
	if n := len(slots.Selectors); n < minSlots || n > maxSlots {
		f.add(at("slots.selectors"), fmt.Sprintf("are %d, and %d to %d work", n, minSlots, maxSlots), "--slots 3 names them")
	}
	for _, selector := range slots.Selectors {
		if why := syntax.KeyNameFault(selector, d.Name+"."+slots.Zone); why != "" {
			f.add(at("slots.zone"), fmt.Sprintf("%q %s", slots.Zone, why), "choose a shorter zone")
			break
		}
	}
	r := s.RotationOf(d)
	if least := keyring.LeastAgeInSlot(s.DrainOf(d), r.Lag); r.Every != Never && r.Every < least {
		f.add(at("rotate_every"), fmt.Sprintf("%s is less than %s, after which a slot is free again (drain, seven days, lag)", Span(r.Every), Span(least)),
			fmt.Sprintf("write: rotate_every = %q", Span(least)))
	}
}

// validateSlotNames finds slots that the files could not say.
func validateSlotNames(f *findingList, s keyring.Slots) {
	if s.Zone != "" {
		checkNormal(f, "host: slots.zone", s.Zone, syntax.DomainName)
	}
	for _, selector := range s.Selectors {
		checkNormal(f, "host: slots.selectors", selector, syntax.Selector)
	}
}
