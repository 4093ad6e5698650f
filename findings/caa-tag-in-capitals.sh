#!/bin/sh
# CAA records written as RFC 8659 allows: the tag in capitals, the value without quotes.
#
# RFC 8659 4.1: a tag may have the letters a to z and A to Z, and is matched without regard to case.
# 4.1.1: the value is a run of characters without blanks, or a quoted string.
# Guess: all readers of zone files take both.
# Seen: NSD 4.6.1 refuses the zone for "ISSUE" ("contains invalid char I"), ldns 1.8.3 the value without
# quotes ("could not parse the RR's rdata"), each what the other one takes; BIND 9.18 takes both.
# Write: name CAA 0 issue "ca.example".
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq ldnsutils=1.8.3-1+b1 libldns3=1.8.3-1+b1 nsd=4.6.1-1 libprotobuf-c1=1.4.1-1+b1 libfstrm0=0.6.1-1 \
	bind9-utils=1:9.18.49-1~deb12u3 bind9-libs=1:9.18.49-1~deb12u3 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
libs=$(echo root/usr/lib/*-linux-gnu)
while IFS= read -r line; do
	printf '$ORIGIN example.com.\n$TTL 3600\n@ SOA ns host 1 7200 3600 1209600 300\n@ NS ns\nns A 192.0.2.53\n%s\n' "$line" >zone
	echo "$line"
	LD_LIBRARY_PATH=$libs root/usr/bin/named-compilezone -q -i none -o - example.com zone 2>&1 | awk '$4 == "CAA" { print "    BIND: " $5, $6, $7 }'
	echo "    NSD: $(LD_LIBRARY_PATH=$libs root/usr/sbin/nsd-checkzone example.com zone 2>&1 | sed -n '1s/.*error: //p; s/.* is ok/ok/p')"
	echo "    ldns: $(LD_LIBRARY_PATH=$libs root/usr/bin/ldns-read-zone zone 2>&1 | awk '$4 == "CAA" { print $5, $6, $7 } /rror/')"
done >seen <<'LINES'
@ CAA 0 issue "ca.example"
@ CAA 0 ISSUE "ca.example"
@ CAA 0 issue ca.example
LINES
cat seen
cat >expected <<'TXT'
@ CAA 0 issue "ca.example"
    BIND: 0 issue "ca.example"
    NSD: ok
    ldns: 0 issue "ca.example"
@ CAA 0 ISSUE "ca.example"
    BIND: 0 ISSUE "ca.example"
    NSD: zone:6: invalid tag ISSUE: contains invalid char I
    ldns: 0 ISSUE "ca.example"
@ CAA 0 issue ca.example
    BIND: 0 issue "ca.example"
    NSD: ok
    ldns: Syntax error, could not parse the RR's rdata at line 6
TXT
diff expected seen
