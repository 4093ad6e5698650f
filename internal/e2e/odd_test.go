//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// oddMain has a list of milters in all forms that postconf(5) knows, of which
// none answers at the moment, what seems to be ours, and another parameter
// twice. Its last line has no newline.
const oddMain = `
#smtpd_milters = inet:localhost:8891
milter_default_action = accept
smtpd_milters = inet:127.0.0.1:11401 unix:/run/gone.sock,local:gone/other.sock
# a remark in between
	{ inet:[::1]:11402, default_action=accept, connect_timeout=1s },
  { unix:gone/third.sock, { default_action = accept } } $spam_milters , ${dmarc_milters}
spam_milters = inet:localhost:11403
dmarc_milters = { inet:localhost:8893, default_action=accept }
non_smtpd_milters = $(spam_milters)
# non_smtpd_milters = $smtpd_milters
alternate_config_directories = /etc/postfix-other
transport_maps = hash:$config_directory/transport
message_size_limit = 10000000
mynetworks = 127.0.0.0/8 [::1]/128, 10.20.30.0/24
always_add_missing_headers = yes
message_size_limit = 20000000`

// oddMaster is a service as somebody wrote it on another system.
const oddMaster = "2525 inet n - y - - smtpd\r\n" +
	"  -o syslog_name=postfix/odd\r\n" +
	"# -o smtpd_milters=inet:localhost:8891\r\n" +
	"  -o smtpd_milters=local:gone/fourth.sock,$dmarc_milters"

// odd boots a server whose Postfix nobody would have set up so, but which runs.
func odd(t *testing.T, release string) (*lab.Box, *lab.Sink) {
	t.Helper()
	b, sink := existing(t, release)
	b.Write(t, "/etc/postfix/transport", "nowhere.example error:not there\n", 0o644)
	b.Write(t, "/etc/postfix/main.cf", b.Read(t, "/etc/postfix/main.cf")+oddMain, 0o644)
	master := strings.ReplaceAll(b.Read(t, "/etc/postfix/master.cf"), "\n", "\r\n")
	b.Write(t, "/etc/postfix/master.cf", master+oddMaster, 0o644)
	b.Sh(t, `cd /etc/postfix; postmap hash:transport
chown root:adm main.cf; chmod 0640 main.cf; chmod 0600 master.cf
mv /etc/postfix /etc/postfix.real; ln -s postfix.real /etc/postfix; postfix reload`)
	leavesUnsigned(t, b, sink)
	return b, sink
}

// TestOddPostfix: forms that Postfix takes and nobody uses are taken, too, and
// what stands around our settings stays as it is, odd modes and links included.
func TestOddPostfix(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b, sink := odd(t, release)
		was, parameters, options := look(t, b), postconf(t, b), serviceOptions(t, b)
		main, master := b.Read(t, "/etc/postfix/main.cf"), b.Read(t, "/etc/postfix/master.cf")
		stat := func() string {
			return b.Run(t, "stat", "-c", "%N %A %U:%G", "/etc/postfix", "/etc/postfix/main.cf", "/etc/postfix/master.cf")
		}
		modes := stat()

		_, said := product(t, b, 2, initArgs()...)
		says(t, said, "/etc/postfix/master.cf:"+lineOf(master, "  -o smtpd_milters=local:"), "2525/inet", "--service-milters merge", "--sign-bounces yes")
		asBefore(t, b, was)

		out, _ := product(t, b, 0, initArgs("--service-milters", "merge", "--sign-bounces", "yes")...)
		says(t, strings.Join(strings.Fields(out), " "), "Postfix has further instances (/etc/postfix-other)")
		onlyOurLines(t, main, b.Read(t, "/etc/postfix/main.cf"), "non_smtpd_milters")
		after := postconf(t, b)
		const list = "inet:127.0.0.1:11401 unix:/run/gone.sock,local:gone/other.sock " +
			"{ inet:[::1]:11402, default_action=accept, connect_timeout=1s }, " +
			"{ unix:gone/third.sock, { default_action = accept } } $spam_milters , " + ourMilter + ", ${dmarc_milters}"
		if got := strings.Join(strings.Fields(after["smtpd_milters"]), " "); got != list {
			t.Errorf("smtpd_milters = %s", got)
		}
		parameters["smtpd_milters"] = after["smtpd_milters"]
		parameters["non_smtpd_milters"] = " $(spam_milters), " + ourMilter
		parameters["internal_mail_filter_classes"] = " bounce"
		parameters["transport_maps"] = " " + probeRoute + ", hash:$config_directory/transport"
		encrypts(parameters, release)
		same(t, parameters, after)
		const line = "  -o smtpd_milters=local:gone/fourth.sock,$dmarc_milters"
		want := strings.Replace(master, line, "  -o { smtpd_milters = local:gone/fourth.sock,"+ourMilter+", $dmarc_milters }", 1)
		if got := b.Read(t, "/etc/postfix/master.cf"); got != want {
			t.Errorf("master.cf ends in %q", got[len(master)-len(oddMaster):])
		}
		options["2525/inet/smtpd_milters"] = "local:gone/fourth.sock," + ourMilter + ", $dmarc_milters"
		same(t, options, serviceOptions(t, b))
		if got := stat(); got != modes {
			t.Errorf("was\n%s\nis\n%s", modes, got)
		}

		oddKinds(t, b, sink)
		b.PowerCut(t)
		listens(t, b, "25", "2525")
		oddKinds(t, b, sink)
		nothingChanges(t, b, initArgs()...)
		product(t, b, 0, "rollback", "--yes")
		unchanged(t, withoutLedger(was), withoutLedger(look(t, b)))
		leavesUnsigned(t, b, sink)
	})
}

// oddKinds is every kind of mail that this server sees.
func oddKinds(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	everyKind(t, b, sink)
	signed(t, b, by(t, b, sink, lab.Letter{Server: b.Addr + ":2525"}))
}

// unfitPostfix is something in Postfix's files that nobody should edit around.
type unfitPostfix struct {
	name, script string
	more         string // at the end of main.cf
	line         string // of main.cf that is named
	says         []string
}

func unfitPostfixes() []unfitPostfix {
	const move = "mv main.cf main.real; ln -s "
	return []unfitPostfix{
		{name: "twice", more: "smtpd_milters = inet:a:1\n\nsmtpd_milters=inet:b:1\n", line: "smtpd_milters=inet:b:1", says: []string{"smtpd_milters is set a second time, after line "}},
		{name: "CRLF", more: "a_b = 1\r\n", line: "a_b = 1", says: []string{"the line ends with a carriage return (CRLF)", `sed -i 's/\r$//' /etc/postfix/main.cf`}},
		{name: "CRLF everywhere", script: `sed -i 's/$/\r/' main.cf`, says: []string{"/etc/postfix/main.cf:1: the line ends with a carriage return"}},
		{name: "no setting", more: "# x\njunk here\n", line: "junk here", says: []string{"junk here", "then look at the file with postconf -n"}},
		{name: "a remark that is none", more: "smtpd_milters =\n\tinet:127.0.0.1:11332 # rspamd\n", line: "\tinet:127", says: []string{"is part of the value"}},
		{name: "an open brace", more: "smtpd_milters = { inet:a:1, default_action=accept\n", says: []string{"/etc/postfix/main.cf: smtpd_milters: ", `"{" at 1 is not closed`}},
		{name: "itself", more: "smtpd_milters = $smtpd_milters, inet:a:1\n", says: []string{"/etc/postfix/main.cf", "smtpd_milters, which refers to itself", "grep -n"}},
		{name: "a link", script: move + "main.real main.cf", says: []string{"/etc/postfix/main.cf: is a symbolic link to main.real", "cp -p --remove-destination"}},
		{name: "a link to nothing", script: move + "gone.cf main.cf", says: []string{"/etc/postfix/main.cf: is a symbolic link to gone.cf, where there is no file"}},
		{name: "a directory", script: "rm main.cf; mkdir main.cf", says: []string{"/etc/postfix/main.cf: is no regular file (directory)"}},
		{name: "a linked master.cf", script: "mv master.cf m; ln -s m master.cf; printf '2525 inet n - y - - smtpd\n -o smtpd_milters=\n' >>m", says: []string{"/etc/postfix/master.cf: is a symbolic link to m"}},
		{name: "nothing", script: "rm main.cf", says: []string{"/etc/postfix/main.cf: there is no such file", "dpkg-reconfigure postfix"}},
		{name: "no queue", more: "queue_directory = /srv/queue\n", says: []string{"/etc/postfix/main.cf: Postfix runs, but not with what is written here: /srv/queue is no directory"}},
		{name: "another queue", script: "mkdir -p /srv/empty/pid\n", more: "queue_directory = /srv/empty\n", says: []string{"not with what is written here: no master has the queue in /srv/empty"}},
		{name: "no number", more: "message_size_limit = abc\n", says: []string{"not with what is written here: bad numerical configuration: message_size_limit = abc"}},
		{name: "another directory", more: "config_directory = /srv/postfix\n", says: []string{"Postfix reads its configuration from /srv/postfix"}},
		{name: "no milters at all", more: "receive_override_options = no_milters\n", says: []string{"receive_override_options = no_milters keeps mail away from the signer"}},
		{name: "milters by client", more: "smtpd_milter_maps = cidr:/etc/postfix/milters\n", says: []string{"smtpd_milter_maps = cidr:/etc/postfix/milters may keep mail away"}},
	}
}

// TestUnfitPostfix: what cannot be edited without spoiling it, or would not
// mean what it seems to, is named with its line; nothing is touched.
func TestUnfitPostfix(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := server(t, release, lab.Mail)
		b.Sh(t, "cp -a /etc/postfix /root/postfix")
		plain := b.Read(t, "/etc/postfix/main.cf")
		for _, c := range unfitPostfixes() {
			b.Sh(t, "rm -r /etc/postfix; cp -a /root/postfix /etc/postfix; cd /etc/postfix; :\n"+c.script)
			if c.more != "" {
				b.Write(t, "/etc/postfix/main.cf", plain+c.more, 0o644)
			}
			before := b.Snapshot(t, "/etc", "/var/lib/mailsetup")
			_, said := product(t, b, 2, initArgs("--service-milters", "merge", "--sign-bounces", "yes")...)
			if c.line != "" {
				c.says = append(c.says, "/etc/postfix/main.cf:"+lineOf(plain+c.more, c.line)+": ")
			}
			says(t, said, append(c.says, "hint: ")...)
			same(t, before, b.Snapshot(t, "/etc", "/var/lib/mailsetup"))
			if t.Failed() {
				t.Fatalf("after: %s", c.name)
			}
		}
		b.Sh(t, "rm -r /etc/postfix; cp -a /root/postfix /etc/postfix")
		product(t, b, 0, initArgs()...)
	})
}
