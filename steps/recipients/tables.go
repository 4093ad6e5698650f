package recipients

import (
	"slices"

	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/internal/tablefile"
	"mailsetup/steps/postfix"
	"mailsetup/steps/step"
)

// Tables makes tables that are missing beside their text, since mail waits for them, and those
// of whose text somebody has made one of another type, which Postfix does not look into. A text
// that was edited alone stays: who edits it may not have finished.
func Tables(in step.Input) (state.Stage, []state.Note, error) {
	p := in.Facts.Postfix
	if p == nil || p.Fresh || in.KeysOnly || in.Facts.Daemons[p.Unit].New {
		return state.Stage{}, nil, nil
	}
	var made []state.Derived
	aliasesGoOn := in.Spec.Host.RootAlias != "" || in.Facts.OtherMTA != nil // step Aliases
	for _, t := range tablefile.Named(p) {
		path, err := state.ParsePath(t.File())
		text, other := state.ParsePath(t.Text)
		if err != nil || other != nil || !builtIn(p, t.Type) || text == postfix.AliasFile && aliasesGoOn {
			continue
		}
		made = append(made, state.Derived{
			Path: path, From: text, Argv: t.Argv(), Always: slices.Contains(p.Outdated, t.String()),
		})
	}
	if len(made) == 0 {
		return state.Stage{}, nil, nil
	}
	stage := postfix.Stage(in)
	stage.Derived = made
	return stage, nil, nil
}

// builtIn reports whether a Postfix has a type without a further package.
func builtIn(p *state.Postfix, typ string) bool {
	return typ == "hash" || typ == "btree" || (typ == "cdb" || typ == "lmdb") && postconf.AtLeast(p, 3, 11)
}
