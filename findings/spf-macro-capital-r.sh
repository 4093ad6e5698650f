#!/bin/sh
# An SPF macro with a capital R: three implementations, three answers.
#
# RFC 7208 7.1 gives the transformers as *DIGIT [ "r" ]; strings in ABNF match
# without regard to case (RFC 5234 2.3), so %{dR} reverses as %{dr} does.
# Guess: all three ask for the same name.
# Seen: blitiri.com.ar/go/spf 1.6.0 reverses; python3-spf 2.0.14 (the engine of Debian's
# policyd-spf) takes the R without a word and does not; Mail::SPF 2.9.0 says permerror.
# Write macros in lower case.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

apt-get download -qq python3-spf=2.0.14-3 python3-dnspython=2.3.0-1 libmail-spf-perl=2.9.0-5 liberror-perl=0.17029-2 libnet-dns-perl=1.36-1 \
	libnetaddr-ip-perl=4.079+dfsg-2+b1 liburi-perl=5.17-1 libnet-ip-perl=1.26-3 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
cat >run.py <<'PY'
import sys
sys.path.insert(0, 'root/usr/lib/python3/dist-packages')
import spf
def lookup(name, qtype, *args, **kw):
    if qtype == 'TXT' and name == 'a.b.example':
        return [((name, qtype), (b'v=spf1 exists:%s.ok.example -all' % macro.encode(),))]
    if qtype == 'A':
        asked.append(name)
        return [((name, qtype), '127.0.0.2')]
    return []
spf.DNSLookup = lookup
for macro in ('%{dr}', '%{dR}'):
    asked = []
    result = spf.check2(i='192.0.2.10', s='ann@a.b.example', h='mail.b.example')[0]
    print('python3-spf', macro, result, *asked)
PY
python3 run.py >seen

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
	$p->push(answer => Net::DNS::RR->new(name => $name, type => 'TXT', txtdata => "v=spf1 exists:$main::macro.ok.example -all"))
		if $type eq 'TXT' && $name eq 'a.b.example';
	if ($type eq 'A') { push @main::asked, $name; $p->push(answer => Net::DNS::RR->new("$name. 60 IN A 127.0.0.2")) }
	return $p;
}
package main;
for our $macro ('%{dr}', '%{dR}') {
	our @asked = ();
	my $r = Mail::SPF::Server->new(dns_resolver => Resolver->new, hostname => 'mx.example')->process(
		Mail::SPF::Request->new(scope => 'mfrom', identity => 'ann@a.b.example', ip_address => '192.0.2.10', helo_identity => 'mail.b.example'));
	print join(' ', 'Mail::SPF', $macro, $r->code, @asked), "\n";
}
PERL
perl run.pl >>seen

mkdir go && cd go
go mod init spfmacro >go.log 2>&1
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net"
	"strings"

	"blitiri.com.ar/go/spf"
)

type zone struct {
	macro string
	asked []string
}

func (z *zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	return []string{"v=spf1 exists:" + z.macro + ".ok.example -all"}, nil
}

func (z *zone) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	z.asked = append(z.asked, strings.TrimSuffix(name, "."))
	return []net.IPAddr{{IP: net.IPv4(127, 0, 0, 2)}}, nil
}

func (z *zone) LookupMX(context.Context, string) ([]*net.MX, error)  { return nil, nil }
func (z *zone) LookupAddr(context.Context, string) ([]string, error) { return nil, nil }

func main() {
	for _, macro := range []string{"%{dr}", "%{dR}"} {
		z := &zone{macro: macro}
		r, _ := spf.CheckHostWithSender(net.IPv4(192, 0, 2, 10), "mail.b.example", "ann@a.b.example", spf.WithResolver(z))
		fmt.Println("blitiri", macro, r, strings.Join(z.asked, " "))
	}
}
GO
go get blitiri.com.ar/go/spf@v1.6.0 >>go.log 2>&1
go run . >>../seen
cd ..
cat seen
cat >expected <<'TXT'
python3-spf %{dr} pass example.b.a.ok.example
python3-spf %{dR} pass a.b.example.ok.example
Mail::SPF %{dr} pass example.b.a.ok.example
Mail::SPF %{dR} permerror
blitiri %{dr} pass example.b.a.ok.example
blitiri %{dR} pass example.b.a.ok.example
TXT
diff expected seen
