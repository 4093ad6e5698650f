# Shared by the findings about dynamic updates: BIND, Knot and PowerDNS, each with the zone
# ex.example on a port of 127.0.0.1, which anybody here may update. Source it in an empty
# directory; stop_servers ends them.
pids=
stop_servers() { [ -z "$pids" ] || { kill $pids; wait $pids || :; }; }
apt-get download -qq knot=3.2.6-1 libknot13=3.2.6-1 libzscanner4=3.2.6-1 libdnssec9=3.2.6-1 \
	pdns-server=4.7.3-2 pdns-backend-sqlite3=4.7.3-2 libboost-program-options1.74.0 libluajit-5.1-2 libyaml-cpp0.7 libsodium23 \
	bind9=1:9.18.49-1~deb12u1 bind9-dnsutils=1:9.18.49-1~deb12u1 bind9-libs=1:9.18.49-1~deb12u1 libuv1 liblmdb0 libmaxminddb0 \
	libprotobuf-c1 libfstrm0 libedit2 liburcu8 libcap-ng0 libxdp1 libbpf1 libjemalloc2 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
here=$PWD
libs=$(echo "$here"/root/usr/lib/*-linux-gnu)
with() { LD_LIBRARY_PATH=$libs "$@"; }
mkdir bind knot pdns
printf '$TTL 300\n@ SOA ns hostmaster 1 7200 3600 1209600 300\n@ NS ns\nns A 127.0.0.1\n' | tee bind/zone >knot/zone
cat >named.conf <<CONF
options { directory "$here/bind"; listen-on port 53053 { 127.0.0.1; }; listen-on-v6 { none; };
	pid-file "$here/bind/pid"; session-keyfile "$here/bind/key"; recursion no; dnssec-validation no; };
controls { };
zone "ex.example" { type primary; file "zone"; allow-update { 127.0.0.1; }; };
CONF
cat >knot.conf <<CONF
server:
    listen: 127.0.0.1@53054
    rundir: "$here/knot"
database:
    storage: "$here/knot"
acl:
  - id: here
    address: 127.0.0.1
    action: update
zone:
  - domain: ex.example
    storage: "$here/knot"
    file: zone
    acl: here
CONF
cat >pdns.conf <<CONF
launch=gsqlite3
gsqlite3-database=$here/pdns/db
module-dir=$libs/pdns
socket-dir=$here/pdns
local-address=127.0.0.1
local-port=53055
dnsupdate=yes
allow-dnsupdate-from=127.0.0.1
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
CONF
python3 - "$here" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1] + '/pdns/db')
db.executescript(open(sys.argv[1] + '/root/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql').read())
db.execute("insert into domains (name, type) values ('ex.example', 'MASTER')")
for name, kind, value in [('ex.example', 'SOA', 'ns.ex.example hostmaster.ex.example 1 7200 3600 1209600 300'),
                          ('ex.example', 'NS', 'ns.ex.example'), ('ns.ex.example', 'A', '127.0.0.1')]:
    db.execute('insert into records (domain_id, name, type, content, ttl, disabled, auth) values (1, ?, ?, ?, 300, 0, 1)', (name, kind, value))
db.commit()
PY
env "LD_LIBRARY_PATH=$libs" root/usr/sbin/named -g -c named.conf >named.log 2>&1 &
pids=$!
env "LD_LIBRARY_PATH=$libs" root/usr/sbin/knotd -c knot.conf >knot.log 2>&1 &
pids="$pids $!"
env "LD_LIBRARY_PATH=$libs" root/usr/sbin/pdns_server --config-dir="$here" --daemon=no --guardian=no >pdns.log 2>&1 &
pids="$pids $!"

# ask prints the records of a name and type: ask PORT NAME TYPE
ask() { with root/usr/bin/dig +noall +answer +time=1 @127.0.0.1 -p "$1" "$2" "$3" | grep -v '^;' | tr -s '\t ' ' ' | sort; }

# update sends lines of nsupdate(1) and prints what it says: update PORT LINES
update() { printf 'server 127.0.0.1 %s\nzone ex.example\n%b\nsend\n' "$1" "$2" | with root/usr/bin/nsupdate 2>&1 || :; }

# servers runs a command for each of the three, by name and port.
servers() { "$@" BIND 53053; "$@" Knot 53054; "$@" PowerDNS 53055; }

await() { for _ in $(seq 50); do [ -z "$(ask "$2" ex.example SOA)" ] || return 0; sleep 0.1; done; echo "$1 does not answer"; cat ./*.log; exit 1; }
servers await
