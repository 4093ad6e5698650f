#!/bin/sh
# haraka-plugin-dkim 1.3.1 (npm, of a mail server): the key record of an Ed25519 signature.
#
# RFC 8463 3 and 4.2: what is signed is the SHA-256 of the header fields, and p= is the base64 of the
# 32 octets of the public key.
# Guess: such signatures pass, since the library has code for ed25519-sha256.
# Seen: with the record of the RFC they are "invalid" (verification error). What passes is a
# SubjectPublicKeyInfo, as RSA keys have it, and a signature of the fields themselves: nothing that
# other signers make.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >npm.log
npm install --silent --no-fund --no-audit haraka-plugin-dkim@1.3.1 >>npm.log
cat >run.js <<'JS'
const crypto = require('node:crypto'), dns = require('node:dns');
const { DKIMVerifyStream } = require('haraka-plugin-dkim/lib/dkim.js');

console.debug = () => {};
const keys = crypto.generateKeyPairSync('ed25519');
const spki = keys.publicKey.export({ type: 'spki', format: 'der' });
const records = { 'RFC 8463': spki.subarray(-32), SubjectPublicKeyInfo: spki };

// A message signed by hand: relaxed and simple are the same for it.
const digest = crypto.createHash('sha256').update('hello\r\n').digest('base64');
const field = `dkim-signature:v=1; a=ed25519-sha256; c=relaxed/simple; d=ex.example; s=s; h=from; bh=${digest}; b=`;
const sign = hashed => {
	const text = Buffer.from(`from:ann@ex.example\r\n${field}`);
	return crypto.sign(null, hashed ? crypto.createHash('sha256').update(text).digest() : text, keys.privateKey).toString('base64');
};
const verify = (record, signature) => new Promise(done => {
	dns.promises.resolveTxt = async () => [[`v=DKIM1; k=ed25519; p=${record.toString('base64')}`]];
	const stream = new DKIMVerifyStream({}, (err, result, results) => done(results[0]));
	stream.end(Buffer.from(`${field.replace('dkim-signature:', 'DKIM-Signature: ')}${signature}\r\nFrom: ann@ex.example\r\n\r\nhello\r\n`));
});
(async () => {
	for (const [form, record] of Object.entries(records)) {
		for (const hashed of [true, false]) {
			const r = await verify(record, sign(hashed));
			console.log(`key as ${form}, signature of ${hashed ? 'the hash' : 'the fields themselves'} -> ${r.result} ${r.error || ''}`.trim());
		}
	}
})();
JS
node run.js >seen
cat seen
cat >expected <<'TXT'
key as RFC 8463, signature of the hash -> invalid verification error
key as RFC 8463, signature of the fields themselves -> invalid verification error
key as SubjectPublicKeyInfo, signature of the hash -> fail
key as SubjectPublicKeyInfo, signature of the fields themselves -> pass
TXT
diff expected seen
