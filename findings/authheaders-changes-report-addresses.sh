#!/bin/sh
# authheaders 0.15.2 (python3-authheaders of Debian 12): the report address of a DMARC record.
#
# RFC 7489 6.2 (and RFC 9989 after it): rua= is a list of URIs, RFC 6068 allows mailto:addr?subject=...,
# and the local part of an address keeps its case (RFC 5321 2.4).
# Guess: answer_to_dict returns the value as it stands.
# Seen: all of the record is put in lower case, local parts too, and a value ends at its
# second "=".
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq python3-authheaders=0.15.2-1 python3-authres=1.2.0-3 python3-dkim=1.1.4-1 python3-dnspython=2.3.0-1 \
	python3-publicsuffix2=2.20191221-3 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
cat >run.py <<'PY'
import sys
sys.path.insert(0, 'root/usr/lib/python3/dist-packages')
from authheaders import dmarc_lookup
for rua in ('mailto:dmarc@ex.example', 'mailto:DMARC.Reports@ex.example', 'mailto:dmarc@ex.example?subject=dmarc'):
    print(rua, '->', dmarc_lookup.answer_to_dict(f'v=DMARC1; p=none; rua={rua}')['rua'])
PY
python3 run.py >seen
cat seen
cat >expected <<'TXT'
mailto:dmarc@ex.example -> mailto:dmarc@ex.example
mailto:DMARC.Reports@ex.example -> mailto:dmarc.reports@ex.example
mailto:dmarc@ex.example?subject=dmarc -> mailto:dmarc@ex.example?subject
TXT
diff expected seen
