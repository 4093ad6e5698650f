#!/bin/sh
# opendkim-genzone -u, made to be piped into nsupdate(1), with keys of two domains.
#
# Guess: each domain's record goes into its own zone; without -F the selector is a name
# in that zone, as it is in the zone file that the same call writes without -u.
# Seen (opendkim-tools 2.11.0~beta2-8+deb12u1, nsupdate of BIND 9.18.49): "zone" is written
# for each domain and "send" only once, at the end, so all records go into one message
# for the zone named last, and a server refuses it whole (NOTZONE, RFC 2136 3.4.1.3). Without
# -F the name is "s1", which nsupdate reads as a name of the root, "s1.".
# Call it once for each domain, with -F.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq opendkim-tools=2.11.0~beta2-8+deb12u1 libopendkim11=2.11.0~beta2-8+deb12u1 librbl1=2.11.0~beta2-8+deb12u1 \
	libvbr2=2.11.0~beta2-8+deb12u1 libmilter1.0.1=8.17.1.9-2+deb12u2 libopendbx1=1.4.6-16+b1 liblua5.3-0=5.3.6-2 libmemcached11=1.1.4-1 \
	libmemcachedutil2=1.1.4-1 libhashkit2=1.1.4-1 bind9-dnsutils=1:9.18.49-1~deb12u1 bind9-libs=1:9.18.49-1~deb12u1 libuv1 liblmdb0 \
	libmaxminddb0 libprotobuf-c1 libfstrm0 libedit2 libjemalloc2 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
LD_LIBRARY_PATH=$dir/root/usr/lib:$(echo "$dir"/root/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH
for n in 1 2; do openssl genrsa -out "key$n" 2048 2>openssl.log; done
printf 's1._domainkey.a.example a.example:s1:%s/key1\ns2._domainkey.b.example b.example:s2:%s/key2\n' "$dir" "$dir" >KeyTable
# show prints the message that send would send.
message() {
	root/usr/sbin/opendkim-genzone -u -N 127.0.0.1 "$@" "file:$dir/KeyTable" | sed 's/^send/show/; /^answer/d' | root/usr/bin/nsupdate |
		sed -n -e 's/^;\(.*SOA\)/zone \1/p' -e 's/\(IN.TXT\).*/\1/p' | tr -s '\t ' ' ' | sed 's/^/  /'
}
for call in '-F' '-d a.example -F' '-d a.example' '-d a.example -D'; do
	echo "opendkim-genzone -u $call"
	message $call
done >seen
cat seen
cat >expected <<'TXT'
opendkim-genzone -u -F
  zone b.example. IN SOA
  s1._domainkey.a.example. 86400 IN TXT
  s2._domainkey.b.example. 86400 IN TXT
opendkim-genzone -u -d a.example -F
  zone a.example. IN SOA
  s1._domainkey.a.example. 86400 IN TXT
opendkim-genzone -u -d a.example
  zone a.example. IN SOA
  s1. 86400 IN TXT
opendkim-genzone -u -d a.example -D
  zone a.example. IN SOA
  s1._domainkey. 86400 IN TXT
TXT
diff expected seen
