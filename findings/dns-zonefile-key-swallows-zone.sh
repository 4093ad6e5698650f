#!/bin/sh
# dns-zonefile 0.3.2 (npm): an SOA on one line, and further down a key in parentheses.
#
# RFC 1035 5.1: parentheses continue an entry over line ends; they concern no other entry.
# A key of 2048 bits is two strings, which people and named-compilezone put in parentheses.
# Guess: the worst is that the second string of the key is lost.
# Seen: with the SOA on one line it begins there and ends with the parentheses of the key:
# NS, MX, A and TXT are all gone without an error, and the SOA has a name server "A" and a
# contact "192.0.2.1". With an SOA in parentheses the others are there, and the key is its
# first string with the "(" before it.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >npm.log
npm install --silent --no-fund --no-audit dns-zonefile@0.3.2 >>npm.log
cat >run.cjs <<'JS'
const { parse } = require('dns-zonefile').default;
const soa = (numbers) => `$ORIGIN example.com.\n$TTL 3600\n@ IN SOA ns1.example.com. hostmaster.example.com. ${numbers}\n`;
const others = '@ IN NS ns1.example.com.\n@ IN MX 10 mail.example.com.\nmail IN A 192.0.2.1\n';
const key = 's1._domainkey IN TXT ( "v=DKIM1; k=rsa; p=AAAA"\n\t"BBBB" )\n';
const show = (what, text) => {
	const zone = parse(text);
	console.log(`${what}: SOA ${zone.soa.mname} ${zone.soa.rname}`);
	for (const type of ['ns', 'mx', 'a', 'txt']) console.log(`  ${type}`, JSON.stringify(zone[type] ?? null));
};
show('SOA on one line, no key', soa('1 7200 900 1209600 300') + others);
show('SOA on one line, key', soa('1 7200 900 1209600 300') + others + key);
show('SOA in parentheses, key', soa('( 1 7200 900 1209600 300 )') + others + key);
JS
node run.cjs >seen
cat seen
cat >expected <<'TXT'
SOA on one line, no key: SOA ns1.example.com. hostmaster.example.com.
  ns [{"name":"@","host":"ns1.example.com."}]
  mx [{"name":"@","preference":10,"host":"mail.example.com."}]
  a [{"name":"mail","ip":"192.0.2.1"}]
  txt null
SOA on one line, key: SOA A 192.0.2.1
  ns null
  mx null
  a null
  txt null
SOA in parentheses, key: SOA ns1.example.com. hostmaster.example.com.
  ns [{"name":"@","host":"ns1.example.com."}]
  mx [{"name":"@","preference":10,"host":"mail.example.com."}]
  a [{"name":"mail","ip":"192.0.2.1"}]
  txt [{"name":"s1._domainkey","txt":"( \"v=DKIM1; k=rsa; p=AAAA\""}]
TXT
diff expected seen
