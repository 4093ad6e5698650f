#!/bin/sh
# SPF: a sender with an IPv6 address, and "mx" in front of its own ip6:.
#
# RFC 7208 4.6.4: more than two void look-ups should be a permerror; a void look-up is one
# whose answer is NXDOMAIN or has no records.
# Guess: "v=spf1 mx ip6:2001:db8::10 -all" passes for 2001:db8::10, whatever the MX hosts
# are: they exist, and have addresses of IPv4.
# Seen: python3-spf 2.0.14 (the engine of Debian's policyd-spf) and Mail::SPF 2.9.0 count
# the AAAA of each host of IPv4 only, so three MX hosts make it a permerror; mailauth
# 4.13.3 says pass, and so does blitiri.com.ar/go/spf 1.6.0, which asks for both families.
# In front of "mx", the ip6: helps all of them: put one's own addresses first.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq python3-spf=2.0.14-3 python3-dnspython=2.3.0-1 libmail-spf-perl=2.9.0-5 liberror-perl=0.17029-2 libnet-dns-perl=1.36-1 \
	libnetaddr-ip-perl=4.079+dfsg-2+b1 liburi-perl=5.17-1 libnet-ip-perl=1.26-3 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
npm init -y >npm.log
npm install --silent --no-fund --no-audit mailauth@4.13.3 >>npm.log
go mod init mxhosts >go.log 2>&1
go get blitiri.com.ar/go/spf@v1.6.0 >>go.log 2>&1

cat >run.py <<'PY'
import sys
sys.path.insert(0, 'root/usr/lib/python3/dist-packages')
import spf
record = sys.argv[1].encode()
def lookup(name, qtype, *args, **kw):
    if qtype == 'TXT' and name == 'ex.example':
        return [((name, qtype), (record,))]
    if qtype == 'MX' and name == 'ex.example':
        return [((name, qtype), (10, f'mx{i}.ex.example')) for i in (1, 2, 3)]
    if qtype == 'A' and name.startswith('mx'):
        return [((name, qtype), '192.0.2.1')]
    return []
spf.DNSLookup = lookup
print('  python3-spf', spf.check2(i='2001:db8::10', s='ann@ex.example', h='mail.ex.example')[0])
PY
cat >run.pl <<'PERL'
use lib 'root/usr/share/perl5', glob 'root/usr/lib/*/perl5/*';
use Mail::SPF; use Net::DNS;
package Resolver;
sub new { bless {}, shift }
sub errorstring { '' }
sub send {
	my (undef, $name, $type) = @_;
	my $p = Net::DNS::Packet->new($name, $type);
	$p->header->qr(1);
	$p->push(answer => Net::DNS::RR->new(name => $name, type => 'TXT', txtdata => $ARGV[0])) if $type eq 'TXT';
	$p->push(answer => map { Net::DNS::RR->new("$name. 60 IN MX 10 mx$_.ex.example.") } 1 .. 3) if $type eq 'MX';
	$p->push(answer => Net::DNS::RR->new("$name. 60 IN A 192.0.2.1")) if $type eq 'A' && $name =~ /^mx/;
	return $p;
}
package main;
print '  Mail::SPF ', Mail::SPF::Server->new(dns_resolver => Resolver->new, hostname => 'mx.example')->process(
	Mail::SPF::Request->new(scope => 'mfrom', identity => 'ann@ex.example', ip_address => '2001:db8::10', helo_identity => 'mail.ex.example'))->code, "\n";
PERL
cat >run.mjs <<'JS'
import { spf } from 'mailauth/lib/spf/index.js';
const resolver = async (name, type) => {
	if (type === 'TXT' && name === 'ex.example') return [[process.argv[2]]];
	if (type === 'MX' && name === 'ex.example') return [1, 2, 3].map(i => ({ priority: 10, exchange: `mx${i}.ex.example` }));
	if (type === 'A' && name.startsWith('mx')) return ['192.0.2.1'];
	throw Object.assign(new Error('no data'), { code: 'ENODATA' });
};
console.log('  mailauth', (await spf({ sender: 'ann@ex.example', ip: '2001:db8::10', helo: 'mail.ex.example', resolver })).status.result);
JS
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"

	"blitiri.com.ar/go/spf"
)

type zone struct{}

func (zone) LookupTXT(context.Context, string) ([]string, error) { return os.Args[1:], nil }
func (zone) LookupMX(context.Context, string) ([]*net.MX, error) {
	return []*net.MX{{Host: "mx1.ex.example."}, {Host: "mx2.ex.example."}, {Host: "mx3.ex.example."}}, nil
}

func (zone) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	if strings.HasPrefix(name, "mx") {
		return []net.IPAddr{{IP: net.IPv4(192, 0, 2, 1)}}, nil
	}
	return nil, nil
}
func (zone) LookupAddr(context.Context, string) ([]string, error) { return nil, nil }

func main() {
	r, _ := spf.CheckHostWithSender(net.ParseIP("2001:db8::10"), "mail.ex.example", "ann@ex.example", spf.WithResolver(zone{}))
	fmt.Println("  blitiri", r)
}
GO
go build -o run.bin .
for record in 'v=spf1 mx ip6:2001:db8::10 -all' 'v=spf1 ip6:2001:db8::10 mx -all'; do
	echo "$record"
	python3 run.py "$record"
	perl run.pl "$record"
	node run.mjs "$record"
	./run.bin "$record"
done >seen
cat seen
cat >expected <<'TXT'
v=spf1 mx ip6:2001:db8::10 -all
  python3-spf permerror
  Mail::SPF permerror
  mailauth pass
  blitiri pass
v=spf1 ip6:2001:db8::10 mx -all
  python3-spf pass
  Mail::SPF pass
  mailauth pass
  blitiri pass
TXT
diff expected seen
