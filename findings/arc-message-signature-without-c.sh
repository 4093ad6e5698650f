#!/bin/sh
# dkimpy 1.1.4 (python3-dkim of Debian 12), mailauth 4.13.3 (npm): ARC-Message-Signature without c=.
#
# RFC 8617 4.1.2: the field is a DKIM-Signature but for its name, i= and v=; RFC 6376 3.5: without c=,
# both canonicalizations are simple.
# Guess: without c= a chain that was signed in the simple way passes, and one that was signed
# in the relaxed way fails.
# Seen: the other way round, with both; where c= is written out, both read it.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq python3-dkim=1.1.4-1 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
npm init -y >npm.log
npm install --silent --no-fund --no-audit mailauth@4.13.3 >>npm.log
openssl genrsa -out key.pem 2048 2>/dev/null
openssl rsa -in key.pem -pubout -outform der 2>/dev/null | base64 -w0 >public
cat >sign.py <<'PY'
# Signs by hand: no library leaves c= out.
import base64, hashlib, re, subprocess

body = 'hello\r\n'
fields = ['From: Ann  <ann@ex.example>', 'Subject: hello']  # two blanks, which relaxed makes one

def signature(text):
    run = subprocess.run(['openssl', 'dgst', '-sha256', '-sign', 'key.pem'], input=text.encode(), capture_output=True, check=True)
    return base64.b64encode(run.stdout).decode()

def relaxed(field):
    name, value = field.split(':', 1)
    return name.lower() + ':' + re.sub(r'[ \t]+', ' ', value).strip()

def chain(c, canonical):
    digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
    results = 'ARC-Authentication-Results: i=1; hop.example; none'
    message = f'ARC-Message-Signature: i=1; a=rsa-sha256; {c}d=hop.example; s=s; h=From:Subject; bh={digest}; b='
    message += signature('\r\n'.join(canonical(f) for f in fields + [message]))
    seal = 'ARC-Seal: i=1; cv=none; a=rsa-sha256; d=hop.example; s=s; b='
    seal += signature('\r\n'.join(relaxed(f) for f in (results, message, seal)))
    return '\r\n'.join([seal, message, results] + fields) + '\r\n\r\n' + body

for c in ('c=simple/simple; ', 'c=relaxed/relaxed; ', ''):
    for name, canonical in (('simple', lambda f: f), ('relaxed', relaxed)):
        text = chain(c, canonical).encode()
        open(f'{c.split("/")[0] or "no c="}, signed {name}.eml', 'wb').write(text)
PY
cat >verify.py <<'PY'
import glob, sys
sys.path.insert(0, 'root/usr/lib/python3/dist-packages')
import dkim

record = b'v=DKIM1; p=' + open('public', 'rb').read()
for name in sorted(glob.glob('*.eml')):
    result, _, _ = dkim.arc_verify(open(name, 'rb').read(), dnsfunc=lambda *a, **k: record)
    print('dkimpy', name[:-4], '->', result.decode())
PY
cat >verify.mjs <<'JS'
import { readdirSync, readFileSync } from 'node:fs';
import { authenticate } from 'mailauth';

const record = 'v=DKIM1; p=' + readFileSync('public', 'utf8');
for (const name of readdirSync('.').filter(n => n.endsWith('.eml')).sort()) {
	const r = await authenticate(readFileSync(name), {
		ip: '192.0.2.1', helo: 'hop.example', sender: 'ann@ex.example', mta: 'mx.example',
		resolver: async (host, type) => {
			if (type === 'TXT' && host === 's._domainkey.hop.example') return [[record]];
			throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
		},
	});
	console.log(`mailauth ${name.slice(0, -4)} -> ${r.arc.status.result}`);
}
JS
/usr/bin/python3 sign.py
/usr/bin/python3 verify.py >seen
node verify.mjs >>seen
cat seen
cat >expected <<'TXT'
dkimpy c=relaxed, signed relaxed -> pass
dkimpy c=relaxed, signed simple -> fail
dkimpy c=simple, signed relaxed -> fail
dkimpy c=simple, signed simple -> pass
dkimpy no c=, signed relaxed -> pass
dkimpy no c=, signed simple -> fail
mailauth c=relaxed, signed relaxed -> pass
mailauth c=relaxed, signed simple -> fail
mailauth c=simple, signed relaxed -> fail
mailauth c=simple, signed simple -> pass
mailauth no c=, signed relaxed -> pass
mailauth no c=, signed simple -> fail
TXT
diff expected seen
