// Package mailbox appends messages to a mailbox of this machine, past every
// alias: for what must reach its administrator while mail to others fails.
package mailbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Root is the mailbox of root: local(8) delivers there if root has no alias, mail(1)
// reads it, and pam_mail(8) announces it at the next login.
const Root = "/var/mail/root"

const (
	lockTimeout = 10 * time.Second // for somebody who reads or writes the mailbox
	lockRetry   = 50 * time.Millisecond
)

// Append appends a message, with its header, to a mailbox in mbox(5) format, and makes
// the mailbox if necessary. It locks as Debian's mail programs do (Debian Policy
// section 11.6): with fcntl(2) and a lock file. The envelope sender is mailsetup's own
// name: nobody replies to it.
func Append(ctx context.Context, path string, message []byte, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	unlock, err := dotlock(ctx, path+".lock")
	if err != nil {
		return fmt.Errorf("append to %s: %w", path, err)
	}
	if err := errors.Join(appendTo(ctx, path, entry(message, now)), unlock()); err != nil {
		return fmt.Errorf("append to %s: %w", path, err)
	}
	return nil
}

// entry returns a message in mbox(5) format, with this system's line ends.
func entry(message []byte, now time.Time) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "From mailsetup %s\n", now.UTC().Format(time.ANSIC))
	for line := range bytes.Lines(bytes.ReplaceAll(message, []byte("\r\n"), []byte("\n"))) {
		if bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")) {
			b.WriteByte('>')
		}
		b.Write(line)
	}
	if !bytes.HasSuffix(message, []byte("\n")) {
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// dotlock makes the lock file of the mailbox.
func dotlock(ctx context.Context, path string) (unlock func() error, err error) {
	for {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			_, err = fmt.Fprintf(f, "%d", os.Getpid())
			if err = errors.Join(err, f.Close()); err != nil {
				return nil, errors.Join(err, os.Remove(path))
			}
			return func() error { return os.Remove(path) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if err := wait(ctx); err != nil {
			return nil, fmt.Errorf("%s is there: another program has the mailbox", path)
		}
	}
}

func wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(lockRetry):
		return nil
	}
}

// appendTo writes all of the text, or leaves the mailbox as it was.
func appendTo(ctx context.Context, path string, text []byte) (err error) {
	// The directory belongs to a group, whose members could put a link there.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var is unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &is); err != nil {
		return err
	}
	if is.Mode&unix.S_IFMT != unix.S_IFREG || is.Nlink > 1 {
		return errors.New("is no mailbox: not a regular file with one name")
	}
	if err := lock(ctx, f); err != nil {
		return err
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if end == 0 {
		if err := giveToMailGroup(f); err != nil {
			return err
		}
	}
	if _, err := f.Write(text); err != nil {
		return errors.Join(err, f.Truncate(end))
	}
	return f.Sync()
}

// lock takes the fcntl(2) lock, which is released with the file.
func lock(ctx context.Context, f *os.File) error {
	for {
		err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
		if err == nil || !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) {
			return err
		}
		if err := wait(ctx); err != nil {
			return errors.New("another program has it locked")
		}
	}
}

// giveToMailGroup sets group mail on a new mailbox, as local(8) does.
func giveToMailGroup(f *os.File) error {
	g, err := user.LookupGroup("mail")
	if err != nil {
		return nil // then it is nobody's business but root's
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil || os.Geteuid() != 0 {
		return nil
	}
	return f.Chown(-1, gid)
}
