#!/bin/sh
# PowerDNS 4.7.3 (zone2json, the same reader as its BIND backend): a parenthesis before the type.
#
# RFC 1035 5.1: "Parentheses are used to group data that crosses a line boundary"; the SOA in its own
# example opens behind the owner's data, but nothing says where one may not stand. RFC 3597 5: a class
# may be written CLASS1.
# Guess: "name ( TXT ..." and "name 1h30m TXT ..." are read as by BIND, from whose files people move.
# Seen: each ends the reading: "'(' doesn't look like a qtype, stopping loop". Behind the type the
# parenthesis is taken, and so is 1h alone. BIND 9.18, NSD 4.6.1 and ldns 1.8.3 read each line.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq pdns-server=4.7.3-2 libboost-program-options1.74.0=1.74.0+ds1-21 \
	ldnsutils=1.8.3-1+b1 libldns3=1.8.3-1+b1 nsd=4.6.1-1 libprotobuf-c1=1.4.1-1+b1 libfstrm0=0.6.1-1 \
	bind9-utils=1:9.18.49-1~deb12u3 bind9-libs=1:9.18.49-1~deb12u3 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
libs=$(echo root/usr/lib/*-linux-gnu)
n=0
while IFS= read -r line; do
	n=$((n + 1))
	printf '$ORIGIN example.com.\n$TTL 3600\n@ SOA ns host 1 7200 3600 1209600 300\n@ NS ns\nns A 192.0.2.53\n%s\n' "$line" >"zone$n"
	echo "$line"
	try() { echo "    $1: $(shift; if LD_LIBRARY_PATH=$libs "$@" >out 2>&1; then echo read; else grep -o "'[^']*' doesn't.*" out; fi)"; }
	try BIND root/usr/bin/named-compilezone -q -i none -o /dev/null example.com "zone$n"
	try NSD root/usr/sbin/nsd-checkzone example.com "zone$n"
	try ldns root/usr/bin/ldns-read-zone "zone$n"
	try PowerDNS root/usr/bin/zone2json --zone="zone$n" --zone-name=example.com
done >seen <<'LINES'
key TXT ( "v=DKIM1; p=AAAA" )
key ( TXT "v=DKIM1; p=AAAA" )
key 1h TXT "v=DKIM1; p=AAAA"
key 1h30m TXT "v=DKIM1; p=AAAA"
key CLASS1 TXT "v=DKIM1; p=AAAA"
LINES
cat seen
cat >expected <<'TXT'
key TXT ( "v=DKIM1; p=AAAA" )
    BIND: read
    NSD: read
    ldns: read
    PowerDNS: read
key ( TXT "v=DKIM1; p=AAAA" )
    BIND: read
    NSD: read
    ldns: read
    PowerDNS: '(' doesn't look like a qtype, stopping loop
key 1h TXT "v=DKIM1; p=AAAA"
    BIND: read
    NSD: read
    ldns: read
    PowerDNS: read
key 1h30m TXT "v=DKIM1; p=AAAA"
    BIND: read
    NSD: read
    ldns: read
    PowerDNS: '1h30m' doesn't look like a qtype, stopping loop
key CLASS1 TXT "v=DKIM1; p=AAAA"
    BIND: read
    NSD: read
    ldns: read
    PowerDNS: 'CLASS1' doesn't look like a qtype, stopping loop
TXT
diff expected seen
