package systemtest

import (
	"io/fs"
	"slices"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

func readClauses() []clause {
	return []clause{
		{"nothing there reads as absent", func(t *testing.T, s system.System, base state.Path) {
			is(t, s, base.Join("none"), state.Object{})
			is(t, s, base.Join("none", "deeper"), state.Object{})
		}},
		{"a directory reads as one", func(t *testing.T, s system.System, base state.Path) {
			if k := read(t, s, base).Kind; k != state.Directory {
				t.Errorf("%s is %q", base, k)
			}
		}},
		{"what was read is the reader's own", func(t *testing.T, s system.System, base state.Path) {
			p := base.Join("f")
			must(t, s.Create(p, regular("text", 0o644)))
			read(t, s, p).Content[0] = 'X'
			is(t, s, p, regular("text", 0o644))
		}},
		{"stat is read without the content", func(t *testing.T, s system.System, base state.Path) {
			p := base.Join("f")
			must(t, s.Create(p, regular("text", 0o640)))
			for at, want := range map[state.Path]state.Object{p: regular("", 0o640), base.Join("none"): {}} {
				o, err := s.Stat(at)
				must(t, err)
				if o.Kind != want.Kind || o.Mode != want.Mode || o.Owner != want.Owner || len(o.Content) != 0 {
					t.Errorf("Stat(%s) = %+v", at, o)
				}
			}
			if o, err := s.Stat(base); err != nil || o.Kind != state.Directory {
				t.Errorf("Stat(%s) = %+v, %v", base, o, err)
			}
		}},
		{"list is sorted, and empty for what is absent", func(t *testing.T, s system.System, base state.Path) {
			for _, name := range []string{"b", "c", "a"} {
				must(t, s.Create(base.Join(name), regular("", 0o644)))
			}
			must(t, s.Mkdir(base.Join("d"), directory(0o755)))
			must(t, s.Create(base.Join("d", "inner"), regular("", 0o644)))
			names, err := s.List(base)
			must(t, err)
			if !slices.Equal(names, []string{"a", "b", "c", "d"}) {
				t.Errorf("List = %q", names)
			}
			names, err = s.List(base.Join("none"))
			if len(names) != 0 || err != nil {
				t.Errorf("List of nothing = %q, %v", names, err)
			}
		}},
		{"a file has no list", func(t *testing.T, s system.System, base state.Path) {
			must(t, s.Create(base.Join("f"), regular("", 0o644)))
			_, err := s.List(base.Join("f"))
			fails(t, err, nil)
		}},
	}
}

func createClauses() []clause {
	return []clause{
		{"create gives content, owner and mode", func(t *testing.T, s system.System, base state.Path) {
			for name, mode := range map[string]fs.FileMode{"open": 0o644, "group": 0o640, "key": 0o600, "run": 0o755} {
				must(t, s.Create(base.Join(name), regular("of "+name+"\n", mode)))
				is(t, s, base.Join(name), regular("of "+name+"\n", mode))
			}
		}},
		{"create keeps no hold of the content", func(t *testing.T, s system.System, base state.Path) {
			o := regular("text", 0o644)
			must(t, s.Create(base.Join("f"), o))
			o.Content[0] = 'X'
			is(t, s, base.Join("f"), regular("text", 0o644))
		}},
		{"create of an empty file", func(t *testing.T, s system.System, base state.Path) {
			must(t, s.Create(base.Join("f"), regular("", 0o644)))
			is(t, s, base.Join("f"), regular("", 0o644))
		}},
		{"create refuses what exists and leaves it", func(t *testing.T, s system.System, base state.Path) {
			must(t, s.Create(base.Join("f"), regular("first", 0o600)))
			fails(t, s.Create(base.Join("f"), regular("second", 0o644)), fs.ErrExist)
			is(t, s, base.Join("f"), regular("first", 0o600))
			must(t, s.Mkdir(base.Join("d"), directory(0o755)))
			fails(t, s.Create(base.Join("d"), regular("", 0o644)), fs.ErrExist)
		}},
		{"create makes regular files only", func(t *testing.T, s system.System, base state.Path) {
			fails(t, s.Create(base.Join("f"), directory(0o755)), nil)
			fails(t, s.Create(base.Join("f"), state.Object{}), nil)
			is(t, s, base.Join("f"), state.Object{})
		}},
		{"create below a file is an error", func(t *testing.T, s system.System, base state.Path) {
			must(t, s.Create(base.Join("f"), regular("", 0o644)))
			fails(t, s.Create(base.Join("f", "g"), regular("", 0o644)), nil)
		}},
	}
}

func dirClauses() []clause {
	return []clause{
		{"mkdir gives owner and mode, setgid too", func(t *testing.T, s system.System, base state.Path) {
			for name, mode := range map[string]fs.FileMode{"open": 0o755, "key": 0o700, "socket": fs.ModeSetgid | 0o750} {
				must(t, s.Mkdir(base.Join(name), directory(mode)))
				is(t, s, base.Join(name), directory(mode))
			}
		}},
		{"mkdir refuses what exists", func(t *testing.T, s system.System, base state.Path) {
			must(t, s.Mkdir(base.Join("d"), directory(0o700)))
			fails(t, s.Mkdir(base.Join("d"), directory(0o755)), fs.ErrExist)
			is(t, s, base.Join("d"), directory(0o700))
			must(t, s.Create(base.Join("f"), regular("", 0o644)))
			fails(t, s.Mkdir(base.Join("f"), directory(0o755)), fs.ErrExist)
		}},
		{"mkdir makes directories only", func(t *testing.T, s system.System, base state.Path) {
			fails(t, s.Mkdir(base.Join("d"), regular("", 0o644)), nil)
			is(t, s, base.Join("d"), state.Object{})
		}},
		{"remove takes files and empty directories", func(t *testing.T, s system.System, base state.Path) {
			must(t, s.Mkdir(base.Join("d"), directory(0o755)))
			must(t, s.Create(base.Join("d", "f"), regular("", 0o644)))
			fails(t, s.Remove(base.Join("d")), nil)
			is(t, s, base.Join("d", "f"), regular("", 0o644))
			must(t, s.Remove(base.Join("d", "f")))
			must(t, s.Remove(base.Join("d")))
			is(t, s, base.Join("d"), state.Object{})
		}},
		{"remove of nothing is an error", func(t *testing.T, s system.System, base state.Path) {
			fails(t, s.Remove(base.Join("none")), fs.ErrNotExist)
		}},
	}
}

func moveClauses() []clause {
	return []clause{
		{"rename replaces a file with owner and mode", func(t *testing.T, s system.System, base state.Path) {
			must(t, s.Create(base.Join("old"), regular("old", 0o644)))
			must(t, s.Create(base.Join("new~"), regular("new", 0o600)))
			must(t, s.Rename(base.Join("new~"), base.Join("old")))
			is(t, s, base.Join("old"), regular("new", 0o600))
			is(t, s, base.Join("new~"), state.Object{})
		}},
		{"rename of nothing is an error and replaces nothing", func(t *testing.T, s system.System, base state.Path) {
			must(t, s.Create(base.Join("f"), regular("text", 0o644)))
			fails(t, s.Rename(base.Join("none"), base.Join("f")), fs.ErrNotExist)
			is(t, s, base.Join("f"), regular("text", 0o644))
		}},
		{"rename of a file over a directory is an error", func(t *testing.T, s system.System, base state.Path) {
			must(t, s.Create(base.Join("f"), regular("text", 0o644)))
			must(t, s.Mkdir(base.Join("d"), directory(0o755)))
			fails(t, s.Rename(base.Join("f"), base.Join("d")), nil)
			is(t, s, base.Join("f"), regular("text", 0o644))
			is(t, s, base.Join("d"), directory(0o755))
		}},
		{"rename takes a directory with what it holds", func(t *testing.T, s system.System, base state.Path) {
			must(t, s.Mkdir(base.Join("d"), directory(0o700)))
			must(t, s.Create(base.Join("d", "f"), regular("text", 0o640)))
			must(t, s.Rename(base.Join("d"), base.Join("e")))
			is(t, s, base.Join("d", "f"), state.Object{})
			is(t, s, base.Join("e"), directory(0o700))
			is(t, s, base.Join("e", "f"), regular("text", 0o640))
		}},
	}
}

func metaClauses() []clause {
	return []clause{
		{"set meta changes the mode and not the content", func(t *testing.T, s system.System, base state.Path) {
			must(t, s.Create(base.Join("f"), regular("text", 0o644)))
			must(t, s.SetMeta(base.Join("f"), regular("other", 0o600)))
			is(t, s, base.Join("f"), regular("text", 0o600))
		}},
		{"set meta sets and clears setgid", func(t *testing.T, s system.System, base state.Path) {
			must(t, s.Mkdir(base.Join("d"), directory(0o755)))
			must(t, s.SetMeta(base.Join("d"), directory(fs.ModeSetgid|0o750)))
			is(t, s, base.Join("d"), directory(fs.ModeSetgid|0o750))
			must(t, s.SetMeta(base.Join("d"), directory(0o755)))
			is(t, s, base.Join("d"), directory(0o755))
		}},
		{"set meta of nothing is an error", func(t *testing.T, s system.System, base state.Path) {
			fails(t, s.SetMeta(base.Join("none"), regular("", 0o644)), fs.ErrNotExist)
			is(t, s, base.Join("none"), state.Object{})
		}},
	}
}

func appendClauses() []clause {
	line := func(s string) []byte { return []byte(s) }
	return []clause{
		{"append makes a private file and adds lines", func(t *testing.T, s system.System, base state.Path) {
			must(t, s.Append(base.Join("log"), line("one")))
			must(t, s.Append(base.Join("log"), line("two\n")))
			is(t, s, base.Join("log"), regular("one\ntwo\n", 0o600))
		}},
		{"append keeps owner and mode of what is there", func(t *testing.T, s system.System, base state.Path) {
			must(t, s.Create(base.Join("log"), regular("one\n", 0o640)))
			must(t, s.Append(base.Join("log"), line("two")))
			is(t, s, base.Join("log"), regular("one\ntwo\n", 0o640))
		}},
		{"append ends a line that was cut short", func(t *testing.T, s system.System, base state.Path) {
			must(t, s.Create(base.Join("log"), regular("one\ntw", 0o600)))
			must(t, s.Append(base.Join("log"), line("three")))
			is(t, s, base.Join("log"), regular("one\ntw\nthree\n", 0o600))
		}},
		{"append takes one line", func(t *testing.T, s system.System, base state.Path) {
			fails(t, s.Append(base.Join("log"), line("one\ntwo")), nil)
			is(t, s, base.Join("log"), state.Object{})
		}},
		{"sync takes files, directories and what is gone", func(t *testing.T, s system.System, base state.Path) {
			must(t, s.Sync())
			must(t, s.Mkdir(base.Join("d"), directory(0o755)))
			must(t, s.Create(base.Join("d", "f"), regular("text", 0o600)))
			must(t, s.Sync(base.Join("d", "f"), base.Join("d"), base.Join("d", "gone")))
			is(t, s, base.Join("d", "f"), regular("text", 0o600))
		}},
	}
}
