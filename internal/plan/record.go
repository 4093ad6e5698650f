package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"

	"mailsetup/internal/state"
)

// Home is where mailsetup keeps what it must remember.
const Home = state.OwnDir

// RecordPath is the file that holds the Record.
const RecordPath = state.WrittenFile

// Record remembers the SHA-256 (hex) of each managed file as mailsetup last
// wrote it, so that an edit by hand can be told from an old version of ours.
// A caller that knows a file to be as its package shipped it may add that
// file's hash: replacing it is then no drift.
type Record map[state.Path]string

// recordFile is the form on disk, with a version for later changes of it.
type recordFile struct {
	Version int                   `json:"version"`
	Files   map[state.Path]string `json:"files"`
}

// ParseRecord reads what Marshal wrote. No bytes are an empty record.
func ParseRecord(b []byte) (Record, error) {
	if len(b) == 0 {
		return Record{}, nil
	}
	var f recordFile
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("parse %s: %w", RecordPath, err)
	}
	if f.Version != 1 {
		return nil, fmt.Errorf("parse %s: version %d is not known to this program", RecordPath, f.Version)
	}
	r := Record{}
	maps.Copy(r, f.Files)
	return r, nil
}

// Marshal returns the record as JSON, sorted by path.
func (r Record) Marshal() []byte {
	f := recordFile{Version: 1, Files: r}
	if r == nil {
		f.Files = Record{}
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		panic(err) // a map of strings always marshals
	}
	return append(b, '\n')
}

// Hash is the form in which the record remembers content.
func Hash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
