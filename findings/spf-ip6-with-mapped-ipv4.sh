#!/bin/sh
# SPF: a mechanism ip6:::ffff:192.0.2.10, and a client that connects by IPv4.
#
# RFC 7208 5: an IPv4-mapped address of a client counts as IPv4, and ip6 compares with
# clients of IPv6 only.
# Guess: no match, so "v=spf1 ip6:::ffff:192.0.2.10 -all" fails for 192.0.2.10.
# Seen: blitiri.com.ar/go/spf 1.6.0 and Mail::SPF 2.9.0 say pass; python3-spf 2.0.14 and
# mailauth 4.13.3 say fail. Such a record passes a test and fails at receivers: write ip4:.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq python3-spf=2.0.14-3 python3-dnspython=2.3.0-1 libmail-spf-perl=2.9.0-5 liberror-perl=0.17029-2 libnet-dns-perl=1.36-1 \
	libnetaddr-ip-perl=4.079+dfsg-2+b1 liburi-perl=5.17-1 libnet-ip-perl=1.26-3 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
npm init -y >npm.log
npm install --silent --no-fund --no-audit mailauth@4.13.3 >>npm.log
go mod init mapped >go.log 2>&1
go get blitiri.com.ar/go/spf@v1.6.0 >>go.log 2>&1

cat >run.py <<'PY'
import sys
sys.path.insert(0, 'root/usr/lib/python3/dist-packages')
import spf
spf.DNSLookup = lambda name, qtype, *a, **k: [((name, qtype), (b'v=spf1 ip6:::ffff:192.0.2.10 -all',))] if qtype == 'TXT' else []
print('python3-spf', spf.check2(i='192.0.2.10', s='ann@ex.example', h='mail.ex.example')[0])
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
	$p->push(answer => Net::DNS::RR->new(name => $name, type => 'TXT', txtdata => 'v=spf1 ip6:::ffff:192.0.2.10 -all')) if $type eq 'TXT';
	return $p;
}
package main;
print 'Mail::SPF ', Mail::SPF::Server->new(dns_resolver => Resolver->new, hostname => 'mx.example')->process(
	Mail::SPF::Request->new(scope => 'mfrom', identity => 'ann@ex.example', ip_address => '192.0.2.10', helo_identity => 'mail.ex.example'))->code, "\n";
PERL
cat >run.mjs <<'JS'
import { spf } from 'mailauth/lib/spf/index.js';
const resolver = async (name, type) => {
	if (type === 'TXT') return [['v=spf1 ip6:::ffff:192.0.2.10 -all']];
	throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
};
console.log('mailauth', (await spf({ sender: 'ann@ex.example', ip: '192.0.2.10', helo: 'mail.ex.example', resolver })).status.result);
JS
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net"

	"blitiri.com.ar/go/spf"
)

type zone struct{}

func (zone) LookupTXT(context.Context, string) ([]string, error) {
	return []string{"v=spf1 ip6:::ffff:192.0.2.10 -all"}, nil
}
func (zone) LookupIPAddr(context.Context, string) ([]net.IPAddr, error) { return nil, nil }
func (zone) LookupMX(context.Context, string) ([]*net.MX, error)        { return nil, nil }
func (zone) LookupAddr(context.Context, string) ([]string, error)       { return nil, nil }

func main() {
	r, _ := spf.CheckHostWithSender(net.IPv4(192, 0, 2, 10), "mail.ex.example", "ann@ex.example", spf.WithResolver(zone{}))
	fmt.Println("blitiri", r)
}
GO
{ python3 run.py; perl run.pl; node run.mjs; go run .; } >seen
cat seen
cat >expected <<'TXT'
python3-spf fail
Mail::SPF pass
mailauth fail
blitiri pass
TXT
diff expected seen
