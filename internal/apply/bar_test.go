package apply_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// Who waits for thousands of files sees how many there are: each before-image and each new
// file that is written, and each that is put in its place.
func TestFilesAreCounted(t *testing.T) {
	m := systemtest.NewMem()
	m.Put("/var/lib/mailsetup/journal", state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
	st := state.Stage{Name: "Settings"}
	for i := range 1000 {
		p := state.Path(fmt.Sprintf("/etc/d%d", i))
		if i < 100 {
			m.PutFile(p, "old\n")
		}
		st.Files = append(st.Files, state.File{Path: p, Mode: 0o644, Owner: state.Root, Content: []byte("new\n"), AdminOwned: true})
	}
	var bars []string
	bar := func(what string, total int) (step, end func()) {
		done := 0
		return func() { done++ }, func() { bars = append(bars, fmt.Sprintf("%s: %d of %d", what, done, total)) }
	}
	p := planFor(t, m, state.State{Stages: []state.Stage{st}})
	_, err := apply.Run(context.Background(), m, p, apply.NewJournal(m, apply.JournalDir), apply.Options{ID: "a", Now: clock, Bar: bar})
	if want := []string{"Settings: files written: 1100 of 1100", "Settings: files put in place: 1000 of 1000"}; err != nil || !slices.Equal(bars, want) {
		t.Errorf("%v, %q, want %q", err, bars, want)
	}
}

// So does who waits until they are put back: each is looked at, and then removed.
func TestFilesPutBackAreCounted(t *testing.T) {
	m := systemtest.NewMem()
	m.Put("/var/lib/mailsetup/journal", state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
	m.PutFile("/etc/hosts", "")
	st := state.Stage{Name: "Settings", Units: []state.Unit{{Name: "missing.service", Action: state.Start}}}
	for i := range 300 {
		st.Files = append(st.Files, state.File{Path: state.Path(fmt.Sprintf("/etc/d%d", i)), Mode: 0o644, Owner: state.Root, Content: []byte("new\n"), AdminOwned: true})
	}
	var bars []string
	bar := func(what string, total int) (step, end func()) {
		done := 0
		return func() { done++ }, func() { bars = append(bars, fmt.Sprintf("%s: %d of %d", what, done, total)) }
	}
	p := planFor(t, m, state.State{Stages: []state.Stage{st}})
	_, err := apply.Run(context.Background(), m, p, apply.NewJournal(m, apply.JournalDir), apply.Options{ID: "a", Now: clock, Bar: bar})
	if err == nil || !slices.Contains(bars, "Settings: files put back: 600 of 600") {
		t.Errorf("%v, %q", err, bars)
	}
}
