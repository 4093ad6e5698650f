package finding

// Judged returns in a sentence when a finding of a kind is what, "" if its title says
// it.
func Judged(id string) string { return judged[id] }

// judged has a line for each kind.
var judged = map[string]string{}
