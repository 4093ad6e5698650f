//go:build e2e

package e2e

import "mailsetup/internal/check/finding"

// deferring starts a server elsewhere that answers all mail with a reply, and waits until
// a message for it was deferred, or has come back.
const deferring = `
deferring() {
	systemd-run -q --collect --unit=deferring -p NetworkNamespacePath=/run/netns/world python3 -c '
import socket, sys
server = socket.create_server(("192.0.2.53", 25))
while True:
    try:
        with server.accept()[0] as client, client.makefile("rwb", 0) as stream:
            stream.write(b"220 far.example\r\n")
            for line in stream:
                verb = line[:4].upper()
                stream.write({b"RCPT": sys.argv[1].encode(), b"QUIT": b"221 bye"}.get(verb, b"250 ok") + b"\r\n")
                if verb == b"QUIT": break
    except OSError: pass # who only wanted to know whether it listens
' "$1"
	for i in $(seq 50); do ip netns exec world bash -c '</dev/tcp/192.0.2.53/25' 2>/dev/null && break; sleep 0.1; done
	echo text | sendmail -f ann@lab.example 'bob@[192.0.2.53]'
	case "$1" in
	4*) for i in $(seq 100); do postqueue -j | grep -q delay_reason && break; sleep 0.1; done;;
	*) for i in $(seq 100); do [ -z "$(postqueue -j)" ] && break; sleep 0.1; done;;
	esac
}
`

// older makes queue files five hours older: the time of arrival is inside, with the same
// number of digits.
const older = `
older() {
	python3 -c 'import re, sys
for name in sys.argv[1:]:
    with open(name, "r+b") as f:
        text = f.read(); at = re.search(rb"T.(\d{10})\D", text).start(1)
        f.seek(at); f.write(b"%d" % (int(text[at:at + 10]) - 5 * 3600))
' "$@"
}
`

const noLongerDeferring = "postsuper -d ALL >/dev/null 2>&1; systemctl stop deferring; systemctl reset-failed deferring 2>/dev/null || :"

// operationFaults are those that package operation finds.
var operationFaults = []checkFault{
	{
		id: "queue.why", name: "a receiver defers mail for want of a PTR (4.7.25)",
		inject: deferring + `deferring '450 4.7.25 Client host rejected: cannot find your reverse hostname'`,
		mend:   noLongerDeferring, args: []string{"--skip", "live"},
	},
	{
		id: "queue.why", name: "Gmail defers mail that is not authenticated (4.7.26)",
		inject: deferring + `deferring '421 4.7.26 This mail has been rate limited because it is unauthenticated. - gsmtp'`,
		mend:   noLongerDeferring, args: []string{"--skip", "live"},
	},
	{
		id: "queue.why", name: "Microsoft refuses mail that is not authenticated (5.7.515), which comes back", severity: finding.Note,
		inject: deferring + `deferring '550 5.7.515 Access denied, sending domain lab.example does not meet the required authentication level'; journalctl --sync`,
		mend:   noLongerDeferring, args: []string{"--skip", "live"},
	},
	{
		id: "queue.size", name: "Postfix does not take in what programs give to sendmail", severity: finding.Warning,
		inject: older + `postconf -MX pickup/unix; systemctl restart postfix; echo text | sendmail -f ann@lab.example bob@lab.example; older /var/spool/postfix/maildrop/*`,
		mend:   "postsuper -d ALL >/dev/null 2>&1 || :", args: []string{"--skip", "live"},
	},
	{
		id: "queue.size", name: "much mail waits for long", severity: finding.Warning,
		inject: older + `systemctl stop postfix
			for i in $(seq 120); do echo text | sendmail -f ann@lab.example bob@lab.example; done
			postconf -e defer_transports=local,smtp; systemctl start postfix
			for i in $(seq 300); do [ $(find /var/spool/postfix/deferred -type f | wc -l) -ge 120 ] && break; sleep 0.1; done
			systemctl stop postfix; older /var/spool/postfix/deferred/*/*; systemctl start postfix`,
		mend: "postsuper -d ALL >/dev/null 2>&1 || :", args: []string{"--skip", "live"}, release: "trixie",
	},
	{
		id: "ops.changed", name: "somebody took the DMARC record out of the zone, which stood there before",
		inject: `mailsetup rotate-dkim --yes >/dev/null 2>&1 || mailsetup rotate-dkim; record '/_dmarc/d'; zones`,
		args:   []string{"--only", "ops"},
	},
	{
		id: "msg.form", name: "a saved message has no Message-ID, and Content-Type without MIME-Version", severity: finding.Warning,
		inject: `printf 'From: ann@lab.example\nDate: Mon, 30 Nov 2026 07:30:00 +0000\nContent-Type: text/plain\n\nhello\n' >/root/saved.eml`,
		mend:   "rm /root/saved.eml", args: []string{"--skip", "live", "--message", "/root/saved.eml"},
	},
	{
		id: "msg.bulk", name: "a saved message to many has no one-click unsubscribe", severity: finding.Warning,
		inject: `printf 'From: ann@lab.example\nMessage-ID: <1@lab.example>\nDate: Mon, 30 Nov 2026 07:30:00 +0000\nList-Unsubscribe: <mailto:ann@lab.example>\n\nhello\n' >/root/saved.eml`,
		mend:   "rm /root/saved.eml", args: []string{"--skip", "live", "--message", "/root/saved.eml"},
	},
	{
		id: "client.srv", name: "an SRV record for mail programs leads to a name without an address", severity: finding.Note,
		inject: `postconf -M 'submission/inet=submission inet n - y - - smtpd'; add '_submission._tcp IN SRV 0 1 587 gone'; zones`,
		args:   []string{"--only", "client"},
	},
	{
		id: "autoconfig", name: "users may send, and no name has settings for their mail programs", severity: finding.Note,
		inject: `postconf -M 'submission/inet=submission inet n - y - - smtpd'`, args: []string{"--only", "autoconfig"},
	},
}
