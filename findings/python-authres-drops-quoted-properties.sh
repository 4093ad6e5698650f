#!/bin/sh
# authres 1.2.0 (python3-authres of Debian 12): a quoted property value is dropped,
# unless it is the last one.
#
# RFC 8601 2.2: pvalue = [CFWS] ( value / ... ), value = token / quoted-string.
# Guess: header.b="a/b" reads as a/b wherever it stands. (b has to be quoted in most
# cases: "/" and "=" are no characters of a token.)
# Seen: the last property of a result keeps its quoted value; any other one is gone,
# name and all, without an error. reason="..." is not concerned. So two signatures of
# one domain can no longer be told apart, and smtp.helo="..." is lost in SPF.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq python3-authres=1.2.0-3 2>apt.log || { cat apt.log; exit 1; }
dpkg -x python3-authres*.deb root
cat >run.py <<'PY'
import sys
sys.path.insert(0, 'root/usr/lib/python3/dist-packages')
import authres
for result in ('dkim=pass header.d=b.example header.b="a/b"',
               'dkim=pass header.b="a/b" header.d=b.example',
               'dkim=pass reason="good key" header.d=b.example',
               'dkim=pass header.d="b.example" header.s=s1',
               'spf=pass smtp.helo="mail.b.example" smtp.mailfrom=b.example'):
    header = authres.AuthenticationResultsHeader.parse('Authentication-Results: mx.example; ' + result)
    print(result, '->', *(f'{p.type}.{p.name}={p.value}' for p in header.results[0].properties))
PY
python3 run.py >seen
cat seen
cat >expected <<'TXT'
dkim=pass header.d=b.example header.b="a/b" -> header.d=b.example header.b=a/b
dkim=pass header.b="a/b" header.d=b.example -> header.d=b.example
dkim=pass reason="good key" header.d=b.example -> header.d=b.example
dkim=pass header.d="b.example" header.s=s1 -> header.s=s1
spf=pass smtp.helo="mail.b.example" smtp.mailfrom=b.example -> smtp.mailfrom=b.example
TXT
diff expected seen
