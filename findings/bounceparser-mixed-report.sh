#!/bin/sh
# Mail::DeliveryStatus::BounceParser 1.543 (Perl, Debian 12): a report about several recipients.
#
# RFC 3464 2.3 and 2.3.3: a report has a group of fields for each recipient, and each has its own
# Action: failed, delayed, delivered, relayed or expanded. RFC 3463 3.4: X.3.4 is a message too big
# for the system, X.2.2 a full mailbox.
# Guess: is_bounce is true and reports has the failed recipient, wherever the failed one stands.
# Seen: one recipient who was delivered, delayed or relayed makes the whole report no bounce, and
# all recipients behind it are lost: of "delivered, failed" nothing is left. Without a look at
# is_bounce one still has those before it. "5.3.4" is "over_quota", a full mailbox.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq libmail-deliverystatus-bounceparser-perl=1.543+repacked-1 libmailtools-perl=2.21-2 libmime-tools-perl=5.510-1 \
	libtimedate-perl=2.3300-2 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
cat >run.pl <<'PERL'
use strict;
use lib 'root/usr/share/perl5';
use Mail::DeliveryStatus::BounceParser;
my %status = (failed => '5.1.1', delayed => '4.4.1', delivered => '2.0.0', relayed => '2.0.0', expanded => '2.0.0', 'too big' => '5.3.4');
my %said = (failed => '550 5.1.1 User unknown', delayed => '421 4.4.1 Connection timed out', 'too big' => '552 5.3.4 Message too big');
for my $actions (['failed'], ['failed', 'failed'], (map { ['failed', $_], [$_, 'failed'] } 'delayed', 'delivered', 'relayed', 'expanded'), ['too big']) {
	my $n = 0;
	my $groups = join "\n", map {
		"Final-Recipient: rfc822; bob" . ++$n . "\@b.example\nAction: " . ($_ eq 'too big' ? 'failed' : $_) . "\nStatus: $status{$_}\n"
			. ($said{$_} ? "Diagnostic-Code: smtp; $said{$_}\n" : '')
	} @$actions;
	my $bounce = Mail::DeliveryStatus::BounceParser->new(<<"MAIL");
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

$groups
--b
Content-Type: text/rfc822-headers

From: ann\@ex.example
Subject: hello
Message-ID: <1\@ex.example>

--b--
MAIL
	print join(', ', @$actions), ': ', $bounce->is_bounce ? 'a bounce' : 'no bounce', join('', map { '; ' . join(' ', map { $_ // '-' } $_->get('email'), $_->get('std_reason')) } $bounce->reports), "\n";
}
PERL
perl run.pl >seen
cat seen
cat >expected <<'TXT'
failed: a bounce; bob1@b.example user_unknown
failed, failed: a bounce; bob1@b.example user_unknown; bob2@b.example user_unknown
failed, delayed: no bounce; bob1@b.example user_unknown
delayed, failed: no bounce
failed, delivered: no bounce; bob1@b.example user_unknown
delivered, failed: no bounce
failed, relayed: no bounce; bob1@b.example user_unknown
relayed, failed: no bounce
failed, expanded: a bounce; bob1@b.example user_unknown; bob2@b.example unknown
expanded, failed: a bounce; bob1@b.example unknown; bob2@b.example user_unknown
too big: a bounce; bob1@b.example over_quota
TXT
diff expected seen
