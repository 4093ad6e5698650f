package steps

import (
	"mailsetup/internal/state"
	"mailsetup/templates"
)

// Snippet is where a tree without a main.cf gets the lines to paste.
const Snippet state.Path = "/etc/mailsetup/postfix-main.cf"

// BelowRoot is the part of the desired state that makes sense in a directory:
// files, owners and modes, but no packages, no units and nothing that a daemon
// would have to check.
func BelowRoot(want state.State, exists func(state.Path) bool) (state.State, error) {
	out := state.State{Notes: want.Notes}
	for _, st := range want.Stages {
		st.Packages, st.Units, st.Derived, st.Validators = nil, nil, nil, nil
		var edits []state.Edit
		for _, e := range st.Edits {
			p, isPostfix := e.(state.PostfixEdit)
			if isPostfix && !exists(p.Path) {
				text, err := templates.PostfixSnippet(p.Set)
				if err != nil {
					return state.State{}, err
				}
				st.Files = append(st.Files, state.File{
					Path: Snippet, Mode: 0o644, Owner: state.Root, Content: text,
					Why: "no main.cf here: the lines to paste into it",
				})
				continue
			}
			edits = append(edits, e)
		}
		st.Edits = edits
		out.Stages = append(out.Stages, st)
	}
	return out, nil
}
