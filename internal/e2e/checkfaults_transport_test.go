//go:build e2e

package e2e

import "mailsetup/internal/check/finding"

// transportLab makes certificates, and a web server with an MTA-STS policy.
const transportLab = `
mkdir -p /run/ca
ec='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1'
authority() { # a CA that this machine trusts, with the name of its organization
	openssl req -x509 $ec -nodes -keyout /run/ca/ca.key -out /run/ca/ca.pem -days 30 -subj "/O=$1/CN=Root" 2>/dev/null
	cp -p /etc/ssl/certs/ca-certificates.crt /run/ca/before; cat /run/ca/ca.pem >>/etc/ssl/certs/ca-certificates.crt
}
certificate() { # of the CA, for a name and a number of days, in a file
	openssl req $ec -nodes -keyout /run/ca/$1.key -out /run/ca/$1.csr -subj "/CN=$2" 2>/dev/null
	echo "subjectAltName=DNS:$2" >/run/ca/ext
	openssl x509 -req -in /run/ca/$1.csr -CA /run/ca/ca.pem -CAkey /run/ca/ca.key -CAcreateserial -days $3 -extfile /run/ca/ext -out /run/ca/$1.crt 2>/dev/null
	cat /run/ca/$1.key /run/ca/$1.crt /run/ca/ca.pem >/run/ca/$1.pem
}
snakeoil() { # a certificate of nobody
	openssl req -x509 $ec -nodes -keyout /run/ca/$1.key -out /run/ca/$1.crt -days 30 -subj "/CN=$2" 2>/dev/null
	cat /run/ca/$1.key /run/ca/$1.crt >/run/ca/$1.pem
}
serve() { # Postfix with the certificate of a file
	postconf -e smtpd_tls_security_level=may smtpd_tls_chain_files=/run/ca/$1.pem; systemctl reload postfix
}
policy() { # MTA-STS of lab.example: mode, mx, max_age
	mkdir -p /run/web/.well-known
	printf 'version: STSv1\r\nmode: %s\r\nmx: %s\r\nmax_age: %s\r\n' "$1" "$2" "$3" >/run/web/.well-known/mta-sts.txt
	systemd-run -q --unit=web --working-directory=/run/web python3 -c '
import http.server, ssl
s = http.server.HTTPServer(("192.0.2.10", 443), http.server.SimpleHTTPRequestHandler)
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain("/run/ca/web.pem")
s.socket = c.wrap_socket(s.socket, server_side=True); s.serve_forever()'
	add '_mta-sts IN TXT "v=STSv1; id=1"' 'mta-sts IN A 192.0.2.10'; zones
	for i in 1 2 3 4 5 6 7 8 9 10; do ! ss -tlnH src 192.0.2.10:443 | grep -q . || break; sleep 0.2; done
}
signed() { # lab.example with DNSSEC, its DS with the parent, and a TLSA record of mail
	cd /run/ca; openssl x509 -in /run/ca/$1.crt -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1 >key.sha256
	add "_25._tcp.mail IN TLSA $2"; sed -i "s/KEYSHA/$(cat key.sha256)/" $zone
	key=$(dnssec-keygen -q -a ECDSAP256SHA256 -f KSK lab.example 2>/dev/null)
	(cd /etc/bind && dnssec-signzone -q -S -z -K /run/ca -o lab.example -f /etc/bind/db.signed $zone >/dev/null 2>&1)
	sed -i 's,/etc/bind/db.lab.example,/etc/bind/db.signed,' /etc/bind/named.conf.local
	dnssec-dsfromkey -2 $key | sed 's/^lab\.example\./lab/' >>/etc/ns2/db.example
	rndc reconfig; zones; rndc flush # the resolver knows that there was no DS
}
`

// transportMend takes away what is outside of checkDirs.
const transportMend = `rndc flush; systemctl stop web 2>/dev/null || :; [ ! -e /run/ca/before ] || cp -p /run/ca/before /etc/ssl/certs/ca-certificates.crt; rm -rf /run/ca /run/web; true`

// transportFaults are those that package transport finds. What only DNS and other
// programs see is tried on one release.
var transportFaults = []checkFault{
	{id: "tls.out", name: "outgoing mail without TLS", inject: "postconf -e smtp_tls_security_level=none; systemctl reload postfix"},
	{
		id: "tls.out", name: "outgoing mail without TLS by an option of the transport",
		inject: "postconf -P smtp/unix/smtp_tls_security_level=none; systemctl reload postfix",
	},
	{
		id: "tls.starttls", name: "STARTTLS without a certificate",
		inject: "postconf -e smtpd_tls_security_level=may smtpd_tls_chain_files=/etc/postfix/gone.pem; systemctl reload postfix",
	},
	{
		id: "tls.cert", name: "a certificate that ends in three days", severity: finding.Warning, release: "trixie",
		inject: transportLab + "authority Lab; certificate mail mail.lab.example 3; serve mail", mend: transportMend, args: []string{"--skip", "live"},
	},
	{
		id: "tls.cert", name: "a certificate of nobody under an enforced MTA-STS policy", release: "bookworm",
		inject: transportLab + "authority Lab; certificate web mta-sts.lab.example 30; snakeoil mail mail.lab.example; serve mail; policy enforce mail.lab.example 604800",
		mend:   transportMend, args: []string{"--skip", "live"},
	},
	{
		id: "tls.starttls", name: "no STARTTLS under an enforced MTA-STS policy", release: "trixie",
		inject: transportLab + "authority Lab; certificate web mta-sts.lab.example 30; policy enforce mail.lab.example 604800", mend: transportMend,
		args: []string{"--skip", "live"},
	},
	{
		id: "tls.version", name: "TLS 1.0 alone", severity: finding.Note, release: "bookworm",
		inject: transportLab + `authority Lab; certificate mail mail.lab.example 30; serve mail
postconf -e 'smtpd_tls_protocols=TLSv1' 'smtpd_tls_ciphers=medium' 'tls_medium_cipherlist=ALL:@SECLEVEL=0'; systemctl reload postfix`,
		mend: transportMend, args: []string{"--skip", "live"},
	},
	{
		id: "sts.record", name: "two MTA-STS records", release: "bookworm",
		inject: `add '_mta-sts IN TXT "v=STSv1; id=1"' '_mta-sts IN TXT "v=STSv1; id=2"'; zones`, args: []string{"--skip", "live"},
	},
	{
		id: "sts.record", name: "an MTA-STS policy that changed under the same id", release: "trixie",
		inject: transportLab + `authority Lab; certificate web mta-sts.lab.example 30; policy testing mail.lab.example 86400
mailsetup check --only sts >/dev/null || :; sed -i s/86400/604800/ /run/web/.well-known/mta-sts.txt`, mend: transportMend,
		args: []string{"--skip", "live"},
	},
	{
		id: "sts.policy", name: "an MTA-STS record without a web server", release: "trixie",
		inject: `add '_mta-sts IN TXT "v=STSv1; id=1"'; zones`, args: []string{"--skip", "live"},
	},
	{
		id: "sts.policy", name: "an MTA-STS policy behind a certificate of nobody", release: "bookworm",
		inject: transportLab + "snakeoil web mta-sts.lab.example; policy testing mail.lab.example 86400", mend: transportMend,
		args: []string{"--skip", "live"},
	},
	{
		id: "sts.mx", name: "an enforced MTA-STS policy that names another MX", release: "trixie",
		inject: transportLab + "authority Lab; certificate web mta-sts.lab.example 30; policy enforce mx.lab.example 604800", mend: transportMend,
		args: []string{"--skip", "live"},
	},
	{
		id: "sts.mode", name: "an MTA-STS policy in mode testing", severity: finding.Note, release: "bookworm",
		inject: transportLab + "authority Lab; certificate web mta-sts.lab.example 30; policy testing mail.lab.example 604800", mend: transportMend,
		args: []string{"--skip", "live"},
	},
	{
		id: "sts.age", name: "an enforced MTA-STS policy for an hour", severity: finding.Note, release: "trixie",
		inject: transportLab + "authority Lab; certificate web mta-sts.lab.example 30; certificate mail mail.lab.example 30; serve mail; policy enforce mail.lab.example 3600", mend: transportMend,
		args: []string{"--skip", "live"},
	},
	{
		id: "tlsrpt.record", name: "a TLS-RPT record without mailto:", release: "bookworm",
		inject: `add '_smtp._tls IN TXT "v=TLSRPTv1; rua=postmaster@lab.example"'; zones`, args: []string{"--skip", "live"},
	},
	{
		id: "tlsrpt.send", name: "TLS reports without a socket", severity: finding.Warning, release: "trixie",
		inject: "postconf -e smtp_tlsrpt_enable=yes; systemctl reload postfix", args: []string{"--skip", "live"},
	},
	{
		id: "dane.match", name: "a TLSA record of another key", release: "trixie",
		inject: transportLab + "snakeoil mail mail.lab.example; serve mail; signed mail '3 1 1 0000000000000000000000000000000000000000000000000000000000000000'", mend: transportMend,
		args: []string{"--skip", "live"},
	},
	{
		id: "dane.match", name: "a TLSA record of one of two keys", release: "bookworm",
		inject: transportLab + `snakeoil mail mail.lab.example; ec='-newkey rsa:2048'; cp /run/ca/mail.pem /run/ca/ec.pem; cp /run/ca/mail.crt /run/ca/ec.crt
snakeoil mail mail.lab.example; cat /run/ca/ec.pem /run/ca/mail.pem >/run/ca/two.pem; serve two; cp /run/ca/ec.crt /run/ca/mail.crt; signed mail '3 1 1 KEYSHA'`,
		mend: transportMend, args: []string{"--skip", "live"},
	},
	{
		id: "dane.usage", name: "a TLSA record of a usage for the web", severity: finding.Warning, release: "bookworm",
		inject: transportLab + "snakeoil mail mail.lab.example; serve mail; signed mail '1 1 1 KEYSHA'", mend: transportMend,
		args: []string{"--skip", "live"},
	},
	{
		id: "dane.rollover", name: "one TLSA record, and a renewal that makes a new key", severity: finding.Warning, release: "trixie",
		inject: transportLab + `snakeoil mail mail.lab.example; signed mail '3 1 1 KEYSHA'
mkdir -p /etc/letsencrypt/live/mail /etc/letsencrypt/renewal; cp /run/ca/mail.pem /etc/letsencrypt/live/mail/all.pem; echo '[renewalparams]' >/etc/letsencrypt/renewal/mail.conf
postconf -e smtpd_tls_security_level=may smtpd_tls_chain_files=/etc/letsencrypt/live/mail/all.pem; systemctl reload postfix`,
		mend: transportMend + "; rm -rf /etc/letsencrypt", args: []string{"--skip", "live"},
	},
	{
		id: "caa", name: "a CAA record that forbids the CA in use", severity: finding.Warning, release: "bookworm",
		inject: transportLab + `authority "Let's Encrypt"; certificate mail mail.lab.example 60; serve mail; add '@ IN CAA 0 issue "digicert.com"'; zones`, mend: transportMend,
		args: []string{"--skip", "live"},
	},
}
