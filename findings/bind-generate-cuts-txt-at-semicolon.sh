#!/bin/sh
# BIND 9.18.49: $GENERATE takes the quotes off a TXT and then cuts it at ";".
#
# Guess: s1._domainkey gets "v=DKIM1; p=AAAA1", as github.com/miekg/dns reads the line.
# Seen: it gets "v=DKIM1", a key record without a key; named-checkzone and
# named-compilezone say OK. The quotes are gone when the line is read again, so what
# follows ";" is a comment, and a blank divides strings: with "\;" the record is
# "v=DKIM1;" "p=AAAA2". Only quotes that are escaped themselves survive.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq bind9-utils=1:9.18.49-1~deb12u1 bind9-libs=1:9.18.49-1~deb12u1 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
LD_LIBRARY_PATH=$(echo root/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH
cat >zone <<'ZONE'
$TTL 3600
@ SOA ns hostmaster 1 86400 7200 2419200 3600
@ NS ns
ns A 192.0.2.53
plain._domainkey TXT "v=DKIM1; p=AAAA0"
$GENERATE 1-1 s$._domainkey TXT "v=DKIM1; p=AAAA$"
$GENERATE 2-2 s$._domainkey TXT "v=DKIM1\; p=AAAA$"
$GENERATE 3-3 s$._domainkey TXT "\"v=DKIM1; p=AAAA$\""
ZONE
root/usr/bin/named-compilezone -q -s full -o - ex.example zone | grep _domainkey | tr -s '\t ' ' ' | sort >seen
cat seen
cat >expected <<'TXT'
plain._domainkey.ex.example. 3600 IN TXT "v=DKIM1; p=AAAA0"
s1._domainkey.ex.example. 3600 IN TXT "v=DKIM1"
s2._domainkey.ex.example. 3600 IN TXT "v=DKIM1;" "p=AAAA2"
s3._domainkey.ex.example. 3600 IN TXT "v=DKIM1; p=AAAA3"
TXT
diff expected seen
