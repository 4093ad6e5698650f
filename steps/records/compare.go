package records

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
	"mailsetup/keygen"
	"mailsetup/steps/step"
)

// Comparison is the result of comparing one of our records with existing ones. The zero
// value leaves them alone: they are right.
type Comparison struct {
	// Missing: there is none, ours is added.
	Missing bool
	// Change is the text that the only record there has to get, "" for none.
	Change string
	// Text and declined are those of the question for it; keptText is what is said
	// where the answer was no.
	Text, declined, keptText string
	// Refused is why the run cannot go on with what is there. Replacement is what
	// should stand there.
	Refused     *step.Refusal
	Replacement string
	Notes       []state.Note
}

// Compare compares one of our records with the existing ones in its place.
func Compare(in step.Input, d spec.Domain, ours state.Record, there []state.Record) Comparison {
	if len(there) == 0 {
		return compareMissing(in, d, ours)
	}
	switch KindOf(d, ours) {
	case aboutSPF, aboutHELO:
		return compareSPF(in, d, ours, there)
	case AboutDMARC:
		return compareDMARC(d, ours, there)
	case AboutKey:
		return compareKey(ours, there)
	case aboutReport:
		return Comparison{} // whatever else it says, it consents
	}
	if slices.ContainsFunc(there, func(x state.Record) bool { return SameTarget(x, ours) }) {
		return Comparison{}
	}
	return Comparison{Notes: []state.Note{DifferenceNote(ours, there)}}
}

// Kind is what a record is for, in the words of spec.Domain.Keep.
type Kind string

const (
	aboutSPF     Kind = "spf"
	aboutHELO    Kind = "helo"
	AboutDMARC   Kind = "dmarc"
	AboutKey     Kind = "key"
	aboutReport  Kind = "report"
	AboutAddress Kind = ""
)

// KindOf returns the kind of a record of the domain.
func KindOf(d spec.Domain, r state.Record) Kind {
	switch {
	case r.Type == "CNAME" && dnsname.IsKey(r.Name):
		return AboutKey
	case r.Type != "TXT":
		return AboutAddress
	case dnsname.IsKey(r.Name):
		return AboutKey
	case dnsname.IsReportConsent(r.Name):
		return aboutReport
	case dnsname.IsPolicy(r.Name):
		return AboutDMARC
	case r.Name == d.Name+".":
		return aboutSPF
	}
	return aboutHELO
}

// Conflict reports whether two records at one name have the same purpose: an SPF record
// and a site verification do not.
func Conflict(a, b state.Record) bool {
	switch {
	case a.Type != b.Type:
		return false
	case a.Type != "TXT":
		return true
	}
	v := Purpose(a.Value)
	return a.Value == b.Value || v != "" && v == Purpose(b.Value) || dnsname.Conflict(a.Name, a.Value, b.Value)
}

// Purpose returns what a TXT record is for, in one word.
func Purpose(text string) string { return dnsname.Version(text) }

// SameTarget compares addresses, and mail exchangers whatever their preference.
func SameTarget(a, b state.Record) bool {
	if a.Type == "MX" {
		return strings.EqualFold(exchanger(a), exchanger(b))
	}
	return strings.EqualFold(a.Value, b.Value)
}

func exchanger(r state.Record) string { return r.Value[strings.LastIndexByte(r.Value, ' ')+1:] }

// compareKey refuses another key at our selector: signatures would fail.
func compareKey(ours state.Record, there []state.Record) Comparison {
	mine, err := keygen.ParseRecord(ours.Value)
	if len(there) == 1 && there[0].Value == ours.Value {
		return Comparison{}
	}
	if len(there) == 1 && err == nil {
		if theirs, err := keygen.ParseRecord(there[0].Value); err == nil && theirs.Public == mine.Public {
			return Comparison{}
		}
	}
	if err == nil && mine.Revoked() { // the administrator's own, of a key that was taken over
		return Comparison{Notes: []state.Note{RevocationNote(dnsname.TrimDot(ours.Name))}}
	}
	return Comparison{Replacement: ours.Value, Refused: &step.Refusal{
		What: fmt.Sprintf("%s holds another key than that of this server, so no signature would verify: %s",
			dnsname.TrimDot(ours.Name), values(there)),
		Hint: "take it out; a selector is never used twice",
	}}
}

func values(list []state.Record) string { return text.Values(ValuesOf(list)) }

// Question returns the question whether a record is changed, without file and line.
func (v Comparison) Question(d spec.Domain, r state.Record) state.Question {
	about := KindOf(d, r)
	word := string(about)
	if about == aboutHELO {
		word = string(aboutSPF)
	}
	return state.Question{
		ID: fmt.Sprintf("record %s %s", dnsname.TrimDot(r.Name), word), Kind: state.AskRecord,
		Subject: string(about), Domain: d.Name, Text: v.Text, Declined: v.declined,
	}
}

// applyKeep turns a change or a refusal into a note if the administrator decided before
// that the record stays.
func (v Comparison) applyKeep(d spec.Domain, r state.Record) Comparison {
	if !slices.Contains(d.Keep, string(KindOf(d, r))) || v.Change == "" && v.Refused == nil {
		return v
	}
	text := v.keptText
	if v.Refused != nil {
		text = v.Refused.What + "; it stays, as you decided"
	}
	return Comparison{Notes: append(v.Notes, state.Note{Topic: Purpose(r.Value), Text: text, Informational: true})}
}

// Refusal returns the error for a record that no change would make right.
func (v Comparison) Refusal(d spec.Domain, r state.Record) error {
	refused := *v.Refused
	if KindOf(d, r) != AboutKey && !v.Missing {
		q := v.Question(d, r)
		q.Text, q.Declined = refused.What, "it stays as it is"
		refused.Keep = &q
	}
	return &refused
}

// AsNote returns the refusal as a note, if the run goes on without it.
func (v Comparison) AsNote(r state.Record) state.Note {
	return state.Note{Topic: Purpose(r.Value), Text: v.Refused.What, Action: v.Refused.Hint}
}

// several refuses more than one record where readers expect one.
func several(what, effect string, ours state.Record, there []state.Record, instead string) Comparison {
	return Comparison{Replacement: instead, Refused: &step.Refusal{
		What: fmt.Sprintf("%s has %d %s records where one is allowed, and %s: %s", dnsname.TrimDot(ours.Name), len(there), what, effect, values(there)),
		Hint: "leave one that says it all, such as: " + instead,
	}}
}

// unreadable refuses a record with a syntax error, which only its author can correct.
func unreadable(what, effect string, ours, theirs state.Record, err error) Comparison {
	return Comparison{Replacement: ours.Value, Refused: &step.Refusal{
		What: fmt.Sprintf("the %s record of %s has a mistake, and receivers %s: %v", what, mailName(ours.Name), effect, err),
		Hint: "correct it first: " + theirs.Value,
	}}
}

// mailName returns the domain that a record is about.
func mailName(name string) string { return dnsname.TrimDot(strings.TrimPrefix(name, "_dmarc.")) }

// changeCommand returns the command that changes the record; it names the domain,
// unless flags apply to it by default.
func changeCommand(in step.Input, d spec.Domain, flags string) string {
	return in.Init(d) + flags + " --existing-records change"
}

// DifferenceNote returns a note about a record of the administrator's that differs and
// stays.
func DifferenceNote(r state.Record, there []state.Record) state.Note {
	return state.Note{
		Topic:  "dns",
		Text:   fmt.Sprintf("%s %s is yours and stays as it is: %s", dnsname.TrimDot(r.Name), r.Type, values(there)),
		Action: fmt.Sprintf("consider %s", r.Value),
	}
}

// ValuesOf returns the texts of records.
func ValuesOf(list []state.Record) []string {
	texts := make([]string, 0, len(list))
	for _, r := range list {
		texts = append(texts, r.Value)
	}
	return texts
}
