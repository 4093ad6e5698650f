#!/bin/sh
# haraka-plugin-spf 1.3.0 (npm, of a mail server): which labels a macro keeps.
#
# RFC 7208 7.3: %{d2} has the two labels on the right, after a reversal if there is one; %{i}
# of an IPv6 address is its nibbles with dots.
# Guess: a.b.ex.example gives %{d2} = ex.example, and section 7.4's table holds.
# Seen: labels are kept on the left, and cut before the reversal; IPv6 addresses go in with
# colons.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >npm.log
npm install --silent --no-fund --no-audit haraka-plugin-spf@1.3.0 >>npm.log
cat >run.js <<'JS'
const { SPF } = require('haraka-plugin-spf/lib/spf.js');

const none = () => { throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }); };
(async () => {
	for (const [macro, ip] of [['%{d2}', '192.0.2.3'], ['%{d2r}', '192.0.2.3'], ['%{ir}', '192.0.2.3'], ['%{i}', '2001:db8::cb01']]) {
		const spf = new SPF(), asked = [];
		spf.log_debug = () => {};
		spf.resolver = {
			resolveTxt: async () => [[`v=spf1 exists:${macro}.x.example -all`]],
			resolve: async name => { asked.push(name); none(); },
		};
		await spf.check_host(ip, 'a.b.ex.example', 'ann@a.b.ex.example');
		console.log(`exists:${macro}.x.example from ${ip} -> ${asked}`);
	}
})();
JS
node run.js | grep -v '^loaded' >seen
cat seen
cat >expected <<'TXT'
exists:%{d2}.x.example from 192.0.2.3 -> a.b.x.example
exists:%{d2r}.x.example from 192.0.2.3 -> b.a.x.example
exists:%{ir}.x.example from 192.0.2.3 -> 3.2.0.192.x.example
exists:%{i}.x.example from 2001:db8::cb01 -> 2001:db8::cb01.x.example
TXT
diff expected seen
