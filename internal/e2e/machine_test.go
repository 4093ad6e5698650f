//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// otherServer is a mail server that stands where Postfix will.
type otherServer struct {
	packages string
	unit     string
	// prepare gives it a message that it will not get rid of.
	prepare string
	spool   string
	says    []string // of what it leaves to the administrator
}

func otherServers() []otherServer {
	return []otherServer{
		{
			packages: "exim4-daemon-light", unit: "exim4.service", spool: "/var/spool/exim4",
			// Its daemon runs the queue once when it starts, which may be later than this.
			prepare: `systemctl stop exim4
sed -i "s/dc_eximconfig_configtype=.*/dc_eximconfig_configtype='smarthost'/; s/dc_smarthost=.*/dc_smarthost='mail.isp.example::587'/" \
	/etc/exim4/update-exim4.conf.conf
printf 'Subject: late\n\nlate\n' | sendmail -odq bob@nowhere.example`,
			says: []string{"exim4 -qff", "relayhost = [mail.isp.example]:587"},
		},
		{
			packages: "sendmail-bin", unit: "sendmail.service", spool: "/var/spool/mqueue-client",
			prepare: `systemctl stop sendmail; printf 'Subject: late\n\nlate\n' | sendmail bob@nowhere.example`,
			says:    []string{"sendmail -Ac -q; sendmail -q; mailq"},
		},
		{
			packages: "opensmtpd", unit: "opensmtpd.service", spool: "/var/spool/smtpd/queue",
			// A database that somebody made for it is none that Postfix could read.
			prepare: `smtpctl pause mta; printf 'Subject: late\n\nlate\n' | sendmail bob@nowhere.example carol@nowhere.example
echo nonsense | tee /etc/aliases.db >/etc/aliases.cdb`,
			says: []string{"smtpctl schedule all", "home_mailbox=Maildir/"},
		},
	}
}

// TestOtherMailServer: another mail server goes only if that was said. What
// waits in its queue is counted and said to stay, and its aliases go on to work.
func TestOtherMailServer(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		for i, o := range otherServers() {
			if !lab.TakesTurn(i, release) {
				continue
			}
			t.Run(o.packages, func(t *testing.T) {
				t.Parallel()
				b := server(t, release, lab.Bare)
				b.Apt(t, strings.Fields(o.packages)...)
				sink := b.Sink(t)
				b.Sh(t, "printf 'ops: ann\\n' >>/etc/aliases\n"+o.prepare)
				o.refused(t, b)
				o.replaced(t, b, release)
				leavesSignedBy(t, b, sink, "lab.example")
				aliasWorks(t, b)
				if o.unit == "exim4.service" { // one stands for all
					goneForGood(t, b, sink, release)
				}
			})
		}
	})
}

// aliasTable is the file that Postfix reads, as Debian installs it, for /etc/aliases.
func aliasTable(release string) string {
	if release == lab.Next {
		return "/etc/aliases.cdb"
	}
	return "/etc/aliases.db"
}

func exampleArgs(more ...string) []string {
	return append([]string{"init", "--domain", "lab.example", "--ip", "192.0.2.10"}, more...)
}

// refused insists that a yes to the plan is not enough.
func (o otherServer) refused(t *testing.T, b *lab.Box) {
	t.Helper()
	before := treeOf(t, b)
	defer func() { same(t, before, treeOf(t, b)) }()
	if o.unit == "exim4.service" { // which is proposed, and cannot sign as it is here
		_, said := product(t, b, 2, exampleArgs("--yes")...)
		says(t, strings.Join(strings.Fields(said), " "), "remote_smtp_smarthost, which knows no DKIM", "mailsetup init --mta postfix --replace-mta puts Postfix in its place")
	}
	_, said := product(t, b, 2, exampleArgs("--yes", "--mta", "postfix")...)
	text := strings.Join(strings.Fields(said), " ")
	says(t, text, o.packages+" is this machine's mail server.", "1 message waits in its queue and would stay behind undelivered.",
		"Installing Postfix removes it. apt removes:", o.packages, "hint: --replace-mta allows it")
	if o.unit != "exim4.service" {
		return
	}
	out, _ := product(t, b, 0, exampleArgs("--dry-run", "--mta", "postfix")...)
	says(t, out, "Needs your consent", "(--replace-mta)", "apt REMOVES: ")
}

func (o otherServer) replaced(t *testing.T, b *lab.Box, release string) {
	t.Helper()
	aliases := b.Read(t, "/etc/aliases")
	out, _ := product(t, b, 0, exampleArgs("--yes", "--replace-mta")...)
	text := strings.Join(strings.Fields(out), " ")
	says(t, text, "sends and receives mail in the place of "+o.packages, "apt REMOVES: ", aliasTable(release)+" made again from /etc/aliases",
		"1 message waits in the queue of "+o.packages+". It STAYS BEHIND in",
		"1 message stayed behind in", "here apt would remove Postfix for it")
	says(t, text, o.says...)
	if got := b.Read(t, "/etc/aliases"); got != aliases {
		t.Errorf("/etc/aliases is now\n%s", got)
	}
	if left := b.Sh(t, "find "+o.spool+" -type f"); left == "" {
		t.Errorf("the message in %s is gone", o.spool)
	}
	nothingChanges(t, b, exampleArgs("--yes")...)
}

// aliasWorks sends to an alias from before, and waits for the letter.
func aliasWorks(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Sh(t, `printf 'Subject: to the alias\n\nhello\n' | /usr/sbin/sendmail ops@lab.example`)
	becomes(t, b, "grep -qs 'to the alias' /var/mail/ann")
}

// goneForGood insists that Postfix has the port and signs after a reboot, and that
// a rollback does not bring the other back and says so. (exim4.service may well
// be active: of a removed package the init script stays, and finds nothing to
// start.)
func goneForGood(t *testing.T, b *lab.Box, sink *lab.Sink, release string) {
	t.Helper()
	b.Reboot(t)
	b.Sh(t, "until postfix status 2>/dev/null; do sleep 0.2; done")
	leavesSignedBy(t, b, sink, "lab.example")
	if got := strings.TrimSpace(b.Sh(t, `ss -tlnpH 'sport = 25' | grep -o 'users:(("[a-z0-9]*"' | sort -u`)); got != `users:(("master"` && got != `users:(("smtpd"` {
		t.Errorf("on port 25: %s", got)
	}
	out, _ := product(t, b, 0, "rollback", "--yes")
	says(t, strings.Join(strings.Fields(out), " "), "the packages stay that mailsetup installed")
	b.Run(t, "systemctl", "is-active", postfixUnit(release))
}

// TestAddressesAndNames: where the addresses that were named do not go together
// with those that the machine has and uses, that is said; a plain server hears
// nothing of it, and nothing is guessed into DNS.
func TestAddressesAndNames(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := server(t, release, lab.Mail)
		b.Named(t, "other.example", "loop IN A 127.0.1.1")
		before := b.Snapshot(t, "/etc/bind", "/etc/postfix", "/var/lib/mailsetup")
		ways(t, b)
		behindNAT(t, b)
		names(t, b)
		same(t, before, b.Snapshot(t, "/etc/bind", "/etc/postfix", "/var/lib/mailsetup"))
		otherSystem(t, b)
	})
}

// planOf is what a dry run says, on one line.
func planOf(t *testing.T, b *lab.Box, more ...string) string {
	t.Helper()
	out, _ := product(t, b, 0, append([]string{"init", "--domain", "lab.example", "--dry-run"}, more...)...)
	return strings.Join(strings.Fields(out), " ")
}

// ways are those by which mail leaves: several addresses, both families,
// smtp_bind_address.
func ways(t *testing.T, b *lab.Box) {
	t.Helper()
	plain := planOf(t, b)
	saysNot(t, plain, "* address", "* nat", "* ipv4", "* ipv6", "127.0.1.1")
	says(t, plain, "v=spf1 ip4:192.0.2.10 mx ~all")

	b.Sh(t, "ip addr add 192.0.2.11/32 dev eth0")
	says(t, planOf(t, b), "mail may leave from 192.0.2.11, which is not among the addresses of this server (192.0.2.10)")
	b.Sh(t, "ip route add default dev eth0 src 192.0.2.10")
	saysNot(t, planOf(t, b), "* address")
	b.Sh(t, "ip route replace default dev eth0 src 192.0.2.11")
	says(t, planOf(t, b), "mail leaves from 192.0.2.11, which is not among the addresses of this server (192.0.2.10)",
		"postconf -e smtp_bind_address=192.0.2.10 && postfix reload", "mailsetup init --ip 192.0.2.10 --ip 192.0.2.11")
	b.Sh(t, "cp -p /etc/postfix/main.cf /root/; postconf -e smtp_bind_address=192.0.2.10")
	saysNot(t, planOf(t, b), "* address")
	b.Sh(t, "postconf -e smtp_bind_address=192.0.2.11; ip route replace default dev eth0 src 192.0.2.10")
	says(t, planOf(t, b), "mail leaves from 192.0.2.11 (/etc/postfix/main.cf: smtp_bind_address)")
	b.Sh(t, "cp -p /root/main.cf /etc/postfix/")

	b.Sh(t, "ip addr add 2001:db8::10/128 dev eth0 nodad; ip -6 route add default dev eth0")
	says(t, planOf(t, b), "mail also leaves by IPv6, from 2001:db8::10,", "mailsetup init --ip 192.0.2.10 --ip 2001:db8::10",
		"postconf -e inet_protocols=ipv4, then restart Postfix")
	saysNot(t, planOf(t, b, "--ip", "192.0.2.10", "--ip", "2001:db8::10"), "* ipv6", "* address")
	b.Sh(t, "postconf -e inet_protocols=ipv4")
	saysNot(t, planOf(t, b), "* ipv6")
	b.Sh(t, "cp -p /root/main.cf /etc/postfix/; ip addr del 192.0.2.10/32 dev eth0; ip addr del 192.0.2.11/32 dev eth0; ip route flush dev eth0; ip addr show dev eth0")
	says(t, planOf(t, b, "--ip", "2001:db8::10"), "this server has no IPv4", "v=spf1 ip6:2001:db8::10 mx ~all")
	b.Sh(t, "ip addr flush dev eth0; ip addr add 192.0.2.10/32 dev eth0; ip route add default dev eth0")
}

// behindNAT has only a private address.
func behindNAT(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Sh(t, "ip addr flush dev eth0; ip addr add 10.0.0.5/24 dev eth0; ip route add default dev eth0")
	plan := planOf(t, b)
	says(t, plan, "192.0.2.10 is not on this machine, which has 10.0.0.5: mail leaves through a router", "forwards port 25 to 10.0.0.5",
		"v=spf1 ip4:192.0.2.10 mx ~all")
	saysNot(t, plan, "ip4:10.0.0.5", "A 10.0.0.5")
	_, said := product(t, b, 2, "init", "--yes", "--domain", "lab.example", "--hostname", "new.lab.example")
	says(t, said, "needed without a terminal and not given: --ip", "hint: DNS has no address for new.lab.example, and this machine has only 10.0.0.5")
	b.Sh(t, "ip addr flush dev eth0; ip addr add 192.0.2.10/32 dev eth0; ip route add default dev eth0")
}

// names that the world does not know are none, and what DNS says of one is
// looked at.
func names(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Sh(t, "cp -p /etc/hosts /root/")
	for _, name := range []string{"debian", "mail.lan", "localhost.localdomain"} {
		b.Sh(t, "hostname "+name+"; echo "+name+" >/etc/hostname; echo '127.0.1.1 "+name+"' >/etc/hosts")
		_, said := product(t, b, 2, "init", "--yes", "--domain", "lab.example", "--ip", "192.0.2.10")
		says(t, said, "needed without a terminal and not given: --hostname", `hint: this machine calls itself "`+name+`"`)
	}
	b.Sh(t, "hostname mail.lab.example; echo mail.lab.example >/etc/hostname; cp -p /root/hosts /etc/")

	_, said := product(t, b, 2, "init", "--yes", "--domain", "lab.example", "--hostname", "loop.other.example")
	says(t, said, "not given: --ip", "hint: DNS has only 127.0.1.1 for loop.other.example", "--ip 192.0.2.10")
	plan := planOf(t, b, "--hostname", "loop.other.example", "--ip", "192.0.2.10", "--dns", "manual")
	says(t, plan, "DNS says that loop.other.example is 127.0.1.1, which is for this machine itself")
}

// otherSystem is one that nobody tried this on, or none of Debian's.
func otherSystem(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Sh(t, "mv /usr/bin/dpkg-query /root/; rm /etc/os-release; printf 'ID=fedora\nPRETTY_NAME=\"Fedora Linux 43\"\n' >/etc/os-release")
	_, said := product(t, b, 1, "init", "--yes", "--domain", "lab.example")
	says(t, said, "Fedora Linux 43: dpkg-query: not found: this system has no Debian packages", "hint: mailsetup is made for Debian 12, 13 and 14")
	b.Sh(t, "mv /root/dpkg-query /usr/bin/")

	b.Write(t, "/etc/os-release", "PRETTY_NAME=\"Ubuntu 24.04.1 LTS\"\nID=ubuntu\nVERSION_ID=\"24.04\"\nID_LIKE=debian\n", 0o644)
	_, said = product(t, b, 2, exampleArgs("--yes")...)
	says(t, strings.Join(strings.Fields(said), " "), "This is Ubuntu 24.04.1 LTS, which derives from Debian.", "hint: --any-release allows it")
	says(t, planOf(t, b), "Needs your consent", "(--any-release)")
	sink := b.Sink(t)
	product(t, b, 0, exampleArgs("--yes", "--any-release")...)
	leavesSigned(t, b, sink)
	nothingChanges(t, b, exampleArgs("--yes")...)
}
