package jsondoc

import "mailsetup/internal/state"

// Notes returns notes as data.
func Notes(list []state.Note) []Note {
	all := make([]Note, 0, len(list))
	for _, n := range list {
		all = append(all, Note{n.Topic, n.Text, n.Action, n.Informational})
	}
	return all
}

// Records returns records as data.
func Records(list []state.Record) []Record {
	all := make([]Record, 0, len(list))
	for _, r := range list {
		all = append(all, RecordOf(r))
	}
	return all
}

// RecordOf returns a record as data.
func RecordOf(r state.Record) Record {
	return Record{Name: r.Name, Type: r.Type, TTL: r.TTL, Value: r.Value}
}

// Named returns domains of which no more than the names is told.
func Named(names []string) []Domain {
	all := make([]Domain, 0, len(names))
	for _, name := range names {
		all = append(all, Domain{Domain: name})
	}
	return all
}

// Paths returns paths as data, nil for none.
func Paths(list []state.Path) []string {
	var all []string
	for _, p := range list {
		all = append(all, string(p))
	}
	return all
}

// UpdateOf returns an update as data.
func UpdateOf(u state.Update) Update {
	return Update{Zone: u.Origin, Server: u.Server, KeyFile: string(u.KeyFile), Add: Records(u.Add), Remove: Records(u.Remove), Why: u.Why}
}

// Changed returns the run that changed paths, as a result has it.
func Changed(id string, paths []state.Path) *Run {
	return &Run{ID: id, Paths: append([]string{}, Paths(paths)...)}
}
