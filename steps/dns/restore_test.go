package dns_test

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/dns"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// lost is two domains in one zone, whose file somebody rewrote without our line.
func lost(t *testing.T) step.Input {
	t.Helper()
	in := shared(t)
	z := &in.Facts.Zones[0]
	z.Content, z.IncludeLost = []byte("@ IN SOA ns h 1 1 1 1 1\n"), true
	in.Scope = step.Only("lab.example")
	return in
}

// publishing is that of a run with the steps.
func publishing(t *testing.T, list []step.Step, in step.Input) state.Stage {
	t.Helper()
	want, err := steps.Build(list, in)
	if err != nil {
		t.Fatal(err)
	}
	return steptest.Stage(t, want, "DNS")
}

// What a run is not about stays in a fragment that the zone lost: a new key alone
// must not take the policies and the keys of others out of it.
func TestALostFragmentKeepsWhatItHolds(t *testing.T) {
	in := lost(t)
	in.KeysOnly = true
	text := ""
	for _, f := range publishing(t, steps.Rotation([]keyring.Transition{{Action: keyring.Generate}}), in).Files {
		text += string(f.Content)
	}
	for _, name := range []string{"\nlab.example. ", "\n_dmarc.lab.example. ", "\n202611._domainkey.lab.example. ", "\n202611._domainkey.shop.lab.example. ", "\n_dmarc.shop.lab.example. "} {
		if strings.Count(text, name) == 0 {
			t.Errorf("no %q in\n%s", name, text)
		}
	}
	// A domain that is published elsewhere since does not come back with it.
	in.Spec.Domains[1].DNS = spec.DNSManual
	for _, f := range publishing(t, steps.Rotation([]keyring.Transition{{Action: keyring.Generate}}), in).Files {
		if strings.Contains(string(f.Content), "shop.lab.example") {
			t.Errorf("back in DNS:\n%s", f.Content)
		}
	}
}

// The step puts the line back, and the fragment is what it was.
func TestRestore(t *testing.T) {
	in := lost(t)
	before := fragmentOf(t, shared(t), "lab.example")
	st := publishing(t, steps.IncludeRestoration(), in)
	edit, ok := st.Edits[0].(state.ZoneEdit)
	if !ok || len(st.Edits) != 1 || edit.Include != "/etc/bind/mailsetup/lab.example.zone" || edit.Drop || edit.Replace != nil {
		t.Fatalf("%+v", st.Edits)
	}
	var got []string
	for line := range strings.Lines(string(st.Files[0].Content)) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	if text := strings.Join(got, "\n"); text != before || len(st.Files) != 1 {
		t.Errorf("was\n%s\nis\n%s", before, text)
	}
	if asked := steptest.Lines(st.Units[0].Probes[0].Records); !slices.Contains(asked, "202611._domainkey.lab.example. TXT v=DKIM1; h=sha256; k=rsa; p="+in.Ledger["lab.example"][0].Public) {
		t.Errorf("asked for %q", asked)
	}
	in.Facts.Zones[0].IncludeLost = false
	if st := publishing(t, steps.IncludeRestoration(), in); len(st.Edits)+len(st.Files)+len(st.Units) > 0 {
		t.Errorf("a zone that has it: %+v", st)
	}
}

// Copies of wildcard records stay copies, also if the wildcard says something else
// since: what the line takes in again is the file that is there, byte for byte.
func TestRestoreWithCopies(t *testing.T) {
	in := steptest.WithCopies(t)
	before := steptest.Stage(t, steptest.Build(t, in), "DNS").Files[0].Content
	z := &in.Facts.Zones[0]
	z.Content, z.IncludeLost = []byte("@ IN SOA ns h 1 1 1 1 1\n"), true
	for i, r := range z.Records {
		if r.Name == "*.lab.example." && r.Type == "A" {
			z.Records[i].Value = "192.0.2.81"
		}
	}
	in.Scope = step.Only("lab.example")
	if st := publishing(t, steps.IncludeRestoration(), in); len(st.Files) != 1 || string(st.Files[0].Content) != string(before) {
		t.Errorf("was\n%s\nis\n%s", before, st.Files[0].Content)
	}
	z.Records = append(z.Records, state.Record{Name: "shop.lab.example.", Type: "CNAME", TTL: 60, Value: "www.lab.example."})
	if _, err := steps.Build(steps.IncludeRestoration(), in); err == nil {
		t.Error("a copy beside an alias")
	}
}

// A second policy would be a permanent error: that is for a run that asks.
func TestRestoreRefuses(t *testing.T) {
	for want, x := range map[string]state.Record{
		"zone lab.example. has another record in the place of one of ours: lab.example. 60 IN TXT \"v=spf1 a ~all\"":          {Name: "lab.example.", Type: "TXT", TTL: 60, Value: "v=spf1 a ~all"},
		"zone lab.example. has another record in the place of one of ours: _dmarc.lab.example. 60 IN CNAME x.hoster.example.": {Name: "_dmarc.lab.example.", Type: "CNAME", TTL: 60, Value: "x.hoster.example."},
	} {
		in := lost(t)
		in.Facts.Zones[0].Records = append(in.Facts.Zones[0].Records, x)
		_, err := steps.Build(steps.IncludeRestoration(), in)
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	in := lost(t)
	in.Facts.Zones[0].Records = append(in.Facts.Zones[0].Records, state.Record{Name: "lab.example.", Type: "TXT", Value: "site-verification=1"})
	if _, err := steps.Build(steps.IncludeRestoration(), in); err != nil {
		t.Errorf("a text for another purpose: %v", err)
	}
}

// Keys that sign, and those of mail under way, are what mail fails without.
func TestWatched(t *testing.T) {
	in := steptest.Installed()
	keys := []keyring.Key{
		{Selector: "a", Public: "AAAA", Stage: keyring.Draining},
		{Selector: "b", Public: "BBBB", Stage: keyring.Active},
		{Selector: "c", Public: "CCCC", Stage: keyring.Publishing},
		{Selector: "d", Public: "DDDD", Stage: keyring.Revoked},
		{Selector: "e", Public: "EEEE", Stage: keyring.Gone},
	}
	all, signing := dns.WatchedRecords(in.Spec, in.Spec.Domains[0], keys)
	if got := strings.Join(steptest.Lines(signing), "\n"); got != "a._domainkey.lab.example. TXT v=DKIM1; h=sha256; k=rsa; p=AAAA\nb._domainkey.lab.example. TXT v=DKIM1; h=sha256; k=rsa; p=BBBB" {
		t.Errorf("signing:\n%s", got)
	}
	text := strings.Join(steptest.Lines(all), "\n")
	for _, has := range []string{"_dmarc.lab.example. TXT v=DMARC1", "lab.example. TXT v=spf1", "c._domainkey"} {
		if !strings.Contains(text, has) {
			t.Errorf("no %s in\n%s", has, text)
		}
	}
}
