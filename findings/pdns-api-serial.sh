#!/bin/sh
# PowerDNS 4.7.3: the serial of a zone after a change by its HTTP API.
#
# Guess: as a dynamic update, such a change raises the serial, by which secondaries see
# that there is something to fetch; how the zone came into the database does not matter.
# Seen: so it is only where SOA-EDIT-API is among the zone's metadata. The API sets it, to
# DEFAULT, for zones that it makes itself; "pdnsutil load-zone" and "pdnsutil create-zone" do
# not, and then the API changes records, answers 204 and leaves the serial. Secondaries keep the
# records of before. A dynamic update of the same zone raises it: that default is another
# one (SOA-EDIT-DNSUPDATE). The metadata endpoint of the API refuses to set SOA-EDIT-API;
# as "soa_edit_api" of the zone it takes it.
# Set it for each zone that an API client is to change, and look at the serial afterwards.
set -eu
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || { kill "$pid"; wait "$pid" || :; }; rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq pdns-server=4.7.3-2 pdns-backend-sqlite3=4.7.3-2 libboost-program-options1.74.0 libluajit-5.1-2 libyaml-cpp0.7 libsodium23 \
	bind9-dnsutils=1:9.18.49-1~deb12u1 bind9-libs=1:9.18.49-1~deb12u1 libuv1 liblmdb0 libmaxminddb0 libprotobuf-c1 libfstrm0 libedit2 \
	libjemalloc2 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
libs=$(echo "$dir"/root/usr/lib/*-linux-gnu)
with() { LD_LIBRARY_PATH=$libs "$@"; }
python3 - <<'PY'
import sqlite3
sqlite3.connect('db').executescript(open('root/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql').read())
PY
cat >pdns.conf <<CONF
launch=gsqlite3
gsqlite3-database=$dir/db
module-dir=$libs/pdns
socket-dir=$dir
local-address=127.0.0.1
local-port=53055
dnsupdate=yes
allow-dnsupdate-from=127.0.0.1
webserver-port=58081
api=yes
api-key=k
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
CONF
for z in loaded updated; do
	printf '$ORIGIN %s.example.\n@ 300 SOA ns hostmaster 1 7200 3600 1209600 300\n@ 300 NS ns\nns 300 A 127.0.0.1\n' "$z" >"$z"
	with root/usr/bin/pdnsutil --config-dir=. load-zone "$z.example" "$z"
done >pdnsutil.log 2>&1
with root/usr/bin/pdnsutil --config-dir=. create-zone created.example ns.created.example >>pdnsutil.log 2>&1
env "LD_LIBRARY_PATH=$libs" root/usr/sbin/pdns_server --config-dir="$dir" --daemon=no --guardian=no >pdns.log 2>&1 &
pid=$!

# ask prints the values of a name and type: ask NAME TYPE
ask() { with root/usr/bin/dig +short +time=1 @127.0.0.1 -p 53055 "$1" "$2" | grep -v '^;' || :; }
serial() { ask "$1.example" SOA | cut -d ' ' -f 3; }
for _ in $(seq 50); do [ -z "$(serial loaded)" ] || break; sleep 0.1; done
[ -n "$(serial loaded)" ] || { cat pdns.log; exit 1; }

# api makes a request and prints the status of the answer: api METHOD PATH JSON
api() {
	curl -sS --noproxy '*' -o answer -w '%{http_code}' -H 'X-API-Key: k' -X "$1" -d "$3" \
		"http://127.0.0.1:58081/api/v1/servers/localhost/zones$2"
}
# by_api and by_update give the name a of a zone a TXT record: by_api ZONE TEXT
by_api() {
	api PATCH "/$1.example." '{"rrsets": [{"name": "a.'"$1"'.example.", "type": "TXT", "ttl": 300, "changetype": "REPLACE",
		"records": [{"content": "\"'"$2"'\"", "disabled": false}]}]}'
}
by_update() {
	printf 'server 127.0.0.1 53055\nzone %s.example\nadd a.%s.example 300 TXT %s\nsend\n' "$1" "$1" "$2" | with root/usr/bin/nsupdate && printf done
}
# try changes a zone and tells of its serial: try WORDS ZONE TEXT HOW
try() {
	before=$(serial "$2")
	said=$("$4" "$2" "$3")
	after=$(serial "$2")
	higher=stays
	[ "$after" -le "$before" ] || higher=rises
	echo "$1: $said, $(ask "a.$2.example" TXT), the serial $higher"
}
{
	echo "made by the API: $(api POST '' '{"name": "api.example.", "kind": "Native", "nameservers": ["ns.api.example."]}')"
	try 'a zone of the API, by the API' api one by_api
	try 'of load-zone, by a dynamic update' updated one by_update
	try 'of load-zone, by the API' loaded one by_api
	try 'of create-zone, by the API' created one by_api
	echo "SOA-EDIT-API by the metadata endpoint: $(api PUT /created.example./metadata/SOA-EDIT-API '{"metadata": ["DEFAULT"]}')"
	echo "soa_edit_api of the zone: $(api PUT /created.example. '{"soa_edit_api": "DEFAULT"}')"
	try 'by the API then' created two by_api
	with root/usr/bin/pdnsutil --config-dir=. set-meta loaded.example SOA-EDIT-API DEFAULT >>pdnsutil.log 2>&1
	try 'by the API after pdnsutil set-meta' loaded two by_api
} >seen
cat seen
cat >expected <<'TXT'
made by the API: 201
a zone of the API, by the API: 204, "one", the serial rises
of load-zone, by a dynamic update: done, "one", the serial rises
of load-zone, by the API: 204, "one", the serial stays
of create-zone, by the API: 204, "one", the serial stays
SOA-EDIT-API by the metadata endpoint: 422
soa_edit_api of the zone: 204
by the API then: 204, "two", the serial rises
by the API after pdnsutil set-meta: 204, "two", the serial rises
TXT
diff expected seen
