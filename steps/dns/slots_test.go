package dns_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/dns"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// inSlots is the bare server, whose BIND serves ours.example and whose two domains have
// their DNS elsewhere, and their keys in slots.
func inSlots() step.Input {
	in := steptest.Bare()
	in.Spec.Host.DNS = spec.DNSSlots
	in.Spec.Host.Slots = keyring.Slots{Zone: "dkim.ours.example", Selectors: []string{"mx1", "mx2", "mx3"}}
	in.Facts.Zones = []state.Zone{{Origin: "ours.example.", Kind: "primary", File: "/etc/bind/db.ours.example"}}
	shop := in.Spec.Domains[0]
	shop.Name = "shop.example"
	in.Spec.Domains = append(in.Spec.Domains, shop)
	in.Ledger = keyring.Ledger{
		"lab.example":  {inSlot("mx1", "AAAA", keyring.Gone), inSlot("mx2", "BBBB", keyring.Active)},
		"shop.example": {inSlot("mx3", "CCCC", keyring.Active)},
	}
	in.Keys.Private = nil
	return in
}

func inSlot(selector, public string, stage keyring.Stage) keyring.Key {
	return keyring.Key{Selector: selector, Bits: 2048, Public: public, Fingerprint: "SHA256:" + public, SlotZone: "dkim.ours.example"}.At(stage, steptest.Now)
}

const emptyKey = "v=DKIM1; h=sha256; k=rsa; p="

var slotTexts = []string{
	"mx1._domainkey.lab.example.dkim.ours.example. TXT " + emptyKey,
	"mx1._domainkey.shop.example.dkim.ours.example. TXT " + emptyKey,
	"mx2._domainkey.lab.example.dkim.ours.example. TXT " + emptyKey + "BBBB",
	"mx2._domainkey.shop.example.dkim.ours.example. TXT " + emptyKey,
	"mx3._domainkey.lab.example.dkim.ours.example. TXT " + emptyKey,
	"mx3._domainkey.shop.example.dkim.ours.example. TXT " + emptyKey + "CCCC",
}

// fragmentLines returns the records that a fragment of ours has.
func fragmentLines(t *testing.T, st state.Stage, path state.Path) []string {
	t.Helper()
	var lines []string
	text := strings.NewReplacer("(\n\t", "", "\"\n\t\"", "", " )\n", "\n").Replace(steptest.Content(t, st, path))
	for line := range strings.SplitSeq(text, "\n") {
		if f := strings.Fields(line); len(f) > 4 && strings.HasSuffix(f[0], ".") {
			lines = append(lines, f[0]+" "+f[3]+" "+strings.Trim(strings.Join(f[4:], " "), `"`))
		}
	}
	return lines
}

// The keys of all slots are in our zone; the CNAMEs and the rest are for whoever has the DNS
// of the domain.
func TestSlotsAreServedHere(t *testing.T) {
	in := inSlots()
	st, notes, err := dns.Publish(in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slotTexts, fragmentLines(t, st, "/etc/bind/mailsetup/ours.example.zone")); diff != "" {
		t.Error(diff)
	}
	var printed []string
	for _, r := range dns.RecordsByHand(in, in.Spec.Domains[1]) {
		printed = append(printed, r.Name+" "+r.Type+" "+r.Value)
	}
	want := []string{
		"shop.example. MX 10 mail.lab.example.",
		"shop.example. TXT v=spf1 ip4:192.0.2.10 mx ~all",
		"mx1._domainkey.shop.example. CNAME mx1._domainkey.shop.example.dkim.ours.example.",
		"mx2._domainkey.shop.example. CNAME mx2._domainkey.shop.example.dkim.ours.example.",
		"mx3._domainkey.shop.example. CNAME mx3._domainkey.shop.example.dkim.ours.example.",
		"_dmarc.shop.example. TXT v=DMARC1; p=none; rua=mailto:ops@lab.example",
	}
	if diff := cmp.Diff(want, printed); diff != "" {
		t.Error(diff)
	}
	all := ""
	for _, n := range notes {
		all += n.Text + "\n" + n.Action + "\n"
	}
	if !strings.Contains(all, "mx3._domainkey") || strings.Contains(all, "BBBB") ||
		!strings.Contains(all, "once the records are in DNS") || strings.Contains(all, "records of later keys") {
		t.Errorf("says %s", all)
	}
}

// A slot zone that nobody serves is made here.
func TestSlotZoneIsMade(t *testing.T) {
	in := inSlots()
	in.Facts.Zones = nil
	st, _, err := dns.Publish(in)
	if err != nil {
		t.Fatal(err)
	}
	var made *state.NewZone
	for _, e := range st.Edits {
		if z, is := e.(state.ZoneEdit); is && z.Path == "/etc/bind/mailsetup/db.dkim.ours.example" {
			made = z.New
		}
	}
	if made == nil || made.NS[0] != "mail.lab.example." || made.Hostmaster != "hostmaster.dkim.ours.example." {
		t.Fatalf("%+v", st.Edits)
	}
	if diff := cmp.Diff(slotTexts, fragmentLines(t, st, "/etc/bind/mailsetup/dkim.ours.example.zone")); diff != "" {
		t.Error(diff)
	}
}

// With a key for updates on the host, all slots go by one message.
func TestSlotsByUpdates(t *testing.T) {
	in := inSlots()
	in.Spec.Host.Update = spec.Update{Server: "192.0.2.53", KeyFile: "/root/update.key"}
	in.Facts.Zones = nil
	in.Facts.Updated = []state.Zone{{
		Origin: "ours.example.", Kind: "primary", Dynamic: true, Update: &state.UpdateTarget{Server: "192.0.2.53:53", KeyFile: "/root/update.key"},
	}}
	for _, r := range dns.UpdateRequests(in) {
		if r.Update != in.Spec.Host.Update || len(r.Records) != 3 {
			t.Errorf("%+v", r)
		}
	}
	u, _, _ := updateOf(t, in)
	if diff := cmp.Diff(slotTexts, steptest.Lines(u.Add)); diff != "" || len(u.Remove) > 0 {
		t.Error(diff, u.Remove)
	}
	in.Facts.Updated = nil
	if _, _, err := dns.Publish(in); err == nil || !strings.Contains(err.Error(), "no zone that takes updates holds mx2._domainkey.lab.example.dkim.ours.example") {
		t.Errorf("%v", err)
	}
}

// served has what Publish made of it in its zone.
func servedSlots(t *testing.T, in step.Input) step.Input {
	t.Helper()
	var list []state.Record
	for _, line := range slotTexts {
		f := strings.SplitN(line, " ", 3)
		list = append(list, state.Record{Name: f[0], Type: f[1], TTL: 3600, Value: f[2]})
	}
	in.Facts.Zones[0].OurRecords = list
	in.Facts.Zones[0].Content = []byte("$INCLUDE /etc/bind/mailsetup/ours.example.zone\n")
	return in
}

// A rotation of one domain changes its slot, and leaves those of others as they are.
func TestRotationInSlots(t *testing.T) {
	in := servedSlots(t, inSlots())
	in.KeysOnly, in.Scope = true, step.Only("lab.example")
	in.Ledger = in.Ledger.Put("lab.example", inSlot("mx1", "DDDD", keyring.Publishing))
	want, err := steps.Build(steps.Rotation([]keyring.Transition{{Action: keyring.Generate}}), in)
	if err != nil {
		t.Fatal(err)
	}
	lines := append([]string{"mx1._domainkey.lab.example.dkim.ours.example. TXT " + emptyKey + "DDDD"}, slotTexts[1:]...)
	if diff := cmp.Diff(lines, fragmentLines(t, steptest.Stage(t, want, "DNS"), "/etc/bind/mailsetup/ours.example.zone")); diff != "" {
		t.Error(diff)
	}
}

// What is forgotten leaves an empty p= in its slot, and nothing to do for anybody.
func TestWithdrawalFromASlot(t *testing.T) {
	in := servedSlots(t, inSlots())
	in.KeysOnly, in.Scope = true, step.Only("lab.example")
	in.Ledger["lab.example"][0] = inSlot("mx1", "AAAA", keyring.Revoked)
	in.Keys.Withdraw = map[string][]string{"lab.example": {"mx1"}}
	st, notes, err := dns.Withdraw(in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slotTexts, fragmentLines(t, st, "/etc/bind/mailsetup/ours.example.zone")); diff != "" || len(notes) > 0 {
		t.Error(diff, notes)
	}
}

// A domain that leaves keeps the key that drains; its other slots go at once, and so may
// their CNAMEs.
func TestSlotsOfADomainThatLeaves(t *testing.T) {
	in := servedSlots(t, inSlots())
	in.Removed, in.Scope = in.Spec.Domains[1:], step.Only("shop.example")
	in.Spec.Domains = in.Spec.Domains[:1]
	in.Ledger["shop.example"] = []keyring.Key{inSlot("mx3", "CCCC", keyring.Draining)}
	st, notes, err := dns.Publish(in)
	if err != nil {
		t.Fatal(err)
	}
	left := []string{slotTexts[0], slotTexts[2], slotTexts[4], slotTexts[5]}
	if diff := cmp.Diff(left, fragmentLines(t, st, "/etc/bind/mailsetup/ours.example.zone")); diff != "" {
		t.Error(diff)
	}
	all := ""
	for _, n := range notes {
		all += n.Text + "\n" + n.Action + "\n"
	}
	for _, says := range []string{"mx1._domainkey", "mx2._domainkey", "take this out after that\nmx3._domainkey.shop.example. CNAME"} {
		if !strings.Contains(all, says) {
			t.Errorf("does not say %q: %s", says, all)
		}
	}
}
