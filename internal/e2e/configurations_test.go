//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// configuration is a server in the manner of real ones, as its administrator left it
// before mailsetup came.
type configuration struct {
	name string
	// releases has it; all of them if it is nil, where a daemon of the two could
	// decide otherwise. The others are shared between the releases, for the time.
	releases []string
	// script comes before main and master, which follow in main.cf and master.cf.
	script, main, master string
	// logins: users can log in. A smtpd that offers it without a way to do so dies.
	logins bool
	args   []string // of init, beside domain and address
	code   int
	says   []string // of init
	// signed are ways in by which a message leaves with one signature that holds, and
	// unsigned those by which it leaves without one.
	signed, unsigned []string
	// since is what happens on the server after the first run; again says that it has
	// mailsetup change something.
	since func(t *testing.T, b *lab.Box)
	again bool
	// known are IDs of problems that mailsetup check is right to find.
	known []string
	// undo puts back what script did outside of /etc/postfix.
	undo string
}

// TestConfigurations: each of these servers is set up, signs each message once, is not
// changed by a second run, and gets every byte back by a rollback. They follow one
// another on the same two machines.
func TestConfigurations(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		b.ContentFilter(t, "127.0.0.1:10024", "127.0.0.1:10025")
		for name, text := range stands {
			b.Write(t, "/usr/local/bin/"+name, text, 0o755)
		}
		b.Sh(t, "cp -a /etc/postfix /root/postfix; useradd -u 5000 -m vmail")
		for i, c := range slices.Concat(virtualServers, filteredServers, furtherServers) {
			if c.releases != nil && !slices.Contains(c.releases, release) || c.releases == nil && !lab.TakesTurn(i, release) {
				continue
			}
			if !t.Run(c.name, func(t *testing.T) { c.try(t, b, sink) }) {
				b.Sh(t, "mailsetup rollback --yes || true; systemctl stop postfix; set +e\n"+c.undo+"\n:") // for those that follow
			}
		}
	})
}

// try sets the server up and takes that back.
func (c configuration) try(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	b.Sh(t, "rm -r /etc/postfix; cp -a /root/postfix /etc/postfix; cd /etc/postfix; :\n"+c.script)
	if c.logins {
		b.SASLUser(t, "ann", "secret")
	}
	b.Write(t, "/etc/postfix/main.cf", b.Read(t, "/etc/postfix/main.cf")+c.main, 0o644)
	b.Write(t, "/etc/postfix/master.cf", b.Read(t, "/etc/postfix/master.cf")+c.master, 0o644)
	b.Sh(t, "systemctl restart postfix")
	becomes(t, b, "postfix status 2>/dev/null")
	was := look(t, b)
	args := append([]string{"init", "--yes", "--domain", lab.Origin, "--ip", "192.0.2.10"}, c.args...)
	begun := time.Now()
	took := func(what string) {
		t.Logf("%s: %v", what, time.Since(begun).Round(100*time.Millisecond))
		begun = time.Now()
	}
	out, said := product(t, b, c.code, args...)
	took("init")
	says(t, oneLine(out+said), c.says...)
	saysNot(t, oneLine(out+said), "internal error")
	if c.code != 0 {
		says(t, said, "hint: ")
	}
	switch c.code {
	case 2: // refused
		asBefore(t, b, was)
	case 3: // set up, but mail does not leave as it should
		product(t, b, 0, "rollback", "--yes")
		unchanged(t, withoutLedger(was), withoutLedger(look(t, b)))
	default:
		if c.since != nil {
			c.since(t, b)
		}
		c.letters(t, b, sink)
		took("mail, and what happens before it")
		noProblem(t, b, c.known...)
		took("mailsetup check")
		nothingChanges(t, b, args...)
		took("the second run")
		if c.again {
			product(t, b, 0, "rollback", "--yes") // the second run that changed something
		}
		_, id, _ := strings.Cut(strings.TrimSpace(out), "mailsetup rollback ")
		product(t, b, 0, "rollback", "--yes", id)
		took("the rollback")
		unchanged(t, withoutLedger(was), withoutLedger(look(t, b)))
	}
	b.Sh(t, "postsuper -d ALL 2>&1; :\n"+c.undo)
}

// letters sends a message on each way, all at once.
func (c configuration) letters(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	before, ways := sink.Count(), slices.Concat(c.signed, c.unsigned)
	for _, way := range ways {
		c.send(t, b, way)
	}
	msgs := sink.Wait(t, before+len(ways), 90*time.Second)[before:]
	if len(msgs) != len(ways) {
		t.Errorf("%d messages arrived, sent %d", len(msgs), len(ways))
	}
	for _, way := range ways {
		i := slices.IndexFunc(msgs, func(m lab.Message) bool {
			head, _, _ := bytes.Cut(m.Data, []byte("\r\n\r\n"))
			return bytes.Contains(head, []byte("Subject: "+way+"\r\n")) || way == "bounce" && bytes.Contains(head, []byte("MAILER-DAEMON"))
		})
		switch {
		case i < 0:
			t.Errorf("%s: nothing arrived", way)
		case slices.Contains(c.signed, way):
			signed(t, b, msgs[i].Data)
		default:
			if found := lab.VerifyDKIM(t, b, msgs[i].Data); len(found) != 0 {
				t.Errorf("%s: signed: %+v\n%s", way, found, msgs[i].Data)
			}
		}
	}
}

// send hands a message to the server on a way.
func (c configuration) send(t *testing.T, b *lab.Box, way string) {
	t.Helper()
	m := lab.Letter{From: "ann@lab.example", To: "bob@remote.example", Subject: way, Body: "hello"}
	switch way {
	case "sendmail":
		b.Sh(t, `printf 'From: root@mail.lab.example\nTo: bob@remote.example\nSubject: sendmail\n\nhello\n' | /usr/sbin/sendmail -t -i`)
		return
	case "resent": // by a program to which somebody's message was delivered
		b.Sh(t, `printf 'Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\nFrom: ann@lab.example\nTo: bob@remote.example\nSubject: resent\n\nhello\n' | /usr/sbin/sendmail -f ann@lab.example -i bob@remote.example`)
		return
	case "bounce":
		b.Sh(t, `printf 'From: bob@remote.example\nTo: nobody-here@mail.lab.example\nSubject: to nobody\n\nhello\n' | /usr/sbin/sendmail -f bob@remote.example -i nobody-here@mail.lab.example`)
		return
	case "port 25":
	case "list": // as a list manager sends on what it got here
		m.Raw = []byte("Received: from mail.lab.example (localhost [127.0.0.1])\n\tby mail.lab.example (Postfix) with ESMTP id 4XYZ\n" +
			"From: Ann via talk <talk@lab.example>\nTo: talk@lab.example\nSubject: list\nMessage-ID: <1@lab.example>\n\nhello\n")
	case "submission":
		m.Server, m.Client = b.Addr+":587", lab.LANAddr
	case "LAN":
		m.Client = lab.LANAddr
	case "printer": // an address that mynetworks takes out
		m.Client = "10.20.30.99"
		m.From, m.HeaderFrom, m.To = "eve@remote.example", "ann@lab.example", "info@shop.example"
	case "stranger":
		m.Client = lab.OutsideAddr
		m.From, m.HeaderFrom, m.To = "eve@remote.example", "ann@lab.example", "info@shop.example"
	default:
		t.Fatalf("no way %q", way)
	}
	if said, taken := b.Send(t, m); !taken {
		t.Fatalf("%s: %s", way, said)
	}
}

// stands are programs that stand in for those of other packages, with what Postfix
// sees of them.
var stands = map[string]string{
	// spamc -e COMMAND adds what SpamAssassin found, and hands on.
	"spamc": "#!/bin/sh\nwhile [ \"$1\" != -e ]; do shift; done; shift\n{ echo 'X-Spam-Status: No, score=0.1'; cat; } | exec \"$@\"\n",
	// scrub is a filter that leaves out how a message came here.
	"scrub": `#!/bin/sh
awk 'body { print; next } /^$/ { body = 1 } /^Received:/ { skip = 1; next } /^[ \t]/ && skip { next } { skip = 0; print }' | exec /usr/sbin/sendmail -oi -f "$@"
`,
	// zeyple encrypts where it has a key, and hands back by SMTP.
	"zeyple.py": `#!/usr/bin/python3
import email, email.utils, smtplib, sys
text = b"X-Zeyple: processed\n" + sys.stdin.buffer.read()
sender = email.utils.parseaddr(str(email.message_from_bytes(text)["From"]))[1]
smtplib.SMTP("127.0.0.1", 10026).sendmail(sender, sys.argv[1:], text)
`,
	// socketmap answers look-ups as a MySQL or LDAP server would by its own protocol:
	// each name in lab.example and each domain of ours is there.
	"socketmap": `#!/usr/bin/python3
import socketserver
class Map(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            n = b""
            while not n.endswith(b":"):
                c = self.rfile.read(1)
                if not c: return
                n += c
            name, key = self.rfile.read(int(n[:-1])).split(b" ", 1)
            self.rfile.read(1)
            found = {b"ann@lab.example": b"lab/ann/", b"info@shop.example": b"bob@remote.example"}.get(key)
            said = b"OK " + found if found else b"NOTFOUND "
            self.wfile.write(b"%d:%s," % (len(said), said))
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("127.0.0.1", 9990), Map).serve_forever()
`,
}

const leaves = "Mail of this server leaves signed. Messages by sendmail and by port 25 went through Postfix (smtp, relay) to a server of ours on this machine, and their signatures hold there."

// mailboxes are the settings of a server whose domains are all virtual.
const mailboxes = `mydestination = localhost
alias_maps =
alias_database =
virtual_mailbox_base = /home/vmail
virtual_uid_maps = static:5000
virtual_gid_maps = static:5000
`

var virtualServers = []configuration{
	{
		name: "virtual domains in hash", releases: []string{"trixie"},
		script: `printf 'ann@lab.example lab/ann/\n' >vmailbox; printf 'postmaster@lab.example ann@lab.example\ninfo@shop.example bob@remote.example\n' >valias
postmap hash:vmailbox hash:valias`,
		main: mailboxes + `virtual_mailbox_domains = lab.example, shop.example
virtual_mailbox_maps = hash:/etc/postfix/vmailbox
virtual_alias_maps = hash:/etc/postfix/valias
`,
		says:   []string{leaves, "Postfix delivers for shop.example, too; mail of those addresses leaves unsigned"},
		signed: []string{"sendmail", "port 25", "bounce"}, unsigned: []string{"stranger"},
	},
	{
		// lmdb: is a package of its own, which servers that came from another release
		// name without having it: every look-up fails until it is installed.
		name: "virtual domains in lmdb without its package, others inline", releases: []string{"bookworm"},
		main: mailboxes + `virtual_mailbox_domains = inline:{lab.example=1, shop.example=1}
virtual_mailbox_maps = inline:{{ann@lab.example=lab/ann/}}
virtual_alias_maps = inline:{{postmaster@lab.example=ann@lab.example}, {info@shop.example=bob@remote.example}}
smtpd_sender_login_maps = lmdb:/etc/postfix/logins
`,
		says:   []string{leaves},
		signed: []string{"sendmail", "port 25", "bounce"}, unsigned: []string{"stranger"},
	},
	{
		name: "mysql maps that are down", releases: []string{"bookworm"},
		script: `printf 'user = mail\npassword = secret\nhosts = 127.0.0.1\ndbname = mail\nquery = SELECT goto FROM alias WHERE address=%%s\n' >mysql-alias.cf; chmod 640 mysql-alias.cf; chgrp postfix mysql-alias.cf`,
		main: mailboxes + `virtual_mailbox_domains = lab.example, shop.example
virtual_mailbox_maps = inline:{{ann@lab.example=lab/ann/}}
virtual_alias_maps = mysql:/etc/postfix/mysql-alias.cf
`,
		says: []string{"The signer was asked, and signs mail of this server. What Postfix does with it after that is not known: virtual_alias_maps could not be asked"},
		// Postfix takes no mail as long as it cannot ask them.
	},
	{
		name: "ldap maps that are down, and come back", releases: []string{"trixie"},
		main: mailboxes + `virtual_mailbox_domains = lab.example, shop.example
virtual_mailbox_maps = socketmap:inet:127.0.0.1:9990:users
virtual_alias_maps = socketmap:inet:127.0.0.1:9990:aliases
`,
		says: []string{"The signer was asked, and signs mail of this server. What Postfix does with it after that is not known: virtual_alias_maps could not be asked"},
		since: func(t *testing.T, b *lab.Box) {
			b.Sh(t, "systemd-run -q --unit lab-socketmap /usr/local/bin/socketmap; postfix reload")
			listens(t, b, "9990")
		},
		signed: []string{"sendmail", "port 25", "bounce"}, unsigned: []string{"stranger"},
		undo: "systemctl stop lab-socketmap",
	},
}

// aliases lead mail of strangers out again.
const aliases = `virtual_alias_domains = shop.example
virtual_alias_maps = inline:{{info@shop.example=bob@remote.example}}
mynetworks = 127.0.0.0/8 [::1]/128, 10.20.30.0/24
`

var filteredServers = []configuration{
	{
		name: "amavis behind the queue", releases: []string{"bookworm"},
		main: aliases + "content_filter = smtp-amavis:[127.0.0.1]:10024\n", master: filterMaster + backMaster + backOverrides + "\n",
		args: []string{"--service-milters", "merge"},
		says: []string{
			leaves, "mail is signed once, before it goes to smtp-amavis:[127.0.0.1]:10024, and not when it comes back by 127.0.0.1:10025/inet",
		},
		signed: []string{"sendmail", "port 25", "LAN", "list"}, unsigned: []string{"stranger"},
	},
	{
		name: "amavis before the queue", releases: []string{"trixie"},
		script: `postconf -P smtp/inet/smtpd_proxy_filter=127.0.0.1:10024`,
		main:   aliases, master: `submission inet n - y - - smtpd
  -o syslog_name=postfix/submission
127.0.0.1:10025 inet n - y - - smtpd
  -o smtpd_authorized_xforward_hosts=127.0.0.0/8
  -o smtpd_client_restrictions=
  -o smtpd_recipient_restrictions=permit_mynetworks,reject
  -o mynetworks=127.0.0.0/8
  -o receive_override_options=no_unknown_recipient_checks
`,
		args: []string{"--service-milters", "merge"},
		says: []string{
			"Mail of this server leaves signed, apart from what takes the way through smtpd_proxy_filter. Messages by sendmail went through Postfix",
			"Not tried by port 25: what comes in there goes to 127.0.0.1:10024 before the signer sees it (smtpd_proxy_filter)",
			"mail that comes in by smtp/inet goes to 127.0.0.1:10024 before any milter sees it",
		},
		signed: []string{"sendmail", "submission"}, unsigned: []string{"port 25", "LAN", "stranger"},
	},
	{
		name:   "SpamAssassin by a pipe and sendmail",
		script: `postconf -P smtp/inet/content_filter=spamassassin`,
		main:   aliases, master: `spamassassin unix - n n - - pipe
  user=nobody argv=/usr/local/bin/spamc -f -e /usr/sbin/sendmail -oi -f ${sender} ${recipient}
submission inet n - y - - smtpd
  -o syslog_name=postfix/submission
`,
		says: []string{
			leaves, "mail is signed once, before it goes to spamassassin, and not when it comes back by sendmail(1)",
		},
		signed: []string{"sendmail", "port 25", "LAN", "list", "submission", "bounce"}, unsigned: []string{"stranger", "resent"},
	},
	{
		name: "a filter that hides where mail is from", releases: []string{"bookworm"},
		script: `postconf -P smtp/inet/content_filter=scrub`,
		master: "scrub unix - n n - - pipe\n  user=nobody argv=/usr/local/bin/scrub ${sender} ${recipient}\n", code: 3,
		says: []string{"by port 25, arrived with 2 signatures of lab.example. So it would be if somebody outside had sent it in your name"},
	},
	{
		name: "Zeyple by a pipe and SMTP", releases: []string{"trixie"},
		main: aliases + "content_filter = zeyple\n", master: `zeyple unix - n n - - pipe
  user=nobody argv=/usr/local/bin/zeyple.py ${recipient}
localhost:10026 inet n - n - 10 smtpd
  -o content_filter=
  -o receive_override_options=no_unknown_recipient_checks,no_header_body_checks
  -o smtpd_authorized_xforward_hosts=127.0.0.0/8
`,
		args:   []string{"--service-milters", "merge"},
		says:   []string{leaves, "mail is signed once, before it goes to zeyple, and not when it comes back by localhost:10026/inet or sendmail(1)"},
		signed: []string{"sendmail", "port 25", "LAN", "list"}, unsigned: []string{"stranger"},
	},
	{
		name: "a filter on another machine", releases: []string{"bookworm"},
		main: "content_filter = scan:[192.0.2.77]:10024\n", master: "scan unix - - y - 2 smtp\n", code: 2,
		says: []string{"/etc/postfix/main.cf: content_filter = scan:[192.0.2.77]:10024: the filter is not on this machine, and nobody can tell from here what it sends back"},
	},
	{
		name: "a proxy filter for all users", releases: []string{"trixie"},
		logins: true,
		main:   "smtpd_proxy_filter = 127.0.0.1:10024\nsmtpd_sasl_auth_enable = yes\n", master: `submission inet n - y - - smtpd
127.0.0.1:10025 inet n - y - - smtpd
  -o smtpd_proxy_filter=
  -o mynetworks=127.0.0.0/8
`,
		code: 2,
		says: []string{
			"(smtp/inet), which takes the message before any milter sees it (MILTER_README, Limitations): mail of users who log in cannot be signed",
			"-o smtpd_proxy_filter= below submission in /etc/postfix/master.cf",
		},
	},
}

var furtherServers = []configuration{
	{
		name: "Mailman with LMTP and tables of its own", releases: []string{"trixie"},
		// The package is too heavy: what Postfix sees of it are these tables, and its
		// mail by port 25.
		script: `install -d /var/lib/mailman3/data; cd /var/lib/mailman3/data
printf 'talk@lab.example lmtp:[127.0.0.1]:8024\n' >postfix_lmtp; printf 'lab.example lab.example\n' >postfix_domains; postmap hash:postfix_lmtp hash:postfix_domains`,
		main: `owner_request_special = no
transport_maps = hash:/var/lib/mailman3/data/postfix_lmtp
local_recipient_maps = proxy:unix:passwd.byname, $alias_maps, hash:/var/lib/mailman3/data/postfix_lmtp
relay_domains = hash:/var/lib/mailman3/data/postfix_domains
recipient_delimiter = +
`,
		says: []string{leaves}, signed: []string{"sendmail", "port 25", "list"}, undo: "rm -r /var/lib/mailman3",
	},
	{
		name: "postscreen in front", releases: []string{"bookworm"},
		script: `postconf -F smtp/inet/command=postscreen smtp/inet/process_limit=1
postconf -M smtpd/pass='smtpd pass - - y - - smtpd' dnsblog/unix='dnsblog unix - - y - 0 dnsblog' tlsproxy/unix='tlsproxy unix - - y - 0 tlsproxy'`,
		main: aliases + "postscreen_access_list = permit_mynetworks\npostscreen_greet_wait = 2s\npostscreen_greet_action = enforce\n",
		says: []string{leaves}, signed: []string{"sendmail", "port 25", "LAN"}, unsigned: []string{"stranger"},
	},
	{
		name: "a null client", releases: []string{"trixie"},
		main: "inet_interfaces = loopback-only\nmydestination =\nrelayhost = [192.0.2.25]\nlocal_transport = error:no local mail\n",
		args: []string{"--receive", "no"},
		says: []string{leaves, "mail leaves through [192.0.2.25]; the SPF record of lab.example does not name the addresses it sends from"},
		// It is not asked by its address.
		signed: []string{"sendmail"},
	},
	{
		name: "a panel that writes the zone anew", releases: []string{"bookworm"},
		script: "cp -p /etc/bind/db.lab.example /root/db.panel",
		says:   []string{leaves},
		since: func(t *testing.T, b *lab.Box) {
			t.Helper()
			b.Sh(t, `n=$(sed -n 's/^@ IN SOA [^ ]* [^ ]* \([0-9]*\) .*/\1/p' /etc/bind/db.lab.example)
sed "s/^\(@ IN SOA [^ ]* [^ ]* \)[0-9]*/\1$((n + 1))/" /root/db.panel >/etc/bind/db.lab.example`)
			reload(t, b, "lab.example")
			out, _ := product(t, b, 0, "init", "--yes", "--domain", lab.Origin, "--ip", "192.0.2.10", "--verbose")
			says(t, oneLine(out), "/etc/bind/db.lab.example")
		},
		again: true, signed: []string{"sendmail", "port 25"}, undo: "rm -f /root/db.panel",
	},
	{
		name: "a queue on another disk, and networks without a printer", releases: []string{"trixie"},
		script: "systemctl stop postfix; install -d /srv/mail; cp -a /var/spool/postfix /srv/mail/queue",
		main:   "queue_directory = /srv/mail/queue\n" + strings.Replace(aliases, "10.20.30.0/24", "!10.20.30.99 10.20.30.0/24", 1),
		says: []string{
			leaves, "mail of @lab.example, when it comes from this machine and from 10.20.30.0/24 without 10.20.30.99/32 (mynetworks)",
		},
		signed: []string{"sendmail", "port 25", "LAN", "bounce"}, unsigned: []string{"printer", "stranger"},
		undo: "systemctl stop postfix; rm -r /srv/mail",
	},
	{
		name: "a queue behind a link", releases: []string{"bookworm"},
		script: "systemctl stop postfix; install -d /srv/mail; mv /var/spool/postfix /srv/mail/queue; ln -s /srv/mail/queue /var/spool/postfix",
		says:   []string{leaves}, signed: []string{"sendmail", "port 25"},
		undo: "systemctl stop postfix; rm /var/spool/postfix; mv /srv/mail/queue /var/spool/postfix; rmdir /srv/mail",
	},
	{
		name: "an open relay", releases: []string{"trixie"},
		main: "mynetworks = 0.0.0.0/0\n", code: 2,
		says: []string{
			"mail from anywhere that says it is yours would be signed: 0.0.0.0/0 (mynetworks of Postfix) is trusted",
			"name the networks of your own senders alone in mynetworks of main.cf",
		},
	},
	{
		name: "rspamd that signs", releases: []string{"bookworm"},
		script: rspamdThere, main: "smtpd_milters = inet:localhost:11332\nnon_smtpd_milters = $smtpd_milters\n",
		args: []string{"--other-signer", "replace", "--sign-bounces", "no", "--verbose"},
		says: []string{
			"rspamd no longer signs: OpenDKIM does", "selector = \"mail\"",
			strings.Replace(leaves, "leaves signed.", "leaves signed, apart from what you left out.", 1),
		},
		signed: []string{"sendmail", "port 25"},
		undo:   "systemctl stop rspamd",
	},
}

// rspamdThere sets the real one up, as TestOtherSigners does.
var rspamdThere = fmt.Sprintf(`mkdir -p /etc/rspamd/local.d /var/lib/rspamd/dkim
printf 'example\ncom\n' >/etc/rspamd/tld.dat
for m in fuzzy_check rbl phishing whitelist mime_types asn; do echo 'enabled = false;' >/etc/rspamd/local.d/$m.conf; done
printf '%%s' '%s' >/etc/rspamd/local.d/dkim_signing.conf
printf '%%s' '%s' >/etc/rspamd/local.d/worker-proxy.inc
printf '%%s' '%s' >/etc/rspamd/local.d/options.inc
systemctl mask rspamd 2>/dev/null
env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-download --no-install-recommends rspamd >/dev/null 2>&1
openssl genrsa -out /var/lib/rspamd/dkim/lab.example.mail.key 2048; chown -R _rspamd:_rspamd /var/lib/rspamd/dkim
key=$(openssl rsa -in /var/lib/rspamd/dkim/lab.example.mail.key -pubout -outform DER 2>/dev/null | base64 -w0)
sed -i 's/^\(@ IN SOA [^ ]* [^ ]* \)[0-9]*/\12030010101/' /etc/bind/db.lab.example
echo "mail._domainkey IN TXT \"v=DKIM1; k=rsa; p=\" \"$(echo $key | cut -c-200)\" \"$(echo $key | cut -c201-)\"" >>/etc/bind/db.lab.example
rndc reload lab.example
systemctl unmask rspamd 2>/dev/null; systemctl start rspamd; for i in $(seq 600); do ss -tlnH 'sport = :11332' | grep -q . && break; sleep .1; done`, rspamdSigning, rspamdProxy, rspamdQuick)
