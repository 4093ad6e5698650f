package spec

import (
	"fmt"
	"strings"
)

// checkModeFlags finds flags about a way of publishing that is not in use, which would be
// written down and change nothing.
func (a Answers) checkModeFlags(f *findingList, inUse func(DNSMode) bool) {
	for _, x := range []struct {
		flag, value string
		mode        DNSMode
	}{
		{"--rfc2136-server", a.UpdateServer, DNSUpdate},
		{"--rfc2136-key", a.UpdateKey, DNSUpdate},
		{"--dns-hook", a.Hook, DNSHook},
		{"--slot-zone", a.SlotZone, DNSSlots},
		{"--slots", a.Slots, DNSSlots},
		{"--keep-selector", strings.Join(a.KeepSelectors, " "), DNSDelegate},
	} {
		if x.value != "" && !inUse(x.mode) {
			f.add(x.flag, fmt.Sprintf("goes with --dns %s, and the records are published otherwise", x.mode), fmt.Sprintf("add --dns %s, or leave it out", x.mode))
		}
	}
}

// uses reports whether records of the host, or of one of its domains, are published in a way.
func (s Spec) uses(mode DNSMode) bool {
	if s.Host.DNS == mode {
		return true
	}
	for _, d := range s.Domains {
		if s.DNSOf(d) == mode {
			return true
		}
	}
	return false
}
