package plan

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	if r, ok := parsePlainHashes(string(b)); ok {
		return r, nil
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

// The form of the file around its lines.
const hashesBegin, hashesEnd = "{\n  \"version\": 1,\n  \"files\": {\n", "\n  }\n}\n"

// parsePlainHashes reads a text that is exactly as Marshal writes it, of paths without
// escapes. Of any other it says false, and the decoder decides: that takes ten times as
// long, 80 ms with the files of 10,000 zones.
func parsePlainHashes(text string) (r FileHashes, ok bool) {
	text, begins := strings.CutPrefix(text, hashesBegin)
	text, ends := strings.CutSuffix(text, hashesEnd)
	if !begins || !ends {
		return nil, false
	}
	r = make(FileHashes, strings.Count(text, "\n")+1)
	for more := true; more; {
		var line string
		line, text, more = strings.Cut(text, "\n")
		inner, quoted := strings.CutPrefix(line, `    "`)
		end := `"`
		if more {
			end = `",`
		}
		inner, closed := strings.CutSuffix(inner, end)
		path, hash, pair := strings.Cut(inner, `": "`)
		if !quoted || !closed || !pair || !plainJSON(path) || !plainJSON(hash) {
			return nil, false
		}
		r[state.Path(path)] = hash
	}
	return r, true
}

// plainJSON reports whether a string is the same in JSON.
func plainJSON(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || strings.IndexByte(`"\<>&`, c) >= 0 {
			return false
		}
	}
	return true
}

// Marshal returns the hashes as JSON, sorted by path.
func (r FileHashes) Marshal() []byte {
	if len(r) == 0 {
		return []byte("{\n  \"version\": 1,\n  \"files\": {}\n}\n")
	}
	b := make([]byte, 0, 200*len(r))
	b = append(b, hashesBegin...)
	for i, p := range slices.Sorted(maps.Keys(r)) {
		if i > 0 {
			b = append(b, ",\n"...)
		}
		b = append(appendJSON(append(b, "    "...), string(p)), ": "...)
		b = appendJSON(b, r[p])
	}
	return append(b, hashesEnd...)
}

// appendJSON appends a string in quotes.
func appendJSON(b []byte, s string) []byte {
	if plainJSON(s) {
		return append(append(append(b, '"'), s...), '"')
	}
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always marshals
	}
	return append(b, text...)
}

// Hash returns the SHA-256 of a content in hex.
func Hash(content []byte) string { return HashOf(state.Object{Content: content}) }

// HashOf returns the SHA-256 of the content of an object in hex.
func HashOf(o state.Object) string {
	sum := o.Sum()
	return hex.EncodeToString(sum[:])
}
