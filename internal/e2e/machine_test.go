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
			prepare: `sed -i "s/dc_eximconfig_configtype=.*/dc_eximconfig_configtype='smarthost'/; s/dc_smarthost=.*/dc_smarthost='mail.isp.example::587'/" \
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
echo nonsense >/etc/aliases.db`,
			says: []string{"smtpctl schedule all", "home_mailbox=Maildir/"},
		},
	}
}

// TestOtherMailServer: another mail server goes only if that was said. What
// waits in its queue is counted and said to stay, and its aliases go on to work.
func TestOtherMailServer(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		for _, o := range otherServers() {
			t.Run(o.packages, func(t *testing.T) {
				t.Parallel()
				b := server(t, release, lab.Bare)
				b.Apt(t, strings.Fields(o.packages)...)
				sink := b.Sink(t)
				b.Sh(t, "useradd -m ann; printf 'ops: ann\\n' >>/etc/aliases\n"+o.prepare)
				o.refused(t, b)
				o.replaced(t, b)
				leavesSignedBy(t, b, sink, "lab.example")
				aliasWorks(t, b)
				if o.unit == "exim4.service" { // one stands for all
					goneForGood(t, b, release)
				}
			})
		}
	})
}

func exampleArgs(more ...string) []string {
	return append([]string{"init", "--domain", "lab.example", "--ip", "192.0.2.10"}, more...)
}

// refused insists that a yes to the plan is not enough.
func (o otherServer) refused(t *testing.T, b *lab.Box) {
	t.Helper()
	before := treeOf(t, b)
	defer func() { same(t, before, treeOf(t, b)) }()
	_, said := product(t, b, 2, exampleArgs("--yes")...)
	text := strings.Join(strings.Fields(said), " ")
	says(t, text, o.packages+" is this machine's mail server.", "1 message waits in its queue and would stay behind undelivered.",
		"Installing Postfix removes it. apt removes:", o.packages, "hint: --replace-mta allows it")
	if o.unit != "exim4.service" {
		return
	}
	out, _ := product(t, b, 0, exampleArgs("--dry-run")...)
	says(t, out, "Needs your consent", "(--replace-mta)", "apt REMOVES: ")
}

func (o otherServer) replaced(t *testing.T, b *lab.Box) {
	t.Helper()
	aliases := b.Read(t, "/etc/aliases")
	out, _ := product(t, b, 0, exampleArgs("--yes", "--replace-mta")...)
	text := strings.Join(strings.Fields(out), " ")
	says(t, text, "sends and receives mail in the place of "+o.packages, "apt REMOVES: ", "/etc/aliases.db made again from /etc/aliases",
		"1 message waits in the queue of "+o.packages+". It STAYS BEHIND in",
		"1 message stayed behind in", "apt-get install "+o.packages)
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
	b.Sh(t, `printf 'Subject: to the alias\n\nhello\n' | /usr/sbin/sendmail ops@lab.example
for i in $(seq 100); do grep -qs 'to the alias' /var/mail/ann && exit; sleep 0.1; done
mailq; journalctl -q --no-pager -o cat -t postfix/local; exit 1`)
}

// goneForGood insists that Postfix has the port, also after a reboot, and that
// a rollback does not bring the other back and says so. (exim4.service may well
// be active: of a removed package the init script stays, and finds nothing to
// start.)
func goneForGood(t *testing.T, b *lab.Box, release string) {
	t.Helper()
	b.Reboot(t)
	b.Sh(t, "until postfix status 2>/dev/null; do sleep 0.2; done")
	if got := strings.TrimSpace(b.Sh(t, `ss -tlnpH 'sport = 25' | grep -o 'users:(("[a-z0-9]*"' | sort -u`)); got != `users:(("master"` && got != `users:(("smtpd"` {
		t.Errorf("on port 25: %s", got)
	}
	out, _ := product(t, b, 0, "rollback", "--yes")
	says(t, strings.Join(strings.Fields(out), " "), "the packages stay that mailsetup installed")
	b.Run(t, "systemctl", "is-active", postfixUnit(release))
}
