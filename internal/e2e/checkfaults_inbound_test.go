//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/e2e/lab"
)

// inboundLab has policyd-spf, OpenDMARC and a block list at the door, as a person sets
// them up who reads the documentation.
const inboundLab = `
cat >/etc/opendmarc.conf <<'END'
PidFile /run/opendmarc/opendmarc.pid
PublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat
Socket inet:8893@localhost
SPFIgnoreResults true
SPFSelfValidate true
Syslog true
UMask 0002
UserID opendmarc
END
systemctl restart opendmarc
postconf -M 'policyd-spf/unix=policyd-spf unix - n n - 0 spawn user=policyd-spf argv=/usr/bin/policyd-spf'
postconf -e 'policyd-spf_time_limit = 3600s' "smtpd_milters = $(postconf -h smtpd_milters), inet:127.0.0.1:8893" \
	'smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, check_policy_service unix:private/policyd-spf, reject_rbl_client bl.lab.example=127.0.0.[2..11]' \
	'mydestination = $myhostname, lab.example, localhost'
echo '2.0.0.127.bl IN A 127.0.0.2' >>/etc/bind/db.lab.example
sed -i 's/^HELO_reject.*/HELO_reject = Fail/; s/^Mail_From_reject.*/Mail_From_reject = Fail/' $spf
zones
mkdir -p /root/healthy
cp -a /etc/postfix /etc/postfix-policyd-spf-python /etc/opendmarc.conf /etc/bind/db.lab.example /etc/aliases /root/healthy/
systemctl restart postfix
`

// inboundTools are what the faults are made with.
const inboundTools = `
spf=/etc/postfix-policyd-spf-python/policyd-spf.conf
zones() { touch /etc/bind/db.lab.example; rndc reload >/dev/null 2>&1; sleep 0.2; rndc flush; }
mail() { ip netns exec world python3 - "$@" <<'END'
import socket, sys
for domain in sys.argv[1:]:
    s = socket.create_connection(("192.0.2.10", 25), source_address=("198.51.100.7", 0)); f = s.makefile("rwb")
    f.readline()
    for line in ["EHLO client.example", "MAIL FROM:<x@%s>" % domain, "RCPT TO:<root@lab.example>", "DATA", "From: x@%s\r\n\r\nhello\r\n." % domain, "QUIT"]:
        f.write(line.encode() + b"\r\n"); f.flush()
        answer = f.readline()
        while answer[3:4] == b"-": answer = f.readline()
    s.close()
END
}
list() { postconf -e "smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, $1"; postfix reload 2>/dev/null; }
`

const inboundRestore = `
cp -a /root/healthy/postfix /root/healthy/postfix-policyd-spf-python /root/healthy/opendmarc.conf /root/healthy/aliases /etc/
cp -a /root/healthy/db.lab.example /etc/bind/; zones
cp /etc/resolv.conf /var/spool/postfix/etc/resolv.conf
postfix reload 2>/dev/null
`

// inboundFaults are those that package inbound finds.
var inboundFaults = shared([]checkFault{
	{id: "in.service", name: "the policy service is gone from master.cf", inject: `postconf -MX policyd-spf/unix; postfix reload`},
	{id: "in.service", name: "OpenDMARC was stopped", inject: `systemctl stop opendmarc`, mend: `systemctl start opendmarc`},
	{
		id: "in.place", name: "SPF of users who log in is checked", severity: finding.Warning,
		inject: `postconf -e smtpd_sasl_auth_enable=yes 'smtpd_sender_restrictions = check_policy_service unix:private/policyd-spf'`,
	},
	{id: "in.policyd", name: "a value in small letters", severity: finding.Warning, inject: `sed -i 's/^HELO_reject.*/HELO_reject = fail/' $spf`},
	{id: "in.policyd", name: "a number that is none", inject: `echo 'Void_Limit = two' >>$spf`},
	{id: "in.milters", name: "nothing before OpenDMARC verifies DKIM", severity: finding.Warning, inject: `postconf -e smtpd_milters=inet:127.0.0.1:8893`},
	{
		id: "in.dmarc", name: "AuthservID in another case", severity: finding.Warning, inject: `echo 'AuthservID Mail.Lab.example' >>/etc/opendmarc.conf; systemctl restart opendmarc`,
		mend: `cp -a /root/healthy/opendmarc.conf /etc/; systemctl restart opendmarc`,
	},
	{
		id: "in.dmarc", name: "the list of public suffixes is gone", severity: finding.Warning,
		inject: `sed -i '/^PublicSuffixList/s/$/.gone/' /etc/opendmarc.conf; systemctl restart opendmarc`, mend: `cp -a /root/healthy/opendmarc.conf /etc/; systemctl restart opendmarc`,
	},
	{id: "in.stale", name: "OpenDMARC was reloaded", severity: finding.Warning, inject: `sleep 2.5; echo 'RejectFailures false' >>/etc/opendmarc.conf; systemctl reload opendmarc`},
	{id: "in.codes", name: "a slip in the answers of a block list", inject: `list 'reject_rbl_client bl.lab.example=127.0.0.[2-11]'`},
	{id: "in.codes", name: "a block list without answers", severity: finding.Warning, inject: `list 'reject_rbl_client bl.lab.example'`},
	{id: "in.lists", name: "a block list that refuses to answer, and refuses all mail", inject: `list 'reject_rbl_client bl.lab.example'
sed -i 's/^2.0.0.127.bl.*/*.bl IN A 127.255.255.254/' /etc/bind/db.lab.example; zones`},
	{id: "in.lists", name: "a block list that nobody serves any more", severity: finding.Warning, inject: `sed -i '/^2.0.0.127.bl/d' /etc/bind/db.lab.example; zones`},
	{id: "in.resolver", name: "another resolver in the chroot", severity: finding.Warning, inject: `postconf -F smtp/inet/chroot=y; mkdir -p /var/spool/postfix/etc; echo 'nameserver 192.0.2.53' >/var/spool/postfix/etc/resolv.conf`},
	{id: "in.srs", name: "an alias that leads elsewhere", severity: finding.Note, inject: `echo 'bob: bob@remote.example' >>/etc/aliases; newaliases`, mend: `cp -a /root/healthy/aliases /etc/; newaliases`},
	{id: "in.srs", name: "an alias in main.cf that leads elsewhere", severity: finding.Note, inject: `postconf -e 'virtual_alias_maps = inline:{ {bob@lab.example = bob@remote.example} }'`},
	{
		id: "in.open", name: "mail passed while a block list did not answer", severity: finding.Note,
		inject: `printf '%s\n' 'dead IN NS ns.dead' 'ns.dead IN A 127.0.0.1' >>/etc/bind/db.lab.example; zones; list 'reject_rbl_client bl.dead.lab.example=127.0.0.[2..11]'
mail remote.example`,
	},
	{
		id: "in.open", name: "DNS did not answer, and SPF and DMARC judged nothing", severity: finding.Warning,
		inject: `echo 'no zone' >/etc/bind/db.far; echo 'zone "far.example" { type primary; file "/etc/bind/db.far"; };' >>/etc/bind/named.conf.local; rndc reconfig
mail $(seq -f d%g.far.example 0 9)
printf '%s\n' '$TTL 60' '@ IN SOA ns h 1 60 60 60 60' '@ IN NS ns' 'ns IN A 192.0.2.10' '*.far.example. IN TXT "v=DMARC1; p=none"' >/etc/bind/db.far; rndc reload far.example; rndc flush`,
		mend: `journalctl --rotate --vacuum-time=1s >/dev/null 2>&1`,
	},
})

// TestCheckInbound: at a door as the documentation makes it nothing is wrong; each fault
// alone yields its finding. Nothing of it was made by mailsetup.
func TestCheckInbound(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b, _ := signing(t, release)
		b.Apt(t, "postfix-policyd-spf-python", "opendmarc")
		b.Sh(t, inboundTools+inboundLab)
		only := []string{"--only", "in"}
		healthy := func() {
			t.Helper()
			found, _ := check(t, b, only...)
			if is := wrong(found, finding.Problem, finding.Warning, finding.Unknown, finding.Note); is != "" || len(found) < 12 {
				t.Errorf("%d findings at a healthy door:\n%s", len(found), is)
			}
		}
		healthy()
		for _, f := range inboundFaults {
			if f.release != release && slices.Contains(lab.Releases(), f.release) {
				continue
			}
			t.Run(f.id, func(t *testing.T) {
				b.Sh(t, inboundTools+f.inject)
				found, took := check(t, b, only...)
				is := wrong(found, finding.Problem, finding.Warning, finding.Unknown, finding.Note)
				t.Logf("%s: %v\n%s", f.name, took.Round(10*time.Millisecond), is)
				want := f.severity
				if want == "" {
					want = finding.Problem
				}
				if !slices.ContainsFunc(found, func(g finding.Finding) bool { return g.ID == f.id && g.Severity == want }) {
					t.Errorf("%s: no %s %s", f.name, want, f.id)
				}
				b.Sh(t, inboundTools+f.mend+"\n"+inboundRestore)
			})
		}
		b.Sh(t, "systemctl restart opendmarc")
		healthy()
		t.Run("resolver", func(t *testing.T) { ownResolver(t, b) })
	})
}

// ownResolver: a list that refuses the resolver of the network is refused, and what is
// said then makes BIND, which is here, the resolver of this server.
func ownResolver(t *testing.T, b *lab.Box) {
	b.Sh(t, `mkdir -p /etc/ns2 /var/cache/ns2; chown bind: /var/cache/ns2
cat >/etc/ns2/named.conf <<'END'
options {
	directory "/var/cache/ns2"; pid-file none; session-keyfile none; listen-on { 192.0.2.53; }; listen-on-v6 { none; };
	recursion yes; allow-recursion { any; }; forward only; forwarders { 192.0.2.10; }; dnssec-validation no;
};
zone "zen.spamhaus.org" { type primary; file "/etc/ns2/db.zen"; };
END
printf '%s\n' '$TTL 60' '@ IN SOA ns h 1 60 60 60 60' '@ IN NS ns' 'ns IN A 192.0.2.53' '* IN A 127.255.255.254' >/etc/ns2/db.zen
printf '%s\n' '$TTL 60' '@ IN SOA ns h 1 60 60 60 60' '@ IN NS ns' 'ns IN A 192.0.2.10' '2.0.0.127 IN A 127.0.0.2' >/etc/bind/db.zen
echo 'zone "zen.spamhaus.org" { type primary; file "/etc/bind/db.zen"; };' >>/etc/bind/named.conf.local
if [ -d /etc/apparmor.d ]; then rm -f /etc/apparmor.d/usr.sbin.named; fi
ip -n world addr add 192.0.2.53/32 dev eth0
rndc reconfig
systemd-run --quiet --unit ns2 -p NetworkNamespacePath=/run/netns/world /usr/sbin/named -f -u bind -c /etc/ns2/named.conf
echo 'nameserver 192.0.2.53' >/etc/resolv.conf`)
	becomes(t, b, "dig +short +time=1 2.0.0.127.zen.spamhaus.org | grep -q 127.255.255.254")
	_, errs := product(t, b, 2, "inbound", "--dnsbl", "zen.spamhaus.org", "--yes")
	const commands = `sed -i '1i nameserver 127.0.0.1' /etc/resolv.conf
systemctl restart postfix`
	for line := range strings.SplitSeq("block list zen.spamhaus.org cannot be used here: it does not answer this resolver\n"+commands, "\n") {
		if !strings.Contains(errs, line) {
			t.Fatalf("no %s in\n%s", line, errs)
		}
	}
	b.Sh(t, commands)
	if got := b.Sh(t, "cat /etc/resolv.conf; cmp /etc/resolv.conf /var/spool/postfix/etc/resolv.conf"); got != "nameserver 127.0.0.1\nnameserver 192.0.2.53\n" {
		t.Errorf("resolv.conf: %s", got)
	}
	product(t, b, 0, "inbound", "--dnsbl", "zen.spamhaus.org", "--dry-run")
}
