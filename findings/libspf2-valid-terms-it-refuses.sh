#!/bin/sh
# libspf2 1.2.10 (Debian; Exim and OpenDMARC use it): valid terms that make a record invalid.
#
# RFC 7208 section 12: the name of a modifier may have "." in it, and a prefix length may be 0
# (ip4-cidr-length and ip6-cidr-length begin with "0" as an alternative).
# Guess: an unknown modifier is passed over, whatever its name; /0 matches every client.
# Seen: a dot in a modifier's name, and every /0, make the whole record invalid, also for
# clients that a mechanism before it names.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 "$here/libspf2.py" >"$dir/seen" <<'IN'
192.0.2.3 v=spf1 ip4:192.0.2.3 x-note=1 -all
192.0.2.3 v=spf1 ip4:192.0.2.3 x_note=1 -all
192.0.2.3 v=spf1 ip4:192.0.2.3 x.note=1 -all
192.0.2.3 v=spf1 ip4:192.0.2.3 ?ip4:198.51.100.0/0 -all
2001:db8::3 v=spf1 ip6:2001:db8::3 ?ip6:2001:db8::/0 -all
IN
cat "$dir/seen"
cut -d '(' -f 1 "$dir/seen" | sed 's/ *$//' >"$dir/short"
cat >"$dir/expected" <<'TXT'
192.0.2.3: v=spf1 ip4:192.0.2.3 x-note=1 -all -> pass
192.0.2.3: v=spf1 ip4:192.0.2.3 x_note=1 -all -> pass
192.0.2.3: v=spf1 ip4:192.0.2.3 x.note=1 -all -> invalid
192.0.2.3: v=spf1 ip4:192.0.2.3 ?ip4:198.51.100.0/0 -all -> invalid
2001:db8::3: v=spf1 ip6:2001:db8::3 ?ip6:2001:db8::/0 -all -> invalid
TXT
diff "$dir/short" "$dir/expected"
