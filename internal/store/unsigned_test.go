package store_test

import (
	"testing"
	"time"

	"mailsetup/internal/state"
	"mailsetup/internal/store"
)

// The same reason is told once a day, another one at once, and none clears what was told.
func TestRemindUnsigned(t *testing.T) {
	mem := machineWithOwnFiles()
	for i, tt := range []struct {
		why   string
		after time.Duration
		tell  bool
	}{
		{"", 0, false},
		{"a\nhint: b\n", 0, true},
		{"a\nhint: b\n", time.Hour, false},
		{"c\n", 2 * time.Hour, true},
		{"c\n", 25 * time.Hour, false},
		{"c\n", 27 * time.Hour, true},
		{"", 28 * time.Hour, false},
		{"c\n", 29 * time.Hour, true},
	} {
		tell, err := store.RemindUnsigned(mem, tt.why, november.Add(tt.after), 24*time.Hour)
		if err != nil || tell != tt.tell {
			t.Errorf("%d: %q after %v: %v, %v", i, tt.why, tt.after, tell, err)
		}
	}
	mem.PutFile(state.UnsignedFile, "yesterday\nc\n")
	if tell, err := store.RemindUnsigned(mem, "c\n", november, 24*time.Hour); err != nil || !tell {
		t.Errorf("a damaged file: %v, %v", tell, err)
	}
}
