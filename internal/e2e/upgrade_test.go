//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// TestSoakUpgrade: a server that was set up on Debian 13 and becomes one of Debian 14 goes on
// signing, from the first message on; what the new release does otherwise is seen, and mended.
func TestSoakUpgrade(t *testing.T) {
	t.Parallel()
	for name, upgrade := range map[string]func(*testing.T, *lab.Box, string){"postfix": postfixUpgrade, "exim4": eximReleaseUpgrade} {
		for _, force := range []string{"confold", "confnew"} {
			t.Run(name+"/"+force, func(t *testing.T) {
				t.Parallel()
				image := map[string]lab.Image{"postfix": lab.Staged, "exim4": lab.Bare}[name]
				var b *lab.Box
				if image == lab.Bare {
					b = eximServer(t, "trixie")
				} else {
					b = lab.Boot(t, lab.Options{Release: "trixie", Image: image})
				}
				hourly(t, b)
				upgrade(t, b, force)
			})
		}
	}
}

func postfixUpgrade(t *testing.T, b *lab.Box, force string) {
	sink := b.Sink(t)
	b.Sh(t, `printf 'sales@mail.lab.example root\n' >/etc/postfix/virtual && postmap /etc/postfix/virtual
postconf -e virtual_alias_maps=hash:/etc/postfix/virtual && postfix reload`)
	args := lab.SigningArgs()
	product(t, b, 0, args...)
	was := leavesSignedBy(t, b, sink, lab.Origin)
	b.Upgrade(t, lab.Next, force)
	if is := b.Run(t, "postconf", "-h", "mail_version"); !strings.HasPrefix(is, "3.11.") {
		t.Fatalf("Postfix %s", is)
	}
	goesOn := func() {
		if is := leavesSignedBy(t, b, sink, lab.Origin); is != was {
			t.Errorf("signed with %s, before with %s", is, was)
		}
		flows(t, b, sink)
	}
	goesOn()
	b.Reboot(t)
	b.Sh(t, "until postfix status 2>/dev/null; do sleep 0.2; done")
	goesOn()
	settled(t, b, args)
	if force == "confnew" {
		product(t, b, 0, "rollback", "--yes")
		leavesUnsigned(t, b, sink)
		product(t, b, 0, args...)
		leavesSigned(t, b, sink)
		return
	}
	tablesWithoutType(t, b, args)
	inTheClear(t, b, args)
	b.Sh(t, "rm /etc/aliases.db")
	mends(t, b, args, "/etc/aliases.db is missing: Postfix cannot look anything up", "postalias hash:/etc/aliases")

	quick(t, b, "180d")
	product(t, b, 0, "rotate-dkim", "--yes", "--now", lab.Origin)
	laterBy(t, b, shortWait+5*time.Second)
	b.Run(t, "systemctl", "start", "mailsetup-rotate.service")
	if is := leavesSignedBy(t, b, sink, lab.Origin); is == was {
		t.Errorf("%s signs on after a rotation\n%s", is, b.Run(t, "mailsetup", "status"))
	}
	noProblem(t, b)
}

// mends insists that a check tells of a table what is wrong with it and what to type, and that
// init mends it.
func mends(t *testing.T, b *lab.Box, args []string, says, remedy string) {
	t.Helper()
	seen := func() string {
		out, _, _ := b.Exec(t.Context(), nil, "mailsetup", "check", "--only", "live")
		return strings.Join(strings.Fields(out), " ")
	}
	if is := seen(); !strings.Contains(is, says) || !strings.Contains(is, remedy) {
		t.Errorf("check wants %q and %q\n%s", says, remedy, is)
	}
	product(t, b, 0, args...)
	if is := seen(); strings.Contains(is, says) {
		t.Errorf("not mended by init:\n%s", is)
	}
	nothingChanges(t, b, args...)
}

// tablesWithoutType: postmap makes a table of another type than that which Postfix looks into.
func tablesWithoutType(t *testing.T, b *lab.Box, args []string) {
	t.Helper()
	takes := func(to, code string) {
		t.Helper()
		if is := offers(t, b, b.Addr, lab.OutsideAddr, [][2]string{{"bob@remote.example", to}})[0]; !strings.HasPrefix(is, code) {
			t.Errorf("mail for %s: %s, want %s", to, is, code)
		}
	}
	takes("sales@mail.lab.example", "250")
	b.Sh(t, "sleep 1; echo 'press@mail.lab.example root' >>/etc/postfix/virtual && postmap /etc/postfix/virtual && postfix reload")
	mends(t, b, args, "/etc/postfix/virtual.cdb, made since, is of a type that it does not look for there", "postmap hash:/etc/postfix/virtual")
	if rows := b.Sh(t, "postmap -s hash:/etc/postfix/virtual 2>/dev/null"); !strings.Contains(rows, "press@mail.lab.example") {
		t.Errorf("the table is\n%s", rows)
	}
	b.Sh(t, "rm /etc/postfix/virtual.db && postfix reload")
	takes("press@mail.lab.example", "451")
	mends(t, b, args, "/etc/postfix/virtual.db is missing: Postfix cannot look anything up, and mail waits", "postmap hash:/etc/postfix/virtual")
	takes("press@mail.lab.example", "250")
	product(t, b, 0, "rollback", "--yes")
	if b.Exists("/etc/postfix/virtual.db") {
		t.Error("a table that init made stays after its rollback")
	}
	product(t, b, 0, args...)
	b.Sh(t, "rm /etc/postfix/virtual.cdb")
}

// inTheClear: what encrypts on a new server of Debian 14 does not where compatibility_level
// stays.
func inTheClear(t *testing.T, b *lab.Box, args []string) {
	t.Helper()
	b.Sh(t, "postconf -X smtp_tls_security_level && postfix reload")
	found, _ := check(t, b, "--only", "tls")
	if !slices.ContainsFunc(strings.Split(wrong(found, "problem"), "\n"), func(l string) bool { return strings.Contains(l, "tls.out") }) {
		t.Errorf("mail leaves in the clear, and check says\n%s", wrong(found, "problem", "warning"))
	}
	product(t, b, 0, args...)
	if is := strings.TrimSpace(b.Run(t, "postconf", "-hx", "smtp_tls_security_level")); is != "may" {
		t.Errorf("smtp_tls_security_level = %s", is)
	}
}

func eximReleaseUpgrade(t *testing.T, b *lab.Box, force string) {
	sink := b.Sink(t)
	b.Sh(t, `for f in exim4.conf.template conf.d/transport/30_exim4-config_remote_smtp conf.d/main/02_exim4-config_options; do sed -i '1i # since 2019' /etc/exim4/$f; done`)
	args := initArgs("--mta", "exim4", "--ttl", "60")
	product(t, b, 0, args...)
	was := eximSelector(t, b, lab.Origin)
	eximSigned(t, b, sink, "ann@lab.example", lab.Origin)
	b.Upgrade(t, lab.Next, force)
	if is := b.Run(t, "exim4", "-bV"); !strings.Contains(is, "Exim version 4.100") {
		t.Errorf("Exim is\n%s", is)
	}
	t.Logf("conffiles: %s", b.Sh(t, "cd /etc/exim4; grep -rl 'since 2019' . || true; find . -name '*.dpkg-*'"))
	eximSigned(t, b, sink, "ann@lab.example", lab.Origin)
	b.Reboot(t)
	b.Sh(t, "until ss -tlnH 'sport = 25' | grep -q .; do sleep 0.2; done")
	eximMails(t, b, sink)
	settled(t, b, args)
	if force == "confnew" {
		product(t, b, 0, "rollback", "--yes")
		if got := eximSent(t, b, sink, "ann@lab.example"); len(lab.VerifyDKIM(t, b, got)) != 0 {
			t.Errorf("signed after the rollback:\n%s", got)
		}
		product(t, b, 0, args...)
		eximSigned(t, b, sink, "ann@lab.example", lab.Origin)
		return
	}
	quick(t, b, "180d")
	product(t, b, 0, "rotate-dkim", "--yes", "--now", lab.Origin)
	laterBy(t, b, shortWait+5*time.Second)
	b.Run(t, "systemctl", "start", "mailsetup-rotate.service")
	if is := eximSelector(t, b, lab.Origin); is == was {
		t.Errorf("%s signs on after a rotation\n%s", is, b.Run(t, "mailsetup", "status"))
	}
	eximSigned(t, b, sink, "ann@lab.example", lab.Origin)
}

// settled: the hourly service, status, check and init find nothing wrong after an upgrade.
func settled(t *testing.T, b *lab.Box, args []string) {
	t.Helper()
	b.Run(t, "systemctl", "start", "mailsetup-rotate.service")
	product(t, b, 0, "status")
	noProblem(t, b)
	out, _ := product(t, b, 0, args...)
	t.Logf("init after the upgrade:\n%s", out)
	nothingChanges(t, b, args...)
}
