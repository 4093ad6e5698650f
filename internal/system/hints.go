package system

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"mailsetup/internal/hint"
)

// Hints returns what to type about an error: what it says itself, or what shows why the
// kernel refused.
func Hints(err error) []string {
	if hints := hint.Of(err); len(hints) > 0 {
		return hints
	}
	at := "/"
	if file := (*fs.PathError)(nil); errors.As(err, &file) && path.IsAbs(file.Path) {
		at = hint.Quote(path.Dir(file.Path))
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return []string{"make room, and run the command again; what is full shows df -h " + at + " or df -i " + at}
	case errors.Is(err, syscall.EROFS) && inTimer(at):
		return []string{"the service mailsetup-rotate may not write there: systemctl edit mailsetup-rotate, and below [Service]: ReadWritePaths=-" + at}
	case errors.Is(err, syscall.EROFS):
		return []string{"findmnt -T " + at + " shows what is mounted read-only; journalctl -k -n 50 shows whether the kernel did that because of a fault of the disk"}
	case errors.Is(err, syscall.EIO):
		return []string{"journalctl -k -n 50 shows what the kernel says of the disk"}
	case errors.Is(err, syscall.EPERM) && os.Geteuid() == 0:
		return []string{"lsattr -d " + at + " and lsattr " + at + " show what is immutable or append-only (i, a); chattr -i takes that away"}
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		return []string{hint.AsRoot}
	}
	return nil
}

// inTimer reports whether the program runs as a service that sees a directory read-only
// (schedule/mailsetup-rotate.service: ProtectSystem, ProtectHome).
func inTimer(dir string) bool {
	top, _, _ := strings.Cut(strings.TrimPrefix(dir, "/"), "/")
	service := os.Getenv("INVOCATION_ID") != "" && os.Getenv("TERM") == "" // systemd.exec(5)
	return service && slices.Contains([]string{"usr", "boot", "efi", "home", "root"}, top)
}
