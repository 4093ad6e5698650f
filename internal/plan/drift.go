package plan

import (
	"bytes"

	"mailsetup/internal/state"
)

// notOurs is the reason of a drift where nothing was written before.
const notOurs = "not written by mailsetup"

// editedSince is the reason of a drift of a whole file that we wrote.
const editedSince = "edited since mailsetup wrote it"

// Foreign reports whether mailsetup never wrote the file.
func (d Drift) Foreign() bool { return d.Why == notOurs }

// String says of which file it is, and what is so.
func (d Drift) String() string {
	if d.Foreign() {
		return string(d.Path) + " was not written by mailsetup"
	}
	if d.Why != editedSince {
		return string(d.Path) + ": " + d.Why
	}
	return string(d.Path) + " is not as mailsetup left it"
}

// drifted adds the drift of a file that is neither as we left it nor as we want it. A
// change by this plan is not drift.
func (m *maker) drifted(p state.Path, cur, want state.Object) {
	if _, ours := m.overlay.Planned[p]; ours || cur.Kind != state.Regular {
		return
	}
	if want.Kind == state.Regular && bytes.Equal(cur.Content, want.Content) {
		return
	}
	remembered, known := m.hashes[p]
	switch {
	case !known:
		m.drift = append(m.drift, Drift{Path: p, Why: notOurs, Diff: Diff(p, cur, want)})
	case remembered != Hash(cur.Content):
		m.drift = append(m.drift, Drift{Path: p, Why: editedSince, Diff: Diff(p, cur, want)})
	}
}
