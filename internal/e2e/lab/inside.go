package lab

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Inside is the path on the host of a file as programs of the box see it, with what is
// mounted there. A reboot gives it another one.
func (b *Box) Inside(path string) string {
	return filepath.Join("/proc", strconv.Itoa(b.leader), "root", path)
}

// Dial connects from the box's network to an IP address.
func (b *Box) Dial(network, address string) (net.Conn, error) {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer home.Close()
	there, err := os.Open(filepath.Join("/proc", strconv.Itoa(b.leader), "ns/net"))
	if err != nil {
		return nil, err
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	conn, err := net.Dial(network, address)
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return nil, errors.Join(err, back) // the thread stays this goroutine's, and ends with it
	}
	runtime.UnlockOSThread()
	return conn, err
}
