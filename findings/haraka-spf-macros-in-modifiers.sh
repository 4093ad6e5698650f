#!/bin/sh
# haraka-plugin-spf 1.3.0 (npm, of a mail server): macros in exp= and redirect=.
#
# RFC 7208 6.1 and 6.2: the value of both is a domain-spec, which may have macros (section 7.4 has
# exp=explain._spf.%{d}); an unknown modifier may have any macro-string, an empty one too.
# Guess: the record is evaluated; what exp= says is not used.
# Seen: any of them makes the whole record a PermError; without macros all is well.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >npm.log
npm install --silent --no-fund --no-audit haraka-plugin-spf@1.3.0 >>npm.log
cat >run.js <<'JS'
const { SPF } = require('haraka-plugin-spf/lib/spf.js');

const none = () => { throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }); };
const records = [
	'v=spf1 ip4:192.0.2.1 -all exp=explain._spf.ex.example', 'v=spf1 ip4:192.0.2.1 -all exp=explain._spf.%{d}',
	'v=spf1 redirect=_spf.ex.example', 'v=spf1 redirect=_spf.%{d}',
	'v=spf1 ip4:192.0.2.1 -all note=a', 'v=spf1 ip4:192.0.2.1 -all note=', 'v=spf1 ip4:192.0.2.1 -all note=%{i}',
];
(async () => {
	for (const record of records) {
		const spf = new SPF();
		spf.log_debug = () => {};
		spf.resolver = {
			resolveTxt: async name => name === 'ex.example' ? [[record]] : name === '_spf.ex.example' ? [['v=spf1 ip4:192.0.2.1 -all']] : none(),
		};
		console.log(`${record} -> ${spf.result(await spf.check_host('192.0.2.1', 'ex.example', 'ann@ex.example'))}`);
	}
})();
JS
node run.js | grep -v '^loaded' >seen
cat seen
cat >expected <<'TXT'
v=spf1 ip4:192.0.2.1 -all exp=explain._spf.ex.example -> Pass
v=spf1 ip4:192.0.2.1 -all exp=explain._spf.%{d} -> PermError
v=spf1 redirect=_spf.ex.example -> Pass
v=spf1 redirect=_spf.%{d} -> PermError
v=spf1 ip4:192.0.2.1 -all note=a -> Pass
v=spf1 ip4:192.0.2.1 -all note= -> PermError
v=spf1 ip4:192.0.2.1 -all note=%{i} -> PermError
TXT
diff expected seen
