package store

import (
	"strings"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
)

const mainCf state.Path = "/etc/postfix/main.cf"

// MarkFreshPostfix saves the hash of main.cf right after Postfix was installed: as long
// as it is unchanged, its settings are nobody's choice, also for a run after one that
// failed.
func (s Store) MarkFreshPostfix() error {
	main, err := s.files.Read(mainCf)
	if err != nil || main.Kind != state.Regular {
		return err
	}
	if err := makeDir(s.files, state.OwnDir); err != nil {
		return err
	}
	if s.InstalledPostfix() {
		if err := s.files.Remove(state.FreshPostfixFile); err != nil {
			return err
		}
	}
	return s.files.Create(state.FreshPostfixFile, state.Object{
		Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: []byte(plan.Hash(main.Content) + "\n"),
	})
}

// InstalledPostfix reports whether it was mailsetup that installed Postfix.
func (s Store) InstalledPostfix() bool { return exists(s.files, state.FreshPostfixFile) }

// PostfixIsFresh reports whether main.cf is as the package that mailsetup
// installed left it.
func (s Store) PostfixIsFresh() bool {
	mark, err := s.files.Read(state.FreshPostfixFile)
	if err != nil || mark.Kind != state.Regular {
		return false
	}
	main, err := s.files.Read(mainCf)
	return err == nil && strings.TrimSpace(string(mark.Content)) == plan.Hash(main.Content)
}
