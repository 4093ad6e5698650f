package steps

import (
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// Texts returns the TXT records of a name that serve one purpose: those of its zone
// here, else those that DNS has, behind an alias as well.
func Texts(f state.Facts, name string, serve func(string) bool) []string {
	return texts(f, name, serve)
}

// texts returns the TXT records of a name that serve one purpose: those of its zone
// here, else those that DNS has, behind an alias as well.
func texts(f state.Facts, name string, serve func(string) bool) []string {
	var list []string
	zone, here := closest(f.Zones, name+".")
	if here = here && zone.Problem == "" && len(zone.Records) > 0; here {
		for _, r := range zone.Records {
			switch at := sameName(r.Name, name+"."); {
			case at && r.Type == "CNAME":
				here = false
			case at && r.Type == "TXT":
				list = append(list, r.Value)
			}
		}
	}
	if !here {
		list = slices.Clone(f.Live[strings.ToLower(name)].TXT)
	}
	return slices.DeleteFunc(list, func(t string) bool { return !serve(t) })
}
