package store

import (
	"strings"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
)

// RemindUnsigned remembers why mail leaves unsigned, "" for that it does not, and reports
// whether somebody has to be told: of another reason at once, of the same one after a while.
func RemindUnsigned(files Files, why string, now time.Time, every time.Duration) (bool, error) {
	o, err := files.Read(state.UnsignedFile)
	if err != nil {
		return why != "", err
	}
	if why == "" {
		if o.Kind == state.Absent {
			return false, nil
		}
		return false, files.Remove(state.UnsignedFile)
	}
	first, last, _ := strings.Cut(string(o.Content), "\n")
	if at, err := time.Parse(time.RFC3339, first); err == nil && last == why && keyring.Recently(at, now, every) {
		return false, nil
	}
	return true, New(files).writeAtomic(ownFile{state.UnsignedFile, []byte(now.Format(time.RFC3339) + "\n" + why)})
}
