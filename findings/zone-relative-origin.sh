#!/bin/sh
# "$ORIGIN sub", without a final dot, in the zone example.com.
#
# RFC 1035 5.1: $ORIGIN is followed by a domain name, and one without a final dot is
# relative to the origin of that moment: here sub.example.com.
# Guess: readers of zone files either do that or refuse the line, as NSD does.
# Seen: BIND 9.18 does it, NSD 4.6.1 refuses it. Nobody else says a word: ldns 1.8.3,
# PowerDNS 4.7.3 (zone2json) and dnslib 0.9.23 take it for the top-level domain "sub.",
# and dnspython 2.3.0 leaves all that follows out of the zone. The DKIM key of
# sub.example.com is gone from the zone after a move. Write the dot.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq ldnsutils=1.8.3-1+b1 libldns3=1.8.3-1+b1 nsd=4.6.1-1 libprotobuf-c1=1.4.1-1+b1 libfstrm0=0.6.1-1 \
	pdns-server=4.7.3-2 libboost-program-options1.74.0=1.74.0+ds1-21 python3-dnslib=0.9.23-1 python3-dnspython=2.3.0-1 \
	bind9-utils=1:9.18.49-1~deb12u1 bind9-libs=1:9.18.49-1~deb12u1 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
libs=$(echo root/usr/lib/*-linux-gnu)
cat >zone <<'TXT'
$ORIGIN example.com.
$TTL 3600
@ IN SOA ns hostmaster 1 86400 7200 2419200 3600
@ IN NS ns
ns IN A 192.0.2.53
$ORIGIN sub
s1._domainkey IN TXT "v=DKIM1; p=AAAA"
TXT
{
	echo "BIND:      $(LD_LIBRARY_PATH=$libs root/usr/bin/named-compilezone -q -s full -o - example.com zone | grep DKIM1 | cut -f 1)"
	echo "NSD:       $(LD_LIBRARY_PATH=$libs root/usr/sbin/nsd-checkzone example.com zone 2>&1 | grep -o 'requires.*')"
	echo "ldns:      $(LD_LIBRARY_PATH=$libs root/usr/bin/ldns-read-zone zone | grep DKIM1 | cut -f 1)"
	echo "PowerDNS:  $(LD_LIBRARY_PATH=$libs root/usr/bin/zone2json --zone=zone --zone-name=example.com | grep -o '"name": "s1[^,]*')"
	python3 - <<'PY'
import sys
sys.path.insert(0, 'root/usr/lib/python3/dist-packages')
import dns.zone, dnslib
print('dnspython: names', *sorted(n.to_text() for n in dns.zone.from_file('zone', 'example.com.', relativize=False)))
print('dnslib:   ', *[r.rname for r in dnslib.RR.fromZone(open('zone').read()) if r.rtype == dnslib.QTYPE.TXT])
PY
} >seen
cat seen
cat >expected <<'TXT'
BIND:      s1._domainkey.sub.example.com.
NSD:       requires absolute domain name
ldns:      s1._domainkey.sub.
PowerDNS:  "name": "s1._domainkey.sub."
dnspython: names example.com. ns.example.com.
dnslib:    s1._domainkey.sub.
TXT
diff expected seen
