package steps

import (
	"maps"
	"slices"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// Intent provides the files that say what the administrator wants. They are
// theirs to edit: a change by hand is no drift.
func Intent(in Input) (state.Stage, []state.Note, error) {
	stage := state.Stage{Dirs: []state.Dir{
		{Path: "/etc/mailsetup", Mode: 0o755, Owner: state.Root},
		{Path: "/etc/mailsetup/domains.d", Mode: 0o755, Owner: state.Root},
	}}
	for _, p := range slices.Sorted(maps.Keys(in.Documents)) {
		stage.Files = append(stage.Files, state.File{
			Path: p, Mode: 0o644, Owner: state.Root, Content: in.Documents[p], Free: true,
			Why: "what you asked for; edit it, then run mailsetup init again",
		})
	}
	for _, name := range Leaving(in) {
		stage.Discard = append(stage.Discard, spec.DomainFile(name))
	}
	stage.Questions = in.unanswered(in.removals()...)
	return stage, nil, nil
}
