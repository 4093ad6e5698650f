package apply_test

import (
	"context"
	"strings"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// made is small with a content that the plan does not hold.
func made(text func() string) (*systemtest.Mem, state.State) {
	m, want := small()
	f := &want.Stages[0].Files[0]
	f.Content, f.Make = nil, func() []byte { return []byte(text()) }
	return m, want
}

// What is made when it is written is what was planned, and what it replaces is in the journal:
// a run that fails puts it back.
func TestContentsMadeWhenTheyAreWritten(t *testing.T) {
	for _, broken := range []bool{false, true} {
		m, want := made(func() string { return "new\n" })
		if broken {
			want.Stages[0].Units[0].Probes = append(want.Stages[0].Units[0].Probes, state.Probe{Kind: state.ProbeActive, Unit: "missing.service"})
		}
		_, err := runOn(t.Context(), m, planFor(t, m, want), "a")
		end := "new\n"
		if broken {
			end = "old\n"
		}
		files := m.Files()
		if got := string(files["/etc/d.conf"].Content); got != end || (err != nil) != broken {
			t.Errorf("the file says %q, want %q; %v", got, end, err)
		}
		if saved := files[smallRun+"/001"]; string(saved.Content) != "old\n" || saved.Mode != 0o600 {
			t.Errorf("saved %q, mode %o", saved.Content, saved.Mode)
		}
		if log := string(files[smallRun+"/run.jsonl"].Content); !strings.Contains(log, "7aa7a5359173d05b63cfd682e3c38487f3cb4f7f1d60659fe59fab1505977d4c") { // printf 'new\n' | sha256sum
			t.Errorf("journal:\n%s", log)
		}
	}
}

// hurried changes a file while a daemon's checker looks at the new one.
type hurried struct{ *systemtest.Mem }

func (h hurried) Check(ctx context.Context, list []state.Validator, files map[state.Path]state.Object) error {
	h.PutFile("/etc/d.conf", "by hand\n")
	return h.Mem.Check(ctx, list, files)
}

// Where a content is not what was planned, or what it replaces is not what was there, the
// run is refused and leaves no trace.
func TestMadeContentsThatAreOthers(t *testing.T) {
	calls := 0
	m, want := made(func() string {
		if calls++; calls > 1 {
			return "another\n"
		}
		return "new\n"
	})
	_, err := runOn(t.Context(), m, planFor(t, m, want), "a")
	refused(t, m, err, "old\n")

	m, want = made(func() string { return "new\n" })
	_, err = apply.Run(t.Context(), hurried{m}, planFor(t, m, want), apply.NewJournal(m, apply.JournalDir), options("a"))
	refused(t, m, err, "by hand\n")
}

func refused(t *testing.T, m *systemtest.Mem, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "a content is not what it was when the plan was made\nhint: run the command again") {
		t.Errorf("error %v", err)
	}
	for p, o := range m.Files() {
		if strings.HasPrefix(string(p), "/etc/.mailsetup-") || p == "/etc/d.conf" && string(o.Content) != text {
			t.Errorf("%s says %q", p, o.Content)
		}
	}
}
