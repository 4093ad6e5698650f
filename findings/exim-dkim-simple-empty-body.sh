#!/bin/sh
# Exim 4.96 (exim4-daemon-light of Debian 12): a mail without a text, signed with dkim_canon = simple.
#
# RFC 6376 3.4.3: in the simple canonicalization an empty body is a single CRLF, whose SHA-256 the RFC
# prints: frcCV1k9.... In the relaxed one it stays empty (3.4.4): 47DEQpj8....
# Guess: mails with a text and without one verify, whatever dkim_canon says.
# Seen: Exim signs the 47DEQpj8... of the relaxed one in both, so with dkim_canon = simple a mail
# without a text, or of empty lines alone ("mail -s done root </dev/null"), is bad at every
# receiver; all others are good. relaxed, the default, is right. It takes root.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq exim4-daemon-light=4.96-15+deb12u11 libgnutls-dane0=3.7.9-2+deb12u7 libunbound8=1.17.1-2+deb12u4 libidn12=1.41-1 \
	libevent-2.1-7=2.1.12-stable-8+deb12u1 libnsl2=1.3.0-2 libnss-wrapper=1.1.12-1 python3-dkim=1.1.4-1 python3-dnspython=2.3.0-1 \
	2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
npm init -y >npm.log
npm install --silent --no-fund --no-audit mailauth@7.1.0 >>npm.log
openssl genrsa -out key.pem 2048 2>/dev/null
openssl rsa -in key.pem -pubout -outform DER 2>/dev/null | base64 -w0 >key.txt
# Exim asks for the account it runs as, and delivers as it.
echo 'root:x:0:0::/:/bin/sh
Debian-exim:x:4242:4242::/:/bin/false' >passwd
echo 'root:x:0:
Debian-exim:x:4242:' >group
mkdir spool
chown 4242:4242 spool
chmod 755 .
chmod 644 key.pem
cat >run.py <<'PY'
import glob, os, re, socket, subprocess, sys, threading
sys.path.insert(0, 'root/usr/lib/python3/dist-packages')
import dkim
here = os.getcwd()
server = socket.create_server(('127.0.0.1', 0))
def receive():
    client = server.accept()[0]
    lines = client.makefile('rb')
    client.sendall(b'220 ready\r\n')
    for line in lines:
        if line.startswith(b'DATA'):
            client.sendall(b'354 go on\r\n')
            mail = b''.join(iter(lines.readline, b'.\r\n'))
        if line.startswith(b'QUIT'):
            break
        client.sendall(b'250 ok\r\n')
    client.close()
    got.append(mail)
env = dict(os.environ, LD_LIBRARY_PATH=':'.join(glob.glob(here + '/root/usr/lib/*-linux-gnu')), NSS_WRAPPER_PASSWD=here + '/passwd',
           NSS_WRAPPER_GROUP=here + '/group', LD_PRELOAD=glob.glob(here + '/root/usr/lib/*-linux-gnu/libnss_wrapper.so')[0])
key = b'v=DKIM1; p=' + open('key.txt', 'rb').read()
for canon in 'relaxed', 'simple':
    open('exim.conf', 'w').write(f'''primary_hostname = ex.example
exim_path = {here}/root/usr/sbin/exim4
spool_directory = {here}/spool
log_file_path = {here}/spool/%slog
keep_environment =
deliver_drop_privilege
begin routers
all:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = smtp
begin transports
smtp:
  driver = smtp
  port = {server.getsockname()[1]}
  allow_localhost
  hosts_avoid_tls = *
  dkim_domain = ex.example
  dkim_selector = s1
  dkim_private_key = {here}/key.pem
  dkim_canon = {canon}
''')
    for what, text in (('a text', 'hello\n'), ('empty lines behind a text', 'hello\n\n\n'), ('a blank', ' \n'), ('no text', ''), ('empty lines', '\n\n')):
        got = []
        thread = threading.Thread(target=receive, daemon=True)
        thread.start()
        run = subprocess.run(['root/usr/sbin/exim4', '-C', here + '/exim.conf', '-odf', '-oi', '-f', 'ann@ex.example', 'bob@b.example'], env=env,
                             input=f'From: ann@ex.example\nSubject: test\n\n{text}', text=True, capture_output=True)
        thread.join(30)
        if not got:
            sys.exit(f'no mail came: {run.stderr}')
        open(f'{canon}, {what}.eml', 'wb').write(got[0])
        try:
            result = dkim.DKIM(got[0]).verify(dnsfunc=lambda name, timeout=5: key)
        except dkim.DKIMException as e:
            result = str(e).split(' (')[0]
        bh = re.search(rb'bh=(.{8})', re.sub(rb'\s', b'', got[0]))[1].decode()
        print(f'{canon}, {what}: bh={bh if text.strip(chr(10)) == "" else "..."} dkimpy {result}')
PY
cat >verify.mjs <<'JS'
import fs from 'node:fs';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
const key = 'v=DKIM1; p=' + fs.readFileSync('key.txt', 'utf8');
for (const file of process.argv.slice(2)) {
	const { results } = await dkimVerify(fs.readFileSync(file), { resolver: async () => [[key]] });
	console.log(`${file.slice(0, -4)}: mailauth ${results[0].status.result} ${results[0].status.comment || ''}`.trim());
}
JS
{
	python3 run.py
	node verify.mjs 'simple, a text.eml' 'relaxed, no text.eml' 'simple, no text.eml' 'simple, empty lines.eml'
} >seen
cat seen
cat >expected <<'TXT'
relaxed, a text: bh=... dkimpy True
relaxed, empty lines behind a text: bh=... dkimpy True
relaxed, a blank: bh=... dkimpy True
relaxed, no text: bh=47DEQpj8 dkimpy True
relaxed, empty lines: bh=47DEQpj8 dkimpy True
simple, a text: bh=... dkimpy True
simple, empty lines behind a text: bh=... dkimpy True
simple, a blank: bh=... dkimpy True
simple, no text: bh=47DEQpj8 dkimpy body hash mismatch
simple, empty lines: bh=47DEQpj8 dkimpy body hash mismatch
simple, a text: mailauth pass
relaxed, no text: mailauth pass
simple, no text: mailauth neutral body hash did not verify
simple, empty lines: mailauth neutral body hash did not verify
TXT
diff expected seen
