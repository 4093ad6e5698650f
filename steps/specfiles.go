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
		if in.SpecFiles[p] == nil {
			stage.Discard = append(stage.Discard, p)
			continue
		}
		stage.Files = append(stage.Files, state.File{
			Path: p, Mode: 0o644, Owner: state.Root, Content: in.SpecFiles[p], AdminOwned: true,
			Why: "what you asked for; edit it, then run mailsetup init again",
		})
	}
	leaving := in.Leaving()
	for _, name := range leaving {
		if p := spec.DomainFile(name); !slices.Contains(stage.Discard, p) {
			stage.Discard = append(stage.Discard, p)
		}
	}
	stage.Questions = in.Unanswered(removals(in)...)
	return stage, nil, refuseRedirects(in.Spec, leaving)
}

// refuseRedirects refuses to take out a domain whose SPF record stands for that of another.
func refuseRedirects(sp spec.Spec, leaving []string) error {
	if len(leaving) == 0 {
		return nil
	}
	for _, d := range sp.Domains {
		if _, leaves := slices.BinarySearch(leaving, d.SPF.Redirect); leaves {
			return step.Refuse(fmt.Sprintf("take redirect = %q out of %s, or put the file of %[1]s back", d.SPF.Redirect, spec.DomainFile(d.Name)),
				"%s goes, and the SPF record of %s is that of it", d.SPF.Redirect, d.Name)
		}
	}
	return nil
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
