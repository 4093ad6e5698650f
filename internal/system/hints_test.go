package system_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"testing"

	"mailsetup/internal/hint"
	"mailsetup/internal/system"
)

func TestHints(t *testing.T) {
	at := func(errno error) error {
		return fmt.Errorf("Tables: %w", &fs.PathError{Op: "create", Path: "/etc/opendkim/KeyTable", Err: errno})
	}
	immutable, forbidden := "lsattr -d /etc/opendkim and lsattr /etc/opendkim show what is immutable or append-only (i, a); chattr -i takes that away", ""
	if os.Geteuid() != 0 {
		immutable, forbidden = hint.AsRoot, hint.AsRoot
	}
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"no error of the kernel", errors.New("x"), ""},
		{"its own hint", hint.New("do this", "x: %w", at(syscall.ENOSPC)), "do this"},
		{"a full disk", at(syscall.ENOSPC), "make room, and run the command again; what is full shows df -h /etc/opendkim or df -i /etc/opendkim"},
		{"a quota", at(syscall.EDQUOT), "make room, and run the command again; what is full shows df -h /etc/opendkim or df -i /etc/opendkim"},
		{"a full disk, nobody knows where", syscall.ENOSPC, "make room, and run the command again; what is full shows df -h / or df -i /"},
		{"read-only", at(syscall.EROFS), "findmnt -T /etc/opendkim shows what is mounted read-only; journalctl -k -n 50 shows whether the kernel did that because of a fault of the disk"},
		{"a broken disk", at(syscall.EIO), "journalctl -k -n 50 shows what the kernel says of the disk"},
		{"immutable", at(syscall.EPERM), immutable},
		{"forbidden", at(syscall.EACCES), forbidden},
	} {
		var want []string
		if tt.want != "" {
			want = []string{tt.want}
		}
		if got := system.Hints(tt.err); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// The service of the timer sees /usr and homes read-only.
func TestHintsOfTheTimer(t *testing.T) {
	readOnly := func(file string) error { return &fs.PathError{Op: "create", Path: file, Err: syscall.EROFS} }
	t.Setenv("INVOCATION_ID", "0123456789abcdef0123456789abcdef")
	t.Setenv("TERM", "")
	for file, want := range map[string]string{
		"/home/zones/db.lab": "the service mailsetup-rotate may not write there: systemctl edit mailsetup-rotate, and below [Service]: ReadWritePaths=-/home/zones",
		"/etc/bind/db.lab":   "findmnt -T /etc/bind shows what is mounted read-only; journalctl -k -n 50 shows whether the kernel did that because of a fault of the disk",
	} {
		if got := system.Hints(readOnly(file)); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q", file, got)
		}
	}
	t.Setenv("TERM", "xterm")
	if got := system.Hints(readOnly("/home/zones/db.lab")); len(got) != 1 || got[0][:7] != "findmnt" {
		t.Errorf("in a terminal: %q", got)
	}
}
