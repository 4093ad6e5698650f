package store

import (
	"mailsetup/internal/keyring"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// LastCheck returns the last check of a domain's records; an unreadable file counts as
// no check.
func (s Store) LastCheck(domain string) keyring.LastCheck {
	text, err := system.ReadFile(s.files, keyring.LastCheckFile(domain))
	if err != nil {
		return keyring.LastCheck{}
	}
	c, _ := keyring.ParseLastCheck(text)
	return c
}

// LastChecks returns what was last seen of the records of all domains.
func (s Store) LastChecks() (map[string]keyring.LastCheck, error) {
	files, err := New(s.files).readDomainFiles(state.ChecksDir, ".json", "")
	if err != nil {
		return nil, err
	}
	checks := make(map[string]keyring.LastCheck, len(files.list))
	for _, f := range files.list {
		if c, err := keyring.ParseLastCheck(f.Content); err == nil { // else it was never looked at
			checks[f.domain] = c
		}
	}
	return checks, nil
}

// SaveChecks saves checks of domains' records, keeping what was seen before. Watches
// are the states of the record watch, of domains that are among them.
func (s Store) SaveChecks(checks map[string]keyring.LastCheck, watches map[string]keyring.Watch) error {
	if err := makeDir(s.files, state.ChecksDir); err != nil {
		return err
	}
	var files []ownFile
	for domain, c := range checks {
		file := keyring.LastCheckFile(domain)
		if o, err := s.files.Read(file); err == nil {
			if earlier, err := keyring.ParseLastCheck(o.Content); err == nil {
				c = c.After(earlier)
			}
		}
		if w, given := watches[domain]; given {
			c.Watch = w
		}
		files = append(files, ownFile{file, keyring.MarshalLastCheck(c)})
	}
	return s.writeAtomic(files...)
}

// LoadSchedule reads the schedule of the record watch. If the file cannot be parsed,
// the error is in the second value, and all domains are due again.
func (s Store) LoadSchedule() (schedule recordwatch.Schedule, unreadable, err error) {
	text, err := system.ReadFile(s.files, state.WatchFile)
	if err != nil {
		return recordwatch.Schedule{}, nil, err
	}
	schedule, unreadable = recordwatch.ParseSchedule(text)
	return schedule, unreadable, nil
}

// SaveSchedule writes down when the records of each domain were last looked at.
func (s Store) SaveSchedule(schedule recordwatch.Schedule) error {
	return s.writeAtomic(ownFile{state.WatchFile, schedule.Marshal()})
}

// LoadCheckResult reads what the last run of mailsetup check found, nil for none.
func LoadCheckResult(files Files) ([]byte, error) { return system.ReadFile(files, state.CheckFile) }

// SaveCheckResult writes down what a run of mailsetup check found.
func SaveCheckResult(files Files, text []byte) error {
	if err := makeDir(files, state.OwnDir); err != nil {
		return err
	}
	return New(files).writeAtomic(ownFile{state.CheckFile, text})
}
