#!/bin/sh
# postfix-policyd-spf-python 3.0.4 (Debian 12): Mock, an option of policyd-spf.conf(5).
#
# Its default is False; true makes a second instance of the policy daemon answer with a field that
# does nothing.
# Guess: the line "Mock = False", which repeats the default, changes nothing, like the lines
# "HELO_reject = False" and "TestOnly = 1" beside it.
# Seen: any word there, False too, makes the daemon check nothing: each message gets "dunno mock".
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -q postfix-policyd-spf-python=3.0.4-2 python3-spf-engine=3.0.4-2 python3-spf=2.0.14-3 python3-dns=3.2.1-2 python3-authres=1.2.0-3 >apt.log 2>&1
for deb in *.deb; do dpkg -x "$deb" root; done
for lines in '' 'Mock = False' 'HELO_reject = False' 'HELO_reject = False
Mock = False'; do
	printf 'debugLevel = 0\n%s\n' "$lines" >policyd-spf.conf
	printf 'request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nhelo_name=localhost\nsender=ann@ex.example\nrecipient=bob@ex.example\nclient_address=127.0.0.1\nclient_name=localhost\ninstance=1\n\n' |
		PYTHONPATH=root/usr/lib/python3/dist-packages /usr/bin/python3 root/usr/bin/policyd-spf policyd-spf.conf >said 2>err || cat err
	echo "[$(echo "$lines" | tr '\n' ';')] $(grep . said)"
done >seen
cat seen
cat >expected <<'TXT'
[;] action=prepend X-Comment: SPF check N/A for local connections - client-ip=127.0.0.1; helo=localhost; envelope-from=ann@ex.example; receiver=ex.example 
[Mock = False;] action=dunno mock header field that should be ignored
[HELO_reject = False;] action=prepend X-Comment: SPF check N/A for local connections - client-ip=127.0.0.1; helo=localhost; envelope-from=ann@ex.example; receiver=ex.example 
[HELO_reject = False;Mock = False;] action=dunno mock header field that should be ignored
TXT
diff seen expected
