// Package dkimkeys chooses selectors, makes private keys and checks those that
// are there.
package dkimkeys

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/keygen"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// Pair is a private key that a run makes, with its entry in the ledger. Until it
// is made, a placeholder stands for the public half and for the PEM text, and the
// fingerprint is empty.
type Pair struct {
	Domain string
	Key    keyring.Key
	PEM    []byte
}

// NewPair returns the pair that a run begun at a time is going to make.
func NewPair(d spec.Domain, selector string, now time.Time) Pair {
	key := keyring.Key{
		Selector: selector, Bits: d.KeyBits, Public: keyring.Placeholder, File: string(signer.KeyFile(d.Name, selector)),
	}
	return Pair{Domain: d.Name, Key: key.At(keyring.Staged, now).At(keyring.Publishing, now), PEM: []byte(keyring.Placeholder)}
}

// On returns the pair with its file where a host keeps its keys.
func (p Pair) On(h spec.Host) Pair {
	p.Key.File = string(signer.KeyFileOf(h, p.Domain, p.Key.Selector))
	return p
}

// InSlot returns the pair of a key in a slot of a domain that had these keys: its file has a
// number of its own, which no file has that there is.
func (p Pair) InSlot(h spec.Host, zone string, keys []keyring.Key, files system.Reader) Pair {
	p.Key.SlotZone = zone
	for n := keyring.FileNumber(keys, p.Key.Selector); ; n++ {
		file := signer.KeyFileOf(h, p.Domain, fmt.Sprintf("%s-%d", p.Key.Selector, n))
		if o, err := files.Stat(file); err != nil || o.Kind == state.Absent {
			p.Key.File = string(file)
			return p
		}
	}
}

// WithKey returns the pair with the key instead of the placeholders.
func (p Pair) WithKey(k *keygen.Key) Pair {
	p.Key.Public, p.Key.Fingerprint, p.PEM = k.Public(), k.Fingerprint(), k.PEM()
	return p
}

// Pending returns the indices of the pairs whose key is not made yet.
func Pending(pairs []Pair) []int {
	var list []int
	for i, p := range pairs {
		if p.Key.Pending() {
			list = append(list, i)
		}
	}
	return list
}

// Generate makes the keys of all pairs that are pending, each once, on all
// processors. It calls made after each of them, one call at a time.
func Generate(ctx context.Context, pairs []Pair, made func()) error {
	pending := Pending(pairs)
	bits := make([]int, len(pending))
	for i, at := range pending {
		bits[i] = pairs[at].Key.Bits
	}
	return keygen.GenerateAll(ctx, bits, func(i int, k *keygen.Key) {
		pairs[pending[i]] = pairs[pending[i]].WithKey(k)
		made()
	})
}

// AddPairs adds pairs, made or not, to the input of the steps.
func AddPairs(in *step.Input, pairs []Pair) {
	keys := make(map[string]keyring.Key, len(pairs))
	for _, p := range pairs {
		keys[p.Domain] = p.Key
		in.Keys.Private[state.Path(p.Key.File)] = p.PEM
	}
	in.Ledger = in.Ledger.PutAll(keys)
	if in.Keys.During != nil {
		in.Keys.During = in.Keys.During.PutAll(keys)
	}
}

// RemovePair removes the pair of a domain, made or not, from the input of the steps,
// and returns the other pairs.
func RemovePair(in *step.Input, pairs []Pair, domain string) []Pair {
	for _, p := range pairs {
		if p.Domain == domain {
			delete(in.Keys.Private, state.Path(p.Key.File))
			in.Ledger = in.Ledger.Without(domain, p.Key.Selector)
		}
	}
	return slices.DeleteFunc(pairs, func(p Pair) bool { return p.Domain == domain })
}

// StopSigning leaves the mail of a domain to another signer: a planned key is not made,
// and one that signs drains. It returns the other pairs.
func StopSigning(in *step.Input, pairs []Pair, domain string) []Pair {
	pairs = RemovePair(in, pairs, domain)
	if keys := in.Ledger[domain]; len(keys) > 0 {
		in.Ledger = in.Ledger.Replaced(domain, keyring.Drain(keys, in.Now))
	}
	return pairs
}

// CopyKey returns a pair for a domain with a copy of a private key that somebody
// made.
func CopyKey(files system.Reader, d spec.Domain, selector string, from state.Path, now time.Time) (Pair, error) {
	text, err := source.Text(files, from)
	if err != nil {
		return Pair{}, err
	}
	key, err := keygen.Parse(text)
	if err != nil {
		return Pair{}, err
	}
	p := NewPair(d, selector, now).WithKey(key)
	p.Key.Bits = key.Bits()
	return p, nil
}

// Resume makes a key active again that drains since its domain was removed. Until the
// run has proven its signature, the ledger says that it drains.
func Resume(in *step.Input, domain string, k keyring.Key) {
	if in.Keys.During == nil {
		in.Ledger, in.Keys.During = maps.Clone(in.Ledger), maps.Clone(in.Ledger)
	}
	in.Ledger[domain] = keyring.Resumed(in.Ledger[domain], k.Selector, in.Now)
}
