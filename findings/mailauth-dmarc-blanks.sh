#!/bin/sh
# mailauth 4.13.3 (npm): blanks around "=" in a DMARC record.
#
# RFC 7489 6.4 (and RFC 9989 after it) allows them on both sides of "=".
# Guess: "p = reject" is the policy reject, or the record is refused.
# Seen: the policy is " reject" with a blank in front, which equals none of the three, and
# a record that begins "v = DMARC1" does not exist: result none.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >npm.log
npm install --silent --no-fund --no-audit mailauth@4.13.3 >>npm.log
cat >run.mjs <<'JS'
import { dmarc } from 'mailauth/lib/dmarc/index.js';

for (const record of ['v=DMARC1; p=reject', 'v=DMARC1; p = reject', 'v = DMARC1; p=reject']) {
	const r = await dmarc({
		headerFrom: ['ann@ex.example'], spfDomains: [], dkimDomains: [],
		resolver: async name => {
			if (name === '_dmarc.ex.example') return [[record]];
			throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
		},
	});
	console.log(`${record} -> ${r.status.result} [${r.policy}]`);
}
JS
node run.mjs >seen
cat seen
cat >expected <<'TXT'
v=DMARC1; p=reject -> fail [reject]
v=DMARC1; p = reject -> fail [ reject]
v = DMARC1; p=reject -> none [undefined]
TXT
diff expected seen
