#!/bin/sh
# dnsruby 1.61.5 (ruby-dnsruby of Debian 12): a zone file as people write it.
#
# RFC 1035 5.1: upper and lower case are the same; a name without a final dot is relative to the
# origin. RFC 2308 4: $TTL is for all records without a TTL. BIND and all after it read 1h as 3600.
# Guess: read so, or refused.
# Seen: a time with a unit is 0, without an error: "$TTL 1h" makes records that nobody may keep in a
# cache, and an SOA of "2h 1h 2w 1h" a zone that secondaries give up at once. Also with plain
# numbers: a record with a TTL of its own gives it to all behind it; the names of the SOA stay
# relative; and "in txt" is a record of the type ANY.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq ruby3.1=3.1.7+really3.1.2-0+deb12u1 libruby3.1=3.1.7+really3.1.2-0+deb12u1 ruby-dnsruby=1.61.5-3 ruby-simpleidn=0.1.1-2 ruby-unf=0.1.4-2.1 ruby-unf-ext=0.0.7.7-1+b4 \
	libyaml-0-2 libedit2=3.1-20221030-2 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
cat >units.zone <<'ZONE'
$TTL 1h
@	IN SOA ns.ex.example. hostmaster.ex.example. ( 2026120101 2h 1h 2w 1h )
	IN NS ns.ex.example.
s1._domainkey	IN TXT "v=DKIM1; k=rsa; " "p=abc"
_dmarc	1d IN TXT "v=DMARC1; p=none"
ZONE
cat >numbers.zone <<'ZONE'
$TTL 3600
@	IN SOA ns hostmaster ( 2026120101 7200 3600 1209600 3600 )
	IN NS ns
s1._domainkey	IN TXT "v=DKIM1; k=rsa; " "p=abc"
_dmarc	300 IN TXT "v=DMARC1; p=none"
mail	IN A 192.0.2.2
lower	in txt "abc"
ZONE
cat >run.rb <<'RB'
require 'dnsruby'
ARGV.each do |file|
  puts file
  Dnsruby::ZoneReader.new('ex.example.').process_file(file).flatten.each { |record| puts '  ' + record.to_s.strip.tr("\t", ' ') }
end
RB
root=$PWD/root
rubylib=$(find "$root" -type d \( -path '*/gems/*/lib' -o -name vendor_ruby \) | tr '\n' :)
RUBYLIB=$rubylib$root/usr/lib/ruby/3.1.0:$(echo "$root"/usr/lib/*-linux-gnu/ruby/3.1.0) LD_LIBRARY_PATH=$(echo "$root"/usr/lib/*-linux-gnu) \
	root/usr/bin/ruby3.1 --disable-gems run.rb units.zone numbers.zone >seen || { cat seen; exit 1; }
cat seen
cat >expected <<'TXT'
units.zone
  ex.example. 0 IN SOA ns.ex.example. hostmaster.ex.example. 2026120101 0 0 0 0
  ex.example. 0 IN NS ns.ex.example.
  s1._domainkey.ex.example. 0 IN TXT "v=DKIM1; k=rsa; " "p=abc"
  _dmarc.ex.example. 0 IN TXT "v=DMARC1; p=none"
numbers.zone
  ex.example. 3600 IN SOA ns hostmaster 2026120101 7200 3600 1209600 3600
  ex.example. 3600 IN NS ns.ex.example.
  s1._domainkey.ex.example. 3600 IN TXT "v=DKIM1; k=rsa; " "p=abc"
  _dmarc.ex.example. 300 IN TXT "v=DMARC1; p=none"
  mail.ex.example. 300 IN A 192.0.2.2
  lower.ex.example. 300 IN ANY in txt "abc"
TXT
diff expected seen
