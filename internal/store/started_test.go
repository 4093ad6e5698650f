package store_test

import (
	"testing"

	"mailsetup/internal/state"
	"mailsetup/internal/store"
)

func TestMarkStarted(t *testing.T) {
	m := machineWithOwnFiles()
	if err := store.MarkStarted(m); err != nil {
		t.Fatal(err)
	}
	if o, err := m.Read(state.StartedFile); err != nil || o.Kind != state.Absent {
		t.Errorf("nothing started: %+v, %v", o, err)
	}
	for _, unit := range []string{"opendmarc.service", "a.service", "opendmarc.service"} {
		if err := store.MarkStarted(m, unit); err != nil {
			t.Fatal(err)
		}
	}
	o, err := m.Read(state.StartedFile)
	if err != nil || string(o.Content) != "a.service stop disable\nopendmarc.service stop disable\n" || o.Mode != 0o600 {
		t.Errorf("%+v, %v", o, err)
	}
}
