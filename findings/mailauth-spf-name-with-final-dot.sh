#!/bin/sh
# mailauth 4.13.3 (npm), SPF: a name with a final dot.
#
# RFC 7208 7.1: domain-end = ( "." toplabel [ "." ] ) / macro-expand. A final dot
# is allowed, and people who edit zones write it.
# Guess: "a:mail.ex.example." is "a:mail.ex.example".
# Seen: include: and redirect= take it, but a:, mx: and exists: are a permerror ("Invalid
# domain"): the whole record fails. python3-spf, Mail::SPF and blitiri.com.ar/go/spf pass.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >npm.log
npm install --silent --no-fund --no-audit mailauth@4.13.3 >>npm.log
cat >run.mjs <<'JS'
import { spf } from 'mailauth/lib/spf/index.js';

const hosts = ['mail.ex.example', 'ok.example'];
let record;
const resolver = async (name, type) => {
	name = name.replace(/\.$/, '');
	if (type === 'TXT' && name === 'ex.example') return [[record]];
	if (type === 'TXT' && name === 'inc.example') return [['v=spf1 ip4:192.0.2.10 -all']];
	if (type === 'MX' && name === 'ex.example') return [{ priority: 10, exchange: 'mail.ex.example' }];
	if (type === 'A' && hosts.includes(name)) return ['192.0.2.10'];
	throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
};
for (const name of ['a:mail.ex.example', 'mx:ex.example', 'exists:ok.example', 'include:inc.example', 'redirect=inc.example']) {
	const results = [];
	for (const dot of ['', '.']) {
		record = `v=spf1 ${name}${dot}`;
		const r = await spf({ sender: 'ann@ex.example', ip: '192.0.2.10', helo: 'mail.ex.example', resolver });
		results.push(r.status.result);
	}
	console.log(`${name}: ${results[0]}, with a final dot: ${results[1]}`);
}
JS
node run.mjs >seen
cat seen
cat >expected <<'TXT'
a:mail.ex.example: pass, with a final dot: permerror
mx:ex.example: pass, with a final dot: permerror
exists:ok.example: pass, with a final dot: permerror
include:inc.example: pass, with a final dot: pass
redirect=inc.example: pass, with a final dot: pass
TXT
diff expected seen
