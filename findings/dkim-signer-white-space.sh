#!/bin/sh
# dkim-signer 0.2.2 (npm, what nodemailer-dkim signs with): characters that look blank.
#
# RFC 6376 2.8 and 3.4.4: white space is the blank and the tab; the relaxed canonicalization leaves
# all others as they are.
# Guess: a no-break space ("10 €", as the French write it) or a form feed is a character like others.
# Seen: all that JavaScript's \s matches becomes a blank in what is signed, or falls away at the end
# of a line: no-break and ideographic spaces, form feeds. The signature is bad at every receiver,
# for the body and for a subject of RFC 6532. In quoted-printable there is none of this.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq python3-dkim=1.1.4-1 python3-dnspython=2.3.0-1 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
npm init -y >npm.log
npm install --silent --no-fund --no-audit dkim-signer@0.2.2 mailauth@7.1.0 >>npm.log
cat >run.mjs <<'JS'
import crypto from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
process.noDeprecation = true;
const { DKIMSign } = createRequire(import.meta.url)('dkim-signer');
const { privateKey, publicKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = 'v=DKIM1; p=' + publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
fs.writeFileSync('key.txt', key);
for (const [what, subject, body] of [
	['letters beyond ASCII', 'é', 'é'],
	['blanks and tabs', 'a \t b', 'a\t\tb  '],
	['no-break space in the body', 'a', '10\u00a0€'],
	['no-break space in quoted-printable', 'a', '10=C2=A0'],
	['no-break space in the subject', '10\u00a0€', 'a'],
	['ideographic space in the body', 'a', '東\u3000京'],
	['form feed in the body', 'a', 'a\fb'],
]) {
	const mail = `From: ann@ex.example\r\nSubject: ${subject}\r\n\r\n${body}\r\n`;
	const field = DKIMSign(mail, { privateKey: privateKey.export({ type: 'pkcs1', format: 'pem' }), domainName: 'ex.example', keySelector: 's1' });
	fs.writeFileSync(`${what}.eml`, `${field}\r\n${mail}`);
	const { results } = await dkimVerify(fs.readFileSync(`${what}.eml`), { resolver: async () => [[key]] });
	console.log(`mailauth, ${what} -> ${results[0].status.result}`);
}
JS
cat >verify.py <<'PY'
import sys
sys.path.insert(0, 'root/usr/lib/python3/dist-packages')
import dkim
key = open('key.txt', 'rb').read()
for name in sys.argv[1:]:
    try:
        result = dkim.DKIM(open(name, 'rb').read()).verify(dnsfunc=lambda name, timeout=5: key)
    except dkim.DKIMException as e:
        result = str(e).split(' (')[0]
    print(f'dkimpy, {name[:-4]} -> {result}')
PY
{
	node run.mjs
	LC_ALL=C python3 verify.py *.eml
} >seen
cat seen
cat >expected <<'TXT'
mailauth, letters beyond ASCII -> pass
mailauth, blanks and tabs -> pass
mailauth, no-break space in the body -> neutral
mailauth, no-break space in quoted-printable -> pass
mailauth, no-break space in the subject -> fail
mailauth, ideographic space in the body -> neutral
mailauth, form feed in the body -> neutral
dkimpy, blanks and tabs -> True
dkimpy, form feed in the body -> body hash mismatch
dkimpy, ideographic space in the body -> body hash mismatch
dkimpy, letters beyond ASCII -> True
dkimpy, no-break space in quoted-printable -> True
dkimpy, no-break space in the body -> body hash mismatch
dkimpy, no-break space in the subject -> False
TXT
diff expected seen
