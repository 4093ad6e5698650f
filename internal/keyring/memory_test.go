package keyring_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/keyring"
)

// TestKeysKeepNoText: the keys of a file do not keep the file in memory.
func TestKeysKeepNoText(t *testing.T) {
	key := keyring.Key{
		Selector: "s1", Bits: 2048, Public: "MIIB", Fingerprint: strings.Repeat("a", 64), File: "/etc/dkimkeys/s1", Stage: keyring.Active,
		Since: map[keyring.Stage]time.Time{keyring.Active: time.Unix(1e9, 0).UTC()},
	}
	text := append(keyring.MarshalDomain([]keyring.Key{key}), strings.Repeat(" ", 1<<20)...)
	before := heap()
	var all [][]keyring.Key
	for range 32 {
		keys, err := keyring.ParseDomain(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, keys)
	}
	if more := int64(heap()) - int64(before); more > 8<<20 {
		t.Errorf("32 keys take %d octets", more)
	}
	runtime.KeepAlive(all)
}

// heap is how much memory is in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
