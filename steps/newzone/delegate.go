package newzone

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
	"mailsetup/steps/step"
	"mailsetup/zonefile"
)

// TakeOverKeys has a new zone of the keys of a domain begin with the keys of other senders,
// on consent: once it is delegated, nobody finds those any more that the zone above has. It
// refuses where one of those keys is not known.
func TakeOverKeys(in step.Input, d spec.Domain, z *state.NewZone, file state.Path) (state.Question, error) {
	found := in.Facts.OtherKeys[d.Name]
	name := dnsname.KeyZone(d.Name)
	if len(found.Unanswered) > 0 {
		return state.Question{}, step.Refuse("run it again once DNS answers; or --dns manual prints the records",
			"whether other senders have keys below %s could not be found out, and they would be lost: %s", name, text.List(found.Unanswered, 3))
	}
	for _, r := range found.Found {
		if selector, _, _ := dnsname.SplitKey(dnsname.TrimDot(r.Name)); keyring.Index(in.Ledger[d.Name], selector) < 0 {
			z.Records = append(z.Records, r)
		}
	}
	for _, selector := range d.KeepSelectors {
		if !slices.ContainsFunc(z.Records, func(r state.Record) bool { return dnsname.Same(r.Name, dnsname.Key(selector, d.Name)) }) {
			return state.Question{}, step.Refuse(fmt.Sprintf("see what the other sender's documentation says; or take %q out of keep_selectors in %s", selector, spec.DomainFile(d.Name)),
				"there is no key at %s, and keep_selectors names it", dnsname.Key(selector, d.Name))
		}
	}
	copied := "no other sender's key was found"
	if len(z.Records) > 0 {
		copied = "these of other senders were found, and are copied"
	}
	return state.Question{
		ID: "delegation " + d.Name, Kind: state.AskDelegation, Domain: d.Name,
		Text: fmt.Sprintf("once %s is delegated to this server, receivers find no other key of %s than those here, whoever signs: a newsletter, a shop, another mail server. "+
			"Nobody can list them. Well-known names were looked for: %s. --keep-selector NAME looks for one more: s= in the DKIM-Signature of their mail; later ones go into %s",
			name, d.Name, copied, file),
		After: strings.TrimSuffix(zonefile.Lines(z.Records, d.Name+"."), "\n"),
	}, nil
}
