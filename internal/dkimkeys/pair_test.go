package dkimkeys_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
	"mailsetup/keygen"
	"mailsetup/steps/step"
)

var now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func TestNewPair(t *testing.T) {
	p := dkimkeys.NewPair(spec.Domain{Name: "lab.example", KeyBits: 3072}, "s1", now)
	if p.Domain != "lab.example" || !p.Key.Pending() || p.Key.Bits != 3072 || p.Key.File != "/etc/dkimkeys/lab.example/s1.private" ||
		p.Key.Stage != keyring.Publishing || !p.Key.Since[keyring.Publishing].Equal(now) || p.Key.Fingerprint != "" {
		t.Errorf("%+v", p)
	}
}

// A key that was made before, for an attempt that failed, is used again.
func TestGenerateMakesWhatIsPending(t *testing.T) {
	key, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	pairs := []dkimkeys.Pair{
		dkimkeys.NewPair(spec.Domain{Name: "a.example", KeyBits: 1024}, "s1", now),
		dkimkeys.NewPair(spec.Domain{Name: "b.example", KeyBits: 1024}, "s1", now).WithKey(key),
		dkimkeys.NewPair(spec.Domain{Name: "c.example", KeyBits: 2048}, "s1", now),
	}
	if n := dkimkeys.Pending(pairs); len(n) != 2 || n[0] != 0 || n[1] != 2 {
		t.Errorf("pending %v", n)
	}
	made := 0
	if err := dkimkeys.Generate(t.Context(), pairs, func() { made++ }); err != nil || made != 2 {
		t.Fatalf("%d made, %v", made, err)
	}
	if pairs[1].Key.Public != key.Public() {
		t.Error("a key that was there is made again")
	}
	for i, bits := range []int{1024, 1024, 2048} {
		parsed, err := keygen.Parse(pairs[i].PEM)
		if err != nil || parsed.Bits() != bits || parsed.Public() != pairs[i].Key.Public || parsed.Fingerprint() != pairs[i].Key.Fingerprint {
			t.Errorf("%s: %v, %v", pairs[i].Domain, parsed, err)
		}
	}
	if pairs[0].Key.Public == pairs[1].Key.Public {
		t.Error("two domains have one key")
	}
}

func TestGenerateEndsWhenItIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	pairs := []dkimkeys.Pair{dkimkeys.NewPair(spec.Domain{Name: "a.example", KeyBits: 1024}, "s1", now)}
	if err := dkimkeys.Generate(ctx, pairs, func() {}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// What signs until the run has proven the new keys is told apart from what signs
// then; a key that is new is in both.
func TestAddPairs(t *testing.T) {
	before := keyring.Ledger{"lab.example": {{Selector: "old", Stage: keyring.Active}}}
	in := step.Input{Ledger: before, Keys: step.KeyChanges{During: before, Private: map[state.Path][]byte{}}}
	p := dkimkeys.NewPair(spec.Domain{Name: "lab.example", KeyBits: 2048}, "s1", now)
	p.PEM = []byte("PEM")
	dkimkeys.AddPairs(&in, []dkimkeys.Pair{p})
	for name, keys := range map[string]keyring.Ledger{"afterwards": in.Ledger, "meanwhile": in.Keys.During} {
		if list := keys["lab.example"]; len(list) != 2 || list[0].Selector != "old" || list[1].Selector != "s1" {
			t.Errorf("%s: %+v", name, list)
		}
	}
	if string(in.Keys.Private["/etc/dkimkeys/lab.example/s1.private"]) != "PEM" || len(before["lab.example"]) != 1 {
		t.Errorf("files %v, before %v", in.Keys.Private, before)
	}
}

func TestResume(t *testing.T) {
	drains := keyring.Key{
		Selector: "s1", Stage: keyring.Draining,
		Since: map[keyring.Stage]time.Time{keyring.Active: now.AddDate(-1, 0, 0), keyring.Draining: now.AddDate(0, 0, -1)},
	}
	in := step.Input{Ledger: keyring.Ledger{"lab.example": {drains}}, Now: now}
	dkimkeys.Resume(&in, "lab.example", drains)
	if k, ok := in.Ledger.Signing("lab.example"); !ok || k.Selector != "s1" {
		t.Errorf("afterwards %+v", in.Ledger)
	}
	if _, ok := in.Keys.During.Signing("lab.example"); ok {
		t.Errorf("before it is proven %+v", in.Keys.During)
	}
}

func TestStopSigning(t *testing.T) {
	in := step.Input{
		Ledger: keyring.Ledger{"a.example": {{Selector: "old", Stage: keyring.Active}}}, Keys: step.KeyChanges{Private: map[state.Path][]byte{}}, Now: now,
	}
	pairs := []dkimkeys.Pair{
		dkimkeys.NewPair(spec.Domain{Name: "a.example"}, "s1", now), dkimkeys.NewPair(spec.Domain{Name: "b.example"}, "s1", now),
	}
	dkimkeys.AddPairs(&in, pairs)
	pairs = dkimkeys.StopSigning(&in, pairs, "a.example")
	if len(pairs) != 1 || pairs[0].Domain != "b.example" || len(in.Keys.Private) != 1 {
		t.Errorf("pairs %v, files %v", pairs, in.Keys.Private)
	}
	if keys := in.Ledger["a.example"]; len(keys) != 1 || keys[0].Stage != keyring.Draining || !keys[0].Since[keyring.Draining].Equal(now) {
		t.Errorf("%+v", in.Ledger["a.example"])
	}
	if k, ok := in.Ledger.Signing("b.example"); !ok || k.Selector != "s1" {
		t.Errorf("%+v", in.Ledger["b.example"])
	}
}

func TestCopyKey(t *testing.T) {
	key, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	files := systemtest.NewMem()
	files.PutFile("/theirs", string(key.PEM()))
	files.PutFile("/text", "PEM")
	d := spec.Domain{Name: "lab.example", KeyBits: 2048}
	p, err := dkimkeys.CopyKey(files, d, "mail", "/theirs", now)
	if err != nil || p.Key.Bits != 1024 || p.Key.Public != key.Public() || p.Key.File != "/etc/dkimkeys/lab.example/mail.private" || string(p.PEM) != string(key.PEM()) {
		t.Errorf("%+v, %v", p.Key, err)
	}
	for _, from := range []state.Path{"/text", "/gone"} {
		if _, err := dkimkeys.CopyKey(files, d, "mail", from, now); err == nil {
			t.Errorf("%s is copied", from)
		}
	}
}
