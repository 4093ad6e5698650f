package apply

import (
	"bytes"
	"io/fs"

	"mailsetup/zonefile"
)

// sameZone compares zone files except for the serial: an undone zone has its old text
// with a higher one.
func sameZone(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, err := zonefile.WithSerial(a, 1)
	if err != nil {
		return false
	}
	y, err := zonefile.WithSerial(b, 1)
	return err == nil && bytes.Equal(x, y)
}

// octal returns a mode's bits as chmod(1) writes them.
func octal(m fs.FileMode) uint32 {
	n := uint32(m.Perm())
	if m&fs.ModeSetgid != 0 {
		n |= 0o2000
	}
	return n
}
