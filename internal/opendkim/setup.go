package opendkim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Setup is the signing configuration of an OpenDKIM.
type Setup struct {
	Conf Conf
	// Rows say which mail is signed, in the order in which they are written.
	Rows    []Row
	Ignored []Ignored
	Idle    string // why it signs nothing, "" if it has rows
	// Internal is whose mail is signed, as data sets of the type file: have it.
	Internal []Host
	// Files are all that were read, the configuration first.
	Files []string
}

// Host is an entry of InternalHosts.
type Host struct {
	Name string // address, network, host name, .domain; behind ! for one that is none
	Place
}

// Parse parses a configuration with its tables. A set-up that signs nothing has no
// rows, and an Idle that says why.
func Parse(path string, read Read) (Setup, error) {
	s := Setup{}
	noted := func(name string) ([]byte, error) {
		text, err := read(name)
		if err == nil && text != nil && !slices.Contains(s.Files, name) {
			s.Files = append(s.Files, name)
		}
		return text, err
	}
	var err error
	if s.Conf, err = ParseConf(path, noted); err != nil {
		return s, err
	}
	if err := s.Conf.checkSupported(); err != nil {
		return s, err
	}
	var errs [2]error
	if s.Idle = s.Conf.idle(); s.Idle == "" {
		s.Rows, s.Ignored, errs[0] = s.Conf.rows(noted)
	}
	if s.Idle == "" && len(s.Rows) == 0 {
		s.Idle = "no row of its tables counts"
	}
	s.Internal, errs[1] = s.Conf.internal(noted)
	return s, errors.Join(errs[:]...)
}

// Rows returns the rows of a configuration, whatever else it says: with which key the
// mail of an address is signed.
func Rows(path string, read Read) ([]Row, error) {
	c, err := ParseConf(path, read)
	if err != nil || c.idle() != "" {
		return nil, err
	}
	rows, _, err := c.rows(read)
	return rows, err
}

// About returns a function that returns the rows which match mail of some address in a
// domain.
func About(rows []Row) func(domain string) []Row {
	at := map[string][]Row{}
	for _, r := range rows {
		m, _ := exact(r.Pattern)
		at[m.host] = append(at[m.host], r)
	}
	return func(domain string) []Row {
		domain = strings.ToLower(domain)
		found := slices.Clone(at[domain])
		for _, h := range enclosingHosts(domain) {
			found = append(found, at[h]...)
		}
		return found
	}
}

// idle says why the configuration has nothing to sign with, "" if it has.
func (c Conf) idle() string {
	if mode, ok := c.Get("Mode"); ok && !strings.Contains(mode.Value, "s") {
		return "Mode " + mode.Value
	}
	for _, name := range []string{"KeyTable", "SigningTable", "Domain"} {
		if _, ok := c.Get(name); ok {
			return ""
		}
	}
	return "it names neither a domain nor tables"
}

// checkSupported refuses settings about who is signed, or how, that have no equivalent.
func (c Conf) checkSupported() error {
	var errs []error
	for _, no := range []struct{ name, why string }{
		{"ScreenPolicyScript", "is a program that may decide what is signed"},
		{"SetupPolicyScript", "is a program that may decide what is signed"},
		{"FinalPolicyScript", "is a program that may change what is done with mail"},
		{"ChangeRootDirectory", "makes OpenDKIM see other files under the same names"},
	} {
		if s, ok := c.Get(no.name); ok {
			errs = append(errs, errorAt(s.Place, "do without "+no.name, "%s %s", no.name, no.why))
		}
	}
	if s, ok := c.Get("SignatureAlgorithm"); ok && !strings.EqualFold(s.Value, "rsa-sha256") {
		errs = append(errs, errorAt(s.Place, "make a new key under a new selector and sign with rsa-sha256",
			"signatures with %s cannot be taken over", s.Value))
	}
	return errors.Join(errs...)
}

// rows returns the rows of the tables or, without a KeyTable, those that Domain,
// KeyFile and Selector stand for.
func (c Conf) rows(read Read) ([]Row, []Ignored, error) {
	keys, haveKeys := c.Get("KeyTable")
	signing, haveSigning := c.Get("SigningTable")
	switch {
	case haveKeys && haveSigning:
		return c.tables(keys, signing, read)
	case haveKeys:
		return nil, nil, errorAt(keys.Place, "add a SigningTable", "a KeyTable without a SigningTable signs nothing, and OpenDKIM does not start")
	case haveSigning:
		return nil, nil, errorAt(signing.Place, "add a KeyTable", "a SigningTable without a KeyTable signs nothing, and OpenDKIM does not start")
	}
	rows, err := c.singleKey(read)
	return rows, nil, err
}

// singleKey returns the rows of the form for one key: Domain, KeyFile, Selector.
func (c Conf) singleKey(read Read) ([]Row, error) {
	domain, _ := c.Get("Domain")
	file, haveFile := c.Get("KeyFile")
	selector, haveSelector := c.Get("Selector")
	if !haveFile || !haveSelector {
		return nil, errorAt(domain.Place, "set KeyFile and Selector", "Domain needs KeyFile and Selector, without which OpenDKIM does not start")
	}
	set, err := c.open(domain, read)
	if err != nil {
		return nil, err
	}
	var rows []Row
	var errs []error
	seen := map[string]bool{}
	add := func(e entry, pattern, identity string) {
		rows = append(rows, Row{
			Pattern: pattern, Text: e.key, Domain: strings.ToLower(e.key), Selector: selector.Value, Identity: identity,
			KeyFile: c.absolute(file.Value), KeyAt: file.Place, Place: e.at,
		})
	}
	for _, e := range set.entries {
		name := strings.ToLower(e.key)
		switch {
		case strings.ContainsAny(name, "*@:/ ") || strings.HasPrefix(name, "."):
			errs = append(errs, errorAt(e.at, "write the domains out", "the domain %s is not understood", e.key))
		case seen[name]:
		default:
			seen[name] = true
			add(e, name, "")
			if c.Yes("SubDomains") { // which also names the parent in i=
				add(e, "."+name, "@"+name)
			}
		}
	}
	return rows, errors.Join(errs...)
}

// Signer is one signing domain of a setup.
type Signer struct {
	Domain, Selector, KeyFile string
	KeyAt                     Place
	Rows                      []Row
}

// Signers returns the domains in d=, in the order in which they first occur. A domain
// with two keys at once has no equivalent.
func (s Setup) Signers() ([]Signer, error) {
	var all []Signer
	var errs []error
	index := map[string]int{} // by domain
	for _, r := range s.Rows {
		i, known := index[r.Domain]
		if !known {
			i = len(all)
			index[r.Domain] = i
			all = append(all, Signer{Domain: r.Domain, Selector: r.Selector, KeyFile: r.KeyFile, KeyAt: r.KeyAt})
		}
		d := &all[i]
		if d.Selector != r.Selector || d.KeyFile != r.KeyFile {
			errs = append(errs, errorAt(r.Place, "let one key sign for the domain",
				"%s signs with %s, but with %s in %s: one domain with two keys at once is not understood",
				r.Domain, keyText(r.Selector, r.KeyFile), keyText(d.Selector, d.KeyFile), d.Rows[0].Place))
			continue
		}
		d.Rows = append(d.Rows, r)
	}
	return all, errors.Join(errs...)
}

func keyText(selector, file string) string { return fmt.Sprintf("selector %s (%s)", selector, file) }
