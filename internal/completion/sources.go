package completion

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/dnsexport"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// choices are the values of flags that have no others: by the flag, or by command and flag.
var choices = map[string][]string{
	"--key-bits":              {"1024", "2048", "3072", "4096"},
	"--dns":                   {"bind", "rfc2136", "hook", "slots", "delegate", "manual"},
	"--receive":               {"yes", "no"},
	"--spf-all":               {"softfail", "fail", "neutral"},
	"--dmarc":                 {"none", "quarantine", "reject"},
	"--dmarc-sp":              {"none", "quarantine", "reject"},
	"--adkim":                 {"relaxed", "strict"},
	"--aspf":                  {"relaxed", "strict"},
	"--milter-default-action": {"tempfail", "accept"},
	"--mta":                   {"postfix", "exim4"},
	"--existing-records":      {"change", "keep"},
	"--wildcard-records":      {"copy", "drop"},
	"--service-milters":       {"merge", "keep"},
	"--sign-bounces":          {"yes", "no"},
	"--other-signer":          {"replace", "keep"},
	"--inbound-spf":           {"off", "mark", "reject"},
	"--inbound-dmarc":         {"off", "mark", "quarantine", "reject"},
	"inbound --spf":           {"off", "mark", "reject"},
	"inbound --dmarc":         {"off", "mark", "quarantine", "reject"},
	"dns --format":            dnsexport.Forms(),
	"check --format":          {"text", "json", "nagios", "prometheus"},
}

// Sources are what a machine has that can be named. What the user may not read is not
// there, and nothing is said of it.
type Sources struct {
	Root string // of another tree than that of the machine
	line commandLine
}

// values are those of a flag.
func (s Sources) values(cmd Command, f Flag, typed string) []Candidate {
	name := f.Names[0]
	if words, ok := choices[cmd.Name+" "+name]; ok {
		return list(words...)
	}
	if words, ok := choices[name]; ok {
		return list(words...)
	}
	switch name {
	case "--selector":
		return s.selectors()
	case "--only", "--skip":
		return checks(typed)
	case "--explain":
		return checks("")
	case "--domain":
		return s.domains()
	}
	switch f.Value {
	case "FILE":
		return list(Files)
	case "DIR":
		return list(Directories)
	}
	return nil
}

// checks are the findings that can be chosen, and their groups; those before the last
// comma stay.
func checks(typed string) []Candidate {
	before := typed[:strings.LastIndexByte(typed, ',')+1]
	var all []Candidate
	for _, k := range finding.Catalogue() {
		group, _, _ := strings.Cut(k.ID, ".")
		if c := (Candidate{before + group, ""}); !slices.Contains(all, c) {
			all = append(all, c)
		}
		all = append(all, Candidate{before + k.ID, k.Title})
	}
	return all
}

func (s Sources) path(p state.Path) string {
	return filepath.Join(cmp.Or(s.line.given["--root"], s.Root, "/"), string(p))
}

// names are those of the files in a directory with an extension, without it.
func (s Sources) names(dir state.Path, extension string) []string {
	entries, _ := os.ReadDir(s.path(dir))
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), extension); ok && name != "" {
			names = append(names, name)
		}
	}
	return names
}

func (s Sources) domains() []Candidate { return list(s.names(spec.DomainsDir(), ".toml")...) }

// runs are the IDs of the journal, the newest first.
func (s Sources) runs() []Candidate {
	ids := slices.DeleteFunc(s.names(state.JournalDir, ""), func(name string) bool { return name == state.OriginDir.Base() })
	slices.Reverse(ids)
	return list(ids...)
}

var selectorLine = regexp.MustCompile(`(?m)^\s*"?selector"?\s*[=:]\s*"([A-Za-z0-9._-]+)"`)

// selectors are those that were asked for, and where root asks those of all keys: of the
// domains that were named, or of all.
func (s Sources) selectors() []Candidate {
	named := slices.Concat(s.line.arguments, []string{s.line.given["--domain"]})
	var ofNamed, all []string
	for dir, extension := range map[state.Path]string{spec.DomainsDir(): ".toml", state.LedgerDir: ".json"} {
		for _, name := range s.names(dir, extension) {
			text, _ := os.ReadFile(s.path(dir.Join(name + extension)))
			for _, m := range selectorLine.FindAllSubmatch(text, -1) {
				all = append(all, string(m[1]))
				if slices.Contains(named, name) {
					ofNamed = append(ofNamed, string(m[1]))
				}
			}
		}
	}
	if len(ofNamed) > 0 {
		all = ofNamed
	}
	slices.Sort(all)
	return list(slices.Compact(all)...)
}
