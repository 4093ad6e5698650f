package steps

import (
	"bytes"
	"strings"

	"mailsetup/internal/state"
)

const aliases state.Path = "/etc/aliases"

// Aliases sends root's and postmaster's mail to a person, if one was named.
func Aliases(in Input) (state.Stage, []state.Note, error) {
	to := in.Spec.Host.RootAlias
	if to == "" {
		return state.Stage{}, nil, nil
	}
	database := "hash:/etc/aliases"
	if in.Facts.Postfix != nil {
		database = in.Facts.Postfix.Value["alias_database"]
	}
	kind, path, _ := strings.Cut(strings.TrimSpace(database), ":")
	if path != string(aliases) {
		return state.Stage{}, nil, refuse("leave --root-alias out and set the alias by hand",
			"%s: alias_database = %s is not understood yet", mainCf, database)
	}
	set := []state.Setting{{Name: "root", Value: to}}
	if !hasAlias(in.Facts.Files[aliases], "postmaster") {
		set = append(set, state.Setting{Name: "postmaster", Value: "root"})
	}
	stage := state.Stage{Edits: []state.Edit{
		state.AliasEdit{Path: aliases, Set: set, Reason: "root's mail and reports reach a person"},
	}}
	if suffix, ok := map[string]string{"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb"}[kind]; ok {
		stage.Derived = []state.Derived{{Path: aliases + state.Path(suffix), From: aliases, Argv: []string{"newaliases"}}}
	}
	return stage, nil, nil
}

func hasAlias(text []byte, name string) bool {
	for line := range bytes.Lines(text) {
		key, _, ok := strings.Cut(string(line), ":")
		if ok && strings.EqualFold(strings.Trim(strings.TrimSpace(key), `"`), name) {
			return true
		}
	}
	return false
}
