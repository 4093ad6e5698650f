#!/bin/sh
# libspf2 1.2.10 (Debian; Exim and OpenDMARC use it): records of many addresses.
#
# RFC 7208 3.4 has no limit but what DNS carries; ip4 and ip6 count as no look-up (4.6.4).
# Guess: a record of some seventy addresses (1.2 kB, as tools that flatten records make them) is
# evaluated to its end, or is a permerror.
# Seen: what is behind the first 64 ip4, or 26 ip6, is left out without a word (the compiled form
# has 512 octets, 8 for ip4, 20 for ip6): also "-all", and the result is neutral.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 - >"$dir/records" <<'PY'
four = lambda n: "".join(f" ip4:203.0.113.{i + 1}" for i in range(n))
six = lambda n: "".join(f" ip6:2001:db8:1::{i + 1:x}" for i in range(n))
for n in (63, 64):
    print(f"192.0.2.3 v=spf1{four(n)} ip4:192.0.2.3 -all")
for n in (63, 64):
    print(f"192.0.2.3 v=spf1{four(n)} -all")
for n in (25, 26):
    print(f"2001:db8::3 v=spf1{six(n)} ip6:2001:db8::3 -all")
PY
python3 "$here/libspf2.py" <"$dir/records" >"$dir/seen"
cat "$dir/seen"
sed 's/.*(\([0-9]* terms\)/\1/' "$dir/seen" >"$dir/short"
cat >"$dir/expected" <<'TXT'
65 terms) -> pass
66 terms) -> neutral
64 terms) -> fail
65 terms) -> neutral
27 terms) -> pass
28 terms) -> neutral
TXT
diff "$dir/short" "$dir/expected"
