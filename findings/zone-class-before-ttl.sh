#!/bin/sh
# A record written "name IN 300 A ...": class before TTL.
#
# RFC 1035 5.1 gives both orders, [<TTL>] [<class>] and [<class>] [<TTL>].
# Guess: every reader of zone files takes both.
# Seen: BIND 9.18, NSD 4.6.1 and github.com/miekg/dns do. dnspython 2.3.0 raises "unknown
# rdatatype '300'", ldns-read-zone 1.8.3 "could not parse the RR's rdata", and dnsz 4.5.2
# (npm) makes a record of type IN with the TTL of the zone, without an error.
# Write the TTL first.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq bind9-utils=1:9.18.49-1~deb12u1 bind9-libs=1:9.18.49-1~deb12u1 python3-dnspython=2.3.0-1 \
	ldnsutils=1.8.3-1+b1 libldns3=1.8.3-1+b1 nsd=4.6.1-1 libprotobuf-c1=1.4.1-1+b1 libfstrm0=0.6.1-1 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
libs=$(echo root/usr/lib/*-linux-gnu)
npm init -y >npm.log
npm install --silent --no-fund --no-audit dnsz@4.5.2 >>npm.log
zone() {
	printf '$ORIGIN ex.example.\n$TTL 3600\n@ IN SOA ns hostmaster 1 86400 7200 2419200 3600\n@ IN NS ns\nns IN A 192.0.2.53\n%s\n' "$1"
}
for line in 'mail 300 IN A 192.0.2.10' 'mail IN 300 A 192.0.2.10'; do
	zone "$line" >zone
	echo "$line"
	echo "  BIND:      $(LD_LIBRARY_PATH=$libs root/usr/bin/named-compilezone -q -s full -o - ex.example zone | grep ^mail | tr -s '\t ' ' ')"
	echo "  NSD:       $(LD_LIBRARY_PATH=$libs root/usr/sbin/nsd-checkzone ex.example zone 2>&1 | tail -n 1)"
	echo "  ldns:      $(LD_LIBRARY_PATH=$libs root/usr/bin/ldns-read-zone zone 2>&1 | grep -e ^mail -e rror | tr -s '\t ' ' ')"
	python3 - <<'PY'
import sys
sys.path.insert(0, 'root/usr/lib/python3/dist-packages')
import dns.zone
try:
    z = dns.zone.from_file('zone', 'ex.example.', relativize=False)
    print('  dnspython:', *z['mail.ex.example.'].to_text(z.origin).split()[1:])
except Exception as e:
    print('  dnspython:', e)
PY
	node --input-type=module -e "import {parseZone} from '$dir/node_modules/dnsz/dist/index.js'; import fs from 'fs';
	for (const r of parseZone(fs.readFileSync('zone', 'utf8')).records) if (r.name.startsWith('mail')) console.log('  dnsz:     ', r.ttl, r.class, r.type, r.content)"
done >seen
cat seen
cat >expected <<'TXT'
mail 300 IN A 192.0.2.10
  BIND:      mail.ex.example. 300 IN A 192.0.2.10
  NSD:       zone ex.example is ok
  ldns:      mail.ex.example. 300 IN A 192.0.2.10
  dnspython: 300 IN A 192.0.2.10
  dnsz:      300 IN A 192.0.2.10
mail IN 300 A 192.0.2.10
  BIND:      mail.ex.example. 300 IN A 192.0.2.10
  NSD:       zone ex.example is ok
  ldns:      Syntax error, could not parse the RR's rdata at line 6
  dnspython: zone:6: unknown rdatatype '300'
  dnsz:      3600 IN IN 300 A 192.0.2.10
TXT
diff expected seen
