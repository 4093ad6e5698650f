package keyring

import (
	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
	"mailsetup/keygen"
)

// Record returns the DNS record by which receivers find the public key (RFC 6376
// section 3.6). The domain comes without final dot.
func (k Key) Record(domain string, ttl uint32) state.Record {
	return state.Record{Name: dnsname.Key(k.Selector, domain) + ".", Type: "TXT", TTL: ttl, Value: keygen.Record(k.Public)}
}

// RevokedRecord returns the record that takes the place of the key's once nothing may
// verify with it any more: its p= is empty (RFC 6376 section 3.6.1).
func (k Key) RevokedRecord(domain string, ttl uint32) state.Record {
	r := k.Record(domain, ttl)
	r.Value = keygen.Record("")
	return r
}
