#!/bin/sh
# Sisimai 4.25.15 (libsisimai-perl of Debian 12): delivery reports with field names in small letters.
#
# RFC 3464 2.1.1: the fields of a report are written as those of a header, whose names have no case
# (RFC 5322 1.2.2: strings of ABNF).
# Guess: "final-recipient:" is "Final-Recipient:".
# Seen: a report with that name in small letters is no bounce at all: nothing is found in it, and
# nobody is taken off a list. "Final-recipient" will do, but "Diagnostic-code" loses what the other
# server said. "action:" and "status:" do no harm.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq libsisimai-perl=4.25.15-1 libclass-accessor-lite-perl=0.08-3 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
cat >run.pl <<'PERL'
use strict;
use lib 'root/usr/share/perl5';
use Sisimai;
for my $name ('', 'final-recipient', 'Final-recipient', 'action', 'status', 'Diagnostic-code', 'diagnostic-code') {
	my $report = "Final-Recipient: rfc822; bob\@b.example\nAction: failed\nStatus: 5.7.20\n"
		. "Diagnostic-Code: smtp; 550 5.7.20 No passing DKIM signature found\n";
	$report =~ s/^$name:/$name:/im if $name;
	open my $file, '>', 'mail' or die;
	print $file <<"MAIL";
Received: from mx.b.example (mx.b.example [192.0.2.9]) by mail.ex.example; Tue, 14 Nov 2023 22:13:20 +0000
From: MAILER-DAEMON\@mx.b.example
To: ann\@ex.example
Subject: Delivery report
Date: Tue, 14 Nov 2023 22:13:20 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

This report is about your mail.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.b.example

$report
--b
Content-Type: message/rfc822

From: ann\@ex.example
To: bob\@b.example
Subject: hello
Message-ID: <1\@ex.example>
Date: Tue, 14 Nov 2023 22:00:00 +0000

hello
--b--
MAIL
	close $file;
	my $found = Sisimai->make('mail') // [];
	print $name || 'as the RFC writes them', ': ', join(' ', map { $_->recipient->address, $_->deliverystatus, $_->reason, '"' . $_->diagnosticcode . '"' } @$found) || 'nothing', "\n";
}
PERL
perl run.pl >seen
cat seen
cat >expected <<'TXT'
as the RFC writes them: bob@b.example 5.7.20 securityerror "550 5.7.20 No passing DKIM signature found"
final-recipient: nothing
Final-recipient: bob@b.example 5.7.20 securityerror "550 5.7.20 No passing DKIM signature found"
action: bob@b.example 5.7.20 securityerror "550 5.7.20 No passing DKIM signature found"
status: bob@b.example 5.7.20 securityerror "550 5.7.20 No passing DKIM signature found"
Diagnostic-code: bob@b.example 5.7.20 securityerror ""
diagnostic-code: bob@b.example 5.7.20 securityerror ""
TXT
diff expected seen
