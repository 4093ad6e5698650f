#!/bin/sh
# An RSA key record in the form of RFC 6376 itself.
#
# RFC 6376 3.6.1 says p= holds an ASN.1 RSAPublicKey (PKCS #1); its own example, and all
# the world, have a SubjectPublicKeyInfo around it.
# Guess: verifiers take the form of the text as well as that of the world.
# Seen: dkimpy 1.1.4 and github.com/emersion/go-msgauth 0.7.0 take both; mailauth 4.13.3 says
# neutral, "unknown key type", and Mail::DKIM 1.20230212 says invalid.
# Publish what openssl rsa -pubout writes, never RSAPublicKey.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq python3-dkim=1.1.4-1 python3-dnspython=2.3.0-1 libmail-dkim-perl=1.20230212-2~deb12u1 \
	libcrypt-openssl-rsa-perl=0.33-3+b1 libcrypt-openssl-bignum-perl=0.09-2+b1 libcryptx-perl=0.077-1+b1 \
	libmath-int64-perl=0.54-2+b1 libmailtools-perl=2.21-2 libnet-dns-perl=1.36-1 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
npm init -y >npm.log
npm install --silent --no-fund --no-audit mailauth@4.13.3 >>npm.log
go mod init keyform >go.log 2>&1

cat >sign.mjs <<'JS'
import crypto from 'node:crypto';
import fs from 'node:fs';
const { privateKey, publicKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
const bh = crypto.createHash('sha256').update('hello\r\n').digest('base64');
const tags = `v=1; a=rsa-sha256; c=relaxed/relaxed; d=ex.example; s=s1; h=from; bh=${bh}; b=`;
const b = crypto.sign('sha256', Buffer.from('from:ann@ex.example\r\ndkim-signature:' + tags), privateKey).toString('base64');
fs.writeFileSync('mail', `DKIM-Signature: ${tags}${b}\r\nFrom: ann@ex.example\r\n\r\nhello\r\n`);
for (const type of ['spki', 'pkcs1'])
	fs.writeFileSync(type, 'v=DKIM1; k=rsa; p=' + publicKey.export({ type, format: 'der' }).toString('base64'));
JS
node sign.mjs

cat >verify.py <<'PY'
import sys
sys.path.insert(0, 'root/usr/lib/python3/dist-packages')
import dkim
mail, key = open('mail', 'rb').read(), open(sys.argv[1], 'rb').read()
print('  dkimpy', 'pass' if dkim.verify(mail, dnsfunc=lambda name, timeout=5: key) else 'fail')
PY
cat >verify.pl <<'PERL'
use lib 'root/usr/share/perl5', glob 'root/usr/lib/*/perl5/*';
use Mail::DKIM::Verifier;
use Mail::DKIM::DNS;
use Net::DNS;
sub slurp { local $/; open my $f, '<:raw', shift; <$f> }
my ($mail, $key) = (slurp('mail'), slurp($ARGV[0]));
no warnings;
*Mail::DKIM::DNS::query = sub { Net::DNS::RR->new(name => 's1._domainkey.ex.example', type => 'TXT', txtdata => [$key =~ /(.{1,250})/g]) };
my $v = Mail::DKIM::Verifier->new;
$v->PRINT($mail);
$v->CLOSE;
print '  Mail::DKIM ', $v->result, "\n";
PERL
cat >verify.mjs <<'JS'
import fs from 'node:fs';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
const key = fs.readFileSync(process.argv[2], 'utf8');
const r = await dkimVerify(fs.readFileSync('mail'), { resolver: async () => [[key]] });
console.log('  mailauth', r.results[0].status.result, r.results[0].status.comment || '');
JS
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/emersion/go-msgauth/dkim"
)

func main() {
	mail, _ := os.Open("mail")
	key, _ := os.ReadFile(os.Args[1])
	v, err := dkim.VerifyWithOptions(mail, &dkim.VerifyOptions{LookupTXT: func(string) ([]string, error) { return []string{string(key)}, nil }})
	fmt.Println("  go-msgauth", err, v[0].Err)
}
GO
go get github.com/emersion/go-msgauth/dkim@v0.7.0 >>go.log 2>&1
for form in spki pkcs1; do
	echo $form
	python3 verify.py $form
	perl verify.pl $form
	node verify.mjs $form
	go run . $form
done >seen
cat seen
cat >expected <<'TXT'
spki
  dkimpy pass
  Mail::DKIM pass
  mailauth pass 
  go-msgauth <nil> <nil>
pkcs1
  dkimpy pass
  Mail::DKIM invalid
  mailauth neutral unknown key type
  go-msgauth <nil> <nil>
TXT
diff expected seen
