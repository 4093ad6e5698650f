package keyring

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// BootTime is a reading of the clock since boot (CLOCK_BOOTTIME, clock_gettime(2)),
// which nobody can set. The zero value is no reading.
type BootTime struct {
	Boot string // which boot, /proc/sys/kernel/random/boot_id
	At   time.Duration
}

// Sub returns the time that certainly passed between two readings. Between readings of
// two boots that is unknown, so nothing counts.
func (r BootTime) Sub(later BootTime) time.Duration {
	if r.Boot == "" || r.Boot != later.Boot {
		return 0
	}
	return max(0, later.At-r.At)
}

// Elapsed is how long keys have certainly been in their stages. Time during which
// nobody looked from one boot to the next does not count, and the wall clock does not
// either: it may be set.
type Elapsed struct {
	Read BootTime
	Keys map[string]StageTime // by domain and selector
	// Notified is when the administrator was last told of a key that waits, by the
	// wall clock.
	Notified map[string]time.Time
}

// StageTime is the stage of a key, when it began, and how long it has certainly lasted.
type StageTime struct {
	Stage   Stage
	Since   time.Time // as the ledger says (Key.began), to know the stage again
	Elapsed time.Duration
}

// Advance adds the time up to a reading that was taken after the ledger was read. A key
// that is new in its stage begins with nothing.
func (p Elapsed) Advance(l Ledger, now BootTime) Elapsed {
	elapsed := p.Read.Sub(now)
	out := Elapsed{Read: now, Keys: map[string]StageTime{}, Notified: map[string]time.Time{}}
	for domain, keys := range l {
		for _, k := range keys {
			name := keyID(domain, k)
			if at, ok := p.Notified[name]; ok && (k.Stage == Staged || k.Stage == Publishing || k.Stage == Revoked) {
				out.Notified[name] = fileTime(at)
			}
			if !isTimed(k) {
				continue
			}
			in := StageTime{Stage: k.Stage, Since: fileTime(k.began())}
			if was, ok := p.Keys[name]; ok && was.Stage == in.Stage && was.Since.Equal(in.Since) {
				in.Elapsed = was.Elapsed + elapsed
			}
			out.Keys[name] = in
		}
	}
	return out
}

// MarkNotified records when the administrator was notified about a key.
func (p *Elapsed) MarkNotified(domain string, k Key, at time.Time) {
	if p.Notified == nil {
		p.Notified = map[string]time.Time{}
	}
	p.Notified[keyID(domain, k)] = fileTime(at)
}

// LastNotified returns when the administrator was last notified about a key.
func (p Elapsed) LastNotified(domain string, k Key) (at time.Time, ok bool) {
	at, ok = p.Notified[keyID(domain, k)]
	return at, ok
}

// InStage returns how long each key of a domain has certainly been in its stage, by
// selector.
func (p Elapsed) InStage(domain string, keys []Key) map[string]time.Duration {
	out := map[string]time.Duration{}
	for _, k := range keys {
		if in, ok := p.Keys[keyID(domain, k)]; ok && in.Stage == k.Stage {
			out[k.Selector] = in.Elapsed
		}
	}
	return out
}

// keyID names a key: in a slot there are several, one after the other.
func keyID(domain string, k Key) string {
	if k.SlotZone != "" {
		return domain + " " + k.Selector + " " + k.Fingerprint
	}
	return domain + " " + k.Selector
}

// isTimed reports whether the next step of the key depends on the time in its stage.
func isTimed(k Key) bool {
	return k.Stage == Published || k.Stage == Active || k.Stage == Draining || k.Stage == Revoked && !k.clearing()
}

// SameStages reports whether two values have the same keys in the same stages, with
// readings so close that the later one need not be written.
func (p Elapsed) SameStages(later Elapsed, close time.Duration) bool {
	return p.Read.Boot == later.Read.Boot && later.Read.At-p.Read.At < close && p.Read.At <= later.Read.At &&
		maps.EqualFunc(p.Keys, later.Keys, func(a, b StageTime) bool { return a.Stage == b.Stage && a.Since.Equal(b.Since) })
}

type elapsedDocument struct {
	Boot     string                  `json:"boot"`
	At       float64                 `json:"at"` // seconds
	Keys     map[string]elapsedStage `json:"keys"`
	Notified map[string]time.Time    `json:"told,omitempty"`
}

type elapsedStage struct {
	Stage   Stage     `json:"stage"`
	Since   time.Time `json:"since"`
	Elapsed float64   `json:"passed"` // seconds
}

// ParseElapsed parses the file. Values that make no sense are an error, and then no
// time has passed.
func ParseElapsed(text []byte) (Elapsed, error) {
	doc, ok := plainElapsed(text)
	if !ok {
		doc = elapsedDocument{}
		if err := json.Unmarshal(text, &doc); err != nil {
			return Elapsed{}, fmt.Errorf("parse passed time: %w", err)
		}
	}
	if doc.At < 0 || doc.At > maxElapsed {
		return Elapsed{}, fmt.Errorf("parse passed time: %v seconds since boot make no sense", doc.At)
	}
	out := Elapsed{Read: BootTime{Boot: doc.Boot, At: seconds(doc.At)}, Keys: make(map[string]StageTime, len(doc.Keys)), Notified: fileTimes(doc.Notified)}
	for name, in := range doc.Keys {
		if in.Elapsed < 0 || in.Elapsed > maxElapsed {
			return Elapsed{}, fmt.Errorf("parse passed time: %s: %v seconds make no sense", name, in.Elapsed)
		}
		out.Keys[name] = StageTime{Stage: in.Stage, Since: in.Since.UTC(), Elapsed: seconds(in.Elapsed)}
	}
	return out, nil
}

// maxElapsed is a century, less than the maximum of time.Duration.
const maxElapsed = 100 * 366 * 24 * 3600

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// MarshalElapsed writes the file.
func MarshalElapsed(p Elapsed) []byte {
	doc := elapsedDocument{Boot: p.Read.Boot, At: p.Read.At.Seconds(), Keys: make(map[string]elapsedStage, len(p.Keys)), Notified: fileTimes(p.Notified)}
	for name, in := range p.Keys {
		doc.Keys[name] = elapsedStage{Stage: in.Stage, Since: fileTime(in.Since), Elapsed: in.Elapsed.Seconds()}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	// Strings, finite numbers and times of four-digit years always encode.
	_ = enc.Encode(doc)
	return out.Bytes()
}
