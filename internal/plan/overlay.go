package plan

import (
	"slices"
	"strings"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Overlay reads the machine as a plan leaves it: the planned object of a path, Absent
// for a removed one, else the present object.
type Overlay struct {
	system.Reader
	Planned map[state.Path]state.Object
}

// Read implements system.Reader.
func (o Overlay) Read(at state.Path) (state.Object, error) {
	if obj, ok := o.Planned[at]; ok {
		return obj.Held()
	}
	return o.Reader.Read(at)
}

// Stat implements system.Reader.
func (o Overlay) Stat(at state.Path) (state.Object, error) {
	if obj, ok := o.Planned[at]; ok {
		obj.Content, obj.Text = nil, nil
		return obj, nil
	}
	return o.Reader.Stat(at)
}

// List implements system.Reader.
func (o Overlay) List(dir state.Path) ([]string, error) {
	names, err := o.Reader.List(dir)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(n string) bool {
		obj, known := o.Planned[dir.Join(n)]
		return known && obj.Kind == state.Absent
	})
	for at, obj := range o.Planned {
		if at.Dir() == dir && obj.Kind != state.Absent {
			names = append(names, strings.TrimPrefix(string(at), string(dir)+"/"))
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
