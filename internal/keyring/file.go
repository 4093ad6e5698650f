package keyring

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Version is the format of the files this program writes.
const Version = 1

// document is the file of one domain.
type document struct {
	Version int      `json:"version"`
	Keys    []record `json:"keys"`
}

// record is a key in the file. Times are UTC.
type record struct {
	Selector    string              `json:"selector"`
	Bits        int                 `json:"bits"`
	Public      string              `json:"public"`
	Fingerprint string              `json:"fingerprint"`
	File        string              `json:"file"`
	Adopted     bool                `json:"adopted,omitempty"`
	Compromised bool                `json:"compromised,omitempty"`
	SlotZone    string              `json:"slot_zone,omitempty"`
	Stage       Stage               `json:"stage"`
	Cleared     *time.Time          `json:"cleared,omitempty"`
	Seen        *time.Time          `json:"seen,omitempty"`
	Since       map[Stage]time.Time `json:"since,omitempty"`
}

// ParseDomain parses the keys of one domain. Unknown fields, other versions and
// contradictory keys are errors: a ledger that is not understood must not decide which
// key to destroy.
func ParseDomain(text []byte) ([]Key, error) {
	doc, ok := plain(text)
	if !ok {
		var err error
		if doc, err = decode(text); err != nil {
			return nil, fmt.Errorf("parse ledger: %s", strings.TrimPrefix(err.Error(), "json: "))
		}
		for i := range doc.Keys {
			doc.Keys[i].Since = shared(utc(doc.Keys[i].Since))
		}
	}
	if doc.Version != Version {
		return nil, fmt.Errorf("parse ledger: version %d is not known, only %d", doc.Version, Version)
	}
	keys := make([]Key, 0, len(doc.Keys))
	for _, r := range doc.Keys {
		keys = append(keys, r.key())
	}
	if err := Validate(keys); err != nil {
		return nil, fmt.Errorf("parse ledger: %w", err)
	}
	return keys, nil
}

func decode(text []byte) (doc document, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		return document{}, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return document{}, errors.New("text after the end")
	}
	return doc, nil
}

func (r record) key() Key {
	k := Key{
		Selector: r.Selector, Bits: r.Bits, Public: r.Public, Fingerprint: r.Fingerprint,
		File: r.File, Adopted: r.Adopted, Compromised: r.Compromised, SlotZone: r.SlotZone, Stage: r.Stage, Since: r.Since,
	}
	if r.Seen != nil {
		k.Seen = r.Seen.UTC()
	}
	if r.Cleared != nil {
		k.Cleared = r.Cleared.UTC()
	}
	return k
}

// MarshalDomain writes the keys of one domain: the same keys always give the
// same bytes.
func MarshalDomain(keys []Key) []byte {
	doc := document{Version: Version, Keys: make([]record, 0, len(keys))}
	for _, k := range keys {
		r := record{
			Selector: k.Selector, Bits: k.Bits, Public: k.Public, Fingerprint: k.Fingerprint,
			File: k.File, Adopted: k.Adopted, Compromised: k.Compromised, SlotZone: k.SlotZone, Stage: k.Stage, Since: utc(k.Since),
		}
		if !k.Seen.IsZero() {
			seen := fileTime(k.Seen)
			r.Seen = &seen
		}
		if !k.Cleared.IsZero() {
			cleared := fileTime(k.Cleared)
			r.Cleared = &cleared
		}
		doc.Keys = append(doc.Keys, r)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	// Strings, numbers and times of four-digit years always encode.
	_ = enc.Encode(doc)
	return bytes.Clone(out.Bytes()) // without the room that the buffer has left
}

// utc returns the times of stages in the form of the file.
func utc(since map[Stage]time.Time) map[Stage]time.Time {
	if len(since) == 0 {
		return nil
	}
	out := make(map[Stage]time.Time, len(since))
	for stage, t := range since {
		out[stage] = fileTime(t)
	}
	return out
}

// fileTime returns a time in the form of the file: UTC, whole seconds, and within the
// years that JSON can represent, which a wrong clock might exceed.
func fileTime(t time.Time) time.Time {
	t = t.UTC().Truncate(time.Second)
	last := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	switch {
	case t.Year() < 0:
		return time.Time{}
	case t.After(last):
		return last
	}
	return t
}
