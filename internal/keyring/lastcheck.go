package keyring

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"mailsetup/internal/state"
)

// LastCheckFile is where the last look at a domain's records is kept.
func LastCheckFile(domain string) state.Path { return state.ChecksDir.Join(domain + ".json") }

// LastCheck is the last look at a domain's records on all of its name servers.
// It is an observation, not part of the ledger: nothing is lost with it.
type LastCheck struct {
	At time.Time
	OK bool // every server had all of them
	// Found is one line about what was seen.
	Found string
	// Seen is when every server was first found to have the record of a key,
	// by selector.
	Seen map[string]time.Time
	// Watch is what the looks of rotate-dkim remember of each other.
	Watch Watch
}

// Watch is the memory of the looks that rotate-dkim takes at published records.
// A record is named by owner without final dot and type, and an address also by
// its value: "_dmarc.example.org TXT".
type Watch struct {
	// SeenComplete are records that all name servers once had as they should be.
	SeenComplete []string `json:"stood,omitempty"`
	// AdminRecords are records of the administrator's that were judged right in the place
	// of ours, as they were then; "" for one that may be as it is.
	AdminRecords map[string]string `json:"own,omitempty"`
	// Problems are what was not right in the last look, by what they are about: a
	// record or a name server.
	Problems map[string]Problem `json:"problems,omitempty"`
	// Notified is when a person was last told of a problem, by what it is about.
	Notified map[string]Notification `json:"told,omitempty"`
	// Restored is when mailsetup last tried to put a record back.
	Restored map[string]time.Time `json:"restored,omitempty"`
}

// Problem is something that a look found not to be as it should be.
type Problem struct {
	Since  time.Time `json:"since"` // the first look in succession that found it
	Fault  string    `json:"fault"` // in a word
	Text   string    `json:"text"`  // what a name server said
	Remedy string    `json:"remedy,omitempty"`
	// Gone: every name server in charge answered, and none has the record as it
	// should be. Everything else may pass: it counts once it has lasted a day.
	Gone bool `json:"gone,omitempty"`
}

// Notification is when a person was last told of a problem, and of which fault; "" once
// that is over.
type Notification struct {
	At    time.Time `json:"at"`
	Fault string    `json:"fault,omitempty"`
}

// ReportAfter is for how long something has to be so before it counts that may pass
// by itself: a name server that does not answer, or that has an old copy of the
// zone. The ticks of a day are not exactly an hour apart.
const ReportAfter = 23 * time.Hour

// Reportable reports whether the problem is one for people. A time in the future is
// of a clock that went wrong.
func (p Problem) Reportable(now time.Time) bool {
	return p.Gone || now.Sub(p.Since) >= ReportAfter
}

// Recently reports whether a time is less than d ago. A time in the future is of a
// clock that went wrong, and was not recently.
func Recently(at, now time.Time, d time.Duration) bool {
	return !at.IsZero() && !at.After(now) && now.Sub(at) < d
}

type lastCheckDocument struct {
	At    time.Time            `json:"at"`
	OK    bool                 `json:"ok"`
	Found string               `json:"found"`
	Seen  map[string]time.Time `json:"seen,omitempty"`
	Watch *Watch               `json:"watch,omitempty"`
}

// ParseLastCheck reads the file of one domain. What it does not know it leaves
// out: a later version may have seen more.
func ParseLastCheck(text []byte) (LastCheck, error) {
	var doc lastCheckDocument
	if err := json.Unmarshal(text, &doc); err != nil {
		return LastCheck{}, fmt.Errorf("parse last check: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	c := LastCheck{At: doc.At.UTC(), OK: doc.OK, Found: doc.Found, Seen: fileTimes(doc.Seen)}
	if doc.Watch != nil {
		c.Watch = *doc.Watch
	}
	return c, nil
}

// MarshalLastCheck writes the file of one domain.
func MarshalLastCheck(c LastCheck) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	doc := lastCheckDocument{At: fileTime(c.At), OK: c.OK, Found: c.Found, Seen: fileTimes(c.Seen)}
	if w := c.Watch; len(w.SeenComplete)+len(w.AdminRecords)+len(w.Problems)+len(w.Notified)+len(w.Restored) > 0 {
		doc.Watch = &w
	}
	// Strings and times of four-digit years always encode.
	_ = enc.Encode(doc)
	return out.Bytes()
}

func fileTimes(seen map[string]time.Time) map[string]time.Time {
	if len(seen) == 0 {
		return nil
	}
	out := make(map[string]time.Time, len(seen))
	for selector, t := range seen {
		out[selector] = fileTime(t)
	}
	return out
}

// After returns a look that follows an earlier one: what was seen once stays
// seen since then, and what was wrong is over if all is well.
func (c LastCheck) After(earlier LastCheck) LastCheck {
	c.Watch = earlier.Watch
	if c.OK {
		c.Watch.Problems = nil
	}
	seen := map[string]time.Time{}
	maps.Copy(seen, c.Seen)
	maps.Copy(seen, earlier.Seen)
	c.Seen = seen
	return c
}
