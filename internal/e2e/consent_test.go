//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// ownMilters is a service with milters of its own, in whose place main.cf's do
// not count; nobody listens there, and mail goes on without.
const ownMilters = `submission inet n - y - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_milters=inet:127.0.0.1:11399
  -o smtpd_relay_restrictions=permit_mynetworks,reject
`

// theirs is a server that sends mail already: a submission service with its own
// milters, and an SPF record that forgot this server.
func theirs(t *testing.T, release string, image lab.Image) *lab.Box {
	t.Helper()
	b := lab.Boot(t, lab.Options{Release: release, Image: image, Hostname: "mail.lab.example"})
	b.Named(t, "lab.example", `@ IN MX 10 mail`, `@ IN TXT "v=spf1 ip4:198.51.100.7 -all"`)
	b.Install(t)
	return b
}

// ownService adds the submission service to an installed Postfix.
func ownService(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Write(t, "/etc/postfix/main.cf", b.Read(t, "/etc/postfix/main.cf")+"milter_default_action = accept\n", 0o644)
	b.Write(t, "/etc/postfix/master.cf", b.Read(t, "/etc/postfix/master.cf")+ownMilters, 0o644)
}

const (
	spfLine     = `@ IN TXT "v=spf1 ip4:198.51.100.7 -all"`
	serviceLine = "  -o smtpd_milters=inet:127.0.0.1:11399\n"

	changeRecord  = "Change this record?"
	changeService = "Change this service?"
)

// TestConsents asks for what is the administrator's, one by one, in a terminal:
// a no is remembered, a yes is done, and a flag takes a no back.
func TestConsents(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b := theirs(t, release, lab.Mail)
		sink := b.Sink(t)
		ownService(t, b)
		b.Sh(t, "postfix reload")
		before := treeOf(t, b)
		refusedWithoutConsent(t, b)
		term := openTerminal(t, b)
		stopAtConsents(t, term)
		same(t, before, treeOf(t, b))
		if t.Failed() {
			return
		}

		master := b.Read(t, "/etc/postfix/master.cf")
		answerConsents(t, term)
		says(t, b.Read(t, "/etc/bind/db.lab.example"), "\n"+spfLine+"\n")
		if got := b.Read(t, "/etc/postfix/master.cf"); got == master || strings.Contains(got, serviceLine) {
			t.Errorf("master.cf after a yes:\n%s", got)
		}
		says(t, b.Read(t, "/etc/mailsetup/domains.d/lab.example.toml"), "\nkeep = [\"spf\"]\n", "\nall = \"fail\"\n")
		says(t, b.Read(t, "/etc/mailsetup/host.toml"), "\nleave_services = []\n")
		nothingChanges(t, b, "init", "--yes")
		bySubmission(t, b, sink)

		product(t, b, 0, "init", "--yes", "--existing-records", "change")
		says(t, b.Run(t, "dig", "+short", "@127.0.0.1", "TXT", "lab.example"), "ip4:198.51.100.7", "ip4:192.0.2.10", "-all")
		says(t, b.Read(t, "/etc/mailsetup/domains.d/lab.example.toml"), "\nkeep = []\n")
		nothingChanges(t, b, "init", "--yes")

		product(t, b, 0, "rollback", "--yes")
		says(t, b.Run(t, "dig", "+short", "@127.0.0.1", "TXT", "lab.example"), `"v=spf1 ip4:198.51.100.7 -all"`)
		says(t, b.Read(t, "/etc/mailsetup/domains.d/lab.example.toml"), "\nkeep = [\"spf\"]\n")
		nothingChanges(t, b, "init", "--yes")
	})
}

// refusedWithoutConsent wants --yes alone to show the lines in question, and
// the flags.
func refusedWithoutConsent(t *testing.T, b *lab.Box) {
	t.Helper()
	_, stderr := product(t, b, 2, initArgs()...)
	says(t, stderr, "/etc/bind/db.lab.example:", "- "+spfLine, "ip4:192.0.2.10", "hint: --existing-records change",
		"/etc/postfix/master.cf:", "- -o smtpd_milters=inet:127.0.0.1:11399", "hint: --service-milters merge", "nothing was changed")
	for line := range strings.Lines(stderr) {
		if len(line) > 81 {
			t.Errorf("wider than 80 columns: %s", line)
		}
	}
	out, _ := product(t, b, 3, initArgs("--dry-run", "--exit-code")...)
	says(t, out, "Needs your consent", "(--existing-records change)", "(--service-milters merge)")
	out, _ = product(t, b, 0, initArgs("--dry-run", "--json")...)
	says(t, out, `"flag": "--existing-records change"`, `"flag": "--service-milters merge"`)
}

// initInTerminal starts init and takes every proposal, up to the first consent.
func initInTerminal(t *testing.T, term *terminal) {
	t.Helper()
	term.begins(t, "mailsetup init --domain lab.example --ip 192.0.2.10 --root-alias ann@mail.lab.example")
	for !strings.Contains(term.sees(t, "ctrl+c"), changeRecord) {
		term.types(t, "Enter")
		time.Sleep(100 * time.Millisecond)
	}
}

// stopAtConsents leaves at a question after a yes, and where the plan is on the
// screen after two.
func stopAtConsents(t *testing.T, term *terminal) {
	t.Helper()
	initInTerminal(t, term)
	says(t, term.scrolled(t), "/etc/bind/db.lab.example:", "- "+spfLine, "With a no:")
	term.types(t, "y")
	term.sees(t, changeService, "ctrl+c")
	term.types(t, "C-c")
	term.sees(t, "exit=130\n")
	initInTerminal(t, term)
	term.types(t, "y")
	term.sees(t, changeService, "ctrl+c")
	term.types(t, "y")
	term.sees(t, confirmQuestion, "ctrl+c")
	term.types(t, "n")
	term.sees(t, "nothing was changed", "exit=1\n")
}

// answerConsents says no to the record, which is the default, yes to the
// service, and yes to the plan.
func answerConsents(t *testing.T, term *terminal) {
	t.Helper()
	initInTerminal(t, term)
	term.types(t, "Enter")
	term.sees(t, changeRecord+" no", changeService, "ctrl+c")
	term.types(t, "y")
	term.sees(t, confirmQuestion, "ctrl+c")
	term.types(t, "y")
	term.sees(t, "exit=0\n")
	says(t, term.scrolled(t), changeService+" yes", "Mail of this server leaves signed")
}

// bySubmission sends by the service that was asked about.
func bySubmission(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	before := sink.Count()
	said, taken := b.Send(t, lab.Letter{
		From: "ann@lab.example", To: "bob@remote.example", Subject: "by submission", Body: "hello", Server: b.Addr + ":587",
	})
	if !taken {
		t.Fatalf("SMTP on port 587: %s", said)
	}
	signed(t, b, sink.Wait(t, before+1, 60*time.Second)[before].Data)
}

// TestConsentsAfterInstallation: a configuration that an earlier installation
// left shows only once Postfix is there again. Without a consent the packages
// stay and the rest waits; with one the run goes on. Both take an installation,
// so each release proves one of them.
func TestConsentsAfterInstallation(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b := theirs(t, release, lab.Bare)
		b.Apt(t, "postfix")
		ownService(t, b)
		b.Sh(t, "DEBIAN_FRONTEND=noninteractive apt-get remove -y -q postfix")
		args := initArgs("--existing-records", "keep")
		if release == "bookworm" {
			_, stderr := product(t, b, 2, args...)
			says(t, stderr, "hint: --service-milters merge", "nothing else was changed", "installed and left in place: postfix")
			if b.Exists("/etc/mailsetup") || !strings.Contains(b.Read(t, "/etc/postfix/master.cf"), serviceLine) {
				t.Error("more than packages was changed")
			}
			return
		}
		product(t, b, 0, append(args, "--service-milters", "merge")...)
		bySubmission(t, b, b.Sink(t))
		nothingChanges(t, b, initArgs()...)
	})
}
