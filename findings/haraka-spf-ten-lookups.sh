#!/bin/sh
# haraka-plugin-spf 1.3.0 (npm, of a mail server): ten look-ups.
#
# RFC 7208 4.6.4: ten terms that query DNS are allowed, and ip4, ip6 and all are not among them.
# Guess: ten terms and what is behind them are evaluated; an eleventh is a PermError.
# Seen: a record that has used ten is a PermError whatever comes next, terms without a query as
# well, and also where nothing comes.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >npm.log
npm install --silent --no-fund --no-audit haraka-plugin-spf@1.3.0 >>npm.log
cat >run.js <<'JS'
const { SPF } = require('haraka-plugin-spf/lib/spf.js');

const none = () => { throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }); };
const lookups = n => Array.from({ length: n }, (_, i) => `a:h${i}.ex.example`).join(' ');
(async () => {
	for (const [n, rest] of [[9, 'ip4:192.0.2.1 -all'], [10, 'ip4:192.0.2.1 -all'], [10, '-all'], [10, ''], [11, '-all']]) {
		const spf = new SPF();
		spf.log_debug = () => {};
		spf.resolver = {
			resolveTxt: async name => name === 'ex.example' ? [[`v=spf1 ${lookups(n)} ${rest}`]] : none(),
			resolve4: async () => ['198.51.100.9'],
		};
		console.log(`${n} look-ups, ${rest || 'nothing else'} -> ${spf.result(await spf.check_host('192.0.2.1', 'ex.example', 'ann@ex.example'))}`);
	}
})();
JS
node run.js | grep -v '^loaded' >seen
cat seen
cat >expected <<'TXT'
9 look-ups, ip4:192.0.2.1 -all -> Pass
10 look-ups, ip4:192.0.2.1 -all -> PermError
10 look-ups, -all -> PermError
10 look-ups, nothing else -> PermError
11 look-ups, -all -> PermError
TXT
diff expected seen
