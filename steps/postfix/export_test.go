package postfix

// What tests from outside need.
var (
	Rewrites  = rewrites
	SignedFor = signedNotes
)
