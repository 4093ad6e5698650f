#!/bin/sh
# libspf2 1.2.10 (Debian; Exim and OpenDMARC use it): a redirect= that does not stand last.
#
# RFC 7208 6.1: redirect counts after all mechanisms, wherever it stands in the record; with "all"
# it counts for nothing.
# Guess: a match of a mechanism behind it decides.
# Seen: redirect= ends the record where it stands: mechanisms behind it are never looked at.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
echo '{"none.example": {"TXT": [["v=spf1 -all"]]}}' >"$dir/zone.json"
python3 "$here/libspf2.py" "$dir/zone.json" >"$dir/seen" <<'IN'
192.0.2.3 v=spf1 ip4:192.0.2.3 redirect=none.example
192.0.2.3 v=spf1 redirect=none.example ip4:192.0.2.3
192.0.2.3 v=spf1 redirect=none.example ip4:192.0.2.3 ?all
192.0.2.3 v=spf1 ?all redirect=none.example
IN
cat "$dir/seen"
cat >"$dir/expected" <<'TXT'
192.0.2.3: v=spf1 ip4:192.0.2.3 redirect=none.example -> pass
192.0.2.3: v=spf1 redirect=none.example ip4:192.0.2.3 -> fail
192.0.2.3: v=spf1 redirect=none.example ip4:192.0.2.3 ?all -> fail
192.0.2.3: v=spf1 ?all redirect=none.example -> neutral
TXT
diff "$dir/seen" "$dir/expected"
