#!/bin/sh
# Mail::AuthenticationResults 2.20230112 (libmail-authenticationresults-perl of Debian 12):
# a quoted local part, and the version of a method.
#
# RFC 8601 2.2: pvalue may be [ [ local-part ] "@" ] domain-name, whose local part may be a
# quoted string (RFC 5321); method = Keyword [ "/" method-version ].
# Guess: what is parsed and printed again means the same.
# Seen: smtp.mailfrom="ann smith"@b.example comes out as a value "ann smith" and a property
# named @b.example without a value, and dkim/1=pass comes out as dkim=pass / 1.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq libmail-authenticationresults-perl=2.20230112-1 libclone-perl=0.46-1 libjson-perl=4.10000-1 \
	libscalar-list-utils-perl=1:1.63-1+b1 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
cat >run.pl <<'PERL'
use lib 'root/usr/share/perl5', glob 'root/usr/lib/*/perl5/*';
use Mail::AuthenticationResults::Parser;
for my $result ('spf=pass smtp.mailfrom=ann@b.example', 'spf=pass smtp.mailfrom="ann smith"@b.example', 'dkim/1=pass header.d=b.example') {
	my $header = Mail::AuthenticationResults::Parser->new->parse("mx.example; $result");
	print "$result -> ", $header->set_indent_style('none')->as_string, "\n";
}
PERL
perl run.pl >seen
cat seen
cat >expected <<'TXT'
spf=pass smtp.mailfrom=ann@b.example -> mx.example; spf=pass smtp.mailfrom=ann@b.example
spf=pass smtp.mailfrom="ann smith"@b.example -> mx.example; spf=pass smtp.mailfrom="ann smith" @b.example=""
dkim/1=pass header.d=b.example -> mx.example; dkim=pass / 1 header.d=b.example
TXT
diff expected seen
