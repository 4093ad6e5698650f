//go:build e2e

package e2e

import "mailsetup/internal/check/finding"

// noMail leaves the live path out.
var noMail = []string{"--skip", "live,relay"}

// hostsFaults are those that package hosts finds.
var hostsFaults = []checkFault{
	{
		id: "host.fqdn", name: "EHLO says localhost",
		inject: `postconf -e 'smtp_helo_name = localhost'`, args: noMail,
	},
	{
		id: "host.fqdn", name: "the transport relay says a name without a domain in EHLO",
		inject: `postconf -P relay/unix/smtp_helo_name=mail`, args: noMail,
	},
	{
		id: "host.fqdn", name: "EHLO says a name of the office network",
		inject: `postconf -e 'smtp_helo_name = mail.office.local'`, args: noMail,
	},
	{
		id: "host.fqdn", name: "EHLO says an address",
		inject: `postconf -e 'smtp_helo_name = [192.0.2.10]'`, args: noMail,
	},
	{
		id: "addr.helo", name: "EHLO says another name of the server than its PTR", severity: finding.Warning,
		inject: `postconf -e 'smtp_helo_name = out.lab.example'; add 'out IN A 192.0.2.10'; zones`, args: noMail,
	},
	{
		id: "host.loopback", name: "/etc/hosts has an old address of the server", severity: finding.Warning,
		inject: `sed -i 's/^127.0.1.1/203.0.113.9/' /etc/hosts`, args: noMail,
	},
	{
		id: "host.forward", name: "the name in EHLO has no address in DNS",
		inject: `postconf -e 'smtp_helo_name = out.lab.example'`, args: noMail,
	},
	{
		id: "host.forward", name: "the name in EHLO has the address of another host, too", severity: finding.Warning,
		inject: `postconf -e 'smtp_helo_name = out.lab.example'; add 'out IN A 192.0.2.10' 'out IN A 192.0.2.80'; zones`, args: noMail,
	},
	{
		id: "addr.egress", name: "the default route uses an address that host.toml does not have",
		inject: `ip addr add 192.0.2.77/32 dev eth0; ip route add default dev eth0 src 192.0.2.77`,
		mend:   `ip route del default; ip addr del 192.0.2.77/32 dev eth0`, args: noMail,
	},
	{
		id: "addr.ptr", name: "the address has no PTR",
		inject: `sed -i '/ PTR /d' $reverse; zones`, args: noMail,
	},
	{
		id: "addr.fcrdns", name: "the PTR leads to a name without address",
		inject: `sed -i 's/ PTR .*/ PTR host10.lab.example./' $reverse; zones`, args: noMail,
	},
	{
		id: "addr.helo", name: "the PTR is a name of the provider, which leads back", severity: finding.Warning,
		inject: `sed -i 's/ PTR .*/ PTR host10.lab.example./' $reverse; add 'host10 IN A 192.0.2.10'; zones`, args: noMail,
	},
	{
		id: "addr.ptr-source", name: "the name server here has a reverse zone that the world is not led to", severity: finding.Warning,
		inject: `sed -i 's/^2.0.192 NS .*/10.2.0.192 PTR mail.lab.example.\n10.2.0.192 PTR old.lab.example./' /etc/ns2/db.in-addr.arpa; zones; rndc flush`, args: noMail,
	},
	{
		id: "net.resolver", name: "no resolver answers",
		inject: `echo 'nameserver 127.0.0.9' >/etc/resolv.conf`, args: noMail,
	},
	{
		id: "net.resolver", name: "DANE, with a resolver that does not validate", severity: finding.Warning,
		inject: `postconf -e smtp_tls_security_level=dane smtp_dns_support_level=dnssec`, args: noMail,
	},
	{
		id: "net.search", name: "a wildcard in the search list of resolv.conf", severity: finding.Note,
		inject: `add '*.office IN TXT "v=DMARC1; p=none"'; echo 'search office.lab.example' >>/etc/resolv.conf; zones`, args: noMail,
	},
	{
		id: "net.clock", name: "a key took its last step in the future",
		inject: `grep -rlZ '"active"' /var/lib/mailsetup --include='*.json' --include='*.toml' | xargs -0 sed -i 's/20[0-9][0-9]-\([0-9][0-9]-[0-9][0-9]T\)/2099-\1/g'`, args: noMail,
	},
}
