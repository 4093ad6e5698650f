package steps

import (
	"slices"

	policy "mailsetup/internal/inbound"
	"mailsetup/internal/livepath/route"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
	"mailsetup/templates"
)

// Snippet is where a tree without a main.cf gets the lines to paste.
const Snippet state.Path = "/etc/mailsetup/postfix-main.cf"

// BelowRoot returns the part of the desired state that makes sense in a directory:
// files, owners and modes, but no packages, no units and nothing that a daemon
// would have to check.
func BelowRoot(want state.State, exists func(state.Path) bool) (state.State, error) {
	out := state.State{Notes: want.Notes, Stages: make([]state.Stage, 1)}
	for _, q := range want.Questions {
		if q.Kind != state.AskRelease && q.Kind != state.AskMTA { // nothing is installed or started
			out.Questions = append(out.Questions, q)
		}
	}
	for _, st := range want.Stages {
		st.Packages, st.Units, st.Derived, st.Validators, st.Only, st.Updates = nil, nil, nil, nil, nil, nil
		var edits []state.Edit
		for _, e := range st.Edits {
			p, isPostfix := e.(state.PostfixEdit)
			if isPostfix && !exists(p.Path) {
				// Pasted, this one would take the place of those that are there.
				set := slices.DeleteFunc(slices.Clone(p.Set), func(s state.Setting) bool { return s.Name == route.Parameter })
				text, err := templates.PostfixSnippet(set)
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
	out.Stages[0] = missingDirectories(out, exists)
	return out, nil
}

// WithoutInbound returns steps and an input for a directory: what checks incoming mail is
// installed, made and proven on the machine itself, where Postfix then finds it running.
func WithoutInbound(list []step.Step, in step.Input) ([]step.Step, step.Input) {
	later := in.Spec.Host.Inbound.On()
	list = slices.DeleteFunc(slices.Clone(list), func(s step.Step) bool {
		return slices.Contains([]string{provideSPF.Name, provideDMARC.Name, writeChecks.Name, guardDoor.Name, retireChecks.Name, clearUp.Name}, s.Name)
	})
	in.Spec.Host.Inbound = policy.Policy{}
	if later {
		list = append(list, step.Step{Name: "Later", Build: func(step.Input) (state.Stage, []state.Note, error) {
			return state.Stage{}, []state.Note{{
				Topic: "inbound", Text: "what incoming mail meets is not set up below a directory; " + string(spec.HostFile) + " keeps it for init on the machine itself",
			}}, nil
		}})
	}
	return list, in
}

// missingDirectories makes the directories that every Debian has and an empty directory
// lacks.
func missingDirectories(want state.State, exists func(state.Path) bool) state.Stage {
	st := state.Stage{Name: "Tree"}
	made := map[state.Path]bool{"/": true}
	for _, s := range want.Stages {
		for _, d := range s.Dirs {
			made[d.Path] = true
		}
	}
	for _, p := range targets(want) {
		for _, dir := range parents(p) {
			if made[dir] || exists(dir) {
				continue
			}
			made[dir] = true
			st.Dirs = append(st.Dirs, state.Dir{
				Path: dir, Mode: 0o755, Owner: state.Root, Why: "not below this root yet",
			})
		}
	}
	return st
}

// targets returns the paths that a state makes.
func targets(want state.State) []state.Path {
	var all []state.Path
	for _, s := range want.Stages {
		for _, d := range s.Dirs {
			all = append(all, d.Path)
		}
		for _, f := range s.Files {
			all = append(all, f.Path)
		}
		for _, e := range s.Edits {
			all = append(all, e.Target())
		}
	}
	return all
}

// parents lists the directories above p, the outermost first.
func parents(p state.Path) []state.Path {
	var dirs []state.Path
	for dir := p.Dir(); dir != "/"; dir = dir.Dir() {
		dirs = append(dirs, dir)
	}
	slices.Reverse(dirs)
	return dirs
}
