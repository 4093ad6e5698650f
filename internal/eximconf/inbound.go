package eximconf

import (
	"regexp"
	"strconv"
	"strings"

	"mailsetup/internal/state"
)

// SPFMacro has Debian's ACL check SPF, where the daemon can: it refuses what fails, and puts
// off what cannot be looked up.
const SPFMacro = "CHECK_RCPT_SPF"

// check finds the macros that Debian's acl_check_rcpt asks about (exim4-config_files(5)).
var check = regexp.MustCompile(`^\s*(CHECK_RCPT_LOCAL_ACL_FILE|CHECK_RCPT_SPF)\s*==?\s*(.*?)\s*$`)

// CheckMacros returns those of these macros that a text sets, by name; At is the line.
func CheckMacros(text string) map[string]state.EximMacro {
	found := map[string]state.EximMacro{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		if m := check.FindStringSubmatch(line); m != nil {
			found[m[1]] = state.EximMacro{Value: m[2], At: strconv.Itoa(number)}
		}
	}
	return found
}

var includes = regexp.MustCompile(`(?m)^\s*\.include(_if_exists)?\s+` + regexp.QuoteMeta(string(Checks)) + `\s*$`)

// IncludesChecks reports whether a file of an ACL includes our checks of incoming mail.
func IncludesChecks(text string) bool { return includes.MatchString(text) }

// AsksChecks reports whether a generated configuration has Exim ask them.
func AsksChecks(text string) bool {
	m, set := CheckMacros(text)[ChecksMacro]
	return set && m.Value == string(Checks) || IncludesChecks(text)
}
