package dns_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/dns"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// updating is the bare server whose domain is on a name server elsewhere, with
// these records, of which the second list is ours.
func updating(records, ours []state.Record) step.Input {
	in := steptest.Bare()
	in.Spec.Host.DNS = spec.DNSUpdate
	in.Facts.Zones = nil
	in.Facts.Updated = []state.Zone{{
		Origin: "lab.example.", Kind: "primary", Dynamic: true, Records: records,
		Update: &state.UpdateTarget{Server: "192.0.2.53:53", KeyFile: "/root/update.key", OurRecords: ours},
	}}
	return in
}

func updateOf(t *testing.T, in step.Input) (state.Update, state.Stage, []state.Note) {
	t.Helper()
	st, notes, err := dns.Publish(in)
	if err != nil {
		t.Fatal(err)
	}
	if len(st.Updates) != 1 || len(st.Edits) > 0 || len(st.Units) > 0 {
		t.Fatalf("updates %v, edits %v, units %v", st.Updates, st.Edits, st.Units)
	}
	return st.Updates[0], st, notes
}

func TestUpdatesAddWhatTheZoneLacks(t *testing.T) {
	site := steptest.Rec("lab.example.", "TXT", "site=1")
	site.TTL = 60
	host := steptest.Rec("mail.lab.example.", "A", "192.0.2.10")
	u, st, _ := updateOf(t, updating([]state.Record{site, host}, nil))
	want := []string{
		"202611._domainkey.lab.example. TXT v=DKIM1; h=sha256; k=rsa; p=MIIB",
		"_dmarc.lab.example. TXT v=DMARC1; p=none; rua=mailto:ops@lab.example",
		"lab.example. MX 10 mail.lab.example.",
		"lab.example. TXT v=spf1 ip4:192.0.2.10 mx ~all",
		"mail.lab.example. TXT v=spf1 ip4:192.0.2.10 ~all",
	}
	if diff := cmp.Diff(want, steptest.Lines(u.Add)); diff != "" || len(u.Remove) > 0 {
		t.Errorf("%s\nremoves %v", diff, u.Remove)
	}
	if diff := cmp.Diff([]state.Record{site}, u.Expected); diff != "" {
		t.Errorf("found: %s", diff)
	}
	if u.Server != "192.0.2.53:53" || u.KeyFile != "/root/update.key" || u.Origin != "lab.example." {
		t.Errorf("%+v", u)
	}
	for _, r := range u.Add {
		if spf := strings.HasPrefix(r.Value, "v=spf1 ip4:192.0.2.10 mx"); spf != (r.TTL == 60) {
			t.Errorf("TTL %d of %s: it is that of the RRset", r.TTL, r.Value)
		}
	}
	memory := steptest.Content(t, st, "/var/lib/mailsetup/dns-updates/lab.example.json")
	p, err := state.ParsePublished([]byte(memory))
	if diff := cmp.Diff(want, steptest.Lines(p.Records)); diff != "" || err != nil || p.Server != u.Server || p.KeyFile != u.KeyFile {
		t.Errorf("remembers %s, %v, %s", memory, err, diff)
	}
}

func TestUpdatesReplaceOnConsent(t *testing.T) {
	old, site := steptest.Rec("lab.example.", "TXT", "v=spf1 include:_spf.old.example -all"), steptest.Rec("lab.example.", "TXT", "site=1")
	in := updating([]state.Record{old, site}, nil)
	in.Facts.SPF = steptest.Denied("lab.example", old.Value, 3)
	in.Spec.Domains[0].SPF.All = "fail"
	in.Spec.Domains[0].Receive = false
	u, st, _ := updateOf(t, in)
	if len(st.Questions) != 1 || st.Questions[0].Before != `lab.example. 3600 IN TXT "v=spf1 include:_spf.old.example -all"` ||
		st.Questions[0].After != `lab.example. 3600 IN TXT "v=spf1 ip4:192.0.2.10 include:_spf.old.example -all"` {
		t.Errorf("questions %+v", st.Questions)
	}
	if diff := cmp.Diff([]state.Record{old}, u.Remove); diff != "" {
		t.Error(diff)
	}
	if !slices.Contains(steptest.Lines(u.Add), "lab.example. TXT v=spf1 ip4:192.0.2.10 include:_spf.old.example -all") {
		t.Errorf("adds %q", steptest.Lines(u.Add))
	}
	if diff := cmp.Diff([]string{"lab.example. TXT site=1", "lab.example. TXT " + old.Value}, steptest.Lines(u.Expected)); diff != "" {
		t.Errorf("found: %s", diff)
	}
}

// What is ours follows the wish: another policy takes the place of the old one,
// another TTL, too, and a record that somebody took out comes back.
func TestUpdatesFollowTheWish(t *testing.T) {
	in := updating(nil, nil)
	all, _, _ := updateOf(t, in)
	in = updating(nil, slices.DeleteFunc(all.Add, func(r state.Record) bool { return r.Type == "MX" }))
	in.Spec.Domains[0].DMARC.Policy = "reject"
	u, _, _ := updateOf(t, in)
	if diff := cmp.Diff([]string{"_dmarc.lab.example. TXT v=DMARC1; p=reject; rua=mailto:ops@lab.example", "lab.example. MX 10 mail.lab.example."}, steptest.Lines(u.Add)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"_dmarc.lab.example. TXT v=DMARC1; p=none; rua=mailto:ops@lab.example"}, steptest.Lines(u.Remove)); diff != "" {
		t.Error(diff)
	}
	all, _, _ = updateOf(t, updating(nil, nil))
	in = updating(nil, all.Add)
	if u, _, _ := updateOf(t, in); !u.Empty() {
		t.Errorf("nothing changed, but %+v", u)
	}
	in.Spec.Domains[0].TTL = 600
	if u, _, _ := updateOf(t, in); len(u.Add) != len(all.Add) || len(u.Remove) != len(all.Add) || u.Add[0].TTL != 600 {
		t.Errorf("another TTL: %+v", u)
	}
}

// Records of domains that the run is not about stay, and so do the keys of one
// that leaves, until they are gone.
func TestUpdatesLeaveOtherDomainsAlone(t *testing.T) {
	key, spf := steptest.Rec("s._domainkey.b.lab.example.", "TXT", "v=DKIM1; h=sha256; k=rsa; p=AA"), steptest.Rec("b.lab.example.", "TXT", "v=spf1 -all")
	all, _, _ := updateOf(t, updating(nil, nil))
	in := updating(nil, append(all.Add, key, spf))
	in.Scope = step.Only("b.lab.example")
	in.Ledger = keyring.Ledger{"lab.example": in.Ledger["lab.example"], "b.lab.example": {{Selector: "s", Public: "AA", Stage: keyring.Draining}}}
	u, st, _ := updateOf(t, in)
	if diff := cmp.Diff([]state.Record{spf}, u.Remove); diff != "" || len(u.Add) > 0 {
		t.Errorf("%s\nadds %v", diff, u.Add)
	}
	if memory := steptest.Content(t, st, "/var/lib/mailsetup/dns-updates/lab.example.json"); !strings.Contains(memory, key.Value) || !strings.Contains(memory, "_dmarc.lab.example.") {
		t.Errorf("remembers %s", memory)
	}
	in.Ledger["b.lab.example"][0].Stage = keyring.Gone
	if u, _, _ := updateOf(t, in); len(u.Remove) != 2 {
		t.Errorf("a key that is gone stays: %+v", u.Remove)
	}
}

func TestUpdatesRefuse(t *testing.T) {
	in := updating(nil, nil)
	in.Facts.Updated = nil
	if _, _, err := dns.Publish(in); err == nil || err.Error() != "the name server that was asked has no zone with mail.lab.example" {
		t.Errorf("no zone: %v", err)
	}
	_, _, err := dns.Publish(updating([]state.Record{steptest.Rec("202611._domainkey.lab.example.", "CNAME", "k.vendor.example.")}, nil))
	refusal := (*step.Refusal)(nil)
	if !errors.As(err, &refusal) || refusal.Hint != "take the CNAME out of the zone lab.example on 192.0.2.53" {
		t.Errorf("a CNAME: %+v", err)
	}
	_, _, err = dns.Publish(updating([]state.Record{steptest.Rec("_domainkey.lab.example.", "NS", "ns.vendor.example.")}, nil))
	if err == nil || !strings.Contains(err.Error(), "zone lab.example. gives _domainkey.lab.example away: NS ns.vendor.example.") {
		t.Errorf("a delegation: %v", err)
	}
}

func TestRecordsLeftOfUpdates(t *testing.T) {
	in := steptest.Bare()
	in.Facts.Published = []state.Published{{
		Origin: "example.", Server: "192.0.2.53:53", KeyFile: "/root/update.key",
		Records: []state.Record{steptest.Rec("lab.example.", "TXT", "v=spf1 -all"), steptest.Rec("_dmarc.lab.example.", "TXT", "v=DMARC1"), steptest.Rec("notlab.example.", "TXT", "x")},
	}}
	_, notes, err := dns.Publish(in)
	const want = "the zone example on 192.0.2.53 still has 2 records of lab.example that were put there by updates and are no longer kept up to date"
	if err != nil || !slices.ContainsFunc(notes, func(n state.Note) bool { return n.Text == want }) {
		t.Errorf("%+v, %v", notes, err)
	}
}
