#!/bin/sh
# SRS addresses of srs.js 0.1.0 (npm) and Mail::SRS 0.31: the same secret, the same day.
#
# The SRS paper has a timestamp of days since 1970 modulo 1024 in base32 and a hash that
# is compared without regard to case, since mail servers change it.
# Guess: the timestamps of one moment agree, and each reads its own address in lower case.
# Seen: srs.js rounds the day instead of cutting it, so its day begins at noon UTC and is
# one ahead until midnight. In lower case srs.js does not know
# its own address (null); Mail::SRS does.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq libmail-srs-perl=0.31-9 libdigest-hmac-perl=1.04+dfsg-2 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
npm init -y >npm.log
npm install --silent --no-fund --no-audit srs.js@0.1.0 >>npm.log
cat >run.cjs <<'JS'
const SRS = require('srs.js');
const srs = new SRS({ secret: 'secret' });
const day = 20000 * 86400e3; // midnight UTC
for (const hour of [0, 11, 12, 23]) {
	Date.now = () => day + hour * 3600e3;
	console.log(`srs.js at ${hour}:00 timestamp`, srs.rewrite('ann', 'ex.example').split('=')[2]);
}
const address = srs.rewrite('ann', 'ex.example');
console.log('srs.js reads its own:', srs.reverse(address));
console.log('srs.js reads its own in lower case:', srs.reverse(address.toLowerCase()));
JS
cat >run.pl <<'PERL'
use lib 'root/usr/share/perl5';
our $now;
BEGIN { *CORE::GLOBAL::time = sub { $now } }
use Mail::SRS;
my $srs = Mail::SRS->new(Secret => ['secret']);
for my $hour (0, 11, 12, 23) {
	$now = 20000 * 86400 + $hour * 3600;
	print "Mail::SRS at $hour:00 timestamp ", (split /=/, $srs->forward('ann@ex.example', 'fwd.example'))[2], "\n";
}
local $SIG{__WARN__} = sub { };
print 'Mail::SRS reads its own in lower case: ', $srs->reverse(lc $srs->forward('ann@ex.example', 'fwd.example')), "\n";
PERL
{ node run.cjs; perl run.pl; } >seen
cat seen
cat >expected <<'TXT'
srs.js at 0:00 timestamp RA
srs.js at 11:00 timestamp RA
srs.js at 12:00 timestamp RB
srs.js at 23:00 timestamp RB
srs.js reads its own: [ 'ann', 'ex.example' ]
srs.js reads its own in lower case: null
Mail::SRS at 0:00 timestamp RA
Mail::SRS at 11:00 timestamp RA
Mail::SRS at 12:00 timestamp RA
Mail::SRS at 23:00 timestamp RA
Mail::SRS reads its own in lower case: ann@ex.example
TXT
diff expected seen
