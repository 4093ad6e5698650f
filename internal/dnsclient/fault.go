package dnsclient

// Fault is a fault of a name server, or of a record on it.
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

// Finding is a fault with its description and remedy.
type Finding struct {
	Fault  Fault
	Text   string
	Remedy string
}

// OK reports whether nothing is wrong.
func (f Finding) OK() bool { return f.Fault == OK }
