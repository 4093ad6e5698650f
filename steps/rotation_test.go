package steps_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/keys"
	"mailsetup/steps/records"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
	"mailsetup/zonefile"
)

func stepNames(list []step.Step) string {
	var names []string
	for _, s := range list {
		names = append(names, s.Name)
	}
	return strings.Join(names, " ")
}

func TestRotatingSteps(t *testing.T) {
	for want, acts := range map[string][]keyring.Act{
		"Keys Ledger":                              {keyring.Confirm, keyring.Doubt},
		"Keys Zone Ledger":                         {keyring.Make},
		"Keys Guard OpenDKIM Ledger":               {keyring.Switch},
		"Keys Withdraw Ledger":                     {keyring.Withdraw},
		"Keys Zone Guard OpenDKIM Withdraw Ledger": {keyring.Switch, keyring.Revoke, keyring.Withdraw},
	} {
		var moves []keyring.Move
		for _, a := range acts {
			moves = append(moves, keyring.Move{Act: a})
		}
		if got := stepNames(steps.Rotating(moves)); got != want {
			t.Errorf("%v: %s, want %s", acts, got, want)
		}
	}
}

// A successor is in the ledger and in DNS, and does not sign.
func TestLedgerLeavesSuccessorAlone(t *testing.T) {
	in := steptest.Manual()
	name := in.Spec.Host.Domain
	old := keyring.Key{Selector: "old", Public: "AAAA", File: "/etc/dkimkeys/x/old.private", Stage: keyring.Active}
	next := keyring.Key{Selector: "next", Public: "BBBB", File: "/etc/dkimkeys/x/next.private", Stage: keyring.Publishing}
	in.Keys = keyring.Ledger{name: {old, next}}
	if got := ledgerStages(t, keys.Record, in, name); got != "old active, next publishing" {
		t.Errorf("ledger: %s", got)
	}
	// The switch: the first stage says what was, the last what is.
	in.Early = in.Keys
	in.Keys = keyring.Ledger{name: keyring.Moved(in.Keys[name], keyring.Move{Act: keyring.Switch, Selector: "next"}, in.Now)}
	if got := ledgerStages(t, keys.Create, in, name); got != "old active, next publishing" {
		t.Errorf("ledger before: %s", got)
	}
	if got := ledgerStages(t, keys.Record, in, name); got != "old draining, next active" {
		t.Errorf("ledger after: %s", got)
	}
	tables, err := signer.RenderTables(in)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(tables.SigningTable); strings.Contains(text, " old.") || !strings.Contains(text, " next.") {
		t.Errorf("mail is signed with the old key:\n%s", text)
	}
}

func ledgerStages(t *testing.T, build func(step.Input) (state.Stage, []state.Note, error), in step.Input, domain string) string {
	t.Helper()
	stage, _, err := build(in)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(stage.Files, func(f state.File) bool { return f.Path == keyring.File(domain) })
	if i < 0 {
		t.Fatalf("no ledger among %v", stage.Files)
	}
	keys, err := keyring.ParseDomain(stage.Files[i].Content)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, k := range keys {
		said = append(said, k.Selector+" "+string(k.Stage))
	}
	return strings.Join(said, ", ")
}

func TestRevokedRecord(t *testing.T) {
	in := steptest.Manual()
	d := in.Spec.Domains[0]
	rrs := records.ForDomain(in.Spec.Host, d, []keyring.Key{{Selector: "old", Public: "AAAA", Stage: keyring.Revoked}, {Selector: "gone", Stage: keyring.Gone}})
	var values []string
	for _, r := range rrs {
		if strings.Contains(r.Name, "._domainkey.") {
			values = append(values, r.Name+" "+r.Value)
		}
	}
	if want := "old._domainkey." + d.Name + ". v=DKIM1; h=sha256; k=rsa; p="; len(values) != 1 || values[0] != want {
		t.Errorf("%q, want %q", values, want)
	}
}

// A run about keys publishes these, and judges nothing else: nobody is there at
// night to answer for an SPF record.
func TestRotatingLeavesOtherRecordsAlone(t *testing.T) {
	in := steptest.Served(t)
	z := &in.Facts.Zones[1]
	was := slices.Clone(z.Ours)
	z.Records = []state.Record{
		{Name: "shop.example.", Type: "TXT", TTL: 600, Value: "v=spf1 mx -all"},
		{Name: "shop.example.", Type: "TXT", TTL: 600, Value: "v=spf1 a -all"},
	}
	in.Scope = step.Only("shop.example")
	in.Spec.Domains[1].DMARC.Policy = "reject"
	in.Keys = in.Keys.With("shop.example", keyring.Key{Selector: "next", Public: "MIIC", Stage: keyring.Publishing})
	want, err := steps.Some(steps.Rotating([]keyring.Move{{Act: keyring.Make}}), in)
	if err != nil {
		t.Fatal(err)
	}
	next := state.Record{Name: "next._domainkey.shop.example.", Type: "TXT", TTL: 600, Value: "v=DKIM1; h=sha256; k=rsa; p=MIIC"}
	st := steptest.Stage(t, want, "Zone")
	if got := string(st.Files[0].Content); len(st.Files) != 1 || got != string(zonefile.Fragment("shop.example", append(was, next))) {
		t.Errorf("the fragment is\n%s", got)
	}
	if len(want.Questions) > 0 || len(st.Units[0].Settled[1].Gone) > 0 {
		t.Errorf("asks %v, and takes %v away", want.Questions, st.Units[0].Settled[1].Gone)
	}
	in.Facts.Updated, in.Facts.Zones = in.Facts.Zones, nil
	in.Spec.Domains[1].DNS = spec.DNSUpdate
	in.Facts.Updated[1].Update = &state.Updater{Server: "192.0.2.53:53", KeyFile: "/root/update.key", Ours: was}
	in.Facts.Updated = in.Facts.Updated[1:]
	if want, err = steps.Some(steps.Rotating([]keyring.Move{{Act: keyring.Make}}), in); err != nil {
		t.Fatal(err)
	}
	u := steptest.Stage(t, want, "Zone").Updates[0]
	if got := steptest.Lines(u.Add); len(u.Remove) > 0 || len(got) != 1 || !strings.HasPrefix(got[0], "next._domainkey.shop.example. TXT ") {
		t.Errorf("adds %q, removes %q", got, steptest.Lines(u.Remove))
	}
}

// A key that was taken over has its record where the administrator put it: they
// have to revoke it, as where all records are theirs.
func TestRevokingByHand(t *testing.T) {
	in := steptest.Served(t)
	z := &in.Facts.Zones[1]
	old := keyring.Key{Selector: "old", Public: "MIIA", Adopted: true, Stage: keyring.Draining}
	in.Keys["shop.example"] = append([]keyring.Key{old}, in.Keys["shop.example"]...)
	z.Records = []state.Record{{Name: "old._domainkey.shop.example.", Type: "TXT", TTL: 600, Value: "v=DKIM1; p=MIIA"}}
	in.Scope = step.Only("shop.example")
	in.Early = in.Keys
	move := keyring.Move{Act: keyring.Revoke, Selector: "old"}
	in.Keys = keyring.Ledger{"shop.example": keyring.Moved(in.Keys["shop.example"], move, in.Now)}
	asked := func() []string {
		t.Helper()
		want, err := steps.Some(steps.Rotating([]keyring.Move{move}), in)
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, n := range want.Notes {
			list = append(list, n.Do)
		}
		return list
	}
	byHand := []string{`old._domainkey.shop.example. TXT "v=DKIM1; h=sha256; k=rsa; p="`}
	if got := asked(); !slices.Equal(got, byHand) {
		t.Errorf("asks for %q, want %q", got, byHand)
	}
	z.Records[0].Value = "v=DKIM1; p="
	if got := asked(); len(got) > 0 {
		t.Errorf("it is revoked already, but asks for %q", got)
	}
	in.Spec.Domains[1].DNS = spec.DNSManual
	if got := asked(); !slices.Equal(got, byHand) {
		t.Errorf("manual: asks for %q, want %q", got, byHand)
	}
}

// All domains that stand in the way are found at once, each with its reason.
func TestTroubleIsOfDomains(t *testing.T) {
	in := steptest.Served(t)
	for i, d := range in.Spec.Domains {
		in.Facts.Zones[i].Records = []state.Record{{Name: "next._domainkey." + d.Name + ".", Type: "CNAME", Value: "k.vendor.example."}}
		in.Keys = in.Keys.With(d.Name, keyring.Key{Selector: "next", Public: "MIIC", Stage: keyring.Publishing})
	}
	_, err := steps.Some(steps.Rotating([]keyring.Move{{Act: keyring.Make}}), in)
	trouble := state.Trouble{}
	if !errors.As(err, &trouble) || len(trouble) != 2 {
		t.Fatalf("%v", err)
	}
	for _, name := range []string{"lab.example", "shop.example"} {
		if got, want := trouble[name].Error(), "next._domainkey."+name+" is a CNAME of k.vendor.example: the key of this server cannot stand there"; got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
