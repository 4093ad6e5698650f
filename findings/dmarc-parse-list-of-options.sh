#!/bin/sh
# dmarc-parse 1.2.1 (npm): fo= with several options, and a report address with a subject.
#
# RFC 7489 6.3 (and RFC 9989 after it): fo= is a list of options separated by colons; rua= and ruf=
# are lists of URIs, and RFC 6068 allows mailto:addr?subject=....
# Guess: "fo=1:d:s" is kept, as "rf=" is, and the addresses are kept as they stand.
# Seen: fo= is compared as one word, so a list is "Invalid value", and the tag is left out of the
# result. A URI is cut at its second "=", and then is an invalid address, so that the domain
# has no rua. The text of p= is not changed, and a size limit ("!10m") is kept.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >npm.log
npm install --silent --no-fund --no-audit dmarc-parse@1.2.1 >>npm.log
cat >run.js <<'JS'
const parse = require('dmarc-parse');
for (const record of ['v=DMARC1; p=none; fo=1', 'v=DMARC1; p=none; fo=1:d:s', 'v=DMARC1; p=none; fo=1:d',
	'v=DMARC1; p=none; rua=mailto:a@ex.example!10m,mailto:b@ex.example', 'v=DMARC1; p=none; rua=mailto:a@ex.example?subject=dmarc']) {
	const { tags, messages = [] } = parse(record);
	console.log(record);
	console.log('  ' + Object.entries(tags).map(([name, tag]) => `${name}=${tag.value}`).join('; '), messages.join());
}
JS
node run.js >seen
cat seen
cat >expected <<'TXT'
v=DMARC1; p=none; fo=1
  v=DMARC1; p=none; fo=1 
v=DMARC1; p=none; fo=1:d:s
  v=DMARC1; p=none Invalid value for 'fo': '1:d:s', must be one of: 0, 1, d, s
v=DMARC1; p=none; fo=1:d
  v=DMARC1; p=none Invalid value for 'fo': '1:d', must be one of: 0, 1, d, s
v=DMARC1; p=none; rua=mailto:a@ex.example!10m,mailto:b@ex.example
  v=DMARC1; p=none; rua=mailto:a@ex.example!10m,mailto:b@ex.example 
v=DMARC1; p=none; rua=mailto:a@ex.example?subject=dmarc
  v=DMARC1; p=none Invalid email address in 'rua': 'a@ex.example?subject'
TXT
diff expected seen
