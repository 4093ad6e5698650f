package signer

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/state"
)

// keyMachine is a Debian where postfix was put into the group of OpenDKIM, with
// a private key and a directory of the mode and owner given.
func keyMachine(t *testing.T, file, dir fs.FileMode, owner string) *detecttest.Machine {
	t.Helper()
	pem, err := os.ReadFile("../../../keygen/testdata/rsa2048.pem")
	if err != nil {
		t.Fatal(err)
	}
	m := detecttest.New()
	m.PutFile("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nopendkim:x:104:109::/run/opendkim:/usr/sbin/nologin\npostfix:x:105:110::/var/spool/postfix:/bin/false\nann:x:1000:1000::/home/ann:/bin/sh\n")
	m.PutFile("/etc/group", "root:x:0:\nmail:x:8:opendkim\nopendkim:x:109:postfix\npostfix:x:110:\nann:x:1000:\ndkim:x:111:opendkim,root\n")
	user, group, _ := strings.Cut(owner, ":")
	m.Put("/etc", state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
	m.Put("/etc/keys", state.Object{Kind: state.Directory, Mode: dir, Owner: state.Root})
	m.Put("/etc/keys/a.pem", state.Object{Kind: state.Regular, Mode: file, Owner: state.Owner{User: user, Group: group}, Content: pem})
	return m
}

func TestKeysThatWereThere(t *testing.T) {
	for _, c := range []struct {
		name           string
		file, dir      fs.FileMode
		owner          string
		hidden, unsafe string
		above          state.Path
	}{
		{name: "as it should be", file: 0o600, dir: 0o755, owner: "opendkim:opendkim"},
		{name: "root's", file: 0o600, dir: 0o755, owner: "root:root", hidden: "the user opendkim cannot read /etc/keys/a.pem (root:root, mode 0600)"},
		{name: "by a group of its own", file: 0o640, dir: 0o755, owner: "root:dkim"},
		{name: "by a group with postfix", file: 0o640, dir: 0o755, owner: "root:opendkim", unsafe: "/etc/keys/a.pem (root:opendkim, mode 0640) is open to all of the group opendkim"},
		{name: "world-readable", file: 0o644, dir: 0o755, owner: "opendkim:opendkim", unsafe: "/etc/keys/a.pem (mode 0644) is open to everybody"},
		{name: "somebody else's", file: 0o644, dir: 0o755, owner: "ann:ann", unsafe: "/etc/keys/a.pem belongs to ann"},
		{name: "behind a shut door", file: 0o600, dir: 0o700, owner: "opendkim:opendkim", hidden: "the user opendkim cannot enter /etc/keys (root:root, mode 0700)", above: "/etc/keys"},
		{name: "in everybody's directory", file: 0o600, dir: 0o777, owner: "opendkim:opendkim", unsafe: "/etc/keys (mode 0777) is open to everybody", above: "/etc/keys"},
		{name: "its owner may not", file: 0o044, dir: 0o755, owner: "opendkim:opendkim", hidden: "the user opendkim cannot read /etc/keys/a.pem (opendkim:opendkim, mode 0044)"},
	} {
		m := keyMachine(t, c.file, c.dir, c.owner)
		m.Put("/etc/link.pem", state.Object{Kind: state.Symlink, Content: []byte("keys/a.pem")})
		k, err := Key(m, "/etc/link.pem", "opendkim")
		if err != nil || k.Path != "/etc/keys/a.pem" || k.Bits != 2048 || !strings.HasPrefix(k.Public, "MIIBIjAN") {
			t.Errorf("%s: %+v, %v", c.name, k, err)
		}
		if k.Unreadable != c.hidden || k.Unsafe != c.unsafe || k.Directory != c.above {
			t.Errorf("%s: hidden %q, unsafe %q, above %q; want %q, %q, %q", c.name, k.Unreadable, k.Unsafe, k.Directory, c.hidden, c.unsafe, c.above)
		}
	}
}

func TestKeysThatCannotBeRead(t *testing.T) {
	m := keyMachine(t, 0o600, 0o755, "opendkim:opendkim")
	m.Put("/etc/a", state.Object{Kind: state.Symlink, Content: []byte("/etc/b")})
	m.Put("/etc/b", state.Object{Kind: state.Symlink, Content: []byte("/etc/a")})
	m.PutFile("/etc/text", "MIIEvQIBADANBgkqhkiG")
	for p, want := range map[state.Path]string{
		"/etc/keys/none": "read /etc/keys/none: no such file", "/etc/none/x": "read /etc/none/x: no such file",
		"/etc/keys": "read /etc/keys: a directory, not a file", "/etc/a": "too many symbolic links",
		"/etc/text": "read /etc/text: parse private key: no PEM block",
	} {
		_, err := Key(m, p, "opendkim")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "MII") {
			t.Errorf("%s: %v, want %s", p, err, want)
		}
	}
}
