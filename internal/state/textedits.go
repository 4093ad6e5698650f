package state

// RestrictionEdit puts an element into a list of restrictions that stands in main.cf, or in
// an option of a service in master.cf (smtpd_recipient_restrictions, postconf(5)), or takes
// it out. Every other byte stays, lines and comments included.
type RestrictionEdit struct {
	Path      Path
	Service   string // of master.cf, "" for main.cf
	Parameter string
	Element   string // check_policy_service unix:private/policyd-spf, or a class
	Index     int    // how many elements stand in front
	Drop      bool   // the element goes, wherever it stands in the list
	Reason    string
}

// Target implements Edit.
func (e RestrictionEdit) Target() Path { return e.Path }

// Why implements Edit.
func (e RestrictionEdit) Why() string { return e.Reason }

// Settings implements Edit.
func (e RestrictionEdit) Settings() []string {
	name := e.Parameter
	if e.Service != "" {
		name = e.Service + ": -o " + name
	}
	if e.Drop {
		return []string{name + " without " + e.Element}
	}
	return []string{name + " with " + e.Element}
}

// BlockEdit keeps lines at the end of a file of the administrator's, between two comment
// lines with a name. A block that says something else is replaced where it stands. The
// number sign begins a comment in that file.
type BlockEdit struct {
	Path   Path
	Name   string
	Lines  []string
	Drop   bool // the block goes
	Create bool // a file that is missing is made
	Last   bool // it counts only behind all other lines, so it is moved there
	// Stamp: the last comment line has a hash of the lines, so that an edit by hand is
	// told, and not overwritten but with Overwrite.
	Stamp, Overwrite bool
	Reason           string
}

// Target implements Edit.
func (e BlockEdit) Target() Path { return e.Path }

// Why implements Edit.
func (e BlockEdit) Why() string { return e.Reason }

// Settings implements Edit.
func (e BlockEdit) Settings() []string {
	if e.Drop {
		return []string{"without the lines of mailsetup: " + e.Name}
	}
	return e.Lines
}
