#!/bin/sh
# libspf2 1.2.10 (Debian; Exim and OpenDMARC use it): macros that keep as many labels as there are.
#
# RFC 7208 7.3: a number keeps so many labels on the right; more than there are keep all. %{d2} is
# how records name their own organizational domain.
# Guess: %{d2} of ex.example is ex.example, as %{d} is.
# Seen: where the number is that of the labels, or greater, the first character is gone; a smaller
# number does as it should.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
echo '{}' >"$dir/zone.json"
python3 "$here/libspf2.py" "$dir/zone.json" >"$dir/seen" <<'IN'
192.0.2.3 v=spf1 exists:%{d}.x.example -all
192.0.2.3 v=spf1 exists:%{d1}.x.example -all
192.0.2.3 v=spf1 exists:%{d2}.x.example -all
192.0.2.3 v=spf1 exists:%{d3}.x.example -all
192.0.2.3 v=spf1 exists:%{d2r}.x.example -all
192.0.2.3 v=spf1 exists:%{l1}.x.example -all
192.0.2.3 v=spf1 exists:%{i3}.x.example -all
192.0.2.3 v=spf1 exists:%{i4}.x.example -all
IN
cat "$dir/seen"
sed 's/.*exists:\(\S*\).*asked for/\1/' "$dir/seen" >"$dir/short"
cat >"$dir/expected" <<'TXT'
%{d}.x.example ex.example.x.example
%{d1}.x.example example.x.example
%{d2}.x.example x.example.x.example
%{d3}.x.example x.example.x.example
%{d2r}.x.example xample.ex.x.example
%{l1}.x.example nn.x.example
%{i3}.x.example 0.2.3.x.example
%{i4}.x.example 92.0.2.3.x.example
TXT
diff "$dir/short" "$dir/expected"
