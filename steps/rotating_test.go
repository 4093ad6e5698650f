package steps

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
)

func stepNames(list []Step) string {
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
		if got := stepNames(Rotating(moves)); got != want {
			t.Errorf("%v: %s, want %s", acts, got, want)
		}
	}
}

// A successor is in the ledger and in DNS, and does not sign.
func TestLedgerLeavesSuccessorAlone(t *testing.T) {
	in := manual()
	name := in.Spec.Host.Domain
	old := keyring.Key{Selector: "old", Public: "AAAA", File: "/etc/dkimkeys/x/old.private", Stage: keyring.Active}
	next := keyring.Key{Selector: "next", Public: "BBBB", File: "/etc/dkimkeys/x/next.private", Stage: keyring.Publishing}
	in.Keys = keyring.Ledger{name: {old, next}}
	if got := ledgerStages(t, Ledger, in, name); got != "old active, next publishing" {
		t.Errorf("ledger: %s", got)
	}
	// The switch: the first stage says what was, the last what is.
	in.Early = in.Keys
	in.Keys = keyring.Ledger{name: keyring.Moved(in.Keys[name], keyring.Move{Act: keyring.Switch, Selector: "next"}, in.Now)}
	if got := ledgerStages(t, Keys, in, name); got != "old active, next publishing" {
		t.Errorf("ledger before: %s", got)
	}
	if got := ledgerStages(t, Ledger, in, name); got != "old draining, next active" {
		t.Errorf("ledger after: %s", got)
	}
	_, rows := rows(in)
	for _, r := range rows {
		if strings.HasPrefix(r.Key, "old.") {
			t.Errorf("%s is signed with the old key", r.Pattern)
		}
	}
}

func ledgerStages(t *testing.T, build func(Input) (state.Stage, []state.Note, error), in Input, domain string) string {
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
	in := manual()
	d := in.Spec.Domains[0]
	rrs := Records(in.Spec.Host, d, []keyring.Key{{Selector: "old", Public: "AAAA", Stage: keyring.Revoked}, {Selector: "gone", Stage: keyring.Gone}})
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
