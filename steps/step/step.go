package step

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
	"mailsetup/templates"
)

// Step provides one stage of the desired state.
type Step struct {
	Name  string
	About string
	Build func(Input) (state.Stage, []state.Note, error)
	// Host: about the host alone, and left out of runs that are about some of
	// its domains.
	Host bool
	// Postfix and Exim: only where that is the mail server; neither: with any.
	Postfix, Exim bool
	// DNS: what it builds depends on what the zones have, which has to be looked
	// at before.
	DNS bool
}

// Input is everything a step may look at. No step writes through it.
type Input struct {
	Spec  spec.Spec
	Facts state.Facts
	// Ledger has the keys as the run leaves them, but for those that it withdraws.
	Ledger keyring.Ledger
	Keys   KeyChanges
	// SpecFiles are the texts of the TOML files as they should be on disk, nil for one that
	// goes.
	SpecFiles map[state.Path][]byte
	// Scope says which domains this run is about.
	Scope Scope
	// Removed are domains that this run takes out of the spec, as they were.
	Removed []spec.Domain
	// Milters are those that Postfix asks beside ours, and content filters, with
	// what they were found to sign; MiltersAsked is false where nobody looked.
	Milters      []state.Milter
	MiltersAsked bool
	// Consents are the questions that were answered with yes, by ID.
	Consents map[string]bool
	Now      time.Time
	// Tables, if not nil, are OpenDKIM's tables as rendered before: a run that is
	// planned again with keys in place of placeholders has the same.
	Tables *templates.Tables
	// KeysOnly: the run is a rotation. What else the domains have in DNS is not
	// compared, and TrustedHosts stays as it is: nobody may be there to answer.
	KeysOnly bool
}

// KeyChanges is what a run does to DKIM keys, beside what the ledger says in the end.
type KeyChanges struct {
	// During is what the ledger says of domains until the new tables are proven,
	// where that is something else than Input.Ledger: a key that begins to sign in
	// this run does not do so before.
	During keyring.Ledger
	// OnDisk is the ledger as its files have it, where that is known: a file that
	// says the right thing is not written again.
	OnDisk keyring.Ledger
	// Private are the PEM texts of private keys that this run makes, by file;
	// placeholders while the run is not yet confirmed.
	Private map[state.Path][]byte
	// Copies are the PEM texts of private keys that were there before, by the file
	// in which opendkim finds them from now on.
	Copies map[state.Path][]byte
	// Withdraw are keys whose record and private key go in this run, once nothing
	// signs with them: selectors, by domain.
	Withdraw map[string][]string

	withoutFile *[]string // what Input.WithoutFile returns, nil where nobody has looked
	// Permissions are private keys that were there before, with the owner and mode
	// that OpenDKIM needs: it could not read them, or refuse what others can read.
	Permissions []state.Meta
}

// Unanswered returns the questions without a yes.
func (in Input) Unanswered(all ...state.Question) []state.Question {
	return slices.DeleteFunc(all, func(q state.Question) bool { return in.Consents[q.ID] })
}

// Has reports whether the spec has a domain of that name.
func (in Input) Has(domain string) bool {
	_, ok := slices.BinarySearchFunc(in.Spec.Domains, domain, func(d spec.Domain, name string) int { return cmp.Compare(d.Name, name) })
	return ok
}

// Takes reports whether a step is one for the mail server of the host.
func (in Input) Takes(s Step) bool {
	exim := in.Spec.Host.MTA == spec.Exim
	return !(s.Postfix && exim) && !(s.Exim && !exim)
}

// SignsNothing reports whether OpenDKIM signs nothing and never did: all domains are
// left to another signer, so OpenDKIM is neither installed nor asked.
func (in Input) SignsNothing() bool {
	for _, keys := range in.Ledger {
		if len(keyring.Existing(keys)) > 0 {
			return false
		}
	}
	return !in.Spec.Signs()
}

// Init returns the command that changes what a domain has, followed by a blank for flags:
// those of init mean the host's first domain without being told.
func (in Input) Init(d spec.Domain) string {
	if d.Name == in.Spec.Host.Domain {
		return "mailsetup init "
	}
	return "mailsetup init --domain " + d.Name + " "
}

// Refusal is a machine or a request that a step will not work on. Hint says what to
// type instead.
type Refusal struct {
	What string
	Hint string
	Then []string // what to type after that, in order
	// Keep, if not nil, is the question to which a no lets the run go on: what
	// stands in the way is then left alone.
	Keep *state.Question
}

// Question returns the refusal as a question, to which a no ends the run. It needs
// Keep.
func (r *Refusal) Question() state.Question {
	q := *r.Keep
	q.Text = r.What
	if r.Hint != "" {
		q.Text += "\nhint: " + r.Hint
	}
	if q.Declined != "" {
		q.Text += "\nWith a yes: " + q.Declined
	}
	q.Before, q.After, q.Declined = "", "", ""
	return q
}

// Error implements error. It is one line: others may have written what it tells.
func (r *Refusal) Error() string { return text.Printable(r.What) }

// Hints returns what to type instead, and after that.
func (r *Refusal) Hints() []string {
	if r.Hint == "" {
		return r.Then
	}
	return append([]string{r.Hint}, r.Then...)
}

// IsUsage says that nothing was touched.
func (r *Refusal) IsUsage() bool { return true }

// Refuse returns a refusal with what to type instead.
func Refuse(hint, format string, a ...any) error {
	return &Refusal{What: fmt.Sprintf(format, a...), Hint: hint}
}
