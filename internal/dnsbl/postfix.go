package dnsbl

import (
	"slices"
	"strings"
)

// Restrictions are what smtpd(8) refuses by, in the words of a restriction list: one for
// each list. They belong behind reject_unauth_destination, so that no list is asked about
// mail that is refused anyway. Behind postscreen(8) they stand in smtpd(8) all the same:
// postscreen would refuse whom the administrator lets pass by name or by sender.
func Restrictions(sites []Site) []string {
	var words []string
	for _, s := range sites {
		kind := "reject_rbl_client "
		if s.Domains {
			kind = "reject_rhsbl_sender "
		}
		words = append(words, kind+s.String())
	}
	return words
}

// ReplyMap is rbl_reply_maps, as main.cf has it, for lists with a key: without it, smtpd(8)
// tells the key to every client that it refuses. "" if no list has one. smtpd looks up the
// list with its codes, whose = no key of an inline: table can have. Main.cf makes two of
// four $, and the table one of two.
func ReplyMap(sites []Site) string {
	var rows []string
	for _, s := range sites {
		if name := Shown(s.Zone); name != s.Zone {
			rows = append(rows, "{ /^"+strings.ReplaceAll(s.Zone, ".", `\.`)+"/ $$$$rbl_code Service unavailable; $$$$rbl_class [$$$$rbl_what] blocked using "+name+" }")
		}
	}
	if len(rows) == 0 {
		return ""
	}
	return "regexp:{ " + strings.Join(rows, ", ") + " }"
}

// InUse is a list in parameters of Postfix.
type InUse struct {
	Parameter string // where it stands
	Zone      string
	Codes     string // "" for none
	Domains   bool
	Permits   bool // mail is let in by it: permit_dnswl_client
}

// Find returns the lists that a parameter of Postfix asks: a list of restrictions, or
// postscreen_dnsbl_sites.
func Find(parameter, value string) []InUse {
	var all []InUse
	words := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t\r\n,", r) })
	add := func(word string, domains, permits bool) {
		zone, codes, given := strings.Cut(word, "=")
		if given && codes == "" {
			codes = "=" // which is no pattern, where none at all is none
		}
		u := InUse{parameter, strings.ToLower(zone), codes, domains, permits}
		if !slices.Contains(all, u) {
			all = append(all, u)
		}
	}
	for i, word := range words {
		if parameter == "postscreen_dnsbl_sites" {
			site, weight, _ := strings.Cut(word, "*")
			add(site, false, strings.HasPrefix(weight, "-"))
			continue
		}
		word = strings.ToLower(word)
		domains := strings.HasPrefix(word, "reject_rhsbl_") || strings.HasPrefix(word, "permit_rhswl_")
		permits := strings.HasPrefix(word, "permit_dnswl_") || strings.HasPrefix(word, "permit_rhswl_")
		if (domains || permits || strings.HasPrefix(word, "reject_rbl")) && i+1 < len(words) {
			add(words[i+1], domains, permits)
		}
	}
	return all
}
