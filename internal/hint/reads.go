package hint

import (
	"slices"
	"strings"
)

// OnlyReads reports whether a command is known to change nothing, so that it may be typed
// again to see what it does.
func OnlyReads(argv []string) bool {
	has := func(options ...string) bool {
		return slices.ContainsFunc(argv, func(a string) bool { return slices.Contains(options, a) })
	}
	switch argv[0] {
	case "named-checkconf", "named-checkzone", "postcat", "rspamadm":
		return true
	case "postqueue":
		return has("-j", "-p")
	case "postmap", "postalias":
		return has("-q", "-s")
	case "postconf": // postconf(1): what it sets has "=", what it takes out -X or -#
		return !has("-e", "-X", "-#", "-MX", "-M#", "-PX") && !strings.Contains(strings.Join(argv, " "), "=")
	}
	return false
}
