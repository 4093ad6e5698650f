#!/bin/sh
# PowerDNS 4.7.3: a dynamic update with a TXT for a name that has a CNAME.
#
# RFC 2136 3.4.2.2: where the name has a CNAME, a record of another type is "silently ignored", and a
# CNAME is where the name has other records; all else in the message is done.
# Guess: NOERROR from each server, and the other record of the message is there afterwards.
# Seen: BIND 9.18 and Knot 3.2.6 do that. PowerDNS answers REFUSED, which looks like a missing
# permission, and the other record of the message is not there. So one selector that a
# mail service has by CNAME stops the keys of all selectors that are sent with it. A CNAME for a name
# that has a TXT is refused as well.
# Delete and add in one message, in this order, works in all three.
set -eu
findings=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
cd "$dir"
trap 'stop_servers; rm -rf "$dir"' EXIT
. "$findings/updates.sh"
try() {
	update "$2" 'add s2._domainkey.ex.example 300 CNAME ns.ex.example' >/dev/null
	said=$(update "$2" 'add s1._domainkey.ex.example 300 TXT abc\nadd s2._domainkey.ex.example 300 TXT def')
	echo "$1, TXT for a CNAME: ${said:-all went well}; s1: $(ask "$2" s1._domainkey.ex.example TXT | cut -d ' ' -f 5)"
	update "$2" 'add t1.ex.example 300 TXT abc' >/dev/null
	said=$(update "$2" 'add t2.ex.example 300 TXT abc\nadd t1.ex.example 300 CNAME ns.ex.example')
	echo "$1, CNAME for a TXT: ${said:-all went well}; t2: $(ask "$2" t2.ex.example TXT | cut -d ' ' -f 5)"
	said=$(update "$2" 'del s2._domainkey.ex.example CNAME\nadd s2._domainkey.ex.example 300 TXT def')
	echo "$1, delete and add: ${said:-all went well}; s2: $(ask "$2" s2._domainkey.ex.example TXT | cut -d ' ' -f 5)"
}
servers try >seen
cat seen
cat >expected <<'TXT'
BIND, TXT for a CNAME: all went well; s1: "abc"
BIND, CNAME for a TXT: all went well; t2: "abc"
BIND, delete and add: all went well; s2: "def"
Knot, TXT for a CNAME: all went well; s1: "abc"
Knot, CNAME for a TXT: all went well; t2: "abc"
Knot, delete and add: all went well; s2: "def"
PowerDNS, TXT for a CNAME: update failed: REFUSED; s1: 
PowerDNS, CNAME for a TXT: update failed: REFUSED; t2: 
PowerDNS, delete and add: all went well; s2: "def"
TXT
diff expected seen
