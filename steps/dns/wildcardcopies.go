package dns

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/policy"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/wildcard"
	"mailsetup/keygen"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
)

// wildcardLoss is what names of a domain lose of a wildcard because of our records, as
// far as it matters to anybody.
type wildcardLoss struct {
	wildcard.Loss
	domain  spec.Domain
	newName bool // the name does not exist before this run
	// alias is the target of a wildcard CNAME, which cannot stand beside our
	// record at the name. The records are what the zone has at the target.
	alias string
	// abroad: the zone does not have the target, so nothing can be copied.
	elsewhere bool
}

// copyWildcards finds the copies for the names that exist because of our
// records, and asks about those of names that come into being.
func (p *zoneChange) copyWildcards(in step.Input, ours []state.Record) ([]state.Note, error) {
	names := domainsByName(in, p.zone, ours)
	p.copies = retainedCopies(in, p.zone, names)
	var notes []state.Note
	failed := state.DomainErrors{}
	for _, list := range byDomain(wildcardLosses(in, p.zone, ours, names)) {
		d := list[0].domain
		fresh := slices.ContainsFunc(list, func(l wildcardLoss) bool { return l.newName })
		switch {
		case d.WildcardRecords == spec.Drop && fresh:
			notes = append(notes, state.Note{Topic: "dns", Text: describeLosses(list) + ", as you decided", Informational: true})
		case d.WildcardRecords == spec.Drop, d.WildcardRecords == "" && !fresh: // happened long ago
		default:
			if err := refuseCopy(p.zone, list); err != nil && fresh {
				failed[d.Name] = err
				continue
			}
			for _, l := range list {
				p.copies = append(p.copies, l.Records...)
				p.want = append(p.want, l.Records...)
			}
			if d.WildcardRecords == "" {
				p.questions = append(p.questions, lossQuestion(list))
			}
		}
	}
	return notes, failed.Err()
}

// domainsByName returns the domains for whose sake names of a zone exist, by name: those
// of the owners of our records, and the ones above.
func domainsByName(in step.Input, z state.Zone, ours []state.Record) map[string][]string {
	names := map[string][]string{}
	if len(z.Copies) == 0 && !hasWildcard(z) {
		return names
	}
	for _, r := range ours {
		domain := subjectDomain(in, r.Name)
		for _, name := range wildcard.Ancestors(r.Name, z.Origin) {
			if list := names[name]; len(list) == 0 || list[len(list)-1] != domain { // most come one after the other
				names[name] = append(list, domain)
			}
		}
	}
	return names
}

func hasWildcard(z state.Zone) bool {
	return slices.ContainsFunc(z.Records, func(r state.Record) bool { return strings.HasPrefix(r.Name, "*.") })
}

// subjectDomain returns the domain that a record of ours is about, by the record's name.
func subjectDomain(in step.Input, name string) string {
	name = dnsname.TrimDot(strings.ToLower(name))
	if about, _, isConsent := dnsname.SplitReportConsent(name); isConsent {
		return about
	}
	if domain, isPolicy := dnsname.SplitPolicy(name); isPolicy {
		return domain
	}
	if _, domain, isKey := dnsname.SplitKey(name); isKey {
		return domain
	}
	if name == in.Spec.Host.Hostname && !in.Has(name) {
		return in.Spec.Host.Domain
	}
	return name
}

// decidedDomain returns a domain as it is, or was until this run, if the run decides about
// more than its keys.
func decidedDomain(in step.Input, domain string) (spec.Domain, bool) {
	if in.KeysOnly || !in.Scope.Includes(domain) {
		return spec.Domain{}, false
	}
	for _, list := range [][]spec.Domain{in.Removed, in.Spec.Domains} {
		if i := slices.IndexFunc(list, func(d spec.Domain) bool { return d.Name == domain }); i >= 0 {
			return list[i], true
		}
	}
	return spec.Domain{}, false
}

// retainedCopies returns the copies that stay as they are: their names still exist
// because of our records, and the run is not about these.
func retainedCopies(in step.Input, z state.Zone, names map[string][]string) []state.Record {
	var list []state.Record
	for _, c := range z.Copies {
		about := names[strings.ToLower(strings.TrimPrefix(c.Name, "*."))]
		decided := slices.ContainsFunc(about, func(domain string) bool { _, ok := decidedDomain(in, domain); return ok })
		if len(about) > 0 && !decided {
			list = append(list, c)
		}
	}
	return list
}

// wildcardLosses returns what domains in the scope lose of the wildcards of a zone.
func wildcardLosses(in step.Input, z state.Zone, ours []state.Record, names map[string][]string) []wildcardLoss {
	if !hasWildcard(z) {
		return nil
	}
	was := map[string]bool{}
	for _, r := range withoutCopies(z) {
		for _, name := range wildcard.Ancestors(r.Name, z.Origin) {
			was[name] = true
		}
	}
	var list []wildcardLoss
	here, had := byName(ours), answersOf(z)
	zone := wildcard.Zone{Origin: z.Origin, Records: z.Records, Names: z.Names}
	for _, w := range zone.Losses(ours) {
		d, ok := decidingDomain(in, names[w.Base()])
		if !ok {
			continue
		}
		l := wildcardLoss{Loss: w, domain: d, newName: !was[w.Base()]}
		if l.keepUseful(had, here) {
			list = append(list, l)
		}
	}
	return list
}

// decidingDomain returns the domain whose answer counts for a name that several share: a
// copy that one of them wants is there for all.
func decidingDomain(in step.Input, domains []string) (best spec.Domain, found bool) {
	rank := map[string]int{spec.Copy: 2, "": 1}
	for _, name := range domains {
		d, ok := decidedDomain(in, name)
		if ok && (!found || rank[d.WildcardRecords] > rank[best.WildcardRecords]) {
			best, found = d, true
		}
	}
	return best, found
}

// mailAndWebTypes are the types by which a name gets mail or visitors, aliases aside.
var mailAndWebTypes = []string{"A", "AAAA", "MX", "HTTPS", "SVCB", "SRV"}

// keepUseful reports whether somebody asks for what is lost, and leaves the records
// that a copy would have. Had is what the zone answers until now.
func (l *wildcardLoss) keepUseful(had zoneAnswers, ours map[string][]state.Record) bool {
	here := ours[l.Name]
	if isServiceName(l.Base()) {
		if len(ours[l.Base()]) > 0 && !dnsname.IsPolicy(l.Base()) {
			return false // nothing stands below a key, or below a consent to reports
		}
		l.Records = slices.DeleteFunc(l.Records, func(r state.Record) bool { return len(here) > 0 || !isServiceRecord(had, l.Owner, r) })
		return len(l.Records) > 0
	}
	if i := slices.IndexFunc(l.Records, func(r state.Record) bool { return r.Type == "CNAME" }); i >= 0 && len(here) > 0 {
		l.alias = l.Records[i].Value
		l.Records, l.elsewhere = had.followAlias(l.alias, l.Name)
	}
	l.Records = slices.DeleteFunc(l.Records, func(r state.Record) bool {
		return slices.ContainsFunc(here, func(x state.Record) bool { return records.Conflict(x, r) })
	})
	return l.elsewhere || slices.ContainsFunc(l.Records, func(r state.Record) bool {
		// Policies and keys of names below it went by the same wildcard.
		if r.Type == "CNAME" { // which may lead to nothing
			list, abroad := had.followAlias(r.Value, r.Name)
			return abroad || len(list) > 0
		}
		return slices.Contains(mailAndWebTypes, r.Type) || r.Type == "TXT" && l.Name != l.Base() && (policy.IsDMARC(r.Value) || isKeyText(r.Value))
	})
}

// isServiceName reports whether a name has a label that begins with an underscore:
// nobody sends mail there or opens it in a browser (RFC 8552).
func isServiceName(name string) bool {
	return strings.HasPrefix(name, "_") || strings.Contains(name, "._")
}

// isServiceRecord reports whether a record of a wildcard is what is looked for at names
// with underscores: a key, a policy, a consent to reports. Of an alias to another
// zone that is taken for granted if it leads to or from such names.
func isServiceRecord(had zoneAnswers, owner string, r state.Record) bool {
	switch r.Type {
	case "TXT":
		return isKeyOrPolicy(r.Name, r.Value)
	case "CNAME":
		list, abroad := had.followAlias(r.Value, r.Name)
		if abroad {
			return isServiceName(strings.TrimPrefix(owner, "*.")) || isServiceName(r.Value)
		}
		return slices.ContainsFunc(list, func(x state.Record) bool { return x.Type == "TXT" && isKeyOrPolicy(r.Name, x.Value) })
	}
	return false
}

// isKeyOrPolicy reports whether a text is what is looked for at a name with underscores.
func isKeyOrPolicy(name, text string) bool {
	if dnsname.IsKey(name) {
		return isKeyText(text)
	}
	return strings.Contains("."+name, "._dmarc.") && policy.IsDMARC(text)
}

func isKeyText(text string) bool {
	_, err := keygen.ParseRecord(text)
	return err == nil
}

// zoneAnswers is what a zone answers, with our records of earlier runs.
type zoneAnswers struct {
	zone    state.Zone
	records map[string][]state.Record // by name
	source  func(name string) string
}

func answersOf(z state.Zone) zoneAnswers {
	all := append(withoutCopies(z), z.Records...)
	return zoneAnswers{z, byName(all), wildcard.Zone{Origin: z.Origin, Records: all, Names: z.Names}.Sources()}
}

func byName(list []state.Record) map[string][]state.Record {
	all := map[string][]state.Record{}
	for _, r := range list {
		all[strings.ToLower(r.Name)] = append(all[strings.ToLower(r.Name)], r)
	}
	return all
}

// followAlias returns what a zone has at the end of an alias, under the name given; abroad
// says that another zone has it.
func (a zoneAnswers) followAlias(target, name string) (list []state.Record, abroad bool) {
	for range 8 { // loops end
		target = strings.ToLower(target)
		if !a.zone.Contains(target) {
			return nil, true
		}
		next := ""
		for _, r := range a.records[a.source(target)] {
			if r.Type == "CNAME" {
				next = r.Value
			} else if slices.Contains(mailAndWebTypes, r.Type) || r.Type == "TXT" && isServiceName(name) {
				r.Name = name
				list = append(list, r)
			}
		}
		if next == "" {
			break
		}
		target, list = next, nil
	}
	return list, false
}

// byDomain sorts losses into those of each domain.
func byDomain(list []wildcardLoss) [][]wildcardLoss {
	slices.SortStableFunc(list, func(a, b wildcardLoss) int { return strings.Compare(a.domain.Name, b.domain.Name) })
	var all [][]wildcardLoss
	for _, l := range list {
		if n := len(all); n > 0 && all[n-1][0].domain.Name == l.domain.Name {
			all[n-1] = append(all[n-1], l)
		} else {
			all = append(all, []wildcardLoss{l})
		}
	}
	return all
}

// refuseCopy refuses the copy of an alias that nothing can take the place of.
func refuseCopy(z state.Zone, list []wildcardLoss) error {
	i := slices.IndexFunc(list, func(l wildcardLoss) bool { return l.elsewhere })
	if i < 0 {
		return nil
	}
	l, q := list[i], lossQuestion(list)
	q.After = ""
	return &step.Refusal{
		What: fmt.Sprintf("%s. A copy of the CNAME of %s cannot stand beside our record at %s, and only %s knows its addresses",
			describeLosses(list), dnsname.TrimDot(l.Owner), dnsname.TrimDot(l.Name), dnsname.TrimDot(l.alias)),
		Hint: fmt.Sprintf("give %s addresses of its own in %s first", dnsname.TrimDot(l.Name), location(z)),
		Keep: &q,
	}
}

// lossQuestion asks for the consent to publish copies.
func lossQuestion(list []wildcardLoss) state.Question {
	var after, aliases []string
	for _, l := range list {
		if l.alias != "" {
			aliases = append(aliases, fmt.Sprintf(" No CNAME can stand beside our record at %s, so it gets what %s has now.", dnsname.TrimDot(l.Name), dnsname.TrimDot(l.alias)))
		}
		for _, r := range l.Records {
			after = append(after, asLine(r))
		}
	}
	return state.Question{
		ID: "wildcard " + list[0].domain.Name, Kind: state.AskWildcard, Domain: list[0].domain.Name,
		Text:  describeLosses(list) + ". A yes publishes copies there, which later runs of init keep like the wildcard." + strings.Join(aliases, ""),
		After: strings.Join(after, "\n"), Declined: "these names no longer have that.",
	}
}

// maxShownNames is how many of the names that lose something are named.
const maxShownNames = 6

// describeLosses says which names lose what, and why.
func describeLosses(list []wildcardLoss) string {
	var parts []string
	for _, l := range list {
		where := dnsname.TrimDot(l.Name)
		if below, found := strings.CutPrefix(where, "*."); found {
			where = "names below " + below
		}
		parts = append(parts, fmt.Sprintf("%s (%s)", where, strings.Join(l.types(), ", ")))
	}
	owners := []string{}
	for _, l := range list {
		if owner := dnsname.TrimDot(l.Owner); !slices.Contains(owners, owner) {
			owners = append(owners, owner)
		}
	}
	if more := len(parts) - maxShownNames; more > 0 {
		parts = append(parts[:maxShownNames], fmt.Sprintf("%d more", more))
	}
	verb := "answers"
	if len(owners) > 1 {
		verb = "answer"
	}
	return fmt.Sprintf("%s %s only for names that do not exist (RFC 4592). With our records these exist, and lose what it says: %s",
		strings.Join(owners, " and "), verb, strings.Join(parts, ", "))
}

// types returns the record types that are lost.
func (l wildcardLoss) types() []string {
	if l.elsewhere {
		return []string{"CNAME"}
	}
	var types []string
	for _, r := range l.Records {
		if !slices.Contains(types, r.Type) {
			types = append(types, r.Type)
		}
	}
	return types
}
