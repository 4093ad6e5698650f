package main

import (
	"fmt"
	"strings"
)

// Addresses of the server's resolver, which has the zone above the domains as well: as
// it is, and far away.
const (
	parentAddr    = "127.0.0.53"
	parentFarAddr = "127.0.0.54"
)

// parentConf is a second BIND, since a server of zones does not resolve names for itself.
const parentConf = `options {
	directory "/var/cache/bind";
	listen-on { ` + parentAddr + `; };
	listen-on-v6 { none; };
	pid-file none;
	recursion yes;
	allow-recursion { any; };
	dnssec-validation no;
	empty-zones-enable no;
};
controls { };
zone "." { type primary; file "/etc/bind/parent/root"; };
zone "example" { type primary; file "/etc/bind/parent/example"; };
`

// parent starts the resolver and has the server use it: lab.example and the reverse zones
// are delegated to the server, the domains are not, so that they do not exist.
func (h *host) parent() {
	h.Write(h.t, "/etc/bind/parent/named.conf", parentConf, 0o644)
	// A program of another name: what named listens on is the server's.
	h.Sh(h.t, `sed -i 's/recursion yes/recursion no/; s/^options {/&\n\t`+listenNear+`/' /etc/bind/named.conf.options
systemctl restart named
ip address add `+parentAddr+`/8 dev lo
cp /usr/sbin/named /usr/local/sbin/resolver
systemd-run -q --collect --unit=bench-parent /usr/local/sbin/resolver -f -c /etc/bind/parent/named.conf`)
	h.delegate(parentAddr)
	h.resolver(parentAddr)
}

// Where the server's own BIND listens, when nothing and when the delay stands before it.
const (
	listenNear = "listen-on { 127.0.0.1; 192.0.2.10; };"
	listenFar  = "listen-on { 127.0.0.1; };"
)

// delegate writes the zones of the parent, whose name server has an address, with the
// domains that it delegates to this server. What it remembers is forgotten.
func (h *host) delegate(at string, domains ...string) {
	head := "$TTL 60\n@ IN SOA ns.parent.example. hostmaster.parent.example. ( 1 3600 600 86400 60 )\n@ IN NS ns.parent.example.\n"
	h.Write(h.t, "/etc/bind/parent/root", head+"example. NS ns.parent.example.\nns.parent.example. A "+at+
		"\n2.0.192.in-addr.arpa. NS mail.lab.example.\nmail.lab.example. A 192.0.2.10\n", 0o644)
	var below strings.Builder
	for _, d := range domains {
		fmt.Fprintf(&below, "%s. NS mail.lab.example.\n", d)
	}
	h.Write(h.t, "/etc/bind/parent/example", head+"ns.parent A "+at+"\nlab NS mail.lab\nremote NS mail.lab\nmail.lab A 192.0.2.10\n"+below.String(), 0o644)
	h.Sh(h.t, `systemctl restart bench-parent
for i in $(seq 100); do dig +short +time=1 +tries=1 @`+parentAddr+` example SOA | grep -q parent && exit 0; sleep 0.1; done; exit 1`)
}

// resolver has all programs of the server ask a resolver.
func (h *host) resolver(at string) {
	h.Write(h.t, "/etc/resolv.conf", "nameserver "+at+"\n", 0o644)
	h.Sh(h.t, "systemctl restart postfix; if systemctl -q is-active opendkim; then systemctl restart opendkim; fi")
}

// farAway puts all name servers far away, nearby puts them back.
func (h *host) farAway() {
	h.Sh(h.t, "sed -i 's/"+listenNear+"/"+listenFar+"/' /etc/bind/named.conf.options; systemctl restart named")
	h.delegate(parentFarAddr)
	h.Delay(h.t, h.Addr+":53", "127.0.0.1:53", far)
	h.Delay(h.t, parentFarAddr+":53", parentAddr+":53", far)
	h.resolver(parentFarAddr)
}

func (h *host) nearby() {
	h.Sh(h.t, "systemctl stop 'lab-delay-*'; sed -i 's/"+listenFar+"/"+listenNear+"/' /etc/bind/named.conf.options; systemctl restart named")
	h.delegate(parentAddr)
	h.resolver(parentAddr)
}
