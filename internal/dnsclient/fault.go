package dnsclient

// Fault is what is wrong with a name server, or with a record as it has it.
type Fault string

// The faults of a name server as a whole. The zero value is none.
const (
	OK        Fault = ""
	NoAnswer  Fault = "no answer"
	Refuses   Fault = "refuses"
	Lame      Fault = "lame"
	Broken    Fault = "broken"
	NoAddress Fault = "no address"
	NotAsked  Fault = "not asked" // from here it cannot be; no fault of the server
)

// Finding is what was found about a record at a name server, and what to do.
type Finding struct {
	Fault  Fault
	Text   string
	Remedy string
}

// OK reports whether nothing is wrong.
func (f Finding) OK() bool { return f.Fault == OK }
