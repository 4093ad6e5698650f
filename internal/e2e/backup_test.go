//go:build e2e

package e2e

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// TestBackup: what one server was, after a rotation, another one without any mail package
// is from its backup: the same keys sign, as DNS has them. What names the old server is
// told. Then both sign side by side, with a key of each, until the old one gives back what
// it found; and a rollback takes all of it from the new one.
func TestBackup(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		old, oldSink := signing(t, release)
		old.Named(t, "shop.example")
		product(t, old, 0, "add-domain", "--yes", "shop.example")
		product(t, old, 0, "rotate-dkim", "--now", "--yes", "lab.example")
		laterBy(t, old, 24*time.Hour)
		product(t, old, 0, "rotate-dkim", "--yes")
		backedUp(t, old)

		b, sink := bareBeside(t, old, release)
		was := treeOf(t, b)
		damagedBackups(t, b)
		out, _ := product(t, b, 0, "restore", "--passphrase-file", "/root/pass", "--dry-run", "/root/mail.backup")
		says(t, out, "Restored", "postfix", "opendkim")
		same(t, was, treeOf(t, b))

		out, _ = product(t, b, 0, "restore", "--yes", "--passphrase-file", "/root/pass", "/root/mail.backup")
		told := strings.Join(strings.Fields(out), " ")
		says(t, told, "this server calls itself new.lab.example, and its settings say mail.lab.example",
			"--ip 192.0.2.10 --ip 192.0.2.20", "BIND does not serve lab.example, shop.example here")
		const keys = `cd /etc/dkimkeys && find . -type f -printf '%P %u %m ' -exec sha256sum '{}' ';' | sort; find . -type d -printf '%P %u %m\n' | sort`
		if there, here := old.Sh(t, keys), b.Sh(t, keys); there != here {
			t.Errorf("keys there:\n%s\nhere:\n%s", there, here)
		}
		for _, domain := range []string{"lab.example", "shop.example"} {
			if there, here := selectorOf(t, old, domain), selectorOf(t, b, domain); there != here {
				t.Errorf("%s signs with %s, and there with %s", domain, here, there)
			}
			signedBy(t, old, sent(t, b, sink, "ann@"+domain), domain) // by the DNS that knows the old server
		}
		noLeak(t, b)
		out, _ = product(t, b, 0, "init", "--yes")
		says(t, out, "Nothing to do")
		_, stderr := product(t, b, 2, "restore", "--yes", "--passphrase-file", "/root/pass", "/root/mail.backup")
		says(t, stderr, "this server has settings or keys of its own", "/etc/mailsetup/domains.d/lab.example.toml", "add --replace")

		movesOn(t, old, b, oldSink, sink)
	})
}

// backedUp writes a backup of a server, with a passphrase and to a key of ssh.
func backedUp(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Sh(t, "umask 077; echo 'correct horse battery' >/root/pass")
	out, _ := product(t, b, 0, "backup", "--passphrase-file", "/root/pass", "/root/mail.backup")
	says(t, out, "Written, encrypted: /root/mail.backup", "In it: settings and ledger of 2 domains, 3 private keys")
	if is := b.Run(t, "stat", "-c", "%a %U %F", "/root/mail.backup"); is != "600 root regular file\n" {
		t.Errorf("the backup is %s", is)
	}
	_, stderr := product(t, b, 2, "backup", "--passphrase-file", "/root/pass", "/root/mail.backup")
	says(t, stderr, "is there already")
	noLeak(t, b)
}

// bareBeside boots a server without mail packages, which asks the first one about DNS, and
// copies the backup there.
func bareBeside(t *testing.T, old *lab.Box, release string) (*lab.Box, *lab.Sink) {
	t.Helper()
	b := lab.Boot(t, lab.Options{Release: release, Image: lab.Bare, Hostname: "new.lab.example", Addresses: []string{"192.0.2.20/32"}})
	lab.Connect(t, old, b)
	b.Install(t)
	sink := b.Sink(t)
	old.Sh(t, `sed -i 's/allow-recursion { localhost; }/allow-recursion { any; }/' /etc/bind/named.conf.options; systemctl restart named`)
	b.Write(t, "/etc/resolv.conf", "nameserver 192.0.2.10\n", 0o644)
	b.Write(t, "/root/pass", "correct horse battery\n", 0o600)
	b.Write(t, "/root/mail.backup", old.Read(t, "/root/mail.backup"), 0o600)
	return b, sink
}

// damagedBackups: of a backup that was cut or changed, or for which the passphrase is
// another one, nothing is put in place.
func damagedBackups(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Sh(t, `cd /root; head -c 9000 mail.backup >cut; cp mail.backup changed; printf x | dd of=changed bs=1 seek=9000 conv=notrunc 2>/dev/null; umask 077; echo 'another passphrase' >other`)
	for _, tt := range []struct{ file, pass, want string }{
		{"/root/cut", "/root/pass", "is cut off, or was changed since it was written"},
		{"/root/changed", "/root/pass", "is cut off, or was changed since it was written"},
		{"/root/mail.backup", "/root/other", "this passphrase does not open it"},
		{"/root/pass", "/root/pass", "is no backup"},
	} {
		_, stderr := product(t, b, 2, "restore", "--yes", "--passphrase-file", tt.pass, tt.file)
		says(t, stderr, tt.want)
	}
}

// keyInZone is one in the text of a zone.
var keyInZone = regexp.MustCompile(`(?ms)^\S+\._domainkey\S*\s.*?\)\n`)

// movesOn is the way to another server as docs/migration.md has it: the new one begins
// with a key of its own, while mail of the old one verifies as before.
func movesOn(t *testing.T, old, b *lab.Box, oldSink, sink *lab.Sink) {
	t.Helper()
	first := selectorOf(t, old, "lab.example")
	out, _ := product(t, b, 3, "rotate-dkim", "--now", "--yes", "lab.example")
	says(t, out, "_domainkey")
	record := ""
	for _, r := range keyInZone.FindAllString(b.Run(t, "mailsetup", "dns", "lab.example"), -1) {
		if selector, _, _ := strings.Cut(r, "."); keyRecord(t, old, selector, "lab.example") == "" {
			record += r
		}
	}
	if strings.Count(record, "_domainkey") != 1 {
		t.Fatalf("record of the new key: %s", record)
	}
	const file = "/etc/bind/db.lab.example"
	text := old.Read(t, file)
	n, err := strconv.Atoi(serial.FindStringSubmatch(text)[2])
	if err != nil {
		t.Fatal(err)
	}
	old.Write(t, file, serial.ReplaceAllString(text, "${1}"+strconv.Itoa(n+1))+record, 0o644)
	reload(t, old, "lab.example")
	product(t, b, 0, "rotate-dkim", "--yes")
	laterBy(t, b, 24*time.Hour)
	product(t, b, 0, "rotate-dkim", "--yes")
	next := selectorOf(t, b, "lab.example")
	if next == first {
		t.Errorf("%s still signs on the new server", first)
	}
	signedBy(t, old, sent(t, b, sink, "ann@lab.example"), "lab.example")
	leavesSigned(t, old, oldSink)
	if is := selectorOf(t, old, "lab.example"); is != first {
		t.Errorf("%s signs on the old server, was %s", is, first)
	}
}
