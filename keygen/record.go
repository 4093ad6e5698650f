package keygen

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unique"
)

// Record returns the TXT value that publishes a public key (base64 of the
// SubjectPublicKeyInfo), RFC 6376 section 3.6.1. An empty public key makes the
// record of a revoked key.
func Record(public string) string {
	// Thousands of lists and plans that are made together have it in memory once; after a
	// collection of garbage, it is made anew.
	return unique.Make("v=DKIM1; h=sha256; k=rsa; p=" + public).Value()
}

// KeyRecord is a DKIM key record, RFC 6376 section 3.6.1.
type KeyRecord struct {
	KeyType  string   // k: rsa if not given
	Hashes   []string // h: acceptable hash algorithms, none for all
	Services []string // s: none for every service
	Flags    []string // t: y for testing, s for no subdomains in i=
	Notes    string   // n, as written
	Public   string   // p without white space, "" for a revoked key
}

// Revoked reports whether the record withdraws its key.
func (r KeyRecord) Revoked() bool { return r.Public == "" }

// RSA returns the public key. Both encodings found in the field are read:
// SubjectPublicKeyInfo and RSAPublicKey (erratum 3017).
func (r KeyRecord) RSA() (*rsa.PublicKey, error) {
	if r.KeyType != "rsa" {
		return nil, fmt.Errorf("key record: k=%s: want rsa", r.KeyType)
	}
	if r.Revoked() {
		return nil, errors.New("key record: key is revoked (p= is empty)")
	}
	der, err := base64.StdEncoding.DecodeString(r.Public)
	if err != nil {
		return nil, fmt.Errorf("key record: p= is not base64: %w", err)
	}
	if key, err := x509.ParsePKIXPublicKey(der); err == nil {
		if public, ok := key.(*rsa.PublicKey); ok {
			return public, nil
		}
		return nil, fmt.Errorf("key record: p= holds a %T, k= says rsa", key)
	}
	public, err := x509.ParsePKCS1PublicKey(der)
	if err != nil {
		return nil, errors.New("key record: p= is not an RSA public key")
	}
	return public, nil
}

// SamePublic reports whether two records have the same key, in either encoding.
func (r KeyRecord) SamePublic(o KeyRecord) bool {
	if r.Public == o.Public {
		return true
	}
	a, err := r.RSA()
	if err != nil {
		return false
	}
	b, err := o.RSA()
	return err == nil && a.Equal(b)
}

// ParseRecord reads the joined text of a key record. Unknown tags, missing
// optional ones and white space where the RFC allows it are no errors; a
// repeated tag, a v that is not first or not DKIM1, a missing or damaged p is.
func ParseRecord(txt string) (KeyRecord, error) {
	tags, err := parseTags(txt)
	if err != nil {
		return KeyRecord{}, fmt.Errorf("key record: %w", err)
	}
	r := KeyRecord{KeyType: "rsa"}
	seen := false
	for i, t := range tags {
		switch t.name {
		case "v":
			if i != 0 {
				return KeyRecord{}, errors.New("key record: v= is not the first tag")
			}
			if t.value != "DKIM1" {
				return KeyRecord{}, fmt.Errorf("key record: v=%q: want DKIM1", t.value)
			}
		case "k":
			r.KeyType = t.value
		case "h":
			r.Hashes = colonList(t.value)
		case "s":
			r.Services = colonList(t.value)
		case "t":
			r.Flags = colonList(t.value)
		case "n":
			r.Notes = t.value
		case "p":
			r.Public, seen = strings.Join(strings.FieldsFunc(t.value, isFWS), ""), true
		}
	}
	if !seen {
		return KeyRecord{}, errors.New("key record: no p= tag")
	}
	if _, err := base64.StdEncoding.DecodeString(r.Public); err != nil {
		return KeyRecord{}, fmt.Errorf("key record: p= is not base64: %w", err)
	}
	return r, nil
}

type tag struct{ name, value string }

// parseTags reads a tag list, RFC 6376 section 3.2.
func parseTags(s string) ([]tag, error) {
	parts := strings.Split(s, ";")
	if last := len(parts) - 1; strings.TrimFunc(parts[last], isFWS) == "" {
		parts = parts[:last] // one semicolon may end the list
	}
	if len(parts) == 0 {
		return nil, errors.New("empty")
	}
	var tags []tag
	known := make(map[string]bool, len(parts))
	for _, part := range parts {
		name, value, ok := strings.Cut(part, "=")
		name = strings.TrimFunc(name, isFWS)
		if !ok || !isTagName(name) {
			return nil, fmt.Errorf("%q: want tag=value", strings.TrimFunc(part, isFWS))
		}
		if known[name] {
			return nil, fmt.Errorf("tag %s= given twice", name)
		}
		known[name] = true
		tags = append(tags, tag{name, strings.TrimFunc(value, isFWS)})
	}
	return tags, nil
}

func isTagName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || (c != '_' && (c < '0' || c > '9'))) {
			return false
		}
	}
	return s != ""
}

func isFWS(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' }

func colonList(s string) []string {
	var list []string
	for item := range strings.SplitSeq(s, ":") {
		if item = strings.TrimFunc(item, isFWS); item != "" {
			list = append(list, item)
		}
	}
	return list
}
