package steps

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// otherRelease asks before anything is done on a system that nobody tried this
// on.
func otherRelease(r state.Release) []state.Question {
	if r.ID == "debian" && slices.Contains([]string{"12", "13", "14"}, r.Version) {
		return nil
	}
	name := cmp.Or(r.Pretty, strings.TrimSpace(r.ID+" "+r.Version), "a system that does not say its name (os-release(5))")
	origin := ""
	if slices.Contains(r.Like, "debian") {
		origin = ", which derives from Debian"
	}
	return []state.Question{{
		ID: "release " + name, Kind: state.AskRelease, Subject: name,
		Text: fmt.Sprintf("This is %s%s. mailsetup is made for Debian 12, 13 and 14 and tested on nothing else: "+
			"packages, units and defaults may differ here.", name, origin),
	}}
}
