package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"

	"mailsetup/internal/state"
)

// OwnDir is the directory of mailsetup's own files.
const OwnDir = state.OwnDir

// HashesFile is the file that holds FileHashes.
const HashesFile = state.WrittenFile

// FileHashes has the SHA-256 (hex) of each managed file as mailsetup last wrote it,
// by which an edit by hand is told from an old version of ours (drift). A caller
// that knows a file to be as its package shipped it may add that file's hash:
// replacing it is then no drift.
type FileHashes map[state.Path]string

// hashesDocument is the form on disk, with a version for later changes of it.
type hashesDocument struct {
	Version int                   `json:"version"`
	Files   map[state.Path]string `json:"files"`
}

// ParseFileHashes reads what Marshal wrote. No bytes are no hashes.
func ParseFileHashes(b []byte) (FileHashes, error) {
	if len(b) == 0 {
		return FileHashes{}, nil
	}
	var f hashesDocument
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("parse %s: %w", HashesFile, err)
	}
	if f.Version != 1 {
		return nil, fmt.Errorf("parse %s: version %d is not known to this program", HashesFile, f.Version)
	}
	r := FileHashes{}
	maps.Copy(r, f.Files)
	return r, nil
}

// Marshal returns the hashes as JSON, sorted by path.
func (r FileHashes) Marshal() []byte {
	f := hashesDocument{Version: 1, Files: r}
	if r == nil {
		f.Files = FileHashes{}
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		panic(err) // a map of strings always marshals
	}
	return append(b, '\n')
}

// Hash returns the SHA-256 of a content in hex.
func Hash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
