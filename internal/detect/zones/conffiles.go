package zones

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/namedconf"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// maxIncludes bounds files that include each other.
const maxIncludes = 10

// confFiles are the files that make up the configuration of BIND.
type confFiles struct {
	list []state.Path
	// more: an include means files that are not in the list, or perhaps does.
	more bool
	// ours: they are known to have named.conf.local, or may have it.
	ours bool
}

// mainFile is the file that named begins with.
func (o options) mainFile() state.Path {
	if o.file == "" {
		return mainConf
	}
	p, err := state.ParsePath(o.file)
	if err != nil { // it climbs
		return state.Path(o.file)
	}
	return p
}

// newZoneProblem says why named would not see a zone that is declared in
// named.conf.local, "" if it does or that cannot be found out.
func (o options) newZoneProblem() string {
	if o.files.ours || slices.Contains(o.files.list, localConf) {
		return ""
	}
	return fmt.Sprintf("named reads %s, which does not include %s", o.mainFile(), localConf)
}

// filesOf returns a file and those that it includes.
func filesOf(r system.Reader, file state.Path) confFiles {
	if _, err := state.ParsePath(string(file)); err != nil { // which file a link and ".." lead to is not known
		return confFiles{more: true, ours: true}
	}
	var found confFiles
	found.add(r, file, 0)
	return found
}

func (f *confFiles) add(r system.Reader, file state.Path, depth int) {
	f.ours = f.ours || file == localConf
	text, err := source.Text(r, file)
	if err != nil || text == nil || depth > maxIncludes {
		f.more, f.ours = true, f.ours || depth == 0
		return
	}
	f.list = append(f.list, file)
	if !strings.Contains(strings.ToLower(string(text)), "include") { // thousands of zones
		return
	}
	list, err := namedconf.Parse(string(text))
	if err != nil {
		f.more, f.ours = true, true
		return
	}
	f.addIncluded(r, list, depth)
}

// addIncluded adds what statements include.
func (f *confFiles) addIncluded(r system.Reader, list []namedconf.Statement, depth int) {
	for _, s := range list {
		for _, block := range s.Blocks {
			f.addIncluded(r, block, depth)
		}
		if !strings.EqualFold(s.Word(0), "include") {
			continue
		}
		name := s.Word(1)
		p, err := state.ParsePath(name)
		switch fits, _ := path.Match(name, string(localConf)); {
		case fits && p != localConf, !path.IsAbs(name): // glob(7); from a directory that is not known
			f.more, f.ours = true, true
		case err != nil || strings.ContainsAny(name, "*?[\\"):
			f.more = true
		default:
			f.add(r, p, depth+1)
		}
	}
}
