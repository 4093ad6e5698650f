package rotation

import (
	"bytes"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/steps"
	"mailsetup/steps/signer"
)

// Status is what is known of keys without asking DNS.
type Status struct {
	Keys    []KeyStatus
	Domains []DomainStatus // of which the last look found problems
	Notes   []state.Note   // lifetimes of keys that are odd
}

// DomainStatus is what the last look at the records of a domain found.
type DomainStatus struct {
	Problems []recordwatch.Problem
	Hints    []string
}

// Status returns the keys of domains, or of all of them, what each waits for, and
// what the last looks at their records found.
func (r *Rotator) Status(domains []string) (Status, error) {
	t, err := r.open(Options{Domains: domains, DryRun: true})
	if err != nil {
		return Status{}, err
	}
	if err := t.loadElapsed(); err != nil {
		return Status{}, err
	}
	s := Status{Keys: t.statuses(), Notes: steps.LifetimeWarnings(r.Spec, t.includes)}
	for _, d := range r.Spec.Domains {
		if !t.includes(d.Name) {
			continue
		}
		w := r.Store.LastCheck(d.Name).Watch
		if problems := recordwatch.Problems(d.Name, w.Problems, t.now); len(problems) > 0 {
			s.Domains = append(s.Domains, DomainStatus{problems, recordwatch.Hints(r.Spec, d, recordwatch.Result{Watch: w}, problems)})
		}
	}
	return s, nil
}

// statuses returns the keys that exist, of the domains that the run is about.
func (r *run) statuses() []KeyStatus {
	list := []KeyStatus{}
	for _, domain := range sortedKeys(r.ledger) {
		if !r.includes(domain) {
			continue
		}
		for _, k := range keyring.Existing(r.ledger[domain]) {
			st := r.status(r.System, domain, k)
			st.Gone = recordwatch.KeyGone(r.Store.LastCheck(domain), domain, k.Selector)
			list = append(list, st)
		}
	}
	return list
}

// status returns where a key is in its life, as far as ledger and clock tell.
func (s keyState) status(files system.Reader, domain string, k keyring.Key) KeyStatus {
	sit := s.forecast(domain, k.Selector)
	st := KeyStatus{Domain: domain, Selector: k.Selector, Bits: k.Bits, Stage: k.Stage, Since: k.Since[k.Stage]}
	left := sit.Left(k)
	_, coming := keyring.Successor(sit.Keys)
	in := func(d time.Duration) time.Time { return sit.Now.Add(d) }
	_, known := findDomain(s.spec, domain)
	switch {
	case k.Stage == keyring.Active && !known:
		st.Stage, st.WaitsFor = StageWithoutFile(files, domain, k), "its file"
	case k.Stage == keyring.Active && coming:
		st.WaitsFor = "successor"
	case k.Stage == keyring.Active && sit.Policy.Every == 0:
		st.WaitsFor = "nothing"
	case k.Stage == keyring.Active:
		st.WaitsFor, st.Next = "age", in(max(0, sit.Policy.Every-sit.Age(k)))
	case k.Stage == keyring.Published:
		st.WaitsFor, st.Next = "caches", in(left)
	case k.Stage == keyring.Draining:
		st.WaitsFor, st.Next = "mail under way", in(left)
	case k.Stage == keyring.Revoked:
		st.WaitsFor, st.Next = "late mail", in(left)
	default:
		st.WaitsFor = "name servers"
	}
	st.Next = st.Next.Truncate(time.Second)
	return st
}

// unused is the stage of an active key that no row of OpenDKIM's tables names.
const unused keyring.Stage = "unused"

// StageWithoutFile returns the stage of a key whose domain has no file: "unused"
// for an active one that OpenDKIM's tables do not name any more.
func StageWithoutFile(files system.Reader, domain string, k keyring.Key) keyring.Stage {
	o, err := files.Read(signer.KeyTable)
	row := k.Selector + "._domainkey." + domain + " "
	if k.Stage == keyring.Active && err == nil && !bytes.HasPrefix(o.Content, []byte(row)) && !bytes.Contains(o.Content, []byte("\n"+row)) {
		return unused
	}
	return k.Stage
}
