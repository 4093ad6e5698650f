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

// CheckedDir holds what was last seen of each domain's records, root-only.
const CheckedDir = state.Path("/var/lib/mailsetup/checked")

// CheckedFile is where the last look at a domain's records is kept.
func CheckedFile(domain string) state.Path { return CheckedDir.Join(domain + ".json") }

// Checked is the last look at a domain's records on all of its name servers.
// It is an observation, not part of the ledger: nothing is lost with it.
type Checked struct {
	At time.Time
	OK bool // every server had all of them
	// Found is one line about what was seen.
	Found string
	// Seen is when every server was first found to have the record of a key,
	// by selector.
	Seen map[string]time.Time
}

type checkedDocument struct {
	At    time.Time            `json:"at"`
	OK    bool                 `json:"ok"`
	Found string               `json:"found"`
	Seen  map[string]time.Time `json:"seen,omitempty"`
}

// ParseChecked reads the file of one domain. What it does not know it leaves
// out: a later version may have seen more.
func ParseChecked(text []byte) (Checked, error) {
	var doc checkedDocument
	if err := json.Unmarshal(text, &doc); err != nil {
		return Checked{}, fmt.Errorf("parse last check: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return Checked{At: doc.At.UTC(), OK: doc.OK, Found: doc.Found, Seen: stamps(doc.Seen)}, nil
}

// MarshalChecked writes the file of one domain.
func MarshalChecked(c Checked) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	// Strings and times of four-digit years always encode.
	_ = enc.Encode(checkedDocument{At: stamp(c.At), OK: c.OK, Found: c.Found, Seen: stamps(c.Seen)})
	return out.Bytes()
}

func stamps(seen map[string]time.Time) map[string]time.Time {
	if len(seen) == 0 {
		return nil
	}
	out := make(map[string]time.Time, len(seen))
	for selector, t := range seen {
		out[selector] = stamp(t)
	}
	return out
}

// After returns a look that follows an earlier one: what was seen once stays
// seen since then.
func (c Checked) After(earlier Checked) Checked {
	seen := map[string]time.Time{}
	maps.Copy(seen, c.Seen)
	maps.Copy(seen, earlier.Seen)
	c.Seen = seen
	return c
}
