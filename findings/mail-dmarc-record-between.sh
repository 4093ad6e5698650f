#!/bin/sh
# Mail::DMARC 2.20260827 (Perl, Debian 14), which walks the tree of RFC 9989, and mailauth
# 7.1.0 (npm), which does so, too.
#
# RFC 9989 4.10 (DNS tree walk, policy discovery): the policy is that of the
# author's domain, else that of its organizational domain, else that of the public suffix.
# A record between the first two is none of them. Two records at one name count as none
# there, and the walk goes on. "DMARC1" is written in upper case.
# Guess: two libraries that were rewritten for the RFC agree.
# Seen: Mail::DMARC takes the first record on the way up, so mail of a.b.example.com gets
# the policy of b.example.com, "reject" where "quarantine" was asked for; two records end
# the walk with no policy at all; and "v=dmarc1" counts as a second record, so one old line
# beside the right one switches DMARC off. mailauth does as the RFC says.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >npm.log
npm install --silent --no-fund --no-audit mailauth@7.1.0 >>npm.log
apt-get download -qq libconfig-tiny-perl=2.28-2 libfile-sharedir-perl=1.118-3 libclass-inspector-perl=1.36-3 libregexp-common-perl=2017060201-3 \
	libnet-dns-perl libemail-simple-perl libnet-idn-encode-perl libxml-libxml-perl libdbix-simple-perl 2>apt.log || { cat apt.log; exit 1; }
# From the same mirror, the package of the next release.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' 'Created-By: Packages' | head -n 1)
curl -sSfo mail-dmarc.deb "${mirror}pool/main/libm/libmail-dmarc-perl/libmail-dmarc-perl_2.20260827-1_all.deb"
for deb in *.deb; do dpkg -x "$deb" root; done
cat >cases.json <<'JSON'
[["a record between", "a.b.example.com", {"_dmarc.b.example.com": ["v=DMARC1; p=reject"], "_dmarc.example.com": ["v=DMARC1; p=none; sp=quarantine"]}],
 ["two records, one above", "a.example.com", {"_dmarc.a.example.com": ["v=DMARC1; p=none", "v=DMARC1; p=reject"], "_dmarc.example.com": ["v=DMARC1; p=quarantine"]}],
 ["v=dmarc1 beside", "example.com", {"_dmarc.example.com": ["v=dmarc1; p=none", "v=DMARC1; p=reject"]}]]
JSON
cat >run.pl <<'PL'
use strict; use JSON::PP; use Net::DNS;
package Zone;
sub errorstring { '' }
sub send {
    my ($zone, $name, $type) = @_;
    my $packet = Net::DNS::Packet->new($name, $type);
    $packet->header->rcode('NOERROR');
    if ($type eq 'TXT') { $packet->push(answer => Net::DNS::RR->new(name => $name, type => 'TXT', ttl => 60, txtdata => [$_])) for @{ $zone->{lc $name} // [] } }
    if ($type eq 'A') { $packet->push(answer => Net::DNS::RR->new("$name 60 IN A 192.0.2.1")) }
    return $packet;
}
package main;
require Mail::DMARC::PurePerl;
no warnings 'redefine';
local $SIG{__WARN__} = sub { };
for my $case (@{ decode_json(do { local $/; <STDIN> }) }) {
    my ($what, $from, $zone) = @$case;
    bless $zone, 'Zone';
    local *Mail::DMARC::PurePerl::get_resolver = sub { $zone };
    my $dmarc = Mail::DMARC::PurePerl->new;
    $dmarc->header_from($from);
    $dmarc->dkim([]);
    $dmarc->spf([{ domain => 'example.net', scope => 'mfrom', result => 'none' }]);
    my $result = $dmarc->validate;
    print "$what: Mail::DMARC ", $result->result eq 'none' ? 'no policy' : $result->disposition, "\n";
}
PL
cat >run.cjs <<'JS'
const { dmarc } = require('mailauth/lib/dmarc');
(async () => {
	for (const [what, headerFrom, zone] of JSON.parse(require('fs').readFileSync('cases.json'))) {
		const resolver = async (name, type) => {
			if (type === 'TXT' && zone[name]) return zone[name].map((text) => [text]);
			throw Object.assign(new Error(name), { code: 'ENODATA' });
		};
		const result = await dmarc({ headerFrom, spfDomains: [], dkimDomains: [], resolver });
		console.log(`${what}: mailauth ${result.policy}`);
	}
})();
JS
{
	perl -I root/usr/share/perl5 -I "$(echo root/usr/lib/*-linux-gnu/perl5/5.*)" run.pl <cases.json
	node run.cjs
} >seen
cat seen
cat >expected <<'TXT'
a record between: Mail::DMARC reject
two records, one above: Mail::DMARC no policy
v=dmarc1 beside: Mail::DMARC no policy
a record between: mailauth quarantine
two records, one above: mailauth quarantine
v=dmarc1 beside: mailauth reject
TXT
diff expected seen
