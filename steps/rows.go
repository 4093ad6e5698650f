package steps

import (
	"slices"
	"strings"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/keygen"
	"mailsetup/templates"
)

// rows are the lines of both tables. The host's own names sign with the
// primary domain's key: cron writes as root@mail.example.org, bounces come
// from MAILER-DAEMON@$myorigin, and OpenDKIM says nothing when no row matches.
func rows(in Input) ([]templates.KeyRow, []templates.SigningRow) {
	var keys []templates.KeyRow
	var signing []templates.SigningRow
	for _, d := range in.Spec.Domains {
		k, ok := in.Keys.Signing(d.Name)
		if !ok {
			continue
		}
		name := keyName(d.Name, k)
		keys = append(keys, templates.KeyRow{Name: name, Domain: d.Name, Selector: k.Selector, Path: k.File})
		for _, pattern := range d.Senders() {
			signing = append(signing, templates.SigningRow{Pattern: pattern, Key: name, Signer: identity(d, pattern)})
		}
	}
	primary, ok := in.Keys.Signing(in.Spec.Host.Domain)
	if !ok {
		return keys, signing
	}
	own := keyName(in.Spec.Host.Domain, primary)
	for _, n := range hostNames(in) {
		if !signedAlready(signing, n, own) {
			signing = append(signing, templates.SigningRow{Pattern: n, Key: own})
		}
	}
	return keys, signing
}

// signedAlready reports whether rows sign mail of a host in a way that a row for
// it with another key would change.
func signedAlready(signing []templates.SigningRow, host, key string) bool {
	return slices.ContainsFunc(signing, func(r templates.SigningRow) bool {
		of := r.Pattern[strings.LastIndexByte(r.Pattern, '@')+1:]
		above := of == "*" || of[0] == '.' && strings.HasSuffix(host, of)
		return r.Pattern == host || above && (r.Key != key || r.Signer != "")
	})
}

// identity is what i= says about a sender, "" for nothing.
func identity(d spec.Domain, pattern string) string {
	for _, text := range d.Identities {
		if sender, says, _ := strings.Cut(text, " "); sender == pattern {
			return says
		}
	}
	return ""
}

func keyName(domain string, k keyring.Key) string { return k.Selector + "._domainkey." + domain }

// alone are the senders that have a row to themselves.
func alone(s spec.Spec) map[string]bool {
	all := map[string]bool{}
	for _, d := range s.Domains {
		for _, a := range d.Also {
			all[a] = true
		}
	}
	return all
}

// sample is an address whose mail the domain's key signs, and is none of those
// taken.
func sample(d spec.Domain, taken map[string]bool) string {
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

// hostSigner is the signature of the host's own mail: by the primary domain, or
// by the one whose row it meets. It is false where that is asked for already.
func hostSigner(in Input) (state.Signer, bool) {
	host := in.Spec.Host.Hostname
	keys, signing := rows(in)
	if _, own := in.Keys.Signing(host); own {
		return state.Signer{}, false // the host is named like a domain
	}
	row, ok := firstRow(signing, "root", host)
	if !ok {
		return state.Signer{}, false
	}
	i := slices.IndexFunc(keys, func(k templates.KeyRow) bool { return k.Name == row.Key })
	k, _ := in.Keys.Signing(keys[i].Domain)
	return signer("root@"+host, keys[i].Domain, k), true
}

// firstRow is the one that counts for an address, opendkim.conf(5)
// SigningTable: what says most about it.
func firstRow(signing []templates.SigningRow, user, host string) (templates.SigningRow, bool) {
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

func signer(from, domain string, k keyring.Key) state.Signer {
	return state.Signer{From: from, Domain: domain, Selector: k.Selector, Public: keygen.Record(k.Public)}
}
