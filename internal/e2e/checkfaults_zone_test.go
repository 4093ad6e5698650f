//go:build e2e

package e2e

import "mailsetup/internal/check/finding"

// ns2Has has lab.example on the second name server as a statement says.
func ns2Has(statement string) string {
	return `sed -i 's,^zone "lab.example" .*,` + statement + `,' /etc/ns2/named.conf; rndc -s 192.0.2.53 reconfig; rndc -s 192.0.2.53 reload >/dev/null; sleep 0.5`
}

// ns3 is a third name server that passes questions on to the second, over UDP
// alone if it is told "udp", and knows no name that begins with the label it is told.
const ns3 = `cat >/root/ns3.py <<'END'
import socket, sys, threading
label = sys.argv[1].encode()
def changed(query, answer):
    if query[13:13 + len(label)] == label:
        answer = answer[:3] + bytes([answer[3] & 0xf0 | 3]) + answer[4:]
    return answer
def ask(kind, data):
    s = socket.socket(socket.AF_INET, kind); s.settimeout(2); s.connect(('192.0.2.53', 53)); s.sendall(data)
    answer = s.recv(65535)
    while kind == socket.SOCK_STREAM and len(answer) < 2 + int.from_bytes(answer[:2], 'big'): answer += s.recv(65535)
    return answer
def tcp():
    l = socket.create_server(('192.0.2.54', 53))
    while True:
        c, _ = l.accept()
        try:
            q = c.recv(65535); a = ask(socket.SOCK_STREAM, q); c.sendall(a[:2] + changed(q[2:], a[2:])); c.close()
        except OSError: pass
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('192.0.2.54', 53))
if sys.argv[2] != 'udp': threading.Thread(target=tcp, daemon=True).start()
while True:
    q, at = u.recvfrom(65535)
    try: u.sendto(changed(q, ask(socket.SOCK_DGRAM, q)), at)
    except OSError: pass
END
ip -n world addr add 192.0.2.54/32 dev eth0
systemd-run -q --unit ns3 -p NetworkNamespacePath=/run/netns/world python3 /root/ns3.py `

const mendNS3 = `systemctl stop ns3; ip -n world addr del 192.0.2.54/32 dev eth0`

// zoneFaults are those that package zone finds.
var zoneFaults = []checkFault{
	{
		id: "dns.delegation", name: "the second name server does not have the zone",
		inject: ns2Has(""), args: noMail,
	},
	{
		id: "dns.delegation", name: "the second name server refuses to answer for the zone",
		inject: ns2Has(`zone "lab.example" { type secondary; primaries { 192.0.2.10; }; file "db.lab.example"; masterfile-format text; allow-query { none; }; };`), args: noMail,
	},
	{
		id: "dns.delegation", name: "the copy of the second name server has expired",
		inject: ns2Has(`zone "lab.example" { type secondary; primaries { 192.0.2.99; }; file "db.none"; };`), args: noMail,
	},
	{
		id: "dns.delegation", name: "the parent zone delegates the domain to nobody",
		inject: `sed -i '/^lab NS/d; /\.lab A/d' /etc/ns2/db.example; sed -i '/^@ IN NS ns2$/d' $zone; zones; ` + ns2Has(""), args: noMail,
	},
	{
		id: "dns.delegation", name: "a name server has no address", severity: finding.Warning,
		inject: `add '@ IN NS ns9.remote.example.'; zones`, args: noMail,
	},
	{
		id: "dns.same", name: "the second name server has another DMARC policy",
		inject: `sed 's/p=none/p=reject/' /var/cache/ns2/db.lab.example >/etc/ns2/db.lab; ` + ns2Has(`zone "lab.example" { type primary; file "/etc/ns2/db.lab"; };`), args: noMail,
	},
	{
		id: "dns.same", name: "the second name server has another MX",
		inject: `sed 's/10 mail$/10 ns2/; s/10 mail.lab.example.$/10 ns2.lab.example./' /var/cache/ns2/db.lab.example >/etc/ns2/db.lab; ` + ns2Has(`zone "lab.example" { type primary; file "/etc/ns2/db.lab"; };`), args: noMail,
	},
	{
		id: "dns.cname", name: "the DMARC record is an alias that leads nowhere",
		inject: `record '/_dmarc.*TXT/d'; add '_dmarc IN CNAME policy.remote.example.'; zones`, args: noMail,
	},
	{
		id: "dns.wildcard", name: "every name has an SPF record", severity: finding.Note,
		inject: `add '* IN TXT "v=spf1 -all"'; zones`, args: noMail,
	},
	{
		id: "dns.wildcard", name: "every selector has a key", severity: finding.Warning,
		inject: `add '*._domainkey IN TXT "v=DKIM1; p=MCowBQYDK2VwAyEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="'; zones`, args: noMail,
	},
	{
		id: "dns.nxdomain-tree", name: "a name server denies _domainkey and has the keys below it", severity: finding.Warning,
		inject: ns3 + `_domainkey tcp; add '@ IN NS ns3' 'ns3 IN A 192.0.2.54'; zones`, mend: mendNS3, args: noMail,
	},
	{
		id: "dns.size", name: "TXT records that do not fit into UDP, and a name server without TCP",
		inject: ns3 + `none udp; add '@ IN NS ns3' 'ns3 IN A 192.0.2.54'; for i in 1 2 3 4 5 6; do add "@ IN TXT \"site-verification=$(printf '%0220d' $i)\""; done; zones`, mend: mendNS3, args: noMail,
	},
	{
		id: "dns.dnssec", name: "the parent zone has a DS record and the zone is not signed",
		inject: `echo "lab DS 12345 13 2 $(printf '%064d' 7)" >>/etc/ns2/db.example; zones; rndc flush`, mend: `rndc flush`, args: noMail,
	},
	{
		id: "mx.exists", name: "the domain has no MX and no address",
		inject: `record '/ MX /d'; zones`, args: noMail,
	},
	{
		id: "mx.exists", name: "a domain with mailboxes says that it takes no mail (null MX)",
		inject: `record 's/ MX .*/ MX 0 ./'; zones`, args: noMail,
	},
	{
		id: "mx.addr", name: "the MX has no address",
		inject: `record 's/ MX .*/ MX 10 gone.remote.example./'; zones`, args: noMail,
	},
	{
		id: "mx.addr", name: "the MX has a private address",
		inject: `record 's/ MX .*/ MX 10 in.lab.example./'; add 'in IN A 10.9.9.9'; zones`, args: noMail,
	},
	{
		id: "mx.form", name: "the MX is an alias",
		inject: `record 's/ MX .*/ MX 10 mx.lab.example./'; add 'mx IN CNAME mail'; zones`, args: noMail,
	},
	{
		id: "mx.form", name: "the MX is an address",
		inject: `record 's/ MX .*/ MX 10 192.0.2.10./'; zones`, args: noMail,
	},
	{
		id: "mx.form", name: "a null MX beside another",
		inject: `add '@ IN MX 0 .'; zones`, args: noMail,
	},
	{
		id: "mx.ours", name: "the MX is a host of others", severity: finding.Warning,
		inject: `record 's/ MX .*/ MX 10 mx.remote.example./'; zones`, args: noMail,
	},
	{
		id: "zone.soa", name: "the zone expires before secondaries ask again", severity: finding.Warning,
		inject: `sed -i 's/ 604800 / 60 /' $zone; zones`, args: noMail,
	},
	{
		id: "zone.soa", name: "the serial of the zone fell, and its secondary keeps an old copy",
		inject: `record 's/p=none/p=quarantine/'; sed -i 's/^\(@ IN SOA [^ ]* [^ ]*\) [0-9]*/\1 7/' $zone; touch $zone; rndc reload lab.example; sleep 0.5`, args: noMail,
	},
}
