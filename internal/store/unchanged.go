package store

import (
	"bytes"
	"runtime"
	"strings"

	"mailsetup/internal/keyring"
	"mailsetup/internal/parallel"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/steps/dns"
	"mailsetup/steps/keys"
	"mailsetup/steps/step"
)

// alwaysRecheck is the number of domains up to which none is skipped: DNS may have
// changed.
const alwaysRecheck = 20

// Fingerprints are what a run that found or made everything right left of domains.
// Without one no domain is skipped.
type Fingerprints struct {
	lines   map[string]string // of the file, by domain
	renewed bool              // some of them
}

// fingerprint is a digest of what was wanted of a domain, with the files with its records.
type fingerprint struct {
	wanted string // and after a space the source of that, see sources.of, where there was one
	files  []fileMark
}

// fileMark is what a file said.
type fileMark struct {
	path  state.Path
	hash  string
	stamp system.Stamp // zero where only its content tells whether it changed
}

// LoadFingerprints reads what the last run left.
func (s Store) LoadFingerprints() (*Fingerprints, error) {
	text, err := system.ReadFile(s.files, state.UnchangedFile)
	known := &Fingerprints{lines: make(map[string]string, bytes.Count(text, []byte("\n")))}
	for line := range strings.Lines(string(text)) {
		domain, _, _ := strings.Cut(line, "\t")
		known.lines[domain] = line
	}
	return known, err
}

// set sets the line of a domain, "" for none.
func (f *Fingerprints) set(domain, line string) {
	switch {
	case f.lines[domain] == line:
		return
	case line == "":
		delete(f.lines, domain)
	default:
		f.lines[domain] = line
	}
	f.renewed = true
}

// parseFingerprint parses a line, false for one that makes no sense.
func parseFingerprint(line string) (p fingerprint, ok bool) {
	f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
	if len(f) < 2 || len(f)%2 != 0 {
		return p, false
	}
	p.wanted = f[1]
	for i := 2; i < len(f); i += 2 {
		w := lineFields{rest: f[i+1]}
		m := fileMark{path: state.Path(f[i]), hash: w.next()}
		if w.rest != "" {
			m.stamp = w.stamp()
		}
		if w.err != nil {
			return p, false
		}
		p.files = append(p.files, m)
	}
	return p, p.wanted != ""
}

// line returns the line of a domain in the file, "" for a path that does not fit.
func (p fingerprint) line(domain string) string {
	b := []byte(domain + "\t" + p.wanted)
	for _, f := range p.files {
		if strings.ContainsAny(string(f.path), "\t\n") {
			return ""
		}
		b = append(b, "\t"+string(f.path)+"\t"+f.hash...)
		if f.stamp != (system.Stamp{}) {
			b = append(b, " "+marshalStamp(f.stamp)...)
		}
	}
	return string(append(b, '\n'))
}

// Unchanged returns the domains of a spec that are unchanged since a run left them
// right. With ten thousand domains this takes a moment, and examining all of them
// minutes. The host's own domain is never among them, and none is if there are few. Of
// files that had to be read the fingerprints get the present stamp. Read is what the files
// said from which the spec and the ledger come: what is wanted of domains whose files did
// not change is not worked out again.
func (s Store) Unchanged(sp spec.Spec, keys keyring.Ledger, known *Fingerprints, read Earlier) (map[string]bool, error) {
	if len(sp.Domains) <= alwaysRecheck {
		return nil, nil
	}
	lines := make([]string, len(sp.Domains)) // of those that are unchanged
	sources := read.sources(sp)
	err := parallel.Do(len(lines), runtime.GOMAXPROCS(0), func(i int) error {
		d := sp.Domains[i]
		line := known.lines[d.Name]
		p, ok := parseFingerprint(line)
		if !ok || d.Name == sp.Host.Domain {
			return nil
		}
		wanted, madeOf, _ := strings.Cut(p.wanted, " ")
		source := sources.of(i, d, keys[d.Name])
		if (source == "" || source != madeOf) && wanted != dns.Fingerprint(sp, d, keys[d.Name]) {
			return nil
		}
		if source != "" {
			p.wanted = wanted + " " + source
		}
		same, read, err := compare(s.files, p.files)
		if read || source != madeOf {
			line = p.line(d.Name)
		}
		if same && err == nil {
			lines[i] = line
		}
		return err
	})
	unchanged := make(map[string]bool, len(lines))
	for i, line := range lines {
		if name := sp.Domains[i].Name; line != "" {
			unchanged[name] = true
			known.set(name, line)
		}
	}
	return unchanged, err
}

// compare reports whether all files say what they said. It reads those that do not have
// the stamp that they had, whose marks get the present one.
func compare(on Files, files []fileMark) (same, read bool, err error) {
	for i, f := range files {
		if f.stamp != (system.Stamp{}) && stampOf(on, f.path) == f.stamp {
			continue
		}
		now, err := markOf(on, f.path)
		if err != nil || now.hash != f.hash {
			return false, read, err
		}
		files[i], read = now, true
	}
	return true, read, nil
}

// markOf reads a file.
func markOf(on Files, p state.Path) (fileMark, error) {
	stamp := tellsOfChanges(stampOf(on, p))
	o, err := on.Read(p)
	return fileMark{p, plan.Hash(o.Content), stamp}, err
}

// SaveFingerprints remembers the domains in the scope of a run as it leaves them,
// and the others of the spec as they were: known are those that the run found, nil if it
// did not look.
func (s Store) SaveFingerprints(in step.Input, known *Fingerprints) (err error) {
	if known == nil {
		if known, err = s.LoadFingerprints(); err != nil {
			return err
		}
	}
	for d := range in.Scope.Domains(in.Spec) {
		p := fingerprint{wanted: dns.Fingerprint(in.Spec, d, keys.After(in, d))}
		for _, path := range dns.ZoneFiles(in, d) {
			f, err := markOf(s.files, path)
			if err != nil {
				return err
			}
			p.files = append(p.files, f)
		}
		line := ""
		if p.wanted != "" {
			line = p.line(d.Name)
		}
		known.set(d.Name, line)
	}
	lines := make([]string, 0, len(known.lines))
	for i := range in.Spec.Domains {
		if line := known.lines[in.Spec.Domains[i].Name]; line != "" {
			lines = append(lines, line)
		}
	}
	if !known.renewed && len(lines) == len(known.lines) {
		return nil
	}
	return s.writeAtomic(ownFile{state.UnchangedFile, []byte(strings.Join(lines, ""))})
}
