package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"mailsetup/internal/keyring"
	"mailsetup/internal/same"
	"mailsetup/internal/spec"
	"mailsetup/internal/system"
)

// seenFiles are the stamps of the files from which a spec and a ledger come, sorted.
type seenFiles struct{ domains, ledgers []seenFile }

type seenFile struct {
	domain string
	stamp  system.Stamp // zero where it does not tell of a change
}

func seen(files domainFiles) []seenFile {
	list := make([]seenFile, len(files.list))
	for i, f := range files.list {
		list[i] = seenFile{f.domain, f.stamp}
	}
	return list
}

// sources tell of domains whether what is wanted of them was worked out already, by the same
// program, from the same files.
type sources struct {
	common string // to all domains: the program and the host
	files  []domainSource
}

// domainSource are the files of one domain, with what they said.
type domainSource struct {
	was          *spec.Domain
	keys         []keyring.Key
	file, ledger system.Stamp
}

// sources returns those of the domains of a spec, by index. Where nothing is known of the
// files, there is none.
func (e Earlier) sources(sp spec.Spec) sources {
	program, ok := system.Program()
	host, err := json.Marshal(sp.Host)
	if e.seen == nil || e.Spec == nil || !ok || err != nil {
		return sources{}
	}
	all := sources{fmt.Sprintf("%v %s", program, host), make([]domainSource, len(sp.Domains))}
	was, files, ledgers := e.Spec.Domains, e.seen.domains, e.seen.ledgers
	for i := range sp.Domains { // everything is sorted
		name := sp.Domains[i].Name
		for len(was) > 0 && was[0].Name < name {
			was = was[1:]
		}
		for len(files) > 0 && files[0].domain < name {
			files = files[1:]
		}
		for len(ledgers) > 0 && ledgers[0].domain < name {
			ledgers = ledgers[1:]
		}
		if len(was) > 0 && was[0].Name == name && len(files) > 0 && files[0].domain == name && len(ledgers) > 0 && ledgers[0].domain == name {
			all.files[i] = domainSource{&was[0], e.Ledger[name], files[0].stamp, ledgers[0].stamp}
		}
	}
	return all
}

// of returns a digest of the files from which a domain and its keys come, the i-th of the
// spec; "" if they come from elsewhere, or if nothing would tell of a change.
func (s sources) of(i int, d spec.Domain, keys []keyring.Key) string {
	if s.files == nil {
		return ""
	}
	from := s.files[i]
	if from.was == nil || from.file == (system.Stamp{}) || from.ledger == (system.Stamp{}) ||
		!same.Values(from.was, &d) || len(keys) == 0 || len(keys) != len(from.keys) || &keys[0] != &from.keys[0] {
		return ""
	}
	sum := sha256.Sum256([]byte(s.common + marshalStamp(from.file) + " " + marshalStamp(from.ledger)))
	return hex.EncodeToString(sum[:12])
}
