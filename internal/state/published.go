package state

import (
	"encoding/json"
	"fmt"

	"mailsetup/internal/dnsname"
)

// PublishedFile is the one of a zone.
func PublishedFile(origin string) Path {
	return PublishedDir.Join(dnsname.TrimDot(origin) + ".json")
}

// Published has our records in a zone that takes updates, and where to remove them.
type Published struct {
	Origin  string   `json:"origin"`
	Server  string   `json:"server"`
	KeyFile Path     `json:"key_file"`
	Records []Record `json:"records"`
	// Copies are those that stand at names which a wildcard of the zone no longer
	// answers for.
	Copies []Record `json:"copies,omitempty"`
}

// Marshal returns it as JSON.
func (p Published) Marshal() []byte {
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return append(b, '\n')
}

// ParsePublished reads what Marshal wrote.
func ParsePublished(text []byte) (Published, error) {
	var p Published
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("parse what was published: %w", err)
	}
	return p, nil
}
