package dns_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
	"mailsetup/zonefile"
)

// A run about keys publishes these, and judges nothing else: nobody is there at
// night to answer for an SPF record.
func TestRotatingLeavesOtherRecordsAlone(t *testing.T) {
	in := steptest.Served(t)
	z := &in.Facts.Zones[1]
	was := slices.Clone(z.OurRecords)
	z.Records = []state.Record{
		{Name: "shop.example.", Type: "TXT", TTL: 600, Value: "v=spf1 mx -all"},
		{Name: "shop.example.", Type: "TXT", TTL: 600, Value: "v=spf1 a -all"},
	}
	in.Scope = step.Only("shop.example")
	in.Spec.Domains[1].DMARC.Policy = "reject"
	in.Ledger = in.Ledger.Put("shop.example", keyring.Key{Selector: "next", Public: "MIIC", Stage: keyring.Publishing})
	in.KeysOnly = true
	want, err := steps.Build(steps.Rotation([]keyring.Transition{{Action: keyring.Generate}}), in)
	if err != nil {
		t.Fatal(err)
	}
	next := state.Record{Name: "next._domainkey.shop.example.", Type: "TXT", TTL: 600, Value: "v=DKIM1; h=sha256; k=rsa; p=MIIC"}
	st := steptest.Stage(t, want, "DNS")
	if got := string(st.Files[0].Content); len(st.Files) != 1 || got != string(zonefile.Fragment("shop.example", append(was, next))) {
		t.Errorf("the fragment is\n%s", got)
	}
	if len(want.Questions) > 0 || len(st.Units[0].Probes[0].Gone) > 0 {
		t.Errorf("asks %v, and takes %v away", want.Questions, st.Units[0].Probes[0].Gone)
	}
	in.Facts.Updated, in.Facts.Zones = in.Facts.Zones, nil
	in.Spec.Domains[1].DNS = spec.DNSUpdate
	in.Facts.Updated[1].Update = &state.UpdateTarget{Server: "192.0.2.53:53", KeyFile: "/root/update.key", OurRecords: was}
	in.Facts.Updated = in.Facts.Updated[1:]
	if want, err = steps.Build(steps.Rotation([]keyring.Transition{{Action: keyring.Generate}}), in); err != nil {
		t.Fatal(err)
	}
	u := steptest.Stage(t, want, "DNS").Updates[0]
	if got := steptest.Lines(u.Add); len(u.Remove) > 0 || len(got) != 1 || !strings.HasPrefix(got[0], "next._domainkey.shop.example. TXT ") {
		t.Errorf("adds %q, removes %q", got, steptest.Lines(u.Remove))
	}
}

// All domains that stand in the way are found at once, each with its reason.
func TestTroubleIsOfDomains(t *testing.T) {
	in := steptest.Served(t)
	for i, d := range in.Spec.Domains {
		in.Facts.Zones[i].Records = []state.Record{{Name: "next._domainkey." + d.Name + ".", Type: "CNAME", Value: "k.vendor.example."}}
		in.Ledger = in.Ledger.Put(d.Name, keyring.Key{Selector: "next", Public: "MIIC", Stage: keyring.Publishing})
	}
	in.KeysOnly = true
	_, err := steps.Build(steps.Rotation([]keyring.Transition{{Action: keyring.Generate}}), in)
	failed := state.DomainErrors{}
	if !errors.As(err, &failed) || len(failed) != 2 {
		t.Fatalf("%v", err)
	}
	for _, name := range []string{"lab.example", "shop.example"} {
		if got, want := failed[name].Error(), "next._domainkey."+name+" is a CNAME of k.vendor.example: the key of this server cannot stand there"; got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
