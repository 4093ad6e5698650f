#!/bin/sh
# PHPMailer 6.6.3 (libphp-phpmailer of Debian 12): DKIM for a text that ends in blanks, and a text "0".
#
# RFC 6376 3.4.3: the simple canonicalization of a body takes away empty lines at its end; "it
# makes no other changes". The line before a signature is "-- ", with a blank (RFC 3676 4.3).
# Guess: a mail that ends in "-- " or in a line with a blank verifies, as PHPMailer signs what it
# sends; a cron job may send the text "0".
# Seen: what is signed has lost all blanks and tabs at the end of the body, what is sent has not:
# "body hash mismatch" at every receiver. Blanks before the end, and multipart mails, which end in a
# boundary, verify, so a test mail does. The text "0" is "Message body empty", an exception.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq libphp-phpmailer=6.6.3-1 php8.2-cli=8.2.36-1~deb12u1 php8.2-common=8.2.36-1~deb12u1 \
	php8.2-mbstring=8.2.36-1~deb12u1 libonig5=6.9.8-1 libargon2-1=0~20171227-0.3+deb12u1 libsodium23=1.0.18-1+deb12u1 \
	libedit2=3.1-20221030-2 python3-dkim=1.1.4-1 python3-dnspython=2.3.0-1 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
npm init -y >npm.log
npm install --silent --no-fund --no-audit mailauth@7.1.0 >>npm.log
openssl genrsa -out key.pem 2048 2>/dev/null
openssl rsa -in key.pem -pubout -outform DER 2>/dev/null | base64 -w0 >key.txt
cat >send.php <<'PHP'
<?php
require 'libphp-phpmailer/autoload.php';
use PHPMailer\PHPMailer\PHPMailer;
$texts = ['plain' => "hello\n", 'blanks within' => "a  b \n\tc\n", 'empty lines at the end' => "hello\n\n\n",
	'"-- " at the end' => "hello\n-- \n", 'line of a blank at the end' => "hello\n \n", 'html, "-- " at the end' => "hello\n-- \n", '0' => '0'];
foreach ($texts as $what => $text) {
	$mail = new PHPMailer(true);
	$mail->Mailer = 'smtp';
	$mail->setFrom('ann@ex.example', 'Ann');
	$mail->addAddress('bob@b.example');
	$mail->Subject = 'test';
	$mail->Body = $text;
	if (strpos($what, 'html') === 0) {
		$mail->isHTML(true);
		$mail->AltBody = $text;
	}
	$mail->DKIM_domain = 'ex.example';
	$mail->DKIM_selector = 's1';
	$mail->DKIM_private = 'key.pem';
	try {
		$mail->preSend();
		file_put_contents("$what.eml", $mail->getSentMIMEMessage());
	} catch (Exception $e) {
		echo "$what -> ", $e->getMessage(), "\n";
	}
}
PHP
cat >verify.py <<'PY'
import sys
sys.path.insert(0, 'root/usr/lib/python3/dist-packages')
import dkim
key = b'v=DKIM1; p=' + open('key.txt', 'rb').read()
for what in sys.argv[1:]:
    try:
        result = dkim.DKIM(open(what + '.eml', 'rb').read()).verify(dnsfunc=lambda name, timeout=5: key)
    except dkim.DKIMException as e:
        result = str(e).split(' (')[0]
    print(f'dkimpy, {what} -> {result}')
PY
cat >verify.mjs <<'JS'
import fs from 'node:fs';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
const key = 'v=DKIM1; p=' + fs.readFileSync('key.txt', 'utf8');
for (const what of process.argv.slice(2)) {
	const { results } = await dkimVerify(fs.readFileSync(what + '.eml'), { resolver: async () => [[key]] });
	console.log(`mailauth, ${what} -> ${results[0].status.result} ${results[0].status.comment || ''}`.trim());
}
JS
set -- plain 'blanks within' 'empty lines at the end' '"-- " at the end' 'line of a blank at the end' 'html, "-- " at the end'
{
	LD_LIBRARY_PATH=$(echo root/usr/lib/*-linux-gnu) root/usr/bin/php8.2 -n -d extension_dir="$(echo root/usr/lib/php/2*)" \
		-d extension=mbstring -d extension=iconv -d extension=ctype -d include_path=root/usr/share/php send.php
	python3 verify.py "$@"
	node verify.mjs "$@"
} >seen
cat seen
cat >expected <<'TXT'
0 -> Message body empty
dkimpy, plain -> True
dkimpy, blanks within -> True
dkimpy, empty lines at the end -> True
dkimpy, "-- " at the end -> body hash mismatch
dkimpy, line of a blank at the end -> body hash mismatch
dkimpy, html, "-- " at the end -> True
mailauth, plain -> pass
mailauth, blanks within -> pass
mailauth, empty lines at the end -> pass
mailauth, "-- " at the end -> neutral body hash did not verify
mailauth, line of a blank at the end -> neutral body hash did not verify
mailauth, html, "-- " at the end -> pass
TXT
diff expected seen
