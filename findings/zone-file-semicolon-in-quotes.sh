#!/bin/sh
# zone-file 1.0.0 (npm): a DKIM key, a class in lower case, a record without an owner.
#
# RFC 1035 5.1: a semicolon between quotes begins no comment; upper and lower case are the
# same; an entry that begins with a blank belongs to the owner before it.
# Guess: at most the second string of a key is lost.
# Seen: all from the first semicolon is cut off, also between quotes: DKIM and DMARC records
# are "v=DKIM1" and "v=DMARC1". The name of a record without an owner is its class, "IN". A
# record in lower case becomes a TXT record with the words of the line as its text. Nothing
# raises an error; what makeZoneFile writes then is a zone in which no mail verifies.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >npm.log
npm install --silent --no-fund --no-audit zone-file@1.0.0 >>npm.log
cat >run.cjs <<'JS'
const { parseZoneFile } = require('zone-file');
const show = (lines) => {
	const zone = parseZoneFile('$ORIGIN example.com.\n$TTL 3600\n' + lines);
	for (const r of zone.txt ?? []) console.log(JSON.stringify(r));
};
show('s1._domainkey IN TXT "v=DKIM1; k=rsa; p=AAAA"\n');
show('_dmarc IN TXT "v=DMARC1; p=reject"\n');
show('a IN TXT "one"\n\tIN TXT "two"\n');
show('b in txt "three"\n');
JS
node run.cjs >seen
cat seen
cat >expected <<'TXT'
{"name":"s1._domainkey","txt":"v=DKIM1"}
{"name":"_dmarc","txt":"v=DMARC1"}
{"name":"a","txt":"one"}
{"name":"IN","txt":"two"}
{"name":"b","txt":["b","in","txt","three"]}
TXT
diff expected seen
