package apply_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// neverUp is a server whose OpenDKIM works and is starting for ever with the
// configuration that it has.
func neverUp() *systemtest.Mem {
	m := machine()
	m.NeverUp("opendkim.service", func(files map[state.Path]string) error {
		if files["/etc/opendkim.conf"] == "Mode v\n" {
			return errors.New("it took longer than systemd allows")
		}
		return nil
	})
	return m
}

// What was not up before a run need not come up again when it is taken back: it is
// as it was then.
func TestBackToAUnitThatWasNeverUp(t *testing.T) {
	m := neverUp()
	start := look(t, m)
	if !strings.Contains(start, "opendkim.service activating") {
		t.Fatal(start)
	}
	if _, err := runOn(context.Background(), m, planFor(t, m, wanted()), "a"); err != nil {
		t.Fatal(err)
	}
	if got := look(t, m); !strings.Contains(got, "opendkim.service active ") {
		t.Fatalf("after the run:\n%s", got)
	}
	rollBack(t, m, 0, "b")
	files := func(look string) string { return look[:strings.Index(look, "opendkim.service")] }
	got := look(t, m)
	if files(got) != files(start) || !strings.Contains(got, "opendkim.service activating") || m.Loaded("opendkim.service")["/etc/opendkim.conf"] != "Mode v\n" {
		t.Errorf("rolled back:\n%s\nwant\n%s", got, start)
	}

	m = neverUp()
	brokenProbe(m)
	if _, err := runOn(context.Background(), m, planFor(t, m, wanted()), "a"); err == nil {
		t.Fatal("the run succeeded")
	}
	if got := look(t, m); files(got) != files(start) || !strings.Contains(got, "opendkim.service activating") {
		t.Errorf("taken back:\n%s\nwant\n%s", got, start)
	}
}
