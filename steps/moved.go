package steps

import (
	"mailsetup/steps/step"
)

// What moved, under its old name.
var WithoutFile = step.WithoutFile

// Leaving is Input.Leaving.
func Leaving(in Input) []string { return in.Leaving() }
