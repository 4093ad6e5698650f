package keyring_test

import (
	"maps"
	"runtime"
	"testing"
	"time"

	"mailsetup/internal/keyring"
)

// Keys that take steps at the same time share what they remember of it, and a step of one
// of them changes nothing of the others.
func TestSharedTimes(t *testing.T) {
	then, now := time.Unix(1e9, 0).UTC(), time.Unix(2e9, 0).UTC()
	text := keyring.MarshalDomain([]keyring.Key{{
		Selector: "s1", Public: "MIIB", File: "/etc/dkimkeys/s1", Stage: keyring.Publishing,
		Since: map[keyring.Stage]time.Time{keyring.Staged: then, keyring.Publishing: then},
	}})
	var keys []keyring.Key
	for range 2 {
		parsed, err := keyring.ParseDomain(text)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, parsed...)
	}
	a, b := keys[0].At(keyring.Published, now), keys[1].At(keyring.Published, then)
	was := map[keyring.Stage]time.Time{keyring.Staged: then, keyring.Publishing: then}
	wantA := map[keyring.Stage]time.Time{keyring.Staged: then, keyring.Publishing: then, keyring.Published: now}
	wantB := map[keyring.Stage]time.Time{keyring.Staged: then, keyring.Publishing: then, keyring.Published: then}
	for name, pair := range map[string][2]map[keyring.Stage]time.Time{
		"one": {a.Since, wantA}, "the other": {b.Since, wantB}, "one before": {keys[0].Since, was}, "the other before": {keys[1].Since, was},
	} {
		if !maps.Equal(pair[0], pair[1]) {
			t.Errorf("%s: %v, want %v", name, pair[0], pair[1])
		}
	}
	// The same time in another stage is something else.
	c := keyring.Key{}.At(keyring.Staged, now)
	d := keyring.Key{}.At(keyring.Active, now)
	if !c.Since[keyring.Staged].Equal(now) || len(c.Since) != 1 || !d.Since[keyring.Active].Equal(now) || len(d.Since) != 1 {
		t.Errorf("%v, %v", c.Since, d.Since)
	}
}

// Ten thousand keys of one age take what their texts take, and little more.
func TestKeysOfOneAgeTakeLittleMemory(t *testing.T) {
	then := time.Unix(1e9, 0).UTC()
	key := keyring.Key{Selector: "s1", Public: "MIIB", File: "/etc/dkimkeys/s1", Stage: keyring.Active}
	for i, stage := range keyring.Stages()[:4] {
		key = key.At(stage, then.Add(time.Duration(i)*time.Hour))
	}
	text := keyring.MarshalDomain([]keyring.Key{key})
	if cap(text) > len(text)+len(text)/4 {
		t.Errorf("a ledger of %d octets takes %d", len(text), cap(text))
	}
	const n = 10_000
	all := make([][]keyring.Key, n)
	before := heap()
	for i := range all {
		keys, err := keyring.ParseDomain(text)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = keys
	}
	if each := (int64(heap()) - int64(before)) / n; each > 300 {
		t.Errorf("%d octets for each key", each)
	}
	runtime.KeepAlive(all)
}
