package rollback

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
	"mailsetup/zonefile"
)

// byHandNotes returns what a plan that takes runs back leaves to do for whoever
// publishes records by hand: those that nothing needs any more, and those that are
// needed again.
func byHandNotes(files system.Reader, p plan.Plan) ([]state.Note, error) {
	planned := map[state.Path]state.Object{}
	for _, st := range p.Stages {
		for _, c := range st.Changes {
			planned[c.Path] = c.After
		}
	}
	after := plan.Overlay{Reader: files, Planned: planned}
	domains, err := concerned(files, after, planned)
	if err != nil {
		return nil, err
	}
	var gone, again []state.Note
	for some := range slices.Chunk(domains, atATime) {
		now, err := inputOf(files, some)
		if err != nil {
			return nil, err
		}
		then, err := inputOf(after, some)
		if err != nil {
			return nil, err
		}
		gone = notesOf(gone, "take these records out of the DNS of %s, but for those that stood there before, or that something else needs", some, now, then)
		again = notesOf(again, "publish these records of %s again", some, then, now)
	}
	return append(gone, again...), nil
}

// atATime is how many domains are looked at together: of ten thousand, the files of before
// and after are 40 MB.
const atATime = 1000

// notesOf adds a note for each of some domains that has records in one input, by hand, and
// not in the other.
func notesOf(notes []state.Note, text string, some []string, in, other step.Input) []state.Note {
	for _, d := range in.Spec.Domains {
		if _, asked := slices.BinarySearch(some, d.Name); !asked || !in.Spec.ByHand(d) {
			continue
		}
		if list := difference(recordsOf(in, d.Name), recordsOf(other, d.Name)); len(list) > 0 {
			notes = append(notes, state.Note{
				Topic: "dns", Text: fmt.Sprintf(text, d.Name), Action: strings.TrimRight(zonefile.Lines(list, d.Name+"."), "\n") + "\n",
			})
		}
	}
	return notes
}

// concerned returns the domains whose records may be others after a plan, sorted: those
// whose own files it changes, or all.
func concerned(before, after system.Reader, planned map[state.Path]state.Object) ([]string, error) {
	var domains []string
	if _, all := planned[spec.HostFile]; all {
		for _, files := range []system.Reader{before, after} {
			names, err := files.List(spec.DomainsDir())
			if err != nil {
				return nil, err
			}
			domains = append(domains, names...)
		}
	}
	for p := range planned {
		if p.Dir() == spec.DomainsDir() || p.Dir() == keyring.Dir() {
			domains = append(domains, p.Base())
		}
	}
	for i, name := range domains {
		domains[i] = strings.TrimSuffix(strings.TrimSuffix(name, ".toml"), ".json")
	}
	slices.Sort(domains)
	return slices.Compact(domains), nil
}

// inputOf returns the spec and the ledger that files have of some domains, and of those that
// matter to the records of others; none where nothing is set up.
func inputOf(files system.Reader, domains []string) (step.Input, error) {
	in := step.Input{Ledger: keyring.Ledger{}}
	host, err := files.Read(spec.HostFile)
	if err != nil || host.Kind == state.Absent {
		return in, err
	}
	alone, _ := spec.Parse(host.Content, nil)
	texts := map[string][]byte{}
	for _, domain := range append([]string{alone.Host.Domain, alone.Host.Hostname}, domains...) {
		o, err := files.Read(spec.DomainFile(domain))
		if err != nil {
			return in, err
		}
		if o.Kind != state.Regular {
			continue
		}
		texts[domain] = o.Content
		if o, err = files.Read(keyring.File(domain)); err != nil {
			return in, err
		}
		if o.Kind == state.Regular {
			in.Ledger[domain], _ = keyring.ParseDomain(o.Content) // what is wrong with it is told elsewhere
		}
	}
	in.Spec, _ = spec.Parse(host.Content, texts) // as far as it can be read
	return in, nil
}

// recordsOf returns the records of a domain, none where the spec does not have it.
func recordsOf(in step.Input, domain string) []state.Record {
	i, found := slices.BinarySearchFunc(in.Spec.Domains, domain, func(d spec.Domain, name string) int { return strings.Compare(d.Name, name) })
	if !found {
		return nil
	}
	return records.Of(in, in.Spec.Domains[i])
}

// difference returns the records of a list that another one does not have.
func difference(list, other []state.Record) []state.Record {
	return slices.DeleteFunc(slices.Clone(list), func(r state.Record) bool {
		return slices.ContainsFunc(other, func(o state.Record) bool { return o.Name == r.Name && o.Type == r.Type && o.Value == r.Value })
	})
}
