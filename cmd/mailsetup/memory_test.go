package main

import (
	"testing"

	"mailsetup/internal/state"
)

// Memos are written together or not at all, and leave no drafts.
func TestJot(t *testing.T) {
	s, mem, _, _ := bareSession(t)
	mem.Put("/var/lib/mailsetup", state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
	if err := s.jot(memo{"/var/lib/mailsetup/a", []byte("1")}, memo{"/nowhere/b", []byte("2")}); err == nil {
		t.Error("there is no directory, and yet no error")
	}
	if names, err := mem.List("/var/lib/mailsetup"); err != nil || len(names) != 0 {
		t.Errorf("left over: %q, %v", names, err)
	}
	for _, text := range []string{"1", "2"} {
		if err := s.jot(memo{"/var/lib/mailsetup/a", []byte(text)}); err != nil {
			t.Fatal(err)
		}
		o, err := mem.Read("/var/lib/mailsetup/a")
		if err != nil || string(o.Content) != text || o.Mode != 0o600 || o.Owner != state.Root {
			t.Errorf("%+v, %v; want %s", o, err, text)
		}
	}
	if names, _ := mem.List("/var/lib/mailsetup"); len(names) != 1 {
		t.Errorf("there are %q", names)
	}
}
