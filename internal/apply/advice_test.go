package apply_test

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// typeCommand does what a command of the advice does when root types it; false for one
// that this shell does not know.
func typeCommand(t *testing.T, m *systemtest.Mem, line string) bool {
	t.Helper()
	var words []string
	for rest := line; rest != ""; rest = strings.TrimLeft(rest, " ") { // words, and texts in single quotes
		word := ""
		for rest != "" && rest[0] != ' ' {
			if rest[0] == '\'' {
				inside, after, found := strings.Cut(rest[1:], "'")
				if !found {
					t.Fatalf("%s: a quote is open", line)
				}
				word, rest = word+inside, after
				continue
			}
			if rest[0] == '\\' {
				rest = rest[1:]
			}
			word, rest = word+rest[:1], rest[1:]
		}
		words = append(words, word)
	}
	owner := func(s string) state.Owner { u, g, _ := strings.Cut(s, ":"); return state.Owner{User: u, Group: g} }
	mode := func(s string) fs.FileMode { n, _ := strconv.ParseUint(s, 8, 32); return fs.FileMode(n) & fs.ModePerm }
	switch at := state.Path(words[len(words)-1]); {
	case words[0] == "rm" && len(words) == 2:
		m.Delete(at)
	case words[0] == "install" && len(words) == 9 && words[1] == "-o" && words[3] == "-g" && words[5] == "-m":
		m.Put(at, state.Object{Kind: state.Regular, Mode: mode(words[6]), Owner: state.Owner{User: words[2], Group: words[4]}, Content: m.Files()[state.Path(words[7])].Content})
	case words[0] == "chown" && len(words) == 3:
		o := m.Files()[at]
		o.Owner = owner(words[1])
		m.Put(at, o)
	case words[0] == "chmod" && len(words) == 3:
		o := m.Files()[at]
		o.Mode = mode(words[1])
		m.Put(at, o)
	case words[0] == "systemctl", words[0] == "mailsetup":
	default:
		return false
	}
	return true
}

// Where somebody stands in the way of an undo, what they wrote is not touched; the
// commands that are printed then, typed as they are, put it back, and `mailsetup recover`
// ends the run. Names of files may hold what a shell takes for something else.
func TestTheAdviceWorksWhenItIsTyped(t *testing.T) {
	const dir = "/etc/a b/$(id)'s"
	paths := []state.Path{dir + "/changed;x", dir + "/new &", dir + "/gone*", "/etc/plain"}
	for _, edited := range paths {
		for name, edit := range map[string]func(*systemtest.Mem){
			"written": func(m *systemtest.Mem) { m.PutFile(edited, "by hand\n") },
			"given away": func(m *systemtest.Mem) {
				m.Put(edited, state.Object{Kind: state.Regular, Mode: 0o666, Owner: dkim, Content: []byte("by hand\n")})
			},
			"closed": func(m *systemtest.Mem) {
				m.Put(edited, state.Object{Kind: state.Regular, Mode: 0o000, Owner: state.Root, Content: []byte("x")})
			},
			"emptied":     func(m *systemtest.Mem) { m.PutFile(edited, "") },
			"from a copy": func(m *systemtest.Mem) { m.PutFile(edited, "old\nold\n") },
		} {
			m := systemtest.NewMem()
			m.Put("/var/lib", state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
			m.Put(dir, state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
			m.Put(paths[0], state.Object{Kind: state.Regular, Mode: 0o640, Owner: dkim, Content: []byte("old\n")})
			m.PutFile(paths[2], "old\n")
			m.PutFile(paths[3], "old\n")
			m.Unit("d.service", "/etc/")
			start := systemtest.Tree(m.Files(), within(plan.OwnDir))
			st := state.Stage{
				Name: "S", Discard: []state.Path{paths[2]},
				Units: []state.Unit{{Name: "d.service", Action: state.Reload, Probes: []state.Probe{{Kind: state.ProbeActive, Unit: "d.service"}}}},
			}
			for _, p := range []state.Path{paths[0], paths[1], paths[3]} {
				st.Files = append(st.Files, state.File{Path: p, Mode: 0o600, Owner: state.Root, Content: []byte("new\n"), AdminOwned: true})
			}
			p := planFor(t, m, state.State{Stages: []state.Stage{st}})
			m.OnProbe = func(state.Probe) error {
				m.OnProbe = nil
				edit(m)
				return errors.New("it does not answer")
			}
			_, err := runOn(context.Background(), m, p, "a")
			not := &apply.NotUndoneError{}
			if !errors.As(err, &not) || not.Commands[len(not.Commands)-1] != "mailsetup recover" {
				t.Errorf("%s %s: %v", edited, name, err)
				continue
			}
			content := slices.Clone(m.Files()[edited].Content)
			if string(content) == "old\n" || string(content) == "new\n" {
				t.Errorf("%s %s: what somebody wrote is gone", edited, name)
			}
			for _, line := range not.Commands {
				if !strings.Contains(err.Error(), "\n  "+line) || !typeCommand(t, m, line) {
					t.Errorf("%s %s: the command %q is not printed, or unknown", edited, name, line)
				}
			}
			if err := recoverOn(m); err != nil {
				t.Errorf("%s %s, after %q: %v", edited, name, not.Commands, err)
			}
			if got := systemtest.Tree(m.Files(), within(plan.OwnDir)); got != start {
				t.Errorf("%s %s, after %q:\n%s\nwant\n%s", edited, name, not.Commands, got, start)
			}
		}
	}
}
