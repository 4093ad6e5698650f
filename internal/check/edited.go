package check

import (
	"runtime"
	"slices"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/parallel"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// edited returns the files that mailsetup wrote and that have another text now, sorted.
// What cannot be read is none of them.
func edited(sys system.System, written plan.FileHashes) []state.Path {
	paths := make([]state.Path, 0, len(written))
	for p := range written {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	differs := make([]bool, len(paths))
	_ = parallel.Do(len(paths), runtime.GOMAXPROCS(0), func(i int) error {
		o, err := sys.Read(paths[i])
		differs[i] = err == nil && o.Kind == state.Regular && plan.Hash(o.Content) != written[paths[i]]
		return nil
	})
	var list []state.Path
	for i, p := range paths {
		if differs[i] {
			list = append(list, p)
		}
	}
	return list
}

// overwriting adds to what mailsetup init mends the files that it does not overwrite
// without being told to.
func overwriting(s subject.Server, list []finding.Finding) {
	if len(s.Edited) == 0 {
		return
	}
	names := make([]string, 0, len(s.Edited))
	for _, p := range s.Edited {
		names = append(names, string(p))
	}
	for i := range list {
		if f := &list[i]; f.Fixable {
			f.Remedy = f.Remedy.Overwriting(names)
		}
	}
}
