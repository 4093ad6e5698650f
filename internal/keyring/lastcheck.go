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

// LastCheckFile returns the path of a domain's LastCheck.
func LastCheckFile(domain string) state.Path { return state.ChecksDir.Join(domain + ".json") }

// LastCheck is the result of the last check of a domain's records on all of its name
// servers. It is an observation, not part of the ledger: nothing is lost with it.
type LastCheck struct {
	At time.Time
	OK bool // every server had all of them
	// Found is one line about what was seen.
	Found string
	// Seen is when every server first had the record of a key, by selector.
	Seen map[string]time.Time
	// Watch is the state of the record watch of rotate-dkim.
	Watch Watch
}

// Watch is what the record watch of rotate-dkim keeps from one check to the next. A
// record is named by owner without final dot and type, and an address also by its
// value: "_dmarc.example.org TXT".
type Watch struct {
	// SeenComplete are the records that all name servers had at some time.
	SeenComplete []string `json:"stood,omitempty"`
	// AdminRecords are the values of the administrator's records that were found to be
	// right instead of ours; "" for one that is not compared.
	AdminRecords map[string]string `json:"own,omitempty"`
	// Problems are the faults that the last check found, by record or name server.
	Problems map[string]Problem `json:"problems,omitempty"`
	// Notified is when a person was last notified of a problem, by record or name
	// server.
	Notified map[string]Notification `json:"told,omitempty"`
	// Restored is when mailsetup last tried to restore a record.
	Restored map[string]time.Time `json:"restored,omitempty"`
}

// Problem is a fault that a check found.
type Problem struct {
	Since  time.Time `json:"since"` // the first look in succession that found it
	Fault  string    `json:"fault"` // in a word
	Text   string    `json:"text"`  // what a name server said
	Remedy string    `json:"remedy,omitempty"`
	// Gone: every authoritative server answered, and none has the right record. Any
	// other problem may pass by itself, so it is reported only once it has lasted for
	// ReportAfter.
	Gone bool `json:"gone,omitempty"`
}

// Notification is when a person was last notified of a problem, and its fault; "" once
// the problem is over.
type Notification struct {
	At    time.Time `json:"at"`
	Fault string    `json:"fault,omitempty"`
}

// ReportAfter is how long a problem has to last before it is reported if it may pass by
// itself: a name server that does not answer, or that has an old copy of the zone. It
// is less than a day, since hourly ticks are not exactly an hour apart.
const ReportAfter = 23 * time.Hour

// Reportable reports whether people have to be told about the problem. A time in the
// future comes from a clock that was wrong.
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

// ParseLastCheck parses the file of one domain. It ignores unknown fields, which a
// later version may have added.
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

// MarshalLastCheck returns the text of the file of one domain.
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

// After returns the check with what an earlier one knew: the first time at which a key
// was seen, and the watch, without its problems if this check found none.
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
