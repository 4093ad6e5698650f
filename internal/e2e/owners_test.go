//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// otherUser is a server whose OpenDKIM runs as a user of its own, to whom tables
// and keys belong.
func otherUser() handmade {
	return handmade{
		name: "another user",
		files: map[string]string{
			"/etc/opendkim.conf": `Syslog yes
UserID dkimsign
UMask 007
PidFile /run/opendkim/opendkim.pid
Socket inet:8891@localhost
Nameservers 127.0.0.1
OversignHeaders From
KeyTable file:/etc/opendkim/keys
SigningTable file:/etc/opendkim/who
InternalHosts file:/etc/opendkim/inside
`,
			"/etc/opendkim/keys":            "main lab.example:main:/etc/dkimkeys/main.private\n",
			"/etc/opendkim/who":             "lab.example main\n",
			"/etc/opendkim/inside":          "127.0.0.1\n::1\n192.0.2.10\n",
			dropInDir + "user.conf":         "[Service]\nUser=dkimsign\nGroup=dkimsign\nNice=5\n",
			"/etc/tmpfiles.d/opendkim.conf": "d /run/opendkim 0750 dkimsign dkimsign -\n",
		},
		setup: `useradd --system --user-group --shell /usr/sbin/nologin dkimsign
cd /etc/dkimkeys; opendkim-genkey -d lab.example -s main; chmod 640 main.txt; chmod 700 /etc/opendkim /etc/dkimkeys
chown -R dkimsign: /etc/opendkim /etc/dkimkeys; systemd-tmpfiles --create /etc/tmpfiles.d/opendkim.conf
install -m 600 main.private /root/other.key; systemctl daemon-reload
postconf -e smtpd_milters=inet:localhost:8891 'non_smtpd_milters=$smtpd_milters' milter_default_action=accept`,
		keys:    map[string]string{"lab.example": "/etc/dkimkeys/main.txt"},
		senders: map[string]string{"ann@lab.example": "lab.example"},
		listed:  []string{"/etc/dkimkeys/main.private (opendkim gets a copy, /etc/dkimkeys/adopted/main._domainkey.lab.example.private)"},
	}
}

// TestAdoptOfAnotherUser: no message goes without its signature before, while and
// after the signer changes its user, and none after a rollback. What the signer
// cannot read it is not given, and nobody else's mail is signed.
func TestAdoptOfAnotherUser(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		h := otherUser()
		b, sink := h.boots(t, release)
		was, units, before := look(t, b), b.Snapshot(t, "/etc/systemd/system"), h.signatures(t, b, sink)
		args := adoptArgs("--replace-override")
		out, _ := product(t, b, 0, "adopt", "--dry-run", "--replace-override", "--ip", "192.0.2.10")
		says(t, strings.Join(strings.Fields(out), " "), h.listed...)
		_, stderr := product(t, b, 2, adoptArgs()...)
		says(t, stderr, "user.conf", "User=dkimsign", "--replace-override")

		// A table of the signer's cannot have a file of root's given to it.
		b.Sh(t, "sed -i s,/etc/dkimkeys/main.private,/root/other.key, /etc/opendkim/keys")
		_, stderr = product(t, b, 2, args...)
		says(t, stderr, "/etc/opendkim/keys:1: the key of lab.example: OpenDKIM runs as dkimsign and cannot use it", "/root", "hint: put it into a directory")
		b.Sh(t, "mv /root/other.key /etc/dkimkeys/other.key; sed -i s,/root/,/etc/dkimkeys/, /etc/opendkim/keys")
		_, stderr = product(t, b, 2, args...)
		says(t, stderr, "cannot read /etc/dkimkeys/other.key (root:root, mode 0600)", "if this is its key: chown dkimsign: /etc/dkimkeys/other.key")
		b.Sh(t, "mv /etc/dkimkeys/other.key /root/; sed -i s,other.key,main.private, /etc/opendkim/keys")
		b.Sh(t, "echo 0.0.0.0/1 >>/etc/opendkim/inside; echo 128.0.0.0/1 >>/etc/opendkim/inside")
		_, stderr = product(t, b, 2, args...)
		says(t, stderr, "/etc/opendkim/inside:4: 0.0.0.0/1 lets mail from anywhere be signed", "/etc/opendkim/inside:5: 128.0.0.0/1")
		b.Sh(t, "sed -i /1$/d /etc/opendkim/inside; printf '127.0.0.1\\n::1\\n192.0.2.10\\n' >/etc/opendkim/inside")
		asBefore(t, b, was)
		compare(t, before, h.signatures(t, b, sink))

		under(t, b, sink, calm, "adopt", func() { product(t, b, 0, args...) })
		compare(t, before, h.signatures(t, b, sink))
		if who := b.Sh(t, "ps -o user= -C opendkim | sort -u; stat -c %U:%G,%a /etc/opendkim /etc/dkimkeys /etc/dkimkeys/adopted /etc/dkimkeys/main.private"); who !=
			"opendkim\nroot:root,711\nroot:root,711\nopendkim:opendkim,700\ndkimsign:dkimsign,600\n" {
			t.Errorf("OpenDKIM runs as, and the owners are\n%s", who)
		}
		noneElseSigned(t, b)
		nothingChanges(t, b, adoptArgs()...)

		under(t, b, sink, calm, "rollback", func() { product(t, b, 0, "rollback", "--yes") })
		asBefore(t, b, was)
		same(t, units, b.Snapshot(t, "/etc/systemd/system"))
		compare(t, before, h.signatures(t, b, sink))
		if who := b.Sh(t, "ps -o user= -C opendkim | sort -u"); who != "dkimsign\n" {
			t.Errorf("after the rollback OpenDKIM runs as %s", who)
		}
		if said := b.Sh(t, "journalctl -q --no-pager -o cat -t opendkim | grep -iE 'denied|not secure|load key|loading key' || true"); said != "" {
			t.Errorf("OpenDKIM was locked out of a key:\n%s", said)
		}
	})
}

// noneElseSigned asks for trust in everybody in each place where one can, and
// sends a forged message from elsewhere.
func noneElseSigned(t *testing.T, b *lab.Box) {
	t.Helper()
	const host = "/etc/mailsetup/host.toml"
	is, main, tree := b.Read(t, host), b.Read(t, "/etc/postfix/main.cf"), treeOf(t, b)
	b.Sh(t, `sed -i '/^trusted/d' `+host+`; sed -i '/^domain/i trusted = ["0.0.0.0/0"]' `+host)
	_, stderr := product(t, b, 2, "init", "--yes")
	says(t, stderr, "mail from anywhere that says it is yours would be signed: 0.0.0.0/0 (trusted of /etc/mailsetup/host.toml) is trusted", "hint: name the networks of your own senders")
	b.Write(t, host, is, 0o644)
	b.Run(t, "postconf", "-e", "mynetworks=127.0.0.0/8 0.0.0.0/1 128.0.0.0/1")
	_, stderr = product(t, b, 2, "init", "--yes")
	says(t, stderr, "0.0.0.0/1 and 128.0.0.0/1 (mynetworks of Postfix)", "Postfix relays for all in it, too")
	b.Write(t, "/etc/postfix/main.cf", main, 0o644)
	same(t, tree, treeOf(t, b))
	said, taken := b.Send(t, lab.Letter{From: "ann@lab.example", To: "dkimsign@mail.lab.example", Client: "198.51.100.77", Body: "forged"})
	if !taken {
		t.Fatal(said)
	}
	becomes(t, b, "grep -qs forged /var/mail/dkimsign")
	got := b.Read(t, "/var/mail/dkimsign")
	says(t, got, "From: <ann@lab.example>", "forged")
	saysNot(t, got, "DKIM-Signature")
}
