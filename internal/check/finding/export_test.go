package finding

// JudgedIDs returns how many kinds there is something said about.
func JudgedIDs() int { return len(judged) }
