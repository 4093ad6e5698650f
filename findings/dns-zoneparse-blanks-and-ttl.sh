#!/bin/sh
# DNS::ZoneParse 1.10 (Perl, Debian 12): a text with two blanks, and a TTL of 0.
#
# RFC 1035 5.1: what stands between quotes is taken as it is. RFC 2308 4: $TTL is for
# records without a TTL; 0 is one (RFC 1035 3.2.1).
# Guess: kept as they are.
# Seen: runs of blanks between quotes become one, so a text is not what was published. A TTL
# of 0 ("do not cache", as in the days of a move) becomes that of the zone.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq libdns-zoneparse-perl=1.10-1.1 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
cat >run.pl <<'PL'
use lib 'root/usr/share/perl5';
use DNS::ZoneParse;
my $text = q{$ORIGIN example.com.
$TTL 3600
@ IN SOA ns hostmaster ( 1 86400 7200 2419200 3600 )
@ IN NS ns
a IN TXT "two  blanks"
b 0 IN TXT "no cache"
c 90 IN TXT "the last"
};
my $zone = DNS::ZoneParse->new(\$text, 'example.com.');
print "$_->{name} $_->{ttl} \"$_->{text}\"\n" for @{ $zone->txt };
PL
perl run.pl >seen
cat seen
cat >expected <<'TXT'
a 3600 "two blanks"
b 3600 "no cache"
c 90 "the last"
TXT
diff expected seen
