#!/bin/sh
# dnsz 4.5.2 (npm): a reverse zone.
#
# RFC 1035 5.1: an entry that does not begin with a blank begins with its owner. In a
# reverse zone owners are numbers: "10 IN PTR mail.example.com.".
# Guess: the column decides, a number in the first one is the owner.
# Seen: a number at the start of a line is taken for the TTL, and the owner is lost: all
# PTR records of a zone stand at its apex with TTLs of 10, 11 and 12 seconds, without an
# error, with and without a class. A name that only begins with a number is taken for a TTL,
# too: of "13.2.0.192.in-addr.arpa." it is 207, the sum of its numbers. Written out again
# by dnsz, the mail server has no reverse name any more.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >npm.log
npm install --silent --no-fund --no-audit dnsz@4.5.2 >>npm.log
cat >run.mjs <<'JS'
import { parseZone } from 'dnsz';
const zone = parseZone(`$ORIGIN 2.0.192.in-addr.arpa.
$TTL 3600
@ IN SOA ns.example.com. hostmaster.example.com. 1 86400 7200 2419200 3600
@ IN NS ns.example.com.
10 IN PTR mail.example.com.
11 PTR mx.example.com.
12\tIN\tPTR\twww.example.com.
13.2.0.192.in-addr.arpa. IN PTR ftp.example.com.
`);
for (const r of zone.records) if (r.type === 'PTR') console.log(r.name, r.ttl, r.type, r.content);
JS
node run.mjs >seen
cat seen
cat >expected <<'TXT'
2.0.192.in-addr.arpa 10 PTR mail.example.com.
2.0.192.in-addr.arpa 11 PTR mx.example.com.
2.0.192.in-addr.arpa 12 PTR www.example.com.
2.0.192.in-addr.arpa 207 PTR ftp.example.com.
TXT
diff expected seen
