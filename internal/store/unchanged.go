package store

import (
	"maps"
	"runtime"
	"slices"
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

// Fingerprints are digests of domains after a run found or made everything right, by
// name. Without them no domain is skipped.
type Fingerprints map[string]fingerprint

// fingerprint is a digest of what was wanted of a domain, with the hashes of the files
// with its records.
type fingerprint struct {
	wanted string
	files  map[state.Path]string
}

// LoadFingerprints reads what the last run left.
func (s Store) LoadFingerprints() (Fingerprints, error) {
	text, err := system.ReadFile(s.files, state.UnchangedFile)
	return parseFingerprints(text), err
}

// parseFingerprints parses one domain a line, and ignores other lines.
func parseFingerprints(text []byte) Fingerprints {
	all := Fingerprints{}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) < 2 || len(f)%2 != 0 {
			continue
		}
		p := fingerprint{wanted: f[1], files: make(map[state.Path]string, len(f)/2-1)}
		for i := 2; i < len(f); i += 2 {
			p.files[state.Path(f[i])] = f[i+1]
		}
		all[f[0]] = p
	}
	return all
}

// line returns the line of a domain in the file, "" for a path that does not fit.
func (p fingerprint) line(domain string) string {
	var b strings.Builder
	b.WriteString(domain + "\t" + p.wanted)
	for _, path := range slices.Sorted(maps.Keys(p.files)) {
		if strings.ContainsAny(string(path), "\t\n") {
			return ""
		}
		b.WriteString("\t" + string(path) + "\t" + p.files[path])
	}
	return b.String() + "\n"
}

// Unchanged returns the domains of a spec that are unchanged since a run left them
// right. With ten thousand domains this takes a moment, and examining all of them
// minutes. The host's own domain is never among them, and none is if there are few.
func (s Store) Unchanged(sp spec.Spec, keys keyring.Ledger, known Fingerprints) (map[string]bool, error) {
	if len(sp.Domains) <= alwaysRecheck {
		return nil, nil
	}
	same := make([]bool, len(sp.Domains))
	err := parallel.Do(len(same), runtime.GOMAXPROCS(0), func(i int) (err error) {
		d := sp.Domains[i]
		p, ok := known[d.Name]
		if !ok || d.Name == sp.Host.Domain || p.wanted == "" || p.wanted != dns.Fingerprint(sp, d, keys[d.Name]) {
			return nil
		}
		same[i], err = haveHashes(s.files, p.files)
		return err
	})
	unchanged := map[string]bool{}
	for i, d := range sp.Domains {
		if same[i] {
			unchanged[d.Name] = true
		}
	}
	return unchanged, err
}

// haveHashes reports whether all files have the contents that they had.
func haveHashes(from Files, files map[state.Path]string) (bool, error) {
	for p, hash := range files {
		o, err := from.Read(p)
		if err != nil || plan.Hash(o.Content) != hash {
			return false, err
		}
	}
	return true, nil
}

// SaveFingerprints remembers the domains in the scope of a run as it leaves them,
// and the others of the spec as they were.
func (s Store) SaveFingerprints(in step.Input) error {
	old, err := system.ReadFile(s.files, state.UnchangedFile)
	if err != nil {
		return err
	}
	all := parseFingerprints(old)
	for d := range in.Scope.Domains(in.Spec) {
		p := fingerprint{dns.Fingerprint(in.Spec, d, keys.After(in, d)), map[state.Path]string{}}
		for _, path := range dns.ZoneFiles(in, d) {
			o, err := s.files.Read(path)
			if err != nil {
				return err
			}
			p.files[path] = plan.Hash(o.Content)
		}
		all[d.Name] = p
	}
	var b strings.Builder
	for _, d := range in.Spec.Domains {
		if p, ok := all[d.Name]; ok && p.wanted != "" {
			b.WriteString(p.line(d.Name))
		}
	}
	if b.String() == string(old) {
		return nil
	}
	return s.writeAtomic(ownFile{state.UnchangedFile, []byte(b.String())})
}
