#!/bin/sh
# mailauth 4.13.3 (npm, of mail servers): two valid terms of SPF.
#
# RFC 7208 section 12: unknown-modifier = name "=" macro-string, and a macro-string may be empty;
# ip6-cidr-length may be "/0", which every IPv6 client matches.
# Guess: a modifier without a value is passed over as one with a value is; ip6:…/0 matches as
# ip4:…/0 does.
# Seen: an empty modifier makes the record a permerror, also for a client that a mechanism before
# it names; ip6:…/0 matches nobody (ip4:…/0 all).
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >npm.log
npm install --silent --no-fund --no-audit mailauth@4.13.3 >>npm.log
cat >run.js <<'JS'
const { spf } = require('mailauth/lib/spf');

(async () => {
	for (const [ip, record] of [
		['192.0.2.3', 'v=spf1 ip4:192.0.2.3 x-note=1 -all'],
		['192.0.2.3', 'v=spf1 ip4:192.0.2.3 x-note= -all'],
		['192.0.2.3', 'v=spf1 ip4:198.51.100.0/0 -all'],
		['2001:db8::3', 'v=spf1 ip6:2001:db8::/32 -all'],
		['2001:db8::3', 'v=spf1 ip6:2001:db8::/0 -all'],
	]) {
		const resolver = async (name, type) => {
			if (type === 'TXT') return [[record]];
			throw Object.assign(new Error('no data'), { code: 'ENODATA' });
		};
		const { status } = await spf({ resolver, ip, helo: 'mx.ex.example', sender: 'ann@ex.example', mta: 'mx.other.example' });
		console.log(`${ip}: ${record} -> ${status.result}`);
	}
})();
JS
node run.js | tee seen
cat >expected <<'TXT'
192.0.2.3: v=spf1 ip4:192.0.2.3 x-note=1 -all -> pass
192.0.2.3: v=spf1 ip4:192.0.2.3 x-note= -all -> permerror
192.0.2.3: v=spf1 ip4:198.51.100.0/0 -all -> pass
2001:db8::3: v=spf1 ip6:2001:db8::/32 -all -> pass
2001:db8::3: v=spf1 ip6:2001:db8::/0 -all -> fail
TXT
diff seen expected
