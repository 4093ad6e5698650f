package probe

import (
	"errors"
	"fmt"
	"os/user"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrNotTried is in errors of ConnectsAs that say nothing of the socket: the process may
// not become somebody else, as in a unit without capabilities.
var ErrNotTried = errors.New("could not be tried")

// ConnectsAs reports why a process of a user cannot connect to a socket file, nil if it
// can. A root that is not "" is where the process sees its /, as chroot(2) makes it. A
// thread of its own becomes that user, as a service of master(8) does, and ends with that.
// Only root can ask.
func ConnectsAs(name, root, socket string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	list, err := u.GroupIds()
	if err != nil {
		return err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return err
	}
	groups := make([]uint32, 0, len(list)+1)
	for _, g := range append([]string{u.Gid}, list...) {
		n, err := strconv.ParseUint(g, 10, 32)
		if err != nil {
			return err
		}
		groups = append(groups, uint32(n))
	}
	return onOwnThread(func() error { return connectAs(uint32(uid), groups, root, socket) })
}

// onOwnThread runs a function on a thread that ends with it. The main thread would not
// end, and it is what others see of the process (proc(5), signal(7)).
func onOwnThread(do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			done <- do()
			return // still locked, so that the thread ends
		}
		done <- onOwnThread(do) // on another one, as this one is taken
		runtime.UnlockOSThread()
	}()
	return <-done
}

// connectAs changes its thread only, by raw system calls: the standard library would
// change all threads of the process.
func connectAs(uid uint32, groups []uint32, root, socket string) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("%w: unshare: %w", ErrNotTried, err)
	}
	if root != "" {
		if err := unix.Chroot(root); err != nil {
			return fmt.Errorf("%w: chroot %s: %w", ErrNotTried, root, err)
		}
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("%w: chdir: %w", ErrNotTried, err)
	}
	gid := uintptr(groups[0])
	for _, call := range [][4]uintptr{
		{unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&groups[0])), 0},
		{unix.SYS_SETRESGID, gid, gid, gid},
		{unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)},
	} {
		if _, _, no := unix.RawSyscall(call[0], call[1], call[2], call[3]); no != 0 {
			return fmt.Errorf("%w: become uid %d: %w", ErrNotTried, uid, no)
		}
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	err = unix.Connect(fd, &unix.SockaddrUnix{Name: socket})
	if err == unix.EAGAIN { // others wait as well
		err = nil
	}
	return err
}
