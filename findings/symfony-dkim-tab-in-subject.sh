#!/bin/sh
# Symfony Mailer 5.4.53 (php-symfony-mime of Debian 12): DKIM for a subject with a tab in it.
#
# RFC 6376 3.4.2: the relaxed canonicalization makes one blank of each run of one or more blanks
# and tabs. Texts copied from a table have tabs.
# Guess: a tab is a blank.
# Seen: only runs of two or more are made one blank, so a single tab stays a tab in what is signed:
# the signature is bad at every receiver. Two tabs, or a tab beside a blank, verify, and so does
# header_canon simple.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq php-symfony-mime=5.4.53+dfsg-0+deb12u1 php-symfony-deprecation-contracts=2.5.5-0+deb12u1 \
	php-email-validator=3.2.5-1 php-doctrine-lexer=2.1.0-2+deb12u1 php-doctrine-deprecations=1.0.0-2+deb12u1 \
	php8.2-cli=8.2.36-1~deb12u1 php8.2-common=8.2.36-1~deb12u1 php8.2-mbstring=8.2.36-1~deb12u1 libonig5=6.9.8-1 \
	libargon2-1=0~20171227-0.3+deb12u1 libsodium23=1.0.18-1+deb12u1 libedit2=3.1-20221030-2 \
	python3-dkim=1.1.4-1 python3-dnspython=2.3.0-1 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
openssl genrsa -out key.pem 2048 2>/dev/null
openssl rsa -in key.pem -pubout -outform DER 2>/dev/null | base64 -w0 >key.txt
cat >send.php <<'PHP'
<?php
require 'Symfony/Component/Mime/autoload.php';
require 'Egulias/EmailValidator/autoload.php';
use Symfony\Component\Mime\Crypto\DkimSigner;
use Symfony\Component\Mime\Email;
$n = 0;
foreach (['a b', 'a  b', "a\tb", "a\t\tb", "a \tb"] as $subject) {
	foreach (['relaxed', 'simple'] as $canon) {
		$mail = (new Email())->from('ann@ex.example')->to('bob@b.example')->subject($subject)->text("hello\n");
		$signer = new DkimSigner('file://key.pem', 'ex.example', 's1', ['header_canon' => $canon]);
		file_put_contents(sprintf('%02d.eml', $n++), $signer->sign($mail)->toString());
	}
}
PHP
cat >verify.py <<'PY'
import re, sys
sys.path.insert(0, 'root/usr/lib/python3/dist-packages')
import dkim
key = b'v=DKIM1; p=' + open('key.txt', 'rb').read()
for name in sys.argv[1:]:
    mail = open(name, 'rb').read()
    subject = re.search(rb'Subject: (.*)\r\n', mail)[1].decode()
    print(re.search(rb'c=(\w+)', mail)[1].decode(), repr(subject), '->', dkim.DKIM(mail).verify(dnsfunc=lambda name, timeout=5: key))
PY
LD_LIBRARY_PATH=$(echo root/usr/lib/*-linux-gnu) root/usr/bin/php8.2 -n -d extension_dir="$(echo root/usr/lib/php/2*)" \
	-d extension=mbstring -d extension=iconv -d extension=ctype -d include_path=root/usr/share/php send.php
python3 verify.py ??.eml >seen
cat seen
cat >expected <<'TXT'
relaxed 'a b' -> True
simple 'a b' -> True
relaxed 'a  b' -> True
simple 'a  b' -> True
relaxed 'a\tb' -> False
simple 'a\tb' -> True
relaxed 'a\t\tb' -> True
simple 'a\t\tb' -> True
relaxed 'a \tb' -> True
simple 'a \tb' -> True
TXT
diff expected seen
