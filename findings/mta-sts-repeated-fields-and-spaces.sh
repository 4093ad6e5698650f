#!/bin/sh
# postfix-mta-sts-resolver 1.1.2 (Debian 12): repeated fields and blanks.
#
# RFC 8461 3.2: of a field that is there twice (all but mx), all but the first are ignored.
# 3.1: sts-id = "id" *WSP "=" *WSP ... allows blanks around "=".
# Guess: mode is the first one; "id = 1" is "id=1".
# Seen: the last mode and the last max_age count. The record's fields are named "id " and
# valued " 1", so the domain has no id and no policy is ever fetched.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq postfix-mta-sts-resolver=1.1.2-1.1 2>apt.log || { cat apt.log; exit 1; }
dpkg -x postfix-mta-sts-resolver*.deb root
cat >run.py <<'PY'
import sys
sys.path.insert(0, 'root/usr/lib/python3/dist-packages')
from postfix_mta_sts_resolver.utils import parse_mta_sts_policy, parse_mta_sts_record
for record in ('v=STSv1; id=1;', 'v=STSv1; id = 1;'):
    print(record, '->', parse_mta_sts_record(record))
policy = parse_mta_sts_policy('version: STSv1\nmode: testing\nmode: enforce\nmx: mail.ex.example\nmax_age: 86400\nmax_age: 604800\n')
print('mode: testing, then enforce ->', policy['mode'])
print('max_age: 86400, then 604800 ->', policy['max_age'])
PY
python3 run.py >seen
cat seen
cat >expected <<'TXT'
v=STSv1; id=1; -> {'v': 'STSv1', 'id': '1'}
v=STSv1; id = 1; -> {'v': 'STSv1', 'id ': ' 1'}
mode: testing, then enforce -> enforce
max_age: 86400, then 604800 -> 604800
TXT
diff expected seen
