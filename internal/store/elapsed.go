package store

import (
	"fmt"
	"strings"
	"time"

	"mailsetup/internal/clock"
	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
)

// minReadingGap is the smallest difference of a reading from the one on disk that is
// saved: the file changes once an hour at most if no key changes its stage.
const minReadingGap = time.Hour

// LoadElapsed reads how long keys have been in their stages. If the file is missing,
// every wait starts anew, which is safe; also if it cannot be parsed, with an error.
func (s Store) LoadElapsed() (keyring.Elapsed, error) {
	o, err := s.files.Read(state.ElapsedFile)
	if err != nil || o.Kind == state.Absent {
		return keyring.Elapsed{}, nil
	}
	p, err := keyring.ParseElapsed(o.Content)
	if o.Kind != state.Regular {
		err = fmt.Errorf("is a %s, not a file", o.Kind)
	}
	if err != nil {
		return keyring.Elapsed{}, fmt.Errorf("%s: %w; keys wait for their whole time again", state.ElapsedFile, err)
	}
	return p, nil
}

// SaveElapsed saves how long keys have been in their stages. It is an observation, and
// needs no journal.
func (s Store) SaveElapsed(p keyring.Elapsed) error {
	if !s.Exists() {
		return nil
	}
	return s.writeAtomic(ownFile{state.ElapsedFile, keyring.MarshalElapsed(p)})
}

// UpdateElapsed writes down what changed between two looks, if that matters.
func (s Store) UpdateElapsed(was, now keyring.Elapsed) error {
	if was.SameStages(now, minReadingGap) || len(was.Keys)+len(now.Keys) == 0 {
		return nil
	}
	return s.SaveElapsed(now)
}

// AdvanceElapsed returns how long keys have certainly been in their stages, up to
// now. Where a change of it matters it is written down, if save says so.
func AdvanceElapsed(files Files, keys keyring.Ledger, save bool, logf func(format string, a ...any)) (keyring.Elapsed, error) {
	s := New(files)
	written, err := s.LoadElapsed()
	if err != nil {
		logf("%v", err)
	}
	reading, err := clock.SinceBoot()
	if err != nil {
		return keyring.Elapsed{}, err
	}
	now := written.Advance(keys, reading)
	if !save {
		return now, nil
	}
	return now, s.UpdateElapsed(written, now)
}

// LastFailureMail returns when a failure was last mailed, false if never.
func (s Store) LastFailureMail() (time.Time, bool) {
	o, err := s.files.Read(state.FailureMailFile)
	if err != nil {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(string(o.Content)))
	return at, err == nil
}

// SaveFailureMail writes down when a failure is mailed.
func (s Store) SaveFailureMail(at time.Time) error {
	return s.writeAtomic(ownFile{state.FailureMailFile, []byte(at.Format(time.RFC3339) + "\n")})
}
