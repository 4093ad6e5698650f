#!/bin/sh
# Mail::DKIM 1.20230212 (libmail-dkim-perl of Debian 12): blanks around the "=" of an instance.
#
# RFC 8617 4.1.1: arc-info = instance [CFWS] ";" authres-payload, with [CFWS] around the "=" of
# the instance.
# Guess: "i = 1;" in ARC-Authentication-Results is instance 1, as it is in ARC-Seal.
# Seen: the field does not count as one of the set, so the seal does not cover it, and the
# chain fails; blanks before and behind the ";", and in ARC-Seal, do no harm. dkimpy 1.1.4
# passes each.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq libmail-dkim-perl=1.20230212-2~deb12u1 libmail-authenticationresults-perl=2.20230112-1 libmailtools-perl=2.21-2 \
	libcrypt-openssl-rsa-perl libcrypt-openssl-bignum-perl libcryptx-perl libnet-dns-perl libjson-perl libclone-perl \
	python3-dkim=1.1.4-1 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
openssl genrsa -out key.pem 2048 2>/dev/null
openssl rsa -in key.pem -pubout -outform der 2>/dev/null | base64 -w0 >public
cat >sign.py <<'PY'
import base64, hashlib, re, subprocess, sys
sys.path.insert(0, 'root/usr/lib/python3/dist-packages')
import dkim

record = b'v=DKIM1; p=' + open('public', 'rb').read()
body = 'hello\r\n'
fields = ['From: Ann <ann@ex.example>', 'Subject: hello']

def signature(*list):
    text = '\r\n'.join(relaxed(f) for f in list)
    run = subprocess.run(['openssl', 'dgst', '-sha256', '-sign', 'key.pem'], input=text.encode(), capture_output=True, check=True)
    return base64.b64encode(run.stdout).decode()

def relaxed(field):
    name, value = field.split(':', 1)
    return name.lower() + ':' + re.sub(r'[ \t]+', ' ', value).strip()

for number, (results, seal) in enumerate((('i=1;', 'i=1;'), ('i=1 ;', 'i=1;'), ('i = 1;', 'i=1;'), ('i=1;  ', 'i=1;'), ('i=1;', 'i = 1 ;'))):
    digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
    aar = f'ARC-Authentication-Results: {results} hop.example; none'
    message = f'ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=hop.example; s=s; h=from:subject; bh={digest}; b='
    message += signature(*fields, message)
    sealed = f'ARC-Seal: {seal} cv=none; a=rsa-sha256; d=hop.example; s=s; b='
    sealed += signature(aar, message, sealed)
    text = ('\r\n'.join([sealed, message, aar] + fields) + '\r\n\r\n' + body).encode()
    open(f'{number}.eml', 'wb').write(text)
    print('dkimpy', f'"{results}" "{seal}" ->', dkim.arc_verify(text, dnsfunc=lambda *a, **k: record)[0].decode())
PY
cat >verify.pl <<'PL'
use strict;
use lib 'root/usr/share/perl5', 'root/usr/lib/x86_64-linux-gnu/perl5/5.36';
use Mail::DKIM::ARC::Verifier;
use Mail::DKIM::PublicKey;
no warnings 'redefine';
open my $in, '<', 'public' or die;
my $record = 'v=DKIM1; p=' . <$in>;
*Mail::DKIM::PublicKey::fetch_async = sub {
	my ($class, %p) = @_;
	my $key = $class->parse($record);
	return sub { $p{Callbacks}{Success}->($key) };
};
for my $file (glob '*.eml') {
	my $verifier = Mail::DKIM::ARC::Verifier->new;
	open my $message, '<:raw', $file or die;
	$verifier->PRINT($_) while <$message>;
	$verifier->CLOSE;
	my ($aar) = `cat $file` =~ /^ARC-Authentication-Results: (.*?) hop/m;
	my ($seal) = `cat $file` =~ /^ARC-Seal: (.*?) cv/m;
	print qq(Mail::DKIM "$aar" "$seal" -> ), $verifier->result, "\n";
}
PL
/usr/bin/python3 sign.py >seen
perl verify.pl >>seen
cat seen
cat >expected <<'TXT'
dkimpy "i=1;" "i=1;" -> pass
dkimpy "i=1 ;" "i=1;" -> pass
dkimpy "i = 1;" "i=1;" -> pass
dkimpy "i=1;  " "i=1;" -> pass
dkimpy "i=1;" "i = 1 ;" -> pass
Mail::DKIM "i=1;" "i=1;" -> pass
Mail::DKIM "i=1 ;" "i=1;" -> pass
Mail::DKIM "i = 1;" "i=1;" -> fail
Mail::DKIM "i=1;  " "i=1;" -> pass
Mail::DKIM "i=1;" "i = 1 ;" -> pass
TXT
diff expected seen
