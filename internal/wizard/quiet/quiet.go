// Package quiet keeps a library from talking to the terminal while the program
// starts. It is imported for that effect alone, by the command.
//
// bubbletea, below huh, asks the terminal for its background colour when it is
// initialised, so in every command and not only in those with questions. A
// terminal that does not answer (script, expect, some serial lines) costs five
// seconds each time, and keys typed meanwhile are lost. The answer is
// remembered for the life of the process, so it is enough that the question
// finds no terminal once: with CI in the environment, termenv sees none.
//
// This must happen first. Packages are initialised in the order of their
// import paths as soon as what they import is ready (The Go Programming
// Language Specification, "Program initialization"). This one needs os only,
// and its path sorts before packages that bubbletea needs, os/exec and
// os/signal among them. A test sees to it that this stays so.
package quiet

import "os"

const variable = "CI"

// wasSet tells whether the environment is as it was found.
var wasSet = hush()

func hush() bool {
	if os.Getenv(variable) != "" {
		return true
	}
	return os.Setenv(variable, "quiet") != nil
}

// Done puts the environment back. The command calls it first of all, or its
// children would see the variable and colours would stay off.
func Done() {
	if !wasSet {
		_ = os.Unsetenv(variable) // fails for malformed names only
	}
}
