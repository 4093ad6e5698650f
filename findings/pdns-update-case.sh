#!/bin/sh
# PowerDNS 4.7.3: capitals in the values of a dynamic update.
#
# RFC 2136 3.2.3 and 3.4.2.4 compare RDATA, in which names have no case (RFC 4343) and the
# text of a TXT record has (RFC 1035 3.3.14: character-strings), as the keys of DKIM need.
# Guess: a prerequisite with the text in other letters fails, and a host of an MX record is
# found for deletion whatever its case.
# Seen: the other way round. The prerequisite holds for a text that is not there, so compare and
# swap swaps; the MX record with the host in other letters stays, and the answer is that all
# went well. A text in other letters is not deleted. BIND 9.18 and Knot 3.2.6 as guessed.
# Delete what was read from the server, letter by letter, and look afterwards.
set -eu
findings=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
cd "$dir"
trap 'stop_servers; rm -rf "$dir"' EXIT
. "$findings/updates.sh"
try() { # NAME FIRST THEN TYPE SERVER PORT
	update "$6" "add $1.ex.example 300 $2"
	said=$(update "$6" "$3")
	echo "  $5: ${said:-well} $(ask "$6" "$1.ex.example" "$4" | cut -d ' ' -f 5- | tr '\n' ' ')"
}
hosts() { update "$2" 'add mail.ex.example 300 A 192.0.2.10'; }
{
	servers hosts
	echo 'prerequisite "ABC", where "abc" is'
	servers try a 'TXT abc' 'prereq yxrrset a.ex.example TXT ABC\ndel a.ex.example TXT\nadd a.ex.example 300 TXT new' TXT
	echo 'delete "ABC", where "abc" is'
	servers try b 'TXT abc' 'del b.ex.example TXT ABC' TXT
	echo 'delete MX mail.ex.example, where Mail.ex.example is'
	servers try c 'MX 10 Mail.ex.example.' 'del c.ex.example MX 10 mail.ex.example.' MX
} >seen
cat seen
cat >expected <<'TXT'
prerequisite "ABC", where "abc" is
  BIND: update failed: NXRRSET "abc" 
  Knot: update failed: NXRRSET "abc" 
  PowerDNS: well "new" 
delete "ABC", where "abc" is
  BIND: well "abc" 
  Knot: well "abc" 
  PowerDNS: well "abc" 
delete MX mail.ex.example, where Mail.ex.example is
  BIND: well 
  Knot: well 
  PowerDNS: well 10 Mail.ex.example. 
TXT
diff expected seen
