#!/bin/sh
# Knot DNS 3.2.6: a dynamic update that adds the record which is there, with another TTL.
#
# RFC 2136 3.4.2.2: a zone RR with the name, class, type and RDATA of an Update RR is replaced
# by it, so "update add" is how a TTL is lowered before a change.
# Guess: each server has the new TTL afterwards.
# Seen: BIND 9.18 and PowerDNS 4.7.3 do. Knot 3.2.6 says that all went well, and keeps the old
# TTL. A second value with another TTL gives both that TTL in all three, and so does "delete"
# before the "add" in the same message.
# Delete and add in one message where a TTL is to change.
set -eu
findings=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
cd "$dir"
trap 'stop_servers; rm -rf "$dir"' EXIT
. "$findings/updates.sh"
try() {
	update "$4" "add $1.ex.example 300 TXT abc"
	update "$4" "$2"
	echo "  $3: $(ask "$4" "$1.ex.example" TXT | cut -d ' ' -f 2,5 | tr '\n' ' ')"
}
{
	echo 'add with another TTL'
	servers try a 'add a.ex.example 60 TXT abc'
	echo 'add another value with another TTL'
	servers try b 'add b.ex.example 60 TXT def'
	echo 'delete and add'
	servers try c 'del c.ex.example TXT abc\nadd c.ex.example 60 TXT abc'
} >seen
cat seen
cat >expected <<'TXT'
add with another TTL
  BIND: 60 "abc" 
  Knot: 300 "abc" 
  PowerDNS: 60 "abc" 
add another value with another TTL
  BIND: 60 "abc" 60 "def" 
  Knot: 60 "abc" 60 "def" 
  PowerDNS: 60 "abc" 60 "def" 
delete and add
  BIND: 60 "abc" 
  Knot: 60 "abc" 
  PowerDNS: 60 "abc" 
TXT
diff expected seen
