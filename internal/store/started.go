package store

import "mailsetup/internal/state"

// MarkStarted remembers units that run since packages were installed, so that they can be
// given back as if they had not come, also after a run that failed.
func MarkStarted(files Files, units ...string) error {
	o, err := files.Read(state.StartedFile)
	if err != nil || len(units) == 0 {
		return err
	}
	all := state.ParseStartedUnits(o.Content)
	for _, unit := range units {
		all = all.With(unit, state.Stop, state.Disable)
	}
	if err := makeDir(files, state.OwnDir); err != nil {
		return err
	}
	if o.Kind != state.Absent {
		if err := files.Remove(state.StartedFile); err != nil {
			return err
		}
	}
	return files.Create(state.StartedFile, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: all.Text()})
}
