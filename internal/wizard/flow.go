package wizard

import (
	"context"
	"fmt"

	"mailsetup/internal/spec"
)

// flow is the order of the questions, and the current one. It does not know how they
// are asked.
type flow struct {
	fixed     spec.Answers
	propose   func(context.Context, spec.Answers) (Proposals, error)
	questions []question

	inboundOnly bool // the questions are those about incoming mail

	at       int              // index into questions, -1 before the first look-up, their number at the end
	entered  map[topic]string // what stands in each field, kept when going back
	proposed map[topic]string // what was proposed there, which tells an edit from no edit

	whyUnread func(spec.Answers) error // why nobody reads mail at RootAlias or Notify; nil takes all
	judged    struct {                 // the last that was asked about
		answers string
		err     error
	}

	found       Proposals
	lookedUpFor *names         // what the last look-up was made for, nil before the first
	shownWith   map[string]int // the question each line of Found was first shown with
}

// names are the answers on which a look-up depends.
type names struct{ domain, hostname string }

func newFlow(fixed spec.Answers, propose func(context.Context, spec.Answers) (Proposals, error)) *flow {
	if propose == nil {
		propose = func(context.Context, spec.Answers) (Proposals, error) { return Proposals{}, nil }
	}
	return &flow{
		fixed:     fixed,
		propose:   propose,
		questions: questions(),
		at:        -1,
		entered:   map[topic]string{},
		proposed:  map[topic]string{},
		shownWith: map[string]int{},
	}
}

// lookup is one call of Propose. It may run concurrently with the flow, which does not
// move until setProposals takes the result.
type lookup struct {
	want names
	run  func(context.Context) (Proposals, error)
}

// lookup returns the look-up to make before the current question, nil if there is none:
// one at the start, and one whenever the questions about names are answered and the
// names are not those of the last look-up.
func (f *flow) lookup() *lookup {
	want := names{f.get(aboutDomain), f.get(aboutHostname)}
	if f.lookedUpFor != nil && (f.at < nameQuestions || *f.lookedUpFor == want) {
		return nil
	}
	given := f.fixed
	given.Domain, given.Hostname = want.domain, want.hostname
	return &lookup{want, func(ctx context.Context) (Proposals, error) { return f.propose(ctx, given) }}
}

// setProposals takes the result of a look-up and moves to the first question that
// applies.
func (f *flow) setProposals(l *lookup, found Proposals) {
	found.clean()
	f.found, f.lookedUpFor = found, &l.want
	if f.at >= 0 {
		f.at = nameQuestions - 1
	}
	f.forward()
	for _, line := range f.found.Found {
		if _, old := f.shownWith[line]; !old {
			f.shownWith[line] = f.at
		}
	}
}

// forward moves to the next question that applies and fills its field.
func (f *flow) forward() {
	for f.at++; f.at < len(f.questions); f.at++ {
		if q := f.questions[f.at]; f.applies(q) {
			f.fill(q)
			return
		}
	}
}

// back moves to the previous question that applies, and reports whether there is one.
func (f *flow) back() bool {
	i := f.before()
	if i < 0 {
		return false
	}
	f.at = i
	return true
}

// before returns the index of the previous question that applies, -1 for none.
func (f *flow) before() int {
	for i := f.at - 1; i >= 0; i-- {
		if f.applies(f.questions[i]) {
			return i
		}
	}
	return -1
}

// applies reports whether a question is asked, given the answers so far. A fixed answer
// is not asked for.
func (f *flow) applies(q question) bool {
	if q.topic.of(f.fixed) != "" {
		return false
	}
	return q.applies == nil || q.applies(f)
}

// fill puts the proposal into a field that is empty or has an earlier proposal. Typed
// text stays.
func (f *flow) fill(q question) {
	offer := q.offer(f).Value
	typed, visited := f.entered[q.topic]
	if !visited || typed == f.proposed[q.topic] {
		f.entered[q.topic] = offer
	}
	f.proposed[q.topic] = offer
}

// done reports whether all questions are answered and all look-ups made.
func (f *flow) done() bool { return f.at >= len(f.questions) && f.lookup() == nil }

// question returns the current question.
func (f *flow) question() question { return f.questions[f.at] }

// value returns the text of the current field.
func (f *flow) value() string { return f.entered[f.question().topic] }

// keep keeps the text of a field, right or wrong, for going back to it.
func (f *flow) keep(value string) { f.entered[f.question().topic] = value }

// submit checks the answer to the current question and moves on.
func (f *flow) submit(value string) error {
	q := f.question()
	checked, err := q.validate(f, value)
	if err != nil {
		return err
	}
	f.entered[q.topic] = checked
	f.forward()
	return nil
}

// somebodyReads returns an error unless somebody reads mail at an address, which put
// writes into the answers so far.
func (f *flow) somebodyReads(put func(*spec.Answers)) error {
	if f.whyUnread == nil {
		return nil
	}
	a := f.result()
	a.Notify = f.fixed.Notify // which is asked about later, or what put writes
	put(&a)
	if key := fmt.Sprintf("%+v", a); f.judged.answers != key {
		f.judged.answers, f.judged.err = key, f.whyUnread(a)
	}
	return f.judged.err
}

// get returns the answer to a question: the fixed one, or the text of its field.
func (f *flow) get(k topic) string {
	if v := k.of(f.fixed); v != "" {
		return v
	}
	return f.entered[k]
}

// findings returns the findings to show with the current question.
func (f *flow) findings() []string {
	var lines []string
	for _, line := range f.found.Found {
		if f.shownWith[line] == f.at {
			lines = append(lines, line)
		}
	}
	return lines
}

// progress returns "question 3 of 7". The total may grow when an answer makes more
// questions apply.
func (f *flow) progress() string {
	total, number := 0, 0
	for i, q := range f.questions {
		if f.applies(q) {
			total++
			if i <= f.at {
				number++
			}
		}
	}
	return fmt.Sprintf("question %d of %d", number, total)
}

// result returns the answers: fixed ones, given ones, and settings accepted as shown.
func (f *flow) result() spec.Answers {
	a := f.fixed
	for _, q := range f.questions {
		switch {
		case q.topic.of(f.fixed) != "":
		case f.applies(q):
			q.topic.put(&a, f.entered[q.topic])
		case q.setting && q.offer(f).Value != "":
			q.topic.put(&a, q.offer(f).Value)
		}
	}
	if !f.inboundOnly {
		completeDNS(f, &a)
	}
	return a
}

// completeDNS sets answers that need no question: without BIND there is only one DNS
// mode, and a new zone is always made in BIND.
func completeDNS(f *flow, a *spec.Answers) {
	switch {
	case a.DNS != "":
	case f.newZone():
		a.DNS = string(spec.DNSBind)
	default:
		a.DNS = string(spec.DNSManual)
	}
}

// newZone reports whether a zone is to be made here.
func (f *flow) newZone() bool {
	yes, err := spec.YesNo(f.fixed.NewZone)
	return err == nil && yes || f.fixed.DNS == "" && f.entered[aboutDNS] == dnsNew && f.applies(dnsQuestion())
}
