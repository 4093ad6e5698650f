package signer

import (
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/keygen"
	"mailsetup/steps/step"
	"mailsetup/templates"
)

// tables are the rows of both tables, for the files and the probes.
type tables struct {
	keys    []templates.KeyRow
	signing []templates.SigningRow
}

// RenderTables returns OpenDKIM's tables, those of the input where they are still
// right: ten thousand rows take a tenth of a second.
func RenderTables(in step.Input) (*templates.Tables, error) {
	return tablesOf(in).render(in)
}

func (t tables) render(in step.Input) (*templates.Tables, error) {
	if in.Tables.RenderedFrom(t.keys, t.signing) {
		return in.Tables, nil
	}
	return templates.NewTables(t.keys, t.signing)
}

// tablesOf makes the rows. The host's own names are signed with the primary domain's
// key: cron writes as root@mail.example.org, bounces come from MAILER-DAEMON@$myorigin,
// and OpenDKIM logs nothing if no row matches.
func tablesOf(in step.Input) tables {
	t := tables{make([]templates.KeyRow, 0, len(in.Spec.Domains)), make([]templates.SigningRow, 0, len(in.Spec.Domains))}
	for i := range in.Spec.Domains {
		d := &in.Spec.Domains[i]
		k, ok := in.Ledger.Signing(d.Name)
		if !ok {
			continue
		}
		name := dnsname.Key(k.Selector, d.Name)
		t.keys = append(t.keys, templates.KeyRow{Name: name, Domain: d.Name, Selector: k.Selector, Path: k.File})
		for _, pattern := range d.Senders() {
			t.signing = append(t.signing, templates.SigningRow{Pattern: pattern, Key: name, Signer: identity(*d, pattern)})
		}
	}
	primary, ok := in.Ledger.Signing(in.Spec.Host.Domain)
	if !ok {
		return t
	}
	own := dnsname.Key(primary.Selector, in.Spec.Host.Domain)
	for _, n := range HostNames(in) {
		if !alreadySigned(t.signing, n, own) {
			t.signing = append(t.signing, templates.SigningRow{Pattern: n, Key: own})
		}
	}
	return t
}

// alreadySigned reports whether rows sign mail of a host in a way that a row for it
// with another key would change.
func alreadySigned(signing []templates.SigningRow, host, key string) bool {
	return slices.ContainsFunc(signing, func(r templates.SigningRow) bool {
		of := r.Pattern[strings.LastIndexByte(r.Pattern, '@')+1:]
		above := of == "*" || of[0] == '.' && strings.HasSuffix(host, of)
		return r.Pattern == host || above && (r.Key != key || r.Signer != "")
	})
}

// identity returns the i= of a sender, "" for none.
func identity(d spec.Domain, pattern string) string {
	for _, text := range d.Identities {
		if sender, says, _ := strings.Cut(text, " "); sender == pattern {
			return says
		}
	}
	return ""
}

// explicitSenders returns the senders with a row of their own.
func explicitSenders(s spec.Spec) map[string]bool {
	all := map[string]bool{}
	for i := range s.Domains {
		for _, a := range s.Domains[i].Also {
			all[a] = true
		}
	}
	return all
}

// testSender returns an address that the domain's key signs and that is not taken.
func testSender(d spec.Domain, taken map[string]bool) string {
	local, host, address := strings.Cut(d.Senders()[0], "@")
	if !address {
		local, host = "postmaster", local
	}
	switch {
	case host == "*":
		host = d.Name
	case host[0] == '.':
		host = "mailsetup" + host
	}
	if !address && taken[local+"@"+host] {
		local = "mailsetup"
	}
	return local + "@" + host
}

// hostSigner returns the signer of the host's own mail: the primary domain, or the
// domain of the matching row. It is false if that is among the signers already.
func (t tables) hostSigner(in step.Input) (state.Signer, bool) {
	host := in.Spec.Host.Hostname
	if _, own := in.Ledger.Signing(host); own {
		return state.Signer{}, false // the host is named like a domain
	}
	row, ok := matchingRow(t.signing, "root", host)
	if !ok {
		return state.Signer{}, false
	}
	i := slices.IndexFunc(t.keys, func(k templates.KeyRow) bool { return k.Name == row.Key })
	k, _ := in.Ledger.Signing(t.keys[i].Domain)
	return signature("root@"+host, t.keys[i].Domain, k), true
}

// matchingRow returns the effective row for an address, opendkim.conf(5) SigningTable:
// the most specific one.
func matchingRow(signing []templates.SigningRow, user, host string) (templates.SigningRow, bool) {
	patterns := []string{user + "@" + host, host}
	for i := range host {
		if host[i] == '.' {
			patterns = append(patterns, user+"@"+host[i:], host[i:])
		}
	}
	for _, p := range append(patterns, user+"@*", "*") {
		if i := slices.IndexFunc(signing, func(r templates.SigningRow) bool { return r.Pattern == p }); i >= 0 {
			return signing[i], true
		}
	}
	return templates.SigningRow{}, false
}

func signature(from, domain string, k keyring.Key) state.Signer {
	return state.Signer{From: from, Domain: domain, Selector: k.Selector, Public: keygen.Record(k.Public)}
}
