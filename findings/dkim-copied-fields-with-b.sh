#!/bin/sh
# "b=" in a signature where it is not the tag b: a subject in z=, a tag whose name ends in b.
#
# RFC 6376 3.5: z= has copies of the fields as they were signed, for people who look for faults; "="
# is written =3D there, so "a=1&b=2" is "a=3D1&b=3D2". PHPMailer 6.6.3 (libphp-phpmailer of Debian 12)
# writes z= unless it is told not to. 3.2: unknown tags are ignored. 3.7: the value of b is deleted.
# Guess: what a mail is about does not decide whether its signature is good.
# Seen: github.com/emersion/go-msgauth 0.7.0 takes the first "b=" for the tag, so a mail of PHPMailer
# with a link's "b=2" in its subject is bad there, and with "c=2" good. A tag xb= makes it bad for
# OpenDKIM 2.11.0~beta2, too. mailauth 7.1.0 passes all. $mail->DKIM_copyHeaderFields = false helps.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq libphp-phpmailer=6.6.3-1 php8.2-cli=8.2.36-1~deb12u1 php8.2-common=8.2.36-1~deb12u1 \
	php8.2-mbstring=8.2.36-1~deb12u1 libonig5=6.9.8-1 libargon2-1=0~20171227-0.3+deb12u1 libsodium23=1.0.18-1+deb12u1 \
	libedit2=3.1-20221030-2 opendkim=2.11.0~beta2-8+deb12u1 libopendkim11=2.11.0~beta2-8+deb12u1 librbl1=2.11.0~beta2-8+deb12u1 \
	libvbr2=2.11.0~beta2-8+deb12u1 libmilter1.0.1=8.17.1.9-2+deb12u2 libopendbx1=1.4.6-16+b1 libmemcached11=1.1.4-1 \
	libhashkit2=1.1.4-1 libunbound8=1.17.1-2+deb12u4 liblua5.3-0=5.3.6-2 libevent-2.1-7=2.1.12-stable-8 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
libs=$(echo root/usr/lib/*-linux-gnu):root/usr/lib
npm init -y >npm.log
npm install --silent --no-fund --no-audit mailauth@7.1.0 >>npm.log
go mod init copies >go.log 2>&1
openssl genrsa -out key.pem 2048 2>/dev/null
openssl rsa -in key.pem -pubout -outform DER 2>/dev/null | base64 -w0 >key.txt
cat >send.php <<'PHP'
<?php
require 'libphp-phpmailer/autoload.php';
foreach (['c' => [1, 'see ?a=1&c=2'], 'b' => [1, 'see ?a=1&b=2'], 'b without copies' => [0, 'see ?a=1&b=2']] as $file => [$copies, $subject]) {
	$mail = new PHPMailer\PHPMailer\PHPMailer(true);
	$mail->Mailer = 'smtp';
	$mail->setFrom('ann@ex.example', 'Ann');
	$mail->addAddress('bob@b.example');
	$mail->Subject = $subject;
	$mail->Body = "hello\n";
	$mail->DKIM_domain = 'ex.example';
	$mail->DKIM_selector = 's1';
	$mail->DKIM_private = 'key.pem';
	if (!$copies) {
		$mail->DKIM_copyHeaderFields = false;
	}
	$mail->preSend();
	file_put_contents($file, $mail->getSentMIMEMessage());
}
PHP
cat >run.mjs <<'JS'
import crypto from 'node:crypto';
import fs from 'node:fs';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
const bh = crypto.createHash('sha256').update('hello\r\n').digest('base64');
for (const tag of ['xc', 'xb']) {
	const tags = `v=1; a=rsa-sha256; c=relaxed/relaxed; d=ex.example; s=s1; ${tag}=2; h=from; bh=${bh}; b=`;
	const b = crypto.sign('sha256', Buffer.from(`from:ann@ex.example\r\ndkim-signature:${tags}`), fs.readFileSync('key.pem')).toString('base64');
	fs.writeFileSync(`tag ${tag}`, `DKIM-Signature: ${tags}${b}\r\nFrom: ann@ex.example\r\n\r\nhello\r\n`);
}
const key = 'v=DKIM1; k=rsa; p=' + fs.readFileSync('key.txt', 'utf8');
fs.writeFileSync('keys', `s1._domainkey.ex.example ${key}\n`);
for (const file of process.argv.slice(2)) {
	const { results } = await dkimVerify(fs.readFileSync(file), { resolver: async () => [[key]] });
	console.log(`mailauth, ${file}: ${results[0].status.result}`);
}
JS
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/emersion/go-msgauth/dkim"
)

func main() {
	key, _ := os.ReadFile("key.txt")
	for _, file := range os.Args[1:] {
		mail, _ := os.Open(file)
		v, err := dkim.VerifyWithOptions(mail, &dkim.VerifyOptions{LookupTXT: func(string) ([]string, error) { return []string{"v=DKIM1; k=rsa; p=" + string(key)}, nil }})
		fmt.Printf("go-msgauth, %s: %v %v\n", file, err, v[0].Err)
	}
}
GO
go get github.com/emersion/go-msgauth/dkim@v0.7.0 >>go.log 2>&1 || { cat go.log; exit 1; }
printf 'Mode v\nTestPublicKeys %s/keys\nSyslog no\nUserID %s\n' "$dir" "$(id -un)" >opendkim.conf
set -- c b 'b without copies' 'tag xc' 'tag xb'
LD_LIBRARY_PATH=$libs root/usr/bin/php8.2 -n -d extension_dir="$(echo root/usr/lib/php/2*)" \
	-d extension=mbstring -d extension=iconv -d extension=ctype -d include_path=root/usr/share/php send.php
{
	node run.mjs "$@"
	for file in "$@"; do
		echo "OpenDKIM, $file: $(LD_LIBRARY_PATH=$libs root/usr/sbin/opendkim -x opendkim.conf -t "$file" 2>&1 | sed 's/.*) //')"
	done
	go run . "$@"
} >seen
cat seen
cat >expected <<'TXT'
mailauth, c: pass
mailauth, b: pass
mailauth, b without copies: pass
mailauth, tag xc: pass
mailauth, tag xb: pass
OpenDKIM, c: succeeded
OpenDKIM, b: succeeded
OpenDKIM, b without copies: succeeded
OpenDKIM, tag xc: succeeded
OpenDKIM, tag xb: failed: signature verification failed
go-msgauth, c: <nil> <nil>
go-msgauth, b: <nil> dkim: signature did not verify: crypto/rsa: verification error
go-msgauth, b without copies: <nil> <nil>
go-msgauth, tag xc: <nil> <nil>
go-msgauth, tag xb: <nil> dkim: signature did not verify: crypto/rsa: verification error
TXT
diff expected seen
