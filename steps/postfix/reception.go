package postfix

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/postconf"
	"mailsetup/internal/recipient"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// ReceptionNotes returns notes about domains whose mail comes here by DNS, or does not,
// while Postfix does otherwise: one for all with the same trouble.
func ReceptionNotes(in step.Input) []state.Note {
	p := in.Facts.Postfix
	if p == nil {
		return nil
	}
	notes := unreachable(in)
	refused, unknown, kept := map[string][]string{}, map[string][]string{}, map[string][]string{}
	var nowhere, unannounced []string
	var settings map[string]string
	if in.Facts.MailDomains == nil || p.Fresh {
		settings = Settings(in)
	}
	for d := range in.Scope.Domains(in.Spec) {
		is, known := mailDomain(in, settings, d.Name)
		switch {
		case !known:
		case d.Receive && is.Unknown != "":
			unknown[is.Unknown] = append(unknown[is.Unknown], d.Name)
		case d.Receive && is.Class == state.ClassDefault:
			where := ListFor(in.Facts, d.Name)
			refused[where] = append(refused[where], d.Name)
		case !d.Receive && is.Class != state.ClassDefault && is.Class != state.ClassRelay && is.Unknown == "":
			if withoutMX(in, d.Name) {
				unannounced = append(unannounced, d.Name)
				continue
			}
			list := recipient.ListOf(is.Class)
			kept[list] = append(kept[list], d.Name)
		case !d.Receive && !in.Spec.Host.SendOnly && is.Unknown == "" && is.Class == state.ClassDefault && withoutMX(in, d.Name):
			nowhere = append(nowhere, d.Name)
		}
	}
	for _, where := range slices.Sorted(maps.Keys(refused)) {
		names := refused[where]
		action := fmt.Sprintf("add %s to %s", itOrThem(names), where)
		if settings == nil { // else the run may set it
			action = TakeMail(in.Facts, names)
		}
		notes = append(notes, state.Note{
			Topic: "mydestination", Text: fmt.Sprintf("Postfix does not take mail for %s yet: others are told \"Relay access denied\"", step.EnumerateUpTo(names, 5)),
			Action: action,
		})
	}
	for _, why := range slices.Sorted(maps.Keys(unknown)) {
		notes = append(notes, state.Note{
			Topic: "mydestination", Text: fmt.Sprintf("could not find out whether Postfix takes mail for %s: %s", step.EnumerateUpTo(unknown[why], 5), why),
			Action: fmt.Sprintf("send a message to %s from elsewhere, and see what Postfix says to it", unknown[why][0]),
		})
	}
	for _, list := range slices.Sorted(maps.Keys(kept)) {
		names := kept[list]
		notes = append(notes, state.Note{
			Topic: "mydestination", Text: fmt.Sprintf("Postfix keeps mail for %s here, although it is received elsewhere: "+
				"mail from this machine to colleagues never leaves", step.EnumerateUpTo(names, 5)),
			Action: fmt.Sprintf("take %s out of %s", itOrThem(names), withValue(p, list)),
		})
	}
	if len(unannounced) > 0 {
		notes = append(notes, state.Note{
			Topic:  "mx",
			Text:   fmt.Sprintf("no MX record for %s, although Postfix takes that mail", step.EnumerateUpTo(unannounced, 5)),
			Action: fmt.Sprintf("mailsetup init --domain %s --receive yes", unannounced[0]),
		})
	}
	if len(nowhere) > 0 {
		notes = append(notes, state.Note{
			Topic: "mx", Informational: true,
			Text:   fmt.Sprintf("no MX record for %s: Postfix does not take that mail", step.EnumerateUpTo(nowhere, 5)),
			Action: fmt.Sprintf("once it does: mailsetup init --domain %s --receive yes", nowhere[0]),
		})
	}
	return notes
}

// withoutMX reports whether a domain certainly has no mail exchanger.
func withoutMX(in step.Input, name string) bool {
	live := in.Facts.Live[name]
	zone, here := in.Facts.Zones.Closest(name + ".")
	return live.Asked && len(live.MX) == 0 && !(here && slices.ContainsFunc(zone.Records, func(r state.Record) bool {
		return r.Type == "MX" && dnsname.Same(r.Name, name)
	}))
}

// mailDomain returns what Postfix does with mail for a domain. Of a directory only what
// is written out is known, and of a Postfix of this run what it is told.
func mailDomain(in step.Input, settings map[string]string, name string) (state.MailDomain, bool) {
	if d, known := in.Facts.MailDomains[name]; settings == nil {
		return d, known
	}
	tables := false
	for _, list := range recipient.DomainLists() {
		for _, element := range recipient.Elements(settings[list]) {
			if strings.EqualFold(element, name) {
				return state.MailDomain{Class: recipient.ClassOf(list)}, true
			}
			tables = tables || strings.ContainsAny(element, ":/!")
		}
	}
	return state.MailDomain{Class: state.ClassDefault}, !tables
}

// ListFor returns where a domain belongs that Postfix does not take mail for. One with
// virtual mailboxes or aliases never belongs into mydestination, where its addresses
// would be those of users of this machine.
func ListFor(f state.Facts, domain string) string {
	const mailboxes, aliases = "virtual_mailbox_domains", "virtual_alias_domains"
	p, d := f.Postfix, f.MailDomains[domain]
	switch {
	case p == nil:
	case d.AddressesIn == "virtual_mailbox_maps":
		return withValue(p, mailboxes)
	case d.AddressesIn != "":
		return withValue(p, aliases)
	case p.Value[mailboxes] != "":
		return withValue(p, mailboxes)
	case p.Raw[aliases] != "":
		return withValue(p, aliases)
	}
	return localOrVirtual
}

// localOrVirtual is where domains belong on a server that has no virtual ones yet.
const localOrVirtual = "mydestination or virtual_mailbox_domains"

// TakeMail returns what to do so that Postfix takes mail for domains that belong to the
// same list (see ListFor): a command where that is mydestination, else in words, since
// their addresses belong into tables then.
func TakeMail(f state.Facts, names []string) string {
	if list, fits := Destinations(f, names); fits {
		return "postconf -e 'mydestination = " + list + "' && systemctl reload postfix"
	}
	return fmt.Sprintf("add %s to %s", itOrThem(names), ListFor(f, names[0]))
}

// Destinations returns what mydestination has to be so that Postfix takes mail for
// domains, and whether that is where they belong and can be typed.
func Destinations(f state.Facts, names []string) (list string, fits bool) {
	p := f.Postfix
	if p == nil || ListFor(f, names[0]) != localOrVirtual || len(names) > maxTyped {
		return "", false
	}
	value, set := p.Raw["mydestination"]
	if !set {
		value = p.Value["mydestination"]
	}
	list = strings.Join(append(postconf.Words(value), names...), ", ")
	return list, !strings.ContainsAny(list, "'!{")
}

// maxTyped is how many domains a command names.
const maxTyped = 5

// withValue names a parameter with what it is, where that is a table or a file.
func withValue(p *state.Postfix, name string) string {
	if value := p.Value[name]; strings.ContainsAny(value, ":/") {
		return fmt.Sprintf("%s (%s)", name, value)
	}
	return name
}

func itOrThem(names []string) string {
	if len(names) == 1 {
		return "it"
	}
	return "them"
}

// unreachable returns notes about an MX that points to a Postfix which nobody outside can
// connect to.
func unreachable(in step.Input) []state.Note {
	first := ""
	for d := range in.Scope.Domains(in.Spec) {
		if d.Receive && first == "" {
			first = d.Name
		}
	}
	listens := strings.ToLower(in.Facts.Postfix.Value["inet_interfaces"])
	outside := func(name string) bool { return name != "loopback-only" && name != "localhost" }
	if first == "" || listens == "" || slices.ContainsFunc(postconf.Words(listens), outside) {
		return nil
	}
	which := ""
	if first != in.Spec.Host.Domain {
		which = "--domain " + first + " "
	}
	return []state.Note{{
		Topic:  "inet_interfaces",
		Text:   fmt.Sprintf("the MX record points here, but Postfix listens on %s: no other server can deliver", listens),
		Action: "postconf -e inet_interfaces=all, then restart Postfix; or mailsetup init " + which + "--receive no",
	}}
}

// tablesUnlisted returns a note about tables whose domains are not known.
func tablesUnlisted(in step.Input) []state.Note {
	if tables := in.Facts.Postfix.Unlisted; len(tables) > 0 && in.Spec.Signs() {
		return []state.Note{{
			Topic: "unsigned", Text: fmt.Sprintf("which domains are in %s could not be found out: mail of those that mailsetup does not have leaves unsigned",
				step.EnumerateUpTo(tables, 3)),
			Action: "mailsetup list shows those that it has, and mailsetup add-domain DOMAIN adds others",
		}}
	}
	return nil
}
