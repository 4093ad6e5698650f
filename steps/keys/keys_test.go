package keys_test

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/keys"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// A ledger that says the right thing already is not written again. One that
// does not is, and so is one of which nobody knows what it says.
func TestLedgersThatAreRightAreLeftOut(t *testing.T) {
	in := steptest.Two("mail.lab.example", "shop.example")
	active := []keyring.Key{in.Ledger["lab.example"][0].At(keyring.Active, steptest.Now)}
	active[0].Seen = steptest.Now
	first := []keyring.Key{{Selector: "s2", Public: "MIIC", File: "/etc/dkimkeys/shop.example/s2.private", Stage: keyring.Publishing}}
	file := map[string]string{"lab.example": "/var/lib/mailsetup/keyring/lab.example.json", "shop.example": "/var/lib/mailsetup/keyring/shop.example.json"}
	for _, tt := range []struct {
		name          string
		keys, written keyring.Ledger
		want          []string
	}{
		{"nothing known", keyring.Ledger{"lab.example": active, "shop.example": active}, nil, []string{"lab.example", "shop.example"}},
		{"all right", keyring.Ledger{"lab.example": active, "shop.example": active}, keyring.Ledger{"lab.example": active, "shop.example": active}, nil},
		{"a new key", keyring.Ledger{"lab.example": active, "shop.example": first}, keyring.Ledger{"lab.example": active}, []string{"shop.example"}},
		{"a key that does not sign yet", keyring.Ledger{"lab.example": active, "shop.example": first}, keyring.Ledger{"lab.example": active, "shop.example": first}, []string{"shop.example"}},
	} {
		in.Ledger, in.Keys.OnDisk = tt.keys, tt.written
		want := steptest.Build(t, in)
		var got []string
		for _, d := range []string{"lab.example", "shop.example"} {
			if slices.ContainsFunc(steptest.Stage(t, want, "Ledger").Files, func(f state.File) bool { return string(f.Path) == file[d] }) {
				got = append(got, d)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: written for %v, want %v", tt.name, got, tt.want)
		}
	}
}

// A successor is in the ledger and in DNS, and does not sign.
func TestLedgerLeavesSuccessorAlone(t *testing.T) {
	in := steptest.Manual()
	name := in.Spec.Host.Domain
	old := keyring.Key{Selector: "old", Public: "AAAA", File: "/etc/dkimkeys/x/old.private", Stage: keyring.Active}
	next := keyring.Key{Selector: "next", Public: "BBBB", File: "/etc/dkimkeys/x/next.private", Stage: keyring.Publishing}
	in.Ledger = keyring.Ledger{name: {old, next}}
	if got := ledgerStages(t, keys.Record, in, name); got != "old active, next publishing" {
		t.Errorf("ledger: %s", got)
	}
	// The switch: the first stage says what was, the last what is.
	in.Keys.During = in.Ledger
	in.Ledger = keyring.Ledger{name: keyring.Apply(in.Ledger[name], keyring.Transition{Action: keyring.Activate, Selector: "next"}, in.Now)}
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
	keys, err := keyring.ParseDomain(stage.Files[i].Text())
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, k := range keys {
		said = append(said, k.Selector+" "+string(k.Stage))
	}
	return strings.Join(said, ", ")
}

// A key that was taken over has its record where the administrator put it: they
// have to revoke it, as where all records are theirs.
func TestRevokingByHand(t *testing.T) {
	in := steptest.Served(t)
	z := &in.Facts.Zones[1]
	old := keyring.Key{Selector: "old", Public: "MIIA", Adopted: true, Stage: keyring.Draining}
	in.Ledger["shop.example"] = append([]keyring.Key{old}, in.Ledger["shop.example"]...)
	z.Records = []state.Record{{Name: "old._domainkey.shop.example.", Type: "TXT", TTL: 600, Value: "v=DKIM1; p=MIIA"}}
	in.Scope = step.Only("shop.example")
	in.Keys.During = in.Ledger
	move := keyring.Transition{Action: keyring.Revoke, Selector: "old"}
	in.Ledger = keyring.Ledger{"shop.example": keyring.Apply(in.Ledger["shop.example"], move, in.Now)}
	asked := func() []string {
		t.Helper()
		in.KeysOnly = true
		want, err := steps.Build(steps.Rotation([]keyring.Transition{move}), in)
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, n := range want.Notes {
			list = append(list, n.Action)
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

func TestTheLedgerSaysActiveLast(t *testing.T) {
	want := steptest.Build(t, steptest.Bare())
	read := func(name string) keyring.Key {
		keys, err := keyring.ParseDomain([]byte(steptest.Content(t, steptest.Stage(t, want, name), keyring.File("lab.example"))))
		if err != nil {
			t.Fatal(err)
		}
		return keys[0]
	}
	if got := read("Keys").Stage; got != keyring.Publishing {
		t.Errorf("before: %s, want publishing", got)
	}
	got := read("Ledger")
	if got.Stage != keyring.Active || !got.Seen.Equal(steptest.Now) {
		t.Errorf("after: %s, seen %v; want active, seen now", got.Stage, got.Seen)
	}
}
