package text

import (
	"fmt"
	"strings"
)

// undefinedFlag is how Go's flag package begins its error about one.
const undefinedFlag = "flag provided but not defined: -"

// UndefinedFlag returns the name in an error of Go's flag package about one that there is
// not.
func UndefinedFlag(err error) (name string, ok bool) {
	name, ok = strings.CutPrefix(err.Error(), undefinedFlag)
	return strings.TrimLeft(name, "-"), ok
}

// FlagError returns in our words what Go's flag package found.
func FlagError(err error) string {
	said := fmt.Sprintf("%.200s", fmt.Sprint(err))
	if name, ok := strings.CutPrefix(said, undefinedFlag); ok {
		return "no flag " + Dashed(name)
	}
	if name, ok := strings.CutPrefix(said, "flag needs an argument: -"); ok {
		return Dashed(name) + " needs a value"
	}
	return said
}

// Dashed returns the name of a flag as it is typed.
func Dashed(name string) string {
	name = strings.TrimLeft(name, "-")
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// AsksForJSON reports whether a command line asks for data, also one that is wrong.
func AsksForJSON(args []string) bool {
	for i, arg := range args {
		name, value, given := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case arg == "--":
			return false
		case !strings.HasPrefix(arg, "-"):
		case name == "json" && (!given || value != "false"), name == "format" && value == "json",
			name == "format" && !given && i+1 < len(args) && args[i+1] == "json":
			return true
		}
	}
	return false
}
