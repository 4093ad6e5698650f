package steps

import (
	"fmt"
	"maps"
	"slices"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// SpecFiles provides the files that say what the administrator wants. They are
// theirs to edit: a change by hand is no drift.
func SpecFiles(in step.Input) (state.Stage, []state.Note, error) {
	stage := state.Stage{Dirs: []state.Dir{
		{Path: "/etc/mailsetup", Mode: 0o755, Owner: state.Root},
		{Path: "/etc/mailsetup/domains.d", Mode: 0o755, Owner: state.Root},
	}}
	for _, p := range slices.Sorted(maps.Keys(in.SpecFiles)) {
		stage.Files = append(stage.Files, state.File{
			Path: p, Mode: 0o644, Owner: state.Root, Content: in.SpecFiles[p], AdminOwned: true,
			Why: "what you asked for; edit it, then run mailsetup init again",
		})
	}
	for _, name := range in.Leaving() {
		stage.Discard = append(stage.Discard, spec.DomainFile(name))
	}
	stage.Questions = in.Unanswered(removals(in)...)
	return stage, nil, nil
}

// removals returns questions about domains whose mail would be unsigned from now on:
// their file may have been removed by mistake.
func removals(in step.Input) []state.Question {
	var list []state.Question
	for _, name := range in.WithoutFile() {
		k, _ := in.Ledger.Signing(name)
		list = append(list, state.Question{
			ID: "domain " + name, Kind: state.AskRemoval, Domain: name, Path: spec.DomainFile(name),
			Text: fmt.Sprintf("the file of %s is gone. Key %s signs its mail until now, which would leave unsigned. "+
				"The key stays in DNS for mail under way.", name, k.Selector),
		})
	}
	return list
}
