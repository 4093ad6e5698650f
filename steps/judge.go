package steps

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/keygen"
)

// verdict is what becomes of the records that stand where one of ours would.
// The zero value leaves them alone: they are right.
type verdict struct {
	// missing: there is none, ours is added.
	missing bool
	// changed is the text that the only record there has to get, "" for none.
	changed string
	// text and declined are those of the question for it, left what to say
	// where the answer was no.
	text, declined, left string
	// refused says why the run cannot go on with what is there. Instead is what
	// should stand there.
	refused *Refusal
	instead string
	notes   []state.Note
}

// judge compares one of our records with those that stand in its place.
func judge(in Input, d spec.Domain, ours state.Record, there []state.Record) verdict {
	if len(there) == 0 {
		return ownCost(in, d, ours)
	}
	switch kindOf(d, ours) {
	case aboutSPF, aboutHELO:
		return judgeSPF(in, d, ours, there)
	case aboutDMARC:
		return judgeDMARC(d, ours, there)
	case aboutKey:
		return judgeKey(ours, there)
	case aboutReport:
		return verdict{} // whatever else it says, it consents
	}
	if slices.ContainsFunc(there, func(x state.Record) bool { return sameTarget(x, ours) }) {
		return verdict{}
	}
	return verdict{notes: []state.Note{differs(ours, there)}}
}

// kind is what a record is for, in the words that spec.Domain.Keep remembers
// a no by.
type kind string

const (
	aboutSPF     kind = "spf"
	aboutHELO    kind = "helo"
	aboutDMARC   kind = "dmarc"
	aboutKey     kind = "key"
	aboutReport  kind = "report"
	aboutAddress kind = ""
)

func kindOf(d spec.Domain, r state.Record) kind {
	switch {
	case r.Type != "TXT":
		return aboutAddress
	case dnsname.IsKey(r.Name):
		return aboutKey
	case dnsname.IsReportConsent(r.Name):
		return aboutReport
	case dnsname.IsPolicy(r.Name):
		return aboutDMARC
	case r.Name == d.Name+".":
		return aboutSPF
	}
	return aboutHELO
}

// rivals reports whether two records at one name serve one purpose: an SPF
// record and a site verification may stand side by side.
func rivals(a, b state.Record) bool {
	switch {
	case a.Type != b.Type:
		return false
	case a.Type != "TXT":
		return true
	}
	v := purpose(a.Value)
	return a.Value == b.Value || v != "" && v == purpose(b.Value) || dnsname.Conflict(a.Name, a.Value, b.Value)
}

// purpose is what a TXT record is for, in a word.
func purpose(text string) string { return dnsname.Version(text) }

// sameTarget compares addresses, and mail exchangers whatever their preference.
func sameTarget(a, b state.Record) bool {
	if a.Type == "MX" {
		return strings.EqualFold(exchanger(a), exchanger(b))
	}
	return strings.EqualFold(a.Value, b.Value)
}

func exchanger(r state.Record) string { return r.Value[strings.LastIndexByte(r.Value, ' ')+1:] }

// judgeKey refuses another key at our selector: signatures would fail.
func judgeKey(ours state.Record, there []state.Record) verdict {
	mine, err := keygen.ParseRecord(ours.Value)
	if len(there) == 1 && there[0].Value == ours.Value {
		return verdict{}
	}
	if len(there) == 1 && err == nil {
		if theirs, err := keygen.ParseRecord(there[0].Value); err == nil && theirs.Public == mine.Public {
			return verdict{}
		}
	}
	if err == nil && mine.Revoked() { // the administrator's own, of a key that was taken over
		return verdict{notes: []state.Note{RevokeByHand(noDot(ours.Name))}}
	}
	return verdict{instead: ours.Value, refused: &Refusal{
		What: fmt.Sprintf("%s holds another key than that of this server, so no signature would verify: %s",
			noDot(ours.Name), values(there)),
		Hint: "take it out; a selector is never used twice",
	}}
}

// noDot is a name without its final dot.
func noDot(name string) string { return dnsname.TrimDot(name) }

func values(list []state.Record) string { return strings.Join(valuesOf(list), " and ") }

// question is the one for a record that has to change, without its text and
// place.
func (v verdict) question(d spec.Domain, r state.Record) state.Question {
	about := kindOf(d, r)
	word := string(about)
	if about == aboutHELO {
		word = string(aboutSPF)
	}
	return state.Question{
		ID: fmt.Sprintf("record %s %s", noDot(r.Name), word), Kind: state.AskRecord,
		Subject: string(about), Domain: d.Name, Text: v.text, Declined: v.declined,
	}
}

// kept turns a change or a refusal into a note if the administrator said
// before that the record stays.
func (v verdict) kept(d spec.Domain, r state.Record) verdict {
	if !slices.Contains(d.Keep, string(kindOf(d, r))) || v.changed == "" && v.refused == nil {
		return v
	}
	text := v.left
	if v.refused != nil {
		text = v.refused.What + "; it stays, as you decided"
	}
	return verdict{notes: append(v.notes, state.Note{Topic: purpose(r.Value), Text: text, Passing: true})}
}

// refusal is the error for a record that no change would make right.
func (v verdict) refusal(d spec.Domain, r state.Record) error {
	refused := *v.refused
	if kindOf(d, r) != aboutKey && !v.missing {
		q := v.question(d, r)
		q.Text, q.Declined = refused.What, "it stays as it is"
		refused.Keep = &q
	}
	return &refused
}

// told is a refusal where nothing stands in the way of the run.
func (v verdict) told(r state.Record) state.Note {
	return state.Note{Topic: purpose(r.Value), Text: v.refused.What, Do: v.refused.Hint}
}

// several refuses more than one record where readers expect one.
func several(what, effect string, ours state.Record, there []state.Record, instead string) verdict {
	return verdict{instead: instead, refused: &Refusal{
		What: fmt.Sprintf("%s has %d %s records where one is allowed, and %s: %s", noDot(ours.Name), len(there), what, effect, values(there)),
		Hint: "leave one that says it all, such as: " + instead,
	}}
}

// unreadable refuses a record with a mistake in it, which only its author can
// correct.
func unreadable(what, effect string, ours, theirs state.Record, err error) verdict {
	return verdict{instead: ours.Value, refused: &Refusal{
		What: fmt.Sprintf("the %s record of %s has a mistake, and receivers %s: %v", what, about(ours.Name), effect, err),
		Hint: "correct it first: " + theirs.Value,
	}}
}

// about is the name whose mail a record is about.
func about(name string) string { return noDot(strings.TrimPrefix(name, "_dmarc.")) }

// changeCommand are what asks the administrator to type again: with the domain, if
// it is not the one that flags mean without being told.
func changeCommand(in Input, d spec.Domain, flags string) string {
	which := ""
	if d.Name != in.Spec.Host.Domain {
		which = "--domain " + d.Name + " "
	}
	return "mailsetup init " + which + flags + " --existing-records change"
}
