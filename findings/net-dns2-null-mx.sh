#!/bin/sh
# Net_DNS2 1.5.0 (php-net-dns2 of Debian 12): the MX record of a domain without mail, and SRV ".".
#
# RFC 7505: "MX 0 ." says that a domain takes no mail; RFC 2782 and RFC 6186: "SRV 0 0 0 ." says that a
# service is not there. The root is the single octet 0 on the wire.
# Guess: what the library reads from a zone file's line or an answer, it can send.
# Seen: both are read, from the line and from an answer, and printed as they should; what it sends has
# no data at all, the preference neither: the root is an empty string there, and counts as
# no name. PHP 8 has a notice of something deprecated, else nothing is said.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq php-net-dns2=1.5.0-1 php8.2-cli=8.2.36-1~deb12u1 php8.2-common=8.2.36-1~deb12u1 \
	libargon2-1=0~20171227-0.3+deb12u1 libsodium23=1.0.18-1+deb12u1 libedit2=3.1-20221030-2 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
cat >run.php <<'PHP'
<?php
spl_autoload_register(function ($class) {
	include 'root/usr/share/php/' . str_replace('_', '/', $class) . '.php';
});
foreach (['ex.example. 300 IN MX 10 mail.ex.example.', 'ex.example. 300 IN MX 0 .',
	'_imap._tcp.ex.example. 300 IN SRV 0 0 143 mail.ex.example.', '_imap._tcp.ex.example. 300 IN SRV 0 0 0 .'] as $line) {
	$record = Net_DNS2_RR::fromString($line);
	$message = new Net_DNS2_Packet_Request('ex.example', 'SOA', 'IN');
	$message->answer = [$record];
	$message->header->ancount = 1;
	$wire = $message->get();
	$at = strrpos($wire, "\0\0\1\x2c") + 4;
	echo "$record -> ", 'length ', bin2hex(substr($wire, $at, 2)), ', data ', bin2hex(substr($wire, $at + 2)), "\n";
}
foreach (['MX' => [15, "\0\0\0"], 'SRV' => [33, "\0\0\0\0\0\0\0"]] as $type => [$number, $data]) {
	$wire = pack('n6', 1, 0x8180, 1, 1, 0, 0) . "\2ex\7example\0" . pack('n2', $number, 1) . "\xc0\x0c" . pack('nnNn', $number, 1, 300, strlen($data)) . $data;
	echo "answer with the $type of RFC -> ", (new Net_DNS2_Packet_Response($wire, strlen($wire)))->answer[0], "\n";
}
PHP
LD_LIBRARY_PATH=$(echo root/usr/lib/*-linux-gnu) root/usr/bin/php8.2 -n -d extension_dir="$(echo root/usr/lib/php/2*)" \
	-d extension=ctype -d extension=sockets -d error_reporting=8191 run.php >seen || { cat seen; exit 1; }
cat seen
cat >expected <<'TXT'
ex.example. 300 IN MX 10 mail.ex.example. -> length 0009, data 000a046d61696cc00c
ex.example. 300 IN MX 0 . -> length 0000, data 
_imap._tcp.ex.example. 300 IN SRV 0 0 143 mail.ex.example. -> length 000d, data 00000000008f046d61696cc00c
_imap._tcp.ex.example. 300 IN SRV 0 0 0 . -> length 0000, data 
answer with the MX of RFC -> ex.example. 300 IN MX 0 .
answer with the SRV of RFC -> ex.example. 300 IN SRV 0 0 0 .
TXT
diff expected seen
