package rotation

import (
	"fmt"
	"slices"

	"mailsetup/internal/keyring"
	"mailsetup/internal/text"
)

// markCompromised marks every existing key of the named domains as compromised: private
// keys of a domain share a directory, so one leak is assumed to be a leak of all. A
// later run of the same emergency finds them marked.
func (r *run) markCompromised() {
	if !r.Compromised {
		return
	}
	r.addSharedKeys()
	for _, domain := range r.domains {
		if slices.ContainsFunc(r.ledger[domain], func(k keyring.Key) bool { return k.Stage == keyring.Active && k.Compromised }) {
			continue
		}
		keys := slices.Clone(r.ledger[domain])
		for i := range keys {
			keys[i].Compromised = keys[i].Compromised || keys[i].Stage != keyring.Gone
		}
		active := activeSelector(r.ledger, domain)
		r.ledger[domain] = keys
		r.marked = append(r.marked, domain)
		r.UI.Logf("%s", text.Wrap(fmt.Sprintf("%s: another key signs as soon as every name server has its record. Then %s is revoked at once: "+
			"mail that it signed and that is still under way fails. Until then, and for %d s in caches, whoever has it can sign for you.",
			domain, active, domainNamed(r.Spec, domain).TTL), 78))
	}
}

// addSharedKeys adds the domains that sign with the private key of a named one.
func (r *run) addSharedKeys() {
	lost := map[string]string{} // public key to the domain that was named
	named := map[string]bool{}
	for _, domain := range r.domains {
		k, _ := r.ledger.Signing(domain)
		lost[k.Public], named[domain] = domain, true
	}
	for _, other := range sortedKeys(r.ledger) {
		k, signs := r.ledger.Signing(other)
		if domain, shared := lost[k.Public]; signs && shared && !named[other] {
			r.domains = append(r.domains, other)
			r.UI.Logf("%s: signs with the same private key as %s, and gets another one, too", other, domain)
		}
	}
	slices.Sort(r.domains)
}

// awaitsCompromised reports whether a compromised key still signs while its successor,
// published by us, is not seen everywhere yet.
func (r *run) awaitsCompromised() bool {
	return r.Compromised && slices.ContainsFunc(r.domains, func(domain string) bool {
		_, coming := keyring.Successor(r.ledger[domain])
		d, known := findDomain(r.Spec, domain)
		return coming && known && r.includes(domain) && !r.publishedByHand(d)
	})
}
