//go:build e2e

package e2e

import (
	"testing"

	"mailsetup/internal/check/finding"
)

// withoutFault are kinds of findings for which no fault is injected, with the reason.
var withoutFault = map[string]string{
	"live.signed.alias": "local(8) hands on what was signed; never wrong by itself",
	"live.daemon":       "a note about a daemon that has run for months",
	"live.tables":       "a note on Debian 14 alone",
	"sts.out":           "a note on most servers",
	"msg.score":         "needs a spam filter; scored has rspamd judge a message",
	"mx.v6":             "a note on a server that has IPv4 only, as this one",
}

// TestFaultTable: every kind of finding that needs nobody outside has a fault that proves
// it, at least eighty in all. docs/checks.md lists them.
func TestFaultTable(t *testing.T) {
	faults, proven := append(checkFaults(), inboundFaults...), map[string]bool{}
	if len(faults) < 80 {
		t.Errorf("%d faults, want 80", len(faults))
	}
	names := map[string]bool{}
	for _, f := range faults {
		if names[f.name] {
			t.Errorf("two faults are %q", f.name)
		}
		proven[f.id], names[f.name] = true, true
	}
	for _, k := range finding.Catalogue() {
		_, known := withoutFault[k.ID]
		switch {
		case proven[k.ID] && known:
			t.Errorf("%s has a fault: take it off the list", k.ID)
		case !proven[k.ID] && !known && k.Needs&finding.Outside == 0 && k.Excluded == "":
			t.Errorf("%s: no fault proves it", k.ID)
		}
		delete(proven, k.ID)
	}
	for id := range proven {
		t.Errorf("no kind %s", id)
	}
}
