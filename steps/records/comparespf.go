package records

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/policy"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// compareSPF compares an SPF record by its meaning: it is right if it passes every
// address of this server, has the wanted includes, and the wanted result for all other
// senders. The record of the host name is for HELO, and only has to pass the addresses.
func compareSPF(in step.Input, d spec.Domain, ours state.Record, there []state.Record) Comparison {
	if len(there) > 1 {
		return several("SPF", "receivers take that for a permanent error (RFC 7208 section 4.5)", ours, there, mergeAll(in, d, ours, there)).applyKeep(d, ours)
	}
	rec, err := policy.ParseSPF(there[0].Value)
	if err != nil {
		return unreadable("SPF", "take it for a permanent error", ours, there[0], err).applyKeep(d, ours)
	}
	if KindOf(d, ours) == aboutSPF && !d.Sends() {
		return compareNobodySends(d, ours, rec).applyKeep(d, ours)
	}
	if KindOf(d, ours) == aboutSPF && d.SPF.Redirect != "" {
		return compareRedirect(d, ours, rec).applyKeep(d, ours)
	}
	j := &spfComparison{in: in, d: d, main: KindOf(d, ours) == aboutSPF, rec: rec, name: mailName(ours.Name)}
	j.fact = spfFact(in, j.name, rec)
	j.find()
	v := j.comparison()
	v.Notes = j.notes()
	return v.applyKeep(d, ours)
}

// compareRedirect compares the record of a domain that another domain's record decides
// for: it has nothing but the redirect.
func compareRedirect(d spec.Domain, ours state.Record, rec policy.SPF) Comparison {
	if strings.EqualFold(rec.Redirect(), d.SPF.Redirect) && len(rec.Terms()) == 1 {
		return Comparison{}
	}
	return Comparison{
		Change:   ours.Value,
		Text:     fmt.Sprintf("the SPF record of %s has a say of its own, and you asked for that of %s", d.Name, d.SPF.Redirect),
		declined: fmt.Sprintf("the SPF record of %s keeps its own say", d.Name),
		keptText: fmt.Sprintf("the SPF record of %s has a say of its own, as you decided", d.Name),
	}
}

// compareNobodySends compares the record of a domain that sends no mail: nobody passes.
func compareNobodySends(d spec.Domain, ours state.Record, rec policy.SPF) Comparison {
	if len(rec.Terms()) == 1 && rec.All() == "fail" {
		return Comparison{}
	}
	return Comparison{
		Change:   ours.Value,
		Text:     fmt.Sprintf("the SPF record of %s has senders, and you said that nobody sends as it (role = %q)", d.Name, d.Role),
		declined: fmt.Sprintf("the SPF record of %s keeps its senders", d.Name),
		keptText: fmt.Sprintf("the SPF record of %s has senders, as you decided", d.Name),
	}
}

// mergeAll returns one record with the meaning of two.
func mergeAll(in step.Input, d spec.Domain, ours state.Record, there []state.Record) string {
	if !d.Sends() {
		return ours.Value
	}
	one, err := policy.UnionSPF(ValuesOf(there))
	if err != nil {
		return ours.Value
	}
	j := &spfComparison{in: in, d: d, main: KindOf(d, ours) == aboutSPF, rec: one, fact: spfFact(in, "", one)}
	j.find()
	j.change.All = "" // which of theirs is meant is theirs to say
	return one.Merge(j.change)
}

// spfFact returns the evaluation of the record for this server. If there is none, only
// what needs no DNS is known.
func spfFact(in step.Input, name string, rec policy.SPF) state.SPF {
	if f, ok := in.Facts.SPF[name]; ok && f.Record == rec.String() {
		return f
	}
	f := state.SPF{Record: rec.String(), Lookups: rec.Lookups()}
	for _, a := range in.Spec.Host.Addresses {
		pass, sure := rec.Literal(a)
		switch {
		case !sure:
			f.Unresolved = "the names in it"
		case !pass:
			f.Denied = append(f.Denied, a)
		}
	}
	return f
}

// spfComparison compares one SPF record.
type spfComparison struct {
	in   step.Input
	d    spec.Domain
	main bool // it is that of the domain itself, not of HELO
	rec  policy.SPF
	name string
	fact state.SPF

	change          policy.SPFChange
	reasons, losses []string
}

// find finds what the record lacks. Only that of the domain itself needs includes and
// an all.
func (j *spfComparison) find() {
	for _, a := range j.in.Spec.Host.Addresses {
		if slices.Contains(j.fact.Denied, a) {
			j.change.Pass = append(j.change.Pass, a)
		}
	}
	if len(j.change.Pass) > 0 {
		list := joinAddresses(j.change.Pass)
		j.addReason("does not let "+list+" of this server pass", "mail from "+list+" fails SPF as "+j.name)
	}
	if !j.main {
		return
	}
	for _, i := range j.d.SPF.Include {
		if !slices.Contains(j.rec.Includes(), i) {
			j.change.Include = append(j.change.Include, i)
			j.addReason("lacks include:"+i+", which you asked for", "mail of "+j.name+" by "+i+" may fail SPF")
		}
	}
	j.findAll()
}

func (j *spfComparison) findAll() {
	is, want := j.rec.All(), j.d.SPF.All
	if is == "" || is == want || is == "pass" && want == OpenAll && len(j.reasons) == 0 {
		return
	}
	j.change.All = want
	who := " of everybody else"
	if is == "pass" {
		who = ", which lets ANYONE send as " + j.name
	}
	j.addReason(fmt.Sprintf("says %s%s, and you asked for %s", allTerm(is), who, allTerm(want)), "everybody else gets "+allTerm(is)+" as "+j.name)
}

// OpenAll is the spec's value for a record that passes everybody: the spec cannot
// express that, and this is the closest.
const OpenAll = "neutral"

func (j *spfComparison) addReason(reason, loss string) {
	j.reasons, j.losses = append(j.reasons, reason), append(j.losses, loss)
}

// comparison returns the change, unless receivers would return permerror for the
// result.
func (j *spfComparison) comparison() Comparison {
	if len(j.reasons) == 0 {
		return Comparison{}
	}
	merged := j.rec.Merge(j.change)
	why := fmt.Sprintf("the SPF record of %s %s", j.name, strings.Join(j.reasons, "; it also "))
	v := Comparison{Change: merged, Replacement: merged, declined: strings.Join(j.losses, "; ")}
	v.keptText = fmt.Sprintf("the SPF record of %s stays, as you decided: it %s", j.name, strings.Join(j.reasons, "; it also "))
	after, unknown := j.cost()
	switch bad := j.whyBroken(); {
	case bad != "":
		v.Refused = &step.Refusal{What: why + "; it cannot be merged as it is: " + bad, Hint: "correct it first: " + j.rec.String()}
	case after > policy.MaxLookups:
		v.Refused = &step.Refusal{
			What: fmt.Sprintf("%s; merged it would take %d DNS look-ups, and receivers stop after %d (RFC 7208 section 4.6.4)", why, after, policy.MaxLookups),
			Hint: "write the networks behind an include into the record instead, or do without one",
		}
	default:
		v.Text = why + "; " + j.costs(after, unknown)
	}
	if v.Refused != nil {
		v.Change = ""
	}
	return v
}

// whyBroken returns what is wrong with the record, or with an include that it would
// get.
func (j *spfComparison) whyBroken() string {
	if j.fact.Problem != "" {
		return j.fact.Problem
	}
	for _, i := range j.change.Include {
		if p := j.in.Facts.SPF[i].Problem; p != "" {
			return p
		}
	}
	return ""
}

// cost returns the number of look-ups of the merged record. Unknown: some could not be
// counted.
func (j *spfComparison) cost() (n int, unknown bool) {
	n, unknown = j.fact.Lookups, j.fact.Unresolved != ""
	for _, i := range j.change.Include {
		f, ok := j.in.Facts.SPF[i]
		n, unknown = n+1+f.Lookups, unknown || !ok || f.Unresolved != ""
	}
	return n, unknown
}

func (j *spfComparison) costs(after int, unknown bool) string {
	least := ""
	if unknown {
		least = " at least"
	}
	if after == j.fact.Lookups {
		return fmt.Sprintf("it takes%s %d of the 10 DNS look-ups that receivers make, before and after", least, after)
	}
	return fmt.Sprintf("it takes%s %d of the 10 DNS look-ups that receivers make, and %d then", least, j.fact.Lookups, after)
}

// notes returns what the administrator should know about a record that otherwise stays.
func (j *spfComparison) notes() []state.Note {
	var notes []state.Note
	say := func(do, format string, a ...any) {
		notes = append(notes, state.Note{Topic: "spf", Text: fmt.Sprintf(format, a...), Action: do})
	}
	if j.rec.All() == "pass" && j.change.All == "" {
		do := ""
		if j.main {
			do = changeCommand(j.in, j.d, "--spf-all softfail")
		}
		say(do, "ANYONE MAY SEND AS %s: its SPF record says +all, so that every forgery passes", j.name)
	}
	if j.rec.Uses("ptr") {
		say("", "the SPF record of %s uses ptr: it is slow, and some receivers skip it (RFC 7208 section 5.5)", j.name)
	}
	if late := j.fact.Unreached; len(late) > 0 && len(j.change.Pass) == 0 {
		say("write "+terms(late)+" right behind v=spf1 in it", "mail from %s fails SPF as %s at many receivers: more than two names in front of %s "+
			"in the record have no address of that family, and receivers stop there (RFC 7208 section 4.6.4)", joinAddresses(late), j.name, terms(late))
	}
	if len(j.reasons) > 0 {
		return notes
	}
	if j.fact.Problem != "" {
		say("", "the SPF record of %s has a fault, and receivers may take it for a permanent error: %s", j.name, j.fact.Problem)
	}
	if j.fact.Unresolved != "" && !j.passesLiterally() {
		say("dig TXT "+j.name, "could not find out whether the SPF record of %s lets this server pass, for want of an answer about %s",
			j.name, j.fact.Unresolved)
	}
	return notes
}

func (j *spfComparison) passesLiterally() bool {
	return !slices.ContainsFunc(j.in.Spec.Host.Addresses, func(a netip.Addr) bool {
		pass, _ := j.rec.Literal(a)
		return !pass
	})
}

// compareMissing adds our record if there is none, unless receivers would return
// permerror for it. DNS errors do not count.
func compareMissing(in step.Input, d spec.Domain, ours state.Record) Comparison {
	v := Comparison{Missing: true}
	if KindOf(d, ours) != aboutSPF {
		return v
	}
	rec, _ := policy.ParseSPF(ours.Value)
	n, hint := rec.Lookups(), "include fewer senders: --spf-include, or include in "+string(spec.DomainFile(d.Name))
	if d.SPF.Redirect != "" {
		n += in.Facts.SPF[d.SPF.Redirect].Lookups
		hint = "mend the record of " + d.SPF.Redirect + ", or do without the redirect to it"
	}
	for _, i := range d.SPF.Include {
		f := in.Facts.SPF[i]
		n += f.Lookups
		if f.Problem != "" {
			v.Notes = append(v.Notes, state.Note{
				Topic: "spf", Text: fmt.Sprintf("receivers will take the SPF record of %s for a permanent error: %s. Name the right one in its place, or do without it", d.Name, f.Problem),
				Action: in.Init(d) + strings.Join(usableIncludes(in, d), " "),
			})
		}
	}
	if n > policy.MaxLookups {
		v.Refused = &step.Refusal{
			What: fmt.Sprintf("the SPF record of %s would take %d DNS look-ups, and receivers stop after %d (RFC 7208 section 4.6.4)", d.Name, n, policy.MaxLookups),
			Hint: hint,
		}
	}
	return v
}

// usableIncludes returns the flags of init for those includes that receivers can follow.
func usableIncludes(in step.Input, d spec.Domain) []string {
	var flags []string
	for _, i := range d.SPF.Include {
		if in.Facts.SPF[i].Problem == "" {
			flags = append(flags, "--spf-include "+i)
		}
	}
	if flags == nil {
		return []string{"--spf-include none"}
	}
	return flags
}

func terms(list []netip.Addr) string {
	words := make([]string, 0, len(list))
	for _, a := range list {
		words = append(words, policy.AddressTerm(a))
	}
	return strings.Join(words, " ")
}

func joinAddresses(list []netip.Addr) string {
	words := make([]string, 0, len(list))
	for _, a := range list {
		words = append(words, a.String())
	}
	return strings.Join(words, " and ")
}

// allTerm returns the mechanism for a result in the words of RFC 7208 section 2.6.
func allTerm(result string) string {
	return map[string]string{"fail": "-all", "softfail": "~all", "neutral": "?all", "pass": "+all"}[result]
}
