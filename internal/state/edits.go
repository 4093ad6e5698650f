package state

import (
	"fmt"
	"time"
)

// Setting is one parameter of main.cf, postconf(5).
type Setting struct{ Name, Value string }

// PostfixEdit sets parameters of main.cf with postconf(1), which keeps
// comments and everything it is not told to change. Values are never expanded.
type PostfixEdit struct {
	Path   Path // main.cf
	Set    []Setting
	Reason string
}

// Target implements Edit.
func (e PostfixEdit) Target() Path { return e.Path }

// Why implements Edit.
func (e PostfixEdit) Why() string { return e.Reason }

// Settings implements Edit.
func (e PostfixEdit) Settings() []string {
	lines := make([]string, 0, len(e.Set))
	for _, s := range e.Set {
		lines = append(lines, s.Name+" = "+s.Value)
	}
	return lines
}

// ZoneEdit puts one $INCLUDE line into a zone file and raises the serial when
// the line or what it includes changed. Stamp is a short hash of the included
// text, kept in a comment of the line, so that new text under an old line
// still raises the serial. Undone forward: secondaries never go back.
type ZoneEdit struct {
	Path    Path   // the zone file
	Origin  string // the zone's name, absolute
	Include Path   // our fragment; "" for an edit that only replaces
	Drop    bool   // the line goes
	Stamp   string
	Reason  string
	// Now is the date for serials of the form YYYYMMDDnn.
	Now time.Time
	// New holds the SOA and NS lines of a zone file that does not exist yet;
	// nil for a file of the administrator's.
	New *NewZone
	// Replace are records of the administrator's to be changed where they
	// stand, each on the consent of a Question.
	Replace []Replacement
}

// Replacement changes the data of one record in a zone file. Owner and type
// of both are the same.
type Replacement struct{ Old, New Record }

// NewZone is what a zone made on request starts with.
type NewZone struct {
	NS         []string // absolute host names, the first is the SOA's MNAME
	Hostmaster string   // absolute, the SOA's RNAME
	TTL        uint32
	Records    []Record // further ones
}

// Target implements Edit.
func (e ZoneEdit) Target() Path { return e.Path }

// Why implements Edit.
func (e ZoneEdit) Why() string { return e.Reason }

// Settings implements Edit.
func (e ZoneEdit) Settings() []string {
	var lines []string
	for _, r := range e.Replace {
		lines = append(lines, fmt.Sprintf("%s %s %q instead of %q", r.New.Name, r.New.Type, r.New.Value, r.Old.Value))
	}
	if e.Drop {
		return append(lines, fmt.Sprintf("without $INCLUDE %q", e.Include), "a higher serial")
	}
	if e.Include != "" {
		lines = append(lines, fmt.Sprintf("$INCLUDE %q %s", e.Include, e.Origin))
	}
	return append(lines, "a higher serial")
}

// NamedEdit adds primary zones to a file of named.conf: all of a run by one edit, since
// that file may be long.
type NamedEdit struct {
	Path   Path // named.conf.local
	Zones  []NamedZone
	Drop   bool // the zones go
	Reason string
}

// NamedZone is a zone of a NamedEdit.
type NamedZone struct {
	Origin string // without the final dot, as named.conf writes it
	File   Path   // the zone file
}

// Target implements Edit.
func (e NamedEdit) Target() Path { return e.Path }

// Why implements Edit.
func (e NamedEdit) Why() string { return e.Reason }

// Settings implements Edit.
func (e NamedEdit) Settings() []string {
	var lines []string
	for _, z := range e.Zones {
		if e.Drop {
			lines = append(lines, fmt.Sprintf("without zone %q", z.Origin))
		} else {
			lines = append(lines, fmt.Sprintf("zone %q { type primary; file %q; };", z.Origin, z.File))
		}
	}
	return lines
}

// AliasEdit sets entries of aliases(5).
type AliasEdit struct {
	Path   Path
	Set    []Setting
	Reason string
}

// Target implements Edit.
func (e AliasEdit) Target() Path { return e.Path }

// Why implements Edit.
func (e AliasEdit) Why() string { return e.Reason }

// Settings implements Edit.
func (e AliasEdit) Settings() []string {
	lines := make([]string, 0, len(e.Set))
	for _, s := range e.Set {
		lines = append(lines, s.Name+": "+s.Value)
	}
	return lines
}

// ServiceSetting is one -o name=value of a service in master.cf(5).
type ServiceSetting struct {
	Service string // submission/inet
	Setting
}

// MasterEdit sets options of services that exist in master.cf. Every other
// byte stays.
type MasterEdit struct {
	Path   Path // master.cf
	Set    []ServiceSetting
	Reason string
}

// Target implements Edit.
func (e MasterEdit) Target() Path { return e.Path }

// Why implements Edit.
func (e MasterEdit) Why() string { return e.Reason }

// Settings implements Edit.
func (e MasterEdit) Settings() []string {
	lines := make([]string, 0, len(e.Set))
	for _, s := range e.Set {
		lines = append(lines, fmt.Sprintf("%s: -o %s=%s", s.Service, s.Name, s.Value))
	}
	return lines
}

// EximEdit sets variables of update-exim4.conf.conf, of which update-exim4.conf(8) makes the
// configuration of exim4. Every other line stays.
type EximEdit struct {
	Path   Path
	Set    []Setting
	Reason string
}

// Target implements Edit.
func (e EximEdit) Target() Path { return e.Path }

// Why implements Edit.
func (e EximEdit) Why() string { return e.Reason }

// Settings implements Edit.
func (e EximEdit) Settings() []string {
	lines := make([]string, 0, len(e.Set))
	for _, s := range e.Set {
		lines = append(lines, s.Name+"='"+s.Value+"'")
	}
	return lines
}

// EximHandEdit makes comments of the lines with which an administrator has set up DKIM for
// exim4. Lines of ours, and every other one, stay.
type EximHandEdit struct {
	Path   Path
	Reason string
}

// Target implements Edit.
func (e EximHandEdit) Target() Path { return e.Path }

// Why implements Edit.
func (e EximHandEdit) Why() string { return e.Reason }

// Settings implements Edit.
func (e EximHandEdit) Settings() []string { return nil }

// UnitEdit takes assignments out of a drop-in of a unit (systemd.unit(5)).
// Every other line stays.
type UnitEdit struct {
	Path   Path
	Drop   []string // names of the section [Service]
	Reason string
}

// Target implements Edit.
func (e UnitEdit) Target() Path { return e.Path }

// Why implements Edit.
func (e UnitEdit) Why() string { return e.Reason }

// Settings implements Edit.
func (e UnitEdit) Settings() []string {
	lines := make([]string, 0, len(e.Drop))
	for _, name := range e.Drop {
		lines = append(lines, "without "+name+"=")
	}
	return lines
}
