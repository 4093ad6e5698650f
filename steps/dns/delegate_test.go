package dns_test

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/dns"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// delegated is the bare server, with BIND and no zone of its domain.
func delegated() step.Input {
	in := steptest.Bare()
	in.Spec.Host.DNS, in.Facts.Zones = spec.DNSDelegate, nil
	in.Facts.OtherKeys = map[string]state.OtherKeys{"lab.example": {Found: []state.Record{
		{Name: "k1._domainkey.lab.example.", Type: "CNAME", TTL: 300, Value: "dkim.mcsv.net."},
		{Name: "202611._domainkey.lab.example.", Type: "TXT", TTL: 300, Value: "v=DKIM1; p=OLD"}, // our own
	}}}
	in.Ledger = keyring.Ledger{"lab.example": {keyring.Key{Selector: "202611", Bits: 2048, Public: "AAAA"}.At(keyring.Active, steptest.Now)}}
	return in
}

// Only keys are here; the rest is printed, with the NS record that leads here. The new zone
// begins with the keys of others, and is asked about once.
func TestDelegate(t *testing.T) {
	in := delegated()
	st, _, err := dns.Publish(in)
	if err != nil {
		t.Fatal(err)
	}
	const key = "202611._domainkey.lab.example. TXT v=DKIM1; h=sha256; k=rsa; p=AAAA"
	if got := fragmentLines(t, st, "/etc/bind/mailsetup/_domainkey.lab.example.zone"); !slices.Equal(got, []string{key}) {
		t.Errorf("%q", got)
	}
	if len(st.Questions) != 1 || st.Questions[0].Kind != state.AskDelegation || !strings.Contains(st.Questions[0].After, "dkim.mcsv.net.") || st.Questions[0].Declined != "" {
		t.Errorf("%+v", st.Questions)
	}
	var made *state.NewZone
	for _, e := range st.Edits {
		if z, ok := e.(state.ZoneEdit); ok {
			made = z.New
		}
	}
	if made == nil || !slices.Equal(made.NS, []string{"mail.lab.example."}) || made.Hostmaster != "hostmaster.lab.example." || len(made.Records) != 1 || made.Records[0].Value != "dkim.mcsv.net." {
		t.Errorf("%+v", made)
	}
	var printed []string
	for _, r := range dns.RecordsByHand(in, in.Spec.Domains[0]) {
		printed = append(printed, r.Type+" "+r.Name)
	}
	if !slices.Contains(printed, "NS _domainkey.lab.example.") || slices.Contains(printed, "TXT 202611._domainkey.lab.example.") || !slices.Contains(printed, "TXT _dmarc.lab.example.") {
		t.Errorf("%q", printed)
	}

	in.Consents = map[string]bool{st.Questions[0].ID: true}
	if st, _, err := dns.Publish(in); err != nil || len(st.Questions) != 0 {
		t.Errorf("%v, %v", err, st.Questions)
	}
}

// What nobody could be asked about is not lost in silence, nor what was named.
func TestDelegateRefuses(t *testing.T) {
	in := delegated()
	in.Facts.OtherKeys["lab.example"] = state.OtherKeys{Unanswered: []string{"k1: no answer"}}
	if _, _, err := dns.Publish(in); err == nil || !strings.Contains(err.Error(), "could not be found out, and they would be lost: k1: no answer") {
		t.Error(err)
	}
	in = delegated()
	in.Spec.Domains[0].KeepSelectors = []string{"k1", "news"}
	if _, _, err := dns.Publish(in); err == nil || !strings.Contains(err.Error(), "there is no key at news._domainkey.lab.example, and keep_selectors names it") {
		t.Error(err)
	}
}
