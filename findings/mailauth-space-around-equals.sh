#!/bin/sh
# mailauth 4.13.3 (npm) and white space around "=" in tag lists.
#
# RFC 6376 3.2 allows FWS on both sides of "=" in a DKIM-Signature, and RFC 9989
# 4.8 (as RFC 7489 6.4) allows it in a DMARC record.
# Guess: both are read as without the blanks; at worst both fail alike.
# Seen: "d = ", "bh = " and all others do no harm, but "b = " makes a good signature
# bad, since the value of b is taken out of the signed text only after "b=". The
# policy of "p = reject" is " reject", which equals no policy, and a record that
# begins "v = DMARC1" is none at all.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >npm.log
npm install --silent --no-fund --no-audit mailauth@4.13.3 >>npm.log
cat >run.mjs <<'JS'
import crypto from 'node:crypto';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { dmarc } from 'mailauth/lib/dmarc/index.js';

const { privateKey, publicKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
const p = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
const records = {};
const resolver = async name => {
	if (records[name]) return [[records[name]]];
	throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
};
records['s1._domainkey.ex.example'] = `v=DKIM1; k=rsa; p=${p}`;

// sign makes a relaxed/relaxed signature with the tag list written as asked.
function sign(list) {
	const bh = crypto.createHash('sha256').update('hello\r\n').digest('base64');
	const tags = list.replace('BH', bh);
	const relaxed = 'from:ann@ex.example\r\ndkim-signature:' + tags.replace('SIG', '').replace(/\s+/g, ' ').trim();
	const b = crypto.sign('sha256', Buffer.from(relaxed), privateKey).toString('base64');
	return `DKIM-Signature: ${tags.replace('SIG', b)}\r\nFrom: ann@ex.example\r\n\r\nhello\r\n`;
}

for (const list of [
	'v=1; a=rsa-sha256; c=relaxed/relaxed; d=ex.example; s=s1; h=from; bh=BH; b=SIG',
	'v = 1; a = rsa-sha256; c = relaxed/relaxed; d = ex.example; s = s1; h = from; bh = BH; b=SIG',
	'v=1; a=rsa-sha256; c=relaxed/relaxed; d=ex.example; s=s1; h=from; bh=BH; b = SIG',
]) {
	const r = await dkimVerify(Buffer.from(sign(list)), { resolver });
	console.log(list, '->', r.results[0].status.result);
}
for (const record of ['v=DMARC1; p=reject', 'v=DMARC1; p = reject', 'v = DMARC1; p=reject']) {
	records['_dmarc.ex.example'] = record;
	const r = await dmarc({ headerFrom: ['a@ex.example'], spfDomains: [], dkimDomains: [], resolver });
	console.log(record, '->', r.status.result, `[${r.policy}]`);
}
JS
node run.mjs >seen
cat seen
cat >expected <<'TXT'
v=1; a=rsa-sha256; c=relaxed/relaxed; d=ex.example; s=s1; h=from; bh=BH; b=SIG -> pass
v = 1; a = rsa-sha256; c = relaxed/relaxed; d = ex.example; s = s1; h = from; bh = BH; b=SIG -> pass
v=1; a=rsa-sha256; c=relaxed/relaxed; d=ex.example; s=s1; h=from; bh=BH; b = SIG -> fail
v=DMARC1; p=reject -> fail [reject]
v=DMARC1; p = reject -> fail [ reject]
v = DMARC1; p=reject -> none [undefined]
TXT
diff expected seen
