package safepath

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

// aclName is where the kernel has the access control list of a file, acl(5).
const aclName = "system.posix_acl_access"

// CopyACL gives a file the access control list of another one, if that has one. The mode
// of the file stays, so that it is the list's mask: the list gives nobody more than that,
// not even for an instant.
func CopyACL(from, to string) error {
	list := make([]byte, 4096)
	n, err := unix.Lgetxattr(from, aclName, list)
	if err == unix.ERANGE {
		list = make([]byte, 64<<10) // as long as one may be, xattr(7)
		n, err = unix.Lgetxattr(from, aclName, list)
	}
	if err != nil || n == 0 {
		return nil // there is none, or the file system has no lists, or there is no file
	}
	f, err := OpenFile(to, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil || !fi.Mode().IsRegular() {
		return err
	}
	narrow(list[:n], uint16(fi.Mode().Perm()))
	if err := unix.Fsetxattr(int(f.Fd()), aclName, list[:n], 0); err != nil {
		return &os.PathError{Op: "set the ACL of", Path: to, Err: err}
	}
	return f.Chmod(fi.Mode()) // the owning group's bits, where the list has no mask
}

// narrow gives the entries of a list that are the mode of its file, acl(5), the bits of
// another mode. A list is a version of four bytes and entries of eight: tag, bits, id.
func narrow(list []byte, mode uint16) {
	const owner, mask, other = 0x01, 0x10, 0x20
	for at := 4; at+8 <= len(list); at += 8 {
		bits := list[at+2 : at+4]
		switch binary.LittleEndian.Uint16(list[at:]) {
		case owner:
			binary.LittleEndian.PutUint16(bits, mode>>6&7)
		case mask:
			binary.LittleEndian.PutUint16(bits, mode>>3&7)
		case other:
			binary.LittleEndian.PutUint16(bits, mode&7)
		}
	}
}
