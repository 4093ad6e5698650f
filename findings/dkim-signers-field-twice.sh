#!/bin/sh
# Symfony Mailer 5.4.53 and PHPMailer 6.6.3 (PHP, Debian 12): DKIM for a field that is there twice.
#
# RFC 6376 5.4.2: of a field that is there twice the last one is signed first, "from the bottom of
# the header field block to the top". RFC 5322 3.6: Comments, Keywords and fields of one's own may be
# there as often as one likes; mail services take tags as several fields of one name.
# Guess: such mails verify, as those with one field do.
# Seen: both sign the fields from the top to the bottom, so the signature is bad at every receiver,
# in PHPMailer for fields named in DKIM_extraHeaders. Two fields with the same value verify, and a
# test with one field, too.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq libphp-phpmailer=6.6.3-1 php-symfony-mime=5.4.53+dfsg-0+deb12u1 php-symfony-deprecation-contracts=2.5.5-0+deb12u1 \
	php-email-validator=3.2.5-1 php-doctrine-lexer=2.1.0-2+deb12u1 php-doctrine-deprecations=1.0.0-2+deb12u1 \
	php8.2-cli=8.2.36-1~deb12u1 php8.2-common=8.2.36-1~deb12u1 php8.2-mbstring=8.2.36-1~deb12u1 libonig5=6.9.8-1 \
	libargon2-1=0~20171227-0.3+deb12u1 libsodium23=1.0.18-1+deb12u1 libedit2=3.1-20221030-2 \
	python3-dkim=1.1.4-1 python3-dnspython=2.3.0-1 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
npm init -y >npm.log
npm install --silent --no-fund --no-audit mailauth@7.1.0 >>npm.log
openssl genrsa -out key.pem 2048 2>/dev/null
openssl rsa -in key.pem -pubout -outform DER 2>/dev/null | base64 -w0 >key.txt
cat >send.php <<'PHP'
<?php
require 'libphp-phpmailer/autoload.php';
require 'Symfony/Component/Mime/autoload.php';
require 'Egulias/EmailValidator/autoload.php';
use PHPMailer\PHPMailer\PHPMailer;
use Symfony\Component\Mime\Crypto\DkimSigner;
use Symfony\Component\Mime\Email;
foreach (['one field' => ['a'], 'two fields' => ['a', 'b'], 'two fields of one value' => ['a', 'a']] as $what => $tags) {
	$mail = new PHPMailer(true);
	$mail->Mailer = 'smtp';
	$mail->setFrom('ann@ex.example', 'Ann');
	$mail->addAddress('bob@b.example');
	$mail->Subject = 'test';
	$mail->Body = "hello\n";
	$mail->DKIM_domain = 'ex.example';
	$mail->DKIM_selector = 's1';
	$mail->DKIM_private = 'key.pem';
	$mail->DKIM_extraHeaders = ['X-Tag'];
	foreach ($tags as $tag) {
		$mail->addCustomHeader('X-Tag', $tag);
	}
	$mail->preSend();
	file_put_contents("PHPMailer, $what.eml", $mail->getSentMIMEMessage());

	$mail = (new Email())->from('ann@ex.example')->to('bob@b.example')->subject('test')->text("hello\n");
	foreach ($tags as $tag) {
		$mail->getHeaders()->addTextHeader('X-Tag', $tag);
	}
	$signer = new DkimSigner('file://key.pem', 'ex.example', 's1');
	file_put_contents("Symfony, $what.eml", $signer->sign($mail)->toString());
}
PHP
cat >verify.py <<'PY'
import sys
sys.path.insert(0, 'root/usr/lib/python3/dist-packages')
import dkim
key = b'v=DKIM1; p=' + open('key.txt', 'rb').read()
for what in sys.argv[1:]:
    print(f'{what}: dkimpy', dkim.DKIM(open(what + '.eml', 'rb').read()).verify(dnsfunc=lambda name, timeout=5: key))
PY
cat >verify.mjs <<'JS'
import fs from 'node:fs';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
const key = 'v=DKIM1; p=' + fs.readFileSync('key.txt', 'utf8');
for (const what of process.argv.slice(2)) {
	const { results } = await dkimVerify(fs.readFileSync(what + '.eml'), { resolver: async () => [[key]] });
	console.log(`${what}: mailauth ${results[0].status.result} ${results[0].status.comment || ''}`.trim());
}
JS
LD_LIBRARY_PATH=$(echo root/usr/lib/*-linux-gnu) root/usr/bin/php8.2 -n -d extension_dir="$(echo root/usr/lib/php/2*)" \
	-d extension=mbstring -d extension=iconv -d extension=ctype -d include_path=root/usr/share/php send.php
for signer in PHPMailer Symfony; do
	set -- "$signer, one field" "$signer, two fields" "$signer, two fields of one value"
	python3 verify.py "$@"
	node verify.mjs "$@"
done >seen
cat seen
cat >expected <<'TXT'
PHPMailer, one field: dkimpy True
PHPMailer, two fields: dkimpy False
PHPMailer, two fields of one value: dkimpy True
PHPMailer, one field: mailauth pass
PHPMailer, two fields: mailauth fail bad signature
PHPMailer, two fields of one value: mailauth pass
Symfony, one field: dkimpy True
Symfony, two fields: dkimpy False
Symfony, two fields of one value: dkimpy True
Symfony, one field: mailauth pass
Symfony, two fields: mailauth fail bad signature
Symfony, two fields of one value: mailauth pass
TXT
diff expected seen
