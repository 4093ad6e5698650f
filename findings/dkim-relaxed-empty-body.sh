#!/bin/sh
# A mail without a text, signed with the relaxed canonicalization of the body: two camps.
#
# RFC 6376 3.4.4: an empty body stays empty in the relaxed canonicalization (3.4.3 makes a CRLF of it
# in the simple one only); empty lines at the end are taken away, so a body of empty lines is empty,
# too. The RFC prints the SHA-256 of nothing, 47DEQpj8....
# Guess: bh= of such a mail is that, and all verify it.
# Seen: github.com/toorop/go-dkim (Debian 12) signs a CRLF, and go-dkim and haraka-plugin-dkim 1.3.1
# (npm) say that the mails of others are bad. dkim-signer 0.2.2 (npm) signs a CRLF for empty
# lines, and for no text at all the whole mail, which nobody passes. nodemailer 10.6.1 signs, and
# mailauth 7.1.0 and dkimpy 1.1.4 verify, as the RFC says. Each camp passes itself.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq golang-github-toorop-go-dkim-dev=0.0~git20201103.e1cd1a0-2 python3-dkim=1.1.4-1 python3-dnspython=2.3.0-1 \
	2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
npm init -y >npm.log
npm install --silent --no-fund --no-audit dkim-signer@0.2.2 nodemailer@10.6.1 mailauth@7.1.0 haraka-plugin-dkim@1.3.1 >>npm.log
openssl genrsa -traditional -out key.pem 2048 2>/dev/null
openssl rsa -in key.pem -pubout -outform DER 2>/dev/null | base64 -w0 >key.txt
printf 'From: ann@ex.example\r\nSubject: x\r\n\r\n' >empty
printf 'From: ann@ex.example\r\nSubject: x\r\n\r\n\r\n\r\n' >lines
mkdir -p src/godkim
cp -r root/usr/share/gocode/src/github.com src/
cat >src/godkim/main.go <<'GO'
package main

import (
	"fmt"
	"os"

	dkim "github.com/toorop/go-dkim"
)

func main() {
	mail, _ := os.ReadFile(os.Args[2])
	if os.Args[1] == "sign" {
		options := dkim.NewSigOptions()
		options.PrivateKey, _ = os.ReadFile("key.pem")
		options.Domain, options.Selector, options.Canonicalization = "ex.example", "s1", "relaxed/relaxed"
		if err := dkim.Sign(&mail, options); err != nil {
			panic(err)
		}
		os.Stdout.Write(mail)
		return
	}
	key, _ := os.ReadFile("key.txt")
	result, _ := dkim.Verify(&mail, dkim.DNSOptLookupTXT(func(string) ([]string, error) { return []string{"v=DKIM1; k=rsa; p=" + string(key)}, nil }))
	fmt.Println("go-dkim", map[bool]string{true: "pass", false: "fail"}[result == dkim.SUCCESS])
}
GO
cat >sign.cjs <<'JS'
process.noDeprecation = true;
const fs = require('fs');
const { DKIMSign } = require('dkim-signer');
const nodemailer = require('nodemailer');
const privateKey = fs.readFileSync('key.pem', 'utf8');
(async () => {
	for (const file of ['empty', 'lines']) {
		const mail = fs.readFileSync(file, 'utf8');
		const dkim = { privateKey, domainName: 'ex.example', keySelector: 's1' };
		fs.writeFileSync(`dkim-signer, ${file}`, `${DKIMSign(mail, dkim)}\r\n${mail}`);
		const transport = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: 'windows', dkim });
		const sent = await transport.sendMail({ envelope: { from: 'ann@ex.example', to: 'bob@b.example' }, raw: mail });
		fs.writeFileSync(`nodemailer, ${file}`, sent.message);
	}
})();
JS
cat >verify.cjs <<'JS'
const fs = require('fs'), dns = require('dns');
const { dkimVerify } = require('mailauth/lib/dkim/verify.js');
const { DKIMVerifyStream } = require('haraka-plugin-dkim/lib/dkim.js');
console.debug = () => {};
const answer = [['v=DKIM1; p=' + fs.readFileSync('key.txt', 'utf8')]];
dns.promises.resolveTxt = async () => answer;
(async () => {
	const mail = fs.readFileSync(process.argv[2]);
	const { results } = await dkimVerify(mail, { resolver: async () => answer });
	console.log('mailauth', results[0].status.result === 'pass' ? 'pass' : 'fail');
	const haraka = await new Promise((done) => new DKIMVerifyStream({}, (err, result, all) => done(all[0].result)).end(mail));
	console.log('haraka-plugin-dkim', haraka);
})();
JS
cat >verify.py <<'PY'
import sys
sys.path.insert(0, 'root/usr/lib/python3/dist-packages')
import dkim
key = b'v=DKIM1; p=' + open('key.txt', 'rb').read()
try:
    ok = dkim.DKIM(open(sys.argv[1], 'rb').read()).verify(dnsfunc=lambda name, timeout=5: key)
except dkim.DKIMException:
    ok = False
print('dkimpy', 'pass' if ok else 'fail')
PY
GO111MODULE=off GOPATH=$dir GOFLAGS= go build -o godkim godkim
node sign.cjs
for file in empty lines; do ./godkim sign $file >"go-dkim, $file"; done
for file in empty lines; do
	for signer in nodemailer dkim-signer go-dkim; do
		digest=$(tr -d '\r\n\t ' <"$signer, $file" | sed 's/.*bh=\(........\).*/\1/')
		echo "$signer, $file: bh=$digest... -> $({ python3 verify.py "$signer, $file"; node verify.cjs "$signer, $file"; ./godkim verify "$signer, $file"; } | paste -sd,)"
	done
done >seen
cat seen
cat >expected <<'TXT'
nodemailer, empty: bh=47DEQpj8... -> dkimpy pass,mailauth pass,haraka-plugin-dkim fail,go-dkim fail
dkim-signer, empty: bh=lFU0LCCQ... -> dkimpy fail,mailauth fail,haraka-plugin-dkim fail,go-dkim fail
go-dkim, empty: bh=frcCV1k9... -> dkimpy fail,mailauth fail,haraka-plugin-dkim pass,go-dkim pass
nodemailer, lines: bh=47DEQpj8... -> dkimpy pass,mailauth pass,haraka-plugin-dkim fail,go-dkim fail
dkim-signer, lines: bh=frcCV1k9... -> dkimpy fail,mailauth fail,haraka-plugin-dkim pass,go-dkim pass
go-dkim, lines: bh=frcCV1k9... -> dkimpy fail,mailauth fail,haraka-plugin-dkim pass,go-dkim pass
TXT
diff expected seen
