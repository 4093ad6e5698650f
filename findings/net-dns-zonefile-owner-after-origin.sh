#!/bin/sh
# Net::DNS::ZoneFile 1.36 (libnet-dns-perl of Debian 12): a record without an owner behind $ORIGIN.
#
# RFC 1035 5.1: "If an entry for an RR begins with a blank, then the RR is assumed to be owned by
# the last stated owner." $ORIGIN states none; it changes what relative names mean.
# Guess: the record belongs to the name before $ORIGIN, as in BIND.
# Seen: it belongs to the new origin, without an error: an SPF record goes to a name that never had
# one. BIND 9.18 and ldns 1.8.3 take the name before.
# Also, an unquoted "x\ y" (5.1: a backslash takes the meaning off the blank) is cut in two.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq libnet-dns-perl=1.36-1+deb12u1 ldnsutils=1.8.3-1+b1 libldns3=1.8.3-1+b1 \
	bind9-utils=1:9.18.49-1~deb12u3 bind9-libs=1:9.18.49-1~deb12u3 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
libs=$(echo root/usr/lib/*-linux-gnu)
cat >zone <<'ZONE'
$ORIGIN example.com.
$TTL 3600
@ IN SOA ns.example.com. host.example.com. 1 7200 3600 1209600 300
@ IN NS ns
ns IN A 192.0.2.53
mail IN A 192.0.2.1
$ORIGIN other.example.com.
     IN TXT "v=spf1 a -all"
one IN TXT x\ y
ZONE
cat >run.pl <<'PERL'
use lib 'root/usr/share/perl5';
use Net::DNS::ZoneFile;
my $zone = Net::DNS::ZoneFile->new('zone', 'example.com');
while (my $rr = $zone->read) { print $rr->owner, '. [', join('][', $rr->txtdata), "]\n" if $rr->type eq 'TXT' }
PERL
{
	echo "BIND:"
	LD_LIBRARY_PATH=$libs root/usr/bin/named-compilezone -q -i none -o - example.com zone | awk '$4 == "TXT" { print $1, $5, $6, $7, $8 }'
	echo "ldns:"
	LD_LIBRARY_PATH=$libs root/usr/bin/ldns-read-zone zone | awk '$4 == "TXT" { print $1, $5, $6, $7, $8 }'
	echo "Net::DNS:"
	perl run.pl
} >seen
sed -i 's/ *$//' seen
cat seen
cat >expected <<'TXT'
BIND:
mail.example.com. "v=spf1 a -all"
one.other.example.com. "x y"
ldns:
mail.example.com. "v=spf1 a -all"
one.other.example.com. "x y"
Net::DNS:
other.example.com. [v=spf1 a -all]
one.other.example.com. [x\][y]
TXT
diff expected seen
