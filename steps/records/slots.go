package records

import (
	"cmp"
	"slices"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// Slots returns where new keys of a domain go, none for a selector of their own.
func Slots(s spec.Spec, d spec.Domain) keyring.Slots {
	if s.DNSOf(d) != spec.DNSSlots || d.SignedBy != "" {
		return keyring.Slots{}
	}
	return s.Host.Slots
}

// HasSlots reports whether new keys of a domain go into slots.
func HasSlots(in step.Input, domain string) bool {
	i, ok := slices.BinarySearchFunc(in.Spec.Domains, domain, func(d spec.Domain, name string) int { return cmp.Compare(d.Name, name) })
	return ok && Slots(in.Spec, in.Spec.Domains[i]).Zone != ""
}

// SlotMode returns how the records of slots get published: by dynamic updates where the host
// has a key for them, else in a zone of the BIND of this machine.
func SlotMode(s spec.Spec) spec.DNSMode {
	if s.Host.Update.KeyFile != "" {
		return spec.DNSUpdate
	}
	return spec.DNSBind
}

// By returns those of the records of a domain that are published in one way: what is in a
// slot zone, which is ours, may be published in another way than the rest.
func By(in step.Input, d spec.Domain, mode spec.DNSMode) []state.Record {
	own, slot := in.Spec.DNSOf(d), SlotMode(in.Spec)
	switch own {
	case spec.DNSSlots, spec.DNSDelegate:
		own = spec.DNSManual
	case spec.DNSHook: // a program stands in for the primary
		own = spec.DNSUpdate
	}
	delegates := Delegates(in.Spec, d)
	if mode != own && (mode != slot || !UsesSlots(in, d)) && (mode != spec.DNSBind || !delegates) {
		return nil
	}
	return slices.DeleteFunc(Of(in, d), func(r state.Record) bool {
		switch {
		case InSlot(d.Name, r):
			return mode != slot
		case delegates && isOwnKey(d.Name, r):
			return mode != spec.DNSBind
		}
		return mode != own
	})
}

// UsesSlots reports whether records of a domain stand in a slot zone.
func UsesSlots(in step.Input, d spec.Domain) bool {
	return Slots(in.Spec, d).Zone != "" || len(SlotZones(in.Spec, d, in.Ledger[d.Name])) > 0
}

// SlotZones returns the slot zones of a domain: that of its slots, and those of keys that it
// has still.
func SlotZones(s spec.Spec, d spec.Domain, keys []keyring.Key) []string {
	var zones []string
	if zone := Slots(s, d).Zone; zone != "" {
		zones = append(zones, zone)
	}
	for _, k := range keys {
		if k.SlotZone != "" && k.Stage != keyring.Gone && !slices.Contains(zones, k.SlotZone) {
			zones = append(zones, k.SlotZone)
		}
	}
	return zones
}

// InSlot reports whether a record of a domain stands in a slot zone.
func InSlot(domain string, r state.Record) bool {
	_, below, isKey := dnsname.SplitKey(dnsname.TrimDot(r.Name))
	return isKey && r.Type == "TXT" && !dnsname.Same(below, domain)
}

// SplitSlot returns the selector and the domain of a record in one of the slot zones, whose
// name has no final dot.
func SplitSlot(in step.Input, name string) (selector, domain string, isSlot bool) {
	selector, below, isKey := dnsname.SplitKey(name)
	if !isKey {
		return "", "", false
	}
	if in.Has(below) || len(in.Ledger[below]) > 0 {
		return "", "", false
	}
	for at := below; at != ""; at = dnsname.Parent(at) {
		rest := below[:len(below)-len(at)]
		if rest == "" || rest[len(rest)-1] != '.' {
			continue
		}
		domain := rest[:len(rest)-1]
		if in.Spec.Host.Slots.Zone == at && (in.Has(domain) || len(in.Ledger[domain]) > 0) || hadSlotIn(in.Ledger[domain], at) {
			return selector, domain, true
		}
	}
	return "", "", false
}

func hadSlotIn(keys []keyring.Key, zone string) bool {
	return slices.ContainsFunc(keys, func(k keyring.Key) bool { return k.SlotZone == zone })
}

// SplitKey returns selector and domain of a key's record, which may be in a slot zone; its
// name has no final dot.
func SplitKey(in step.Input, name string) (selector, domain string, isKey bool) {
	if selector, domain, isSlot := SplitSlot(in, name); isSlot {
		return selector, domain, true
	}
	return dnsname.SplitKey(name)
}
