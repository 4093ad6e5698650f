#!/bin/sh
# postfix-policyd-spf-python 3.0.4 (Debian 12): HELO_Whitelist of policyd-spf.conf(5).
#
# It names hosts that skip SPF: HELO name and address must fit. Names of DNS have no case.
# Guess: "Relay.ex.example" lets relay.ex.example past, in whatever case the client says it.
# Seen: an entry with a capital letter never matches, not even the client that says it letter for
# letter so: the client's name is put into small letters, the entry is not. Domain_Whitelist, of
# the same shape, does match.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ "${1-}" != inside ]; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	cd "$dir"
	apt-get download -q postfix-policyd-spf-python=3.0.4-2 python3-spf-engine=3.0.4-2 python3-spf=2.0.14-3 python3-dns=3.2.1-2 python3-authres=1.2.0-3 >apt.log 2>&1
	for deb in *.deb; do dpkg -x "$deb" root; done
	echo '{"relay.ex.example": {"A": ["192.0.2.3"], "TXT": [["v=spf1 a -all"]]}, "other.example": {"TXT": [["v=spf1 -all"]]}}' >zone.json
	unshare -mn sh "$here/$(basename "$0")" inside >seen # a network and a resolv.conf of its own
	cat seen
	cat >expected <<'TXT'
HELO_Whitelist = relay.ex.example, HELO relay.ex.example: X-Comment: SPF skipped for whitelisted HELO domain
HELO_Whitelist = relay.ex.example, HELO Relay.ex.example: X-Comment: SPF skipped for whitelisted HELO domain
HELO_Whitelist = Relay.ex.example, HELO relay.ex.example: Received-SPF: Fail (mailfrom) identity=mailfrom
HELO_Whitelist = Relay.ex.example, HELO Relay.ex.example: Received-SPF: Fail (mailfrom) identity=mailfrom
Domain_Whitelist = Relay.ex.example, HELO Relay.ex.example: X-Comment: SPF skipped for whitelisted relay domain
TXT
	diff seen expected
	exit
fi
ip link set lo up
echo nameserver 127.0.0.1 >resolv.conf
mount --bind resolv.conf /etc/resolv.conf
python3 "$here/nameserver.py" zone.json 2>asked &
server=$!
trap 'kill $server' EXIT
until ss -Hltn 'sport = :53' | grep -q .; do sleep 0.1; done
try() {
	printf 'HELO_reject = False\nMail_From_reject = False\n%s\n' "$1" >policyd-spf.conf
	printf 'request=smtpd_access_policy\nprotocol_state=RCPT\nhelo_name=%s\nsender=ann@other.example\nrecipient=bob@ex.example\nclient_address=192.0.2.3\nclient_name=relay.ex.example\ninstance=1\n\n' "$2" |
		PYTHONPATH=root/usr/lib/python3/dist-packages /usr/bin/python3 root/usr/bin/policyd-spf policyd-spf.conf >said 2>err || cat err
	echo "$1, HELO $2: $(sed -n 's/^action=prepend //p' said | sed 's/;.*//; s/ - client-ip.*//')"
}
try 'HELO_Whitelist = relay.ex.example' relay.ex.example
try 'HELO_Whitelist = relay.ex.example' Relay.ex.example
try 'HELO_Whitelist = Relay.ex.example' relay.ex.example
try 'HELO_Whitelist = Relay.ex.example' Relay.ex.example
try 'Domain_Whitelist = Relay.ex.example' Relay.ex.example
