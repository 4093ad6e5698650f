package main

import (
	"fmt"
	"slices"

	"mailsetup/internal/keyring"
)

// betray marks the keys that others may have: all that the domains have now,
// since they lie side by side. An emergency that goes on already has done so.
func (t *turning) betray() {
	if t.made != nil {
		return
	}
	s := t.s
	if t.made = map[string]bool{}; !t.asked.compromised {
		return
	}
	t.sharing()
	for _, domain := range t.asked.domains {
		active := before(s.keys, domain)
		keys := slices.Clone(s.keys[domain])
		if slices.ContainsFunc(keys, func(k keyring.Key) bool { return k.Stage == keyring.Active && k.Compromised }) {
			continue
		}
		for i := range keys {
			keys[i].Compromised = keys[i].Compromised || keys[i].Stage != keyring.Gone
		}
		s.keys[domain], t.due[domain] = keys, nil
		s.c.say("%s", fold(fmt.Sprintf("%s: another key signs as soon as every name server has its record. Then %s is revoked at once: "+
			"mail that it signed and that is still under way fails. Until then, and for %d s in caches, whoever has it can sign for you.",
			domain, active, t.ttl(domain)), 78))
	}
}

func (t *turning) ttl(domain string) uint32 {
	d, _ := t.domain(domain)
	return d.TTL
}

// sharing adds the domains that sign with the same private key.
func (t *turning) sharing() {
	lost := map[string]string{} // public key to the domain it was named by
	asked := map[string]bool{}
	for _, domain := range t.asked.domains {
		k, _ := t.s.keys.Signing(domain)
		lost[k.Public], asked[domain] = domain, true
	}
	for _, other := range sortedKeys(t.s.keys) {
		k, signs := t.s.keys.Signing(other)
		if domain, shared := lost[k.Public]; signs && shared && !asked[other] {
			t.asked.domains = append(t.asked.domains, other)
			t.s.c.say("%s: signs with the same private key as %s, and gets another one, too", other, domain)
		}
	}
}
