package keyring

import (
	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
	"mailsetup/keygen"
)

// Record returns the DNS record by which receivers find the public key (RFC 6376
// section 3.6), in the slot zone for a key of a slot. The domain comes without final dot.
func (k Key) Record(domain string, ttl uint32) state.Record {
	return state.Record{Name: k.RecordName(domain) + ".", Type: "TXT", TTL: ttl, Value: keygen.Record(k.Public)}
}

// RevokedRecord returns the record that takes the place of the key's once nothing may
// verify with it any more: its p= is empty (RFC 6376 section 3.6.1).
func (k Key) RevokedRecord(domain string, ttl uint32) state.Record {
	r := k.Record(domain, ttl)
	r.Value = keygen.Record("")
	return r
}

// RecordName returns the name of the key's record, without final dot: what verifiers ask
// for, or what that is an alias of.
func (k Key) RecordName(domain string) string {
	if k.SlotZone != "" {
		return Target(k.Selector, domain, k.SlotZone)
	}
	return dnsname.Key(k.Selector, domain)
}
