//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// resolverLab takes the name server away that is here, and puts two into the network: the
// resolver that the machine is given, which the list refuses, and the servers of the root,
// who have the list.
const resolverLab = `
cp /usr/sbin/named /usr/local/sbin/ns2
apt-get remove -y -q bind9 >/dev/null
printf '%s\n' 'APT::Get::Assume-Yes "true";' 'APT::Install-Recommends "false";' >/etc/apt/apt.conf.d/lab
mkdir -p /etc/ns2 /var/cache/ns2 /etc/unbound/unbound.conf.d
chown bind: /var/cache/ns2
cat >/etc/ns2/named.conf <<'END'
options {
	directory "/var/cache/ns2"; pid-file none; session-keyfile none; listen-on { 192.0.2.53; 192.0.2.54; }; listen-on-v6 { none; };
	recursion no; dnssec-validation no;
};
view network { match-destinations { 192.0.2.53; }; recursion yes; allow-recursion { any; }; zone "." { type primary; file "/etc/ns2/refuses"; }; };
view root { zone "." { type primary; file "/etc/ns2/root"; }; };
END
printf '%s\n' '$TTL 60' '. IN SOA ns.root. h. 1 60 60 60 1' '. IN NS ns.root.' 'ns.root. IN A 192.0.2.54' >/etc/ns2/root
cp /etc/ns2/root /etc/ns2/refuses
echo '*.zen.spamhaus.org. IN A 127.255.255.254' >>/etc/ns2/refuses
echo '2.0.0.127.zen.spamhaus.org. IN A 127.0.0.2' >>/etc/ns2/root
printf '%s\n' '. 3600 IN NS ns.root.' 'ns.root. 3600 IN A 192.0.2.54' >/etc/unbound/lab.hints
printf '%s\n' 'server:' 'module-config: "iterator"' 'root-hints: /etc/unbound/lab.hints' >/etc/unbound/unbound.conf.d/lab.conf
ip -n world addr add 192.0.2.53/32 dev eth0
ip -n world addr add 192.0.2.54/32 dev eth0
systemd-run --quiet --unit ns2 -p NetworkNamespacePath=/run/netns/world /usr/local/sbin/ns2 -f -u bind -c /etc/ns2/named.conf
echo 'nameserver 192.0.2.53' >/etc/resolv.conf
`

// resolverManagers are what writes resolv.conf(5), each with what is said where the
// resolver of the network is refused by a list.
var resolverManagers = []struct{ name, packages, made, commands, first string }{
	{
		"nobody", "", "", `apt-get install unbound
sed -i '1i nameserver 127.0.0.1' /etc/resolv.conf
systemctl restart postfix`, "127.0.0.1",
	},
	{
		"resolvconf", "resolvconf", `echo 'nameserver 192.0.2.53' >/etc/resolvconf/resolv.conf.d/base
resolvconf -u`, `echo 'USE_RESOLVCONF_FORWARDS=false' >>/etc/default/unbound
systemctl restart unbound
systemctl restart postfix`, "127.0.0.1",
	},
	{
		"NetworkManager", "network-manager", `printf '[keyfile]\nunmanaged-devices=interface-name:eth0;interface-name:lo;interface-name:lan1\n' >/etc/NetworkManager/conf.d/lab.conf
ip link add lan0 type veth peer name lan1
ip link set lan1 up
systemctl restart NetworkManager
nmcli connection add type ethernet ifname lan0 con-name lan ipv4.method manual ipv4.addresses 203.0.113.9/24 ipv4.dns 192.0.2.53 ipv6.method disabled
nmcli connection up lan`, `printf '[main]\ndns=none\n' >/etc/NetworkManager/conf.d/own-resolver.conf
systemctl reload NetworkManager
sed -i '1i nameserver 127.0.0.1' /etc/resolv.conf
systemctl restart postfix`, "127.0.0.1",
	},
	{
		"systemd-resolved", "systemd-resolved", `printf '[Resolve]\nDNS=192.0.2.53\n' >/etc/systemd/resolved.conf
systemctl restart systemd-resolved`, `mkdir -p /etc/systemd/resolved.conf.d
printf '[Resolve]\nDNS=\nDNS=127.0.0.1\nDomains=~.\n' >/etc/systemd/resolved.conf.d/own-resolver.conf
systemctl restart systemd-resolved
systemctl restart postfix`, "127.0.0.53",
	},
}

// TestInboundResolver: where a block list refuses the resolver of the network, what is
// said then makes one of this machine's own of it, for this machine alone, whoever writes
// resolv.conf(5). Nobody does on each release; the others take turns.
func TestInboundResolver(t *testing.T) { ownResolvers(t, false) }

// TestSoakInboundResolver is the same with all on each release.
func TestSoakInboundResolver(t *testing.T) { ownResolvers(t, true) }

func ownResolvers(t *testing.T, all bool) {
	each(t, func(t *testing.T, release string) {
		b := lab.Boot(t, lab.Options{Release: release, Image: lab.Staged})
		b.Sh(t, resolverLab)
		becomes(t, b, "getent ahostsv4 2.0.0.127.zen.spamhaus.org | grep -q 127.255.255.254")
		product(t, b, 0, initArgs("--dns", "manual")...)
		for i, m := range resolverManagers {
			if i > 0 && !all && !lab.TakesTurn(i, release) {
				continue
			}
			if m.packages != "" {
				b.Apt(t, m.packages)
				b.Sh(t, m.made)
				becomes(t, b, "getent ahostsv4 2.0.0.127.zen.spamhaus.org | grep -q 127.255.255.254")
			}
			_, errs := product(t, b, 2, "inbound", "--dnsbl", "zen.spamhaus.org", "--yes")
			for line := range strings.SplitSeq("it does not answer this resolver\n"+m.commands, "\n") {
				if !strings.Contains(errs, line) {
					t.Fatalf("%s: no %s in\n%s", m.name, line, errs)
				}
			}
			b.Sh(t, m.commands)
			becomes(t, b, "getent ahostsv4 2.0.0.127.zen.spamhaus.org | grep -q '127.0.0.2 '")
			product(t, b, 0, "inbound", "--dnsbl", "zen.spamhaus.org", "--dry-run")
			for _, path := range []string{"/etc/resolv.conf", "/var/spool/postfix/etc/resolv.conf"} {
				if got := b.Sh(t, "awk '$1 == \"nameserver\" { print $2; exit }' "+path); got != m.first+"\n" {
					t.Errorf("%s: %s names %s first", m.name, path, got)
				}
			}
			if got := b.Sh(t, "ss -Hlntu sport = 53 | awk '$5 !~ /^(127[.]|.::1.:)/ { print $5 }'"); got != "" {
				t.Errorf("%s: others can ask at %s", m.name, got)
			}
			if m.packages != "" {
				b.Sh(t, "DEBIAN_FRONTEND=noninteractive apt-get purge -y -q "+m.packages+" >/dev/null")
			}
			b.Sh(t, "rm -f /etc/resolv.conf; echo 'nameserver 192.0.2.53' >/etc/resolv.conf")
		}
	})
}
