package dns_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/dns"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
	"mailsetup/zonefile"
)

// What an undo takes out of a zone has to be gone, and what it changed back,
// before the run says so.
func TestTheNameServerIsAskedOnTheWayBack(t *testing.T) {
	unit := steptest.Stage(t, steptest.Build(t, steptest.Bare()), "DNS").Units[0]
	forth, back := unit.Probes[0], unit.UndoProbes[0]
	if back.Kind != state.ProbeServed || back.Origin != "lab.example." || len(back.Records) != 0 || len(back.Gone) < 4 {
		t.Errorf("on the way back %+v", back)
	}
	if diff := cmp.Diff(forth.Records, back.Gone); diff != "" {
		t.Errorf("served forth and gone back differ: %s", diff)
	}
}

func TestTheHostHasOneSPFRecordWhateverTheDomains(t *testing.T) {
	for _, in := range []step.Input{steptest.Two("mail.lab.example", "shop.example"), steptest.Two("shop.example", "shop.example")} {
		host := in.Spec.Host.Hostname + "."
		for _, mode := range []spec.DNSMode{spec.DNSBind, spec.DNSManual} {
			in.Spec.Host.DNS = mode
			want := steptest.Build(t, in)
			text := ""
			for _, f := range steptest.Stage(t, want, "DNS").Files {
				text += string(f.Content)
			}
			for _, d := range in.Spec.Domains {
				if mode == spec.DNSManual {
					text += string(zonefile.Text("", dns.RecordsByHand(in, d)))
				}
			}
			spf, addresses := 0, 0
			for line := range strings.Lines(text) {
				if strings.HasPrefix(line, host) && strings.Contains(line, "v=spf1") {
					spf++
				}
				if strings.HasPrefix(line, host) && strings.Contains(line, "192.0.2.10") && !strings.Contains(line, "spf1") {
					addresses++
				}
			}
			if spf != 1 || addresses != 1 {
				t.Errorf("%s with %s: %d SPF records and %d addresses:\n%s", host, mode, spf, addresses, text)
			}
		}
	}
}

func TestTheHostInAZoneThatCannotBeEditedIsOnlyMentioned(t *testing.T) {
	in := steptest.Bare()
	in.Spec.Host.Hostname = "mail.shop.example"
	in.Facts.Zones = append(in.Facts.Zones, state.Zone{Origin: "shop.example.", Kind: "secondary", Problem: "it is a secondary zone here"})
	if notes := steptest.Build(t, in).Notes; !slices.ContainsFunc(notes, func(n state.Note) bool { return strings.Contains(n.Text, "holds mail.shop.example") }) {
		t.Errorf("nobody speaks of mail.shop.example: %v", notes)
	}
}

func TestAFragmentThatTheZoneNoLongerNeedsIsEmptied(t *testing.T) {
	in := steptest.Bare()
	z := &in.Facts.Zones[0]
	z.Records = append(z.Records, records.ForDomain(in.Spec.Host, in.Spec.Domains[0], in.Ledger["lab.example"])...)
	if st := steptest.Stage(t, steptest.Build(t, in), "DNS"); len(st.Files) != 0 {
		t.Errorf("the zone has everything, and gets %v", st.Files)
	}
	z.Content = []byte("$INCLUDE \"/etc/bind/mailsetup/lab.example.zone\" lab.example. ; mailsetup 01234567\n")
	text := steptest.Content(t, steptest.Stage(t, steptest.Build(t, in), "DNS"), "/etc/bind/mailsetup/lab.example.zone")
	if rows := steptest.TableRows(strings.ReplaceAll(text, ";", "#")); len(rows) != 0 {
		t.Errorf("the fragment repeats what the zone has: %q", rows)
	}
}

func TestAFragmentIsNotForgottenWhenTheRecordsMoveAway(t *testing.T) {
	speaks := func(in step.Input) bool {
		return slices.ContainsFunc(steptest.Build(t, in).Notes, func(n state.Note) bool {
			return strings.Contains(n.Text, "/etc/bind/mailsetup/lab.example.zone") && strings.Contains(n.Action, "/etc/bind/db.lab.example")
		})
	}
	in := steptest.Bare()
	in.Spec.Host.DNS = spec.DNSManual
	if speaks(in) {
		t.Error("a fragment that never was is spoken of")
	}
	in.Facts.Zones[0].Content = []byte("$INCLUDE \"/etc/bind/mailsetup/lab.example.zone\" lab.example.\n")
	if !speaks(in) {
		t.Error("nobody says that the zone still takes in the fragment")
	}
}

func TestTheFragmentHoldsOnlyWhatTheZoneLacks(t *testing.T) {
	in := steptest.Bare()
	in.Facts.Zones[0].Records = []state.Record{
		{Name: "mail.lab.example.", Type: "A", TTL: 86400, Value: "192.0.2.10"},
		{Name: "lab.example.", Type: "TXT", TTL: 600, Value: "v=spf1 ip4:192.0.2.10 ~all"},
		{Name: "lab.example.", Type: "MX", TTL: 600, Value: "10 mx.vendor.example."},
		{Name: "mail.lab.example.", Type: "TXT", TTL: 600, Value: "some-verification=1"},
	}
	want := steptest.Build(t, in)
	text := steptest.Content(t, steptest.Stage(t, want, "DNS"), "/etc/bind/mailsetup/lab.example.zone")
	if strings.Contains(text, " A ") || strings.Contains(text, "lab.example. 3600 IN TXT \"v=spf1 ip4:192.0.2.10 mx") {
		t.Errorf("the fragment repeats what the zone has:\n%s", text)
	}
	if !slices.ContainsFunc(want.Notes, func(n state.Note) bool { return strings.Contains(n.Text, "mx.vendor.example") }) {
		t.Error("nobody speaks of the MX record that differs")
	}
	if !strings.Contains(text, "600") {
		t.Errorf("the record that joins an RRset does not take its TTL:\n%s", text)
	}
}

func TestTheHostOfAnotherZoneIsOnlyMentioned(t *testing.T) {
	in := steptest.Bare()
	in.Spec.Host.Hostname = "mail.provider.example"
	want := steptest.Build(t, in)
	text := steptest.Content(t, steptest.Stage(t, want, "DNS"), "/etc/bind/mailsetup/lab.example.zone")
	if strings.Contains(text, "\nmail.provider.example.") {
		t.Errorf("out-of-zone data in the fragment:\n%s", text)
	}
	if !slices.ContainsFunc(want.Notes, func(n state.Note) bool { return strings.Contains(n.Text, "mail.provider.example") }) {
		t.Error("nobody says that mail.provider.example needs its records elsewhere")
	}
}

func TestManualRecordsWaitForTheKey(t *testing.T) {
	in := steptest.Bare()
	in.Spec.Host.DNS = spec.DNSManual
	notes := steptest.Build(t, in).Notes
	if !slices.ContainsFunc(notes, func(n state.Note) bool { return strings.Contains(n.Action, "p=MIIB") }) {
		t.Error("the records are not printed")
	}
	in.Ledger["lab.example"][0].Public = keyring.Placeholder
	for _, n := range steptest.Build(t, in).Notes {
		if strings.Contains(n.Action, "DKIM1") {
			t.Errorf("a record is printed for a key that does not exist: %s", n.Action)
		}
	}
}
