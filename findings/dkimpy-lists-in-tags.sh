#!/bin/sh
# dkimpy 1.1.4 (python3-dkim of Debian 12): tags whose value is a list.
#
# RFC 6376 3.5: q= is a list of query methods, of which unknown ones are ignored;
# 3.6.1: s= of a key record is a list of service types, of which one has to fit.
# Guess: "q=dns/future:dns/txt" and "s=tlsrpt:email" verify.
# Seen: both are compared as one word. q= with two methods raises ValidationError,
# and a key for two services raises UnknownKeyTypeError, whose text is "None".
# go-msgauth 0.7.0, Mail::DKIM 1.20230212 and mailauth 4.13.3 say pass to both.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq python3-dkim=1.1.4-1 python3-dnspython=2.3.0-1 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
openssl genrsa -out key.pem 2048 2>/dev/null
openssl rsa -in key.pem -pubout -outform DER 2>/dev/null | base64 -w0 >key.txt
cat >run.py <<'PY'
import base64, hashlib, subprocess, sys
sys.path.insert(0, 'root/usr/lib/python3/dist-packages')
import dkim
def sign(extra):
    bh = base64.b64encode(hashlib.sha256(b'hello\r\n').digest()).decode()
    tags = f'v=1; a=rsa-sha256; c=relaxed/relaxed; {extra}d=ex.example; s=s1; h=from; bh={bh}; b='
    signed = f'from:ann@ex.example\r\ndkim-signature:{tags}'.encode()
    b = subprocess.run(['openssl', 'dgst', '-sha256', '-sign', 'key.pem'], input=signed, capture_output=True).stdout
    return f'DKIM-Signature: {tags}{base64.b64encode(b).decode()}\r\nFrom: ann@ex.example\r\n\r\nhello\r\n'.encode()
p = open('key.txt').read()
for extra, key in (('', ''), ('q=dns/txt; ', ''), ('q=dns/future:dns/txt; ', ''),
                   ('', 's=email; '), ('', 's=*; '), ('', 's=tlsrpt:email; ')):
    try:
        result = dkim.DKIM(sign(extra)).verify(dnsfunc=lambda name, timeout=5: f'v=DKIM1; {key}p={p}'.encode())
    except dkim.DKIMException as e:
        result = f'{type(e).__name__}: {e}'
    print(extra or key or 'plain', '->', result)
PY
python3 run.py >seen
cat seen
cat >expected <<'TXT'
plain -> True
q=dns/txt;  -> True
q=dns/future:dns/txt;  -> ValidationError: q= value is not dns/txt (b'dns/future:dns/txt')
s=email;  -> True
s=*;  -> True
s=tlsrpt:email;  -> UnknownKeyTypeError: None
TXT
diff expected seen
