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

// wildcardLoss is what a name of a domain no longer gets from a wildcard because of our
// records, as far as anybody queries for it.
type wildcardLoss struct {
	wildcard.Loss
	domain  spec.Domain
	newName bool // the name does not exist before this run
	// alias is the target of a wildcard CNAME, which cannot be copied beside our record
	// at the name. The records of the loss are then those that the zone has at the
	// target.
	alias string
	// elsewhere: the target is in another zone, so there are no records to copy.
	elsewhere bool
}

// copyWildcards adds copies of wildcard records at the names that exist because of our
// records. For names that are new in this run it asks for consent.
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

// domainsByName returns, by name, the domains whose records make a name of the zone
// exist: as owner, or as a name above one.
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

// hasWildcard reports whether the zone has a wildcard.
func hasWildcard(z state.Zone) bool {
	return slices.ContainsFunc(z.Records, func(r state.Record) bool { return strings.HasPrefix(r.Name, "*.") })
}

// subjectDomain returns the domain that one of our records is about, by its owner name.
func subjectDomain(in step.Input, name string) string {
	name = dnsname.TrimDot(strings.ToLower(name))
	if about, _, isConsent := dnsname.SplitReportConsent(name); isConsent {
		return about
	}
	if domain, isPolicy := dnsname.SplitPolicy(name); isPolicy {
		return domain
	}
	if _, domain, isKey := records.SplitKey(in, name); isKey {
		return domain
	}
	if name == in.Spec.Host.Hostname && !in.Has(name) {
		return in.Spec.Host.Domain
	}
	return name
}

// decidedDomain returns a domain, as it is or as it was before this run removed it, if
// the run is about more than its keys.
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

// retainedCopies returns the copies in a zone that stay unchanged: their names still
// exist because of our records, and no domain of this run decides about them.
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

// wildcardLosses returns the losses of the domains in the scope from wildcards of a
// zone.
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

// decidingDomain returns the domain whose answer counts for a name that several domains
// share: one that wants the copy, if there is one.
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

// mailAndWebTypes are the types by which clients find a mail or web server.
var mailAndWebTypes = []string{"A", "AAAA", "MX", "HTTPS", "SVCB", "SRV"}

// keepUseful removes records from the loss that nobody queries for, and reports whether
// any are left. Had are the answers of the zone before this run, ours the new records.
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
			list, elsewhere := had.followAlias(r.Value, r.Name)
			return elsewhere || len(list) > 0
		}
		return slices.Contains(mailAndWebTypes, r.Type) || r.Type == "TXT" && l.Name != l.Base() && (policy.IsDMARC(r.Value) || isKeyText(r.Value))
	})
}

// isServiceName reports whether a label of the name begins with an underscore (RFC
// 8552): such a name is neither a mail domain nor a host.
func isServiceName(name string) bool {
	return strings.HasPrefix(name, "_") || strings.Contains(name, "._")
}

// isServiceRecord reports whether a record of a wildcard is one that verifiers query
// for at a name with underscores: a key, a policy or a consent to reports. An alias to
// another zone counts if its owner or target is such a name.
func isServiceRecord(had zoneAnswers, owner string, r state.Record) bool {
	switch r.Type {
	case "TXT":
		return isKeyOrPolicy(r.Name, r.Value)
	case "CNAME":
		list, elsewhere := had.followAlias(r.Value, r.Name)
		if elsewhere {
			return isServiceName(strings.TrimPrefix(owner, "*.")) || isServiceName(r.Value)
		}
		return slices.ContainsFunc(list, func(x state.Record) bool { return x.Type == "TXT" && isKeyOrPolicy(r.Name, x.Value) })
	}
	return false
}

// isKeyOrPolicy reports whether a text is a key or a policy, as the name with
// underscores requires.
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

// zoneAnswers is how a zone answers before this run, with our records of earlier runs.
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

// followAlias returns the records at the end of an alias, with the given name as their
// owner; elsewhere reports that another zone has them.
func (a zoneAnswers) followAlias(target, name string) (list []state.Record, elsewhere bool) {
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

// byDomain groups losses by domain.
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

// refuseCopy refuses losses of an alias whose target is in another zone: the CNAME
// cannot be copied, and neither can records at its target.
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

// lossQuestion returns the question whether copies are published.
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

// maxShownNames is the number of names that a message lists.
const maxShownNames = 6

// describeLosses says which names lose which records, and why.
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

// types returns the types of the lost records.
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
