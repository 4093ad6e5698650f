#!/bin/sh
# dnslib 0.9.23 (Python, Debian 12): escapes and relative names in a zone file.
#
# RFC 1035 5.1: \DDD is the octet with that *decimal* number: "\064" is "@", "\101" is "e".
# A name without a final dot is relative to the origin, also in the data of a record.
# Guess: read as the RFC says, or refused.
# Seen: the digits are read as octal: "\064" is "4" and "\101" is "A", silently; "\059" (a
# semicolon) raises an error. A relative target of an SRV record is taken as it stands
# ("mail."), one of an MX is not, and an MX "@" goes to a host "@.example.com.".
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq python3-dnslib=0.9.23-1 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
cat >run.py <<'PY'
import sys
sys.path.insert(0, 'root/usr/lib/python3/dist-packages')
from dnslib import RR, QTYPE
def show(line):
    try:
        for r in RR.fromZone('$ORIGIN example.com.\n$TTL 3600\n' + line + '\n'):
            data = b''.join(r.rdata.data).decode() if r.rtype == QTYPE.TXT else str(r.rdata)
            print(line, '->', data)
    except Exception as e:
        print(line, '->', type(e).__name__)
show(r'a TXT "x\064y"')
show(r'a TXT "x\101y"')
show(r'a TXT "x\059y"')
show('@ MX 10 mail')
show('@ MX 10 @')
show('_submission._tcp SRV 0 1 587 mail')
PY
python3 run.py >seen
cat seen
cat >expected <<'TXT'
a TXT "x\064y" -> x4y
a TXT "x\101y" -> xAy
a TXT "x\059y" -> ValueError
@ MX 10 mail -> 10 mail.example.com.
@ MX 10 @ -> 10 @.example.com.
_submission._tcp SRV 0 1 587 mail -> 0 1 587 mail.
TXT
diff expected seen
