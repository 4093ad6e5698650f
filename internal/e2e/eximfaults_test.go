//go:build e2e

package e2e

import (
	"os"
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// TestEximFaults: exim4 is installed where no mail server was, relays for nobody, and
// whatever keeps it from signing, which it tells its log alone, a check and the hourly run
// say, with what mends it. New files of Debian's and keys that are replaced take no signature
// away.
func TestEximFaults(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := lab.Boot(t, lab.Options{Release: release, Image: lab.Bare, Hostname: "mail.lab.example"})
		b.NamedAll(t, "lab.example", "shop.example")
		b.Install(t)
		sink := b.Sink(t)
		hourly(t, b)
		args := initArgs("--mta", "exim4", "--ttl", "60")
		out, _ := product(t, b, 0, args...)
		says(t, strings.Join(strings.Fields(out), " "), "went all the way through exim4's transport remote_smtp")
		eximSigned(t, b, sink, "ann@lab.example", "lab.example")
		eximRelaysForNobody(t, b, args)
		product(t, b, 0, "add-domain", "--yes", "--ttl", "60", "shop.example")
		for i, f := range eximSilentFaults {
			if lab.TakesTurn(i, release) {
				eximFault(t, b, f)
			}
		}
		eximPassesLists(t, b, sink)
		for i, force := range []string{"confnew", "confold"} {
			if lab.TakesTurn(i, release) {
				eximUpgrade(t, b, sink, force)
			}
		}
		if lab.TakesTurn(0, release) {
			rotateDomainsUnderMail(t, b, sink, []string{"lab.example", "shop.example"}, 2)
		}
	})
}

// TestSoakEximRotation: ten rotations while mail leaves by exim4.
func TestSoakEximRotation(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := eximServer(t, release)
		sink := b.Sink(t)
		product(t, b, 0, initArgs("--mta", "exim4", "--ttl", "60")...)
		product(t, b, 0, "add-domain", "--yes", "--ttl", "60", "shop.example")
		rotateDomainsUnderMail(t, b, sink, []string{"lab.example", "shop.example"}, 20)
	})
}

// eximPassesLists: two verifiers accept what a mailing list hands on with fields of its own.
func eximPassesLists(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	const fields = "Received: from mail.lab.example by lists.remote.example; Mon, 2 Nov 2026 10:00:00 +0000\r\nList-Id: Everybody <list.remote.example>\r\n" +
		"List-Unsubscribe: <mailto:leave@remote.example>\r\nList-Post: <mailto:list@remote.example>\r\nList-Archive: <https://lists.remote.example/>\r\n" +
		"Precedence: list\r\nSender: list-bounces@remote.example\r\nErrors-To: list-bounces@remote.example\r\nReply-To: list@remote.example\r\n"
	for _, domain := range []string{"lab.example", "shop.example"} {
		signedBy(t, b, append([]byte(fields), eximSigned(t, b, sink, "ann@"+domain, domain)...), domain)
		msg := by(t, b, sink, lab.Letter{From: "ann@" + domain, Subject: "by SMTP", Body: "Gr\xc3\xbc\xc3\x9fe"})
		signedBy(t, b, append([]byte(fields), msg...), domain)
	}
}

// eximUpgrade installs an exim4-config that is newer and has other files, beside edits of the
// administrator in those, and has it ask debconf again.
func eximUpgrade(t *testing.T, b *lab.Box, sink *lab.Sink, force string) {
	t.Helper()
	b.Sh(t, `cd /root && rm -rf new && dpkg-deb -R /var/cache/apt/archives/exim4-config_*.deb new
for f in exim4.conf.template conf.d/transport/30_exim4-config_remote_smtp conf.d/transport/30_exim4-config_remote_smtp_smarthost; do
	sed -i '1i # since 2019' /etc/exim4/$f; sed -i '1i # newer' new/etc/exim4/$f
done
sed -i 's/^Version: .*/&.1/' new/DEBIAN/control && dpkg-deb -b new new.deb >/dev/null
DEBIAN_FRONTEND=noninteractive dpkg --force-`+force+` -i new.deb`)
	want := map[string]string{"confold": "# since 2019", "confnew": "# newer"}[force]
	if first := b.Sh(t, "head -qn 1 /etc/exim4/exim4.conf.template /etc/exim4/conf.d/transport/30_exim4-config_remote_smtp"); first != want+"\n"+want+"\n" {
		t.Errorf("--force-%s: the files begin with\n%s", force, first)
	}
	eximSigned(t, b, sink, "ann@shop.example", "shop.example")
	b.Sh(t, "dpkg-reconfigure -f noninteractive exim4-config")
	eximSigned(t, b, sink, "ann@lab.example", "lab.example")
	b.Run(t, "systemctl", "start", "mailsetup-rotate.service")
	product(t, b, 0, "init", "--yes", "--ttl", "60")
}

// hourly has systemd know the service that the timer starts.
func hourly(t *testing.T, b *lab.Box) {
	t.Helper()
	unit, err := os.ReadFile("../../schedule/mailsetup-rotate.service")
	if err != nil {
		t.Fatal(err)
	}
	b.Write(t, "/etc/systemd/system/mailsetup-rotate.service", strings.ReplaceAll(string(unit), "@BIN@", "/usr/local/bin"), 0o644)
	b.Sh(t, "systemctl daemon-reload")
}

// eximRelaysForNobody: to each offer of strangers exim4 answers as it does without mailsetup.
func eximRelaysForNobody(t *testing.T, b *lab.Box, args []string) {
	t.Helper()
	with := offers(t, b, b.Addr, "198.51.100.9", offered)
	product(t, b, 0, "rollback", "--yes")
	without := offers(t, b, b.Addr, "198.51.100.9", offered)
	for i, reply := range with {
		if reply[0] != '4' && reply[0] != '5' || reply != without[i] {
			t.Errorf("from <%s> to <%s>: %s, and without mailsetup %s", offered[i][0], offered[i][1], reply, without[i])
		}
	}
	ours := [][2]string{{"x@none.example", "root@mail.lab.example"}}
	if reply := offers(t, b, b.Addr, "198.51.100.9", ours)[0]; reply[:3] != "250" {
		t.Errorf("mail for us: %s", reply)
	}
	product(t, b, 0, args...)
}

// silentFault is something after which exim4 sends unsigned, or what no mailing list may pass.
type silentFault struct {
	name, inject string
	says, remedy string // words of check, and of the mail to root
	mend         string // the remedy as it is typed
}

const (
	eximKeys  = "/etc/exim4/dkim/lab.example"
	localmac  = "/etc/exim4/exim4.conf.localmacros"
	lastLine  = "sed -i '$d' " + localmac + " && systemctl reload exim4"
	eximReset = "mailsetup init --yes --ttl 60"
)

// overridden is a line that somebody adds behind ours.
func overridden(name, line, says string) silentFault {
	return silentFault{
		name, "echo '" + line + "' >>" + localmac + "; systemctl reload exim4",
		says, localmac + ":", lastLine,
	}
}

func eximType(to string) string {
	return "sed -i " + to + " /etc/exim4/update-exim4.conf.conf; systemctl reload exim4"
}

var eximSilentFaults = []silentFault{
	{
		"a key that exim4 cannot read", "chown root: " + eximKeys + "/*.private",
		"belongs to root: exim4 cannot use it", "chown Debian-exim: " + eximKeys, "chown Debian-exim: " + eximKeys + "/*.private",
	},
	{
		"a directory that it cannot enter", "chown root: " + eximKeys,
		"cannot enter " + eximKeys, "chown Debian-exim: " + eximKeys + " && chmod 700 " + eximKeys, "chown Debian-exim: " + eximKeys,
	},
	{
		"another key in its place", "cd " + eximKeys + " && cp -p *.private /root/key && openssl genrsa 2048 2>/dev/null >$(ls)",
		"is not the private key of the record", "put the file back from a backup", "cp -p /root/key " + eximKeys + "/$(ls " + eximKeys + ")",
	},
	{
		"one bad key of several, and dkim_strict", "echo 'DKIM_STRICT = true' >>" + localmac + "; systemctl reload exim4; chown root: /etc/exim4/dkim/shop.example/*.private",
		"belongs to root: exim4 cannot use it", "chown Debian-exim: /etc/exim4/dkim/shop.example", "chown Debian-exim: /etc/exim4/dkim/shop.example/*.private; " + lastLine,
	},
	overridden("a tainted path", "DKIM_PRIVATE_KEY == /etc/exim4/dkim/${lc:${domain:$h_from:}}.key", "Tainted"),
	overridden("an expansion that is broken", "DKIM_SELECTOR == ${extract{2}{ }{MAILSETUP_ROW}", "leaves without a signature"),
	overridden("a domain of somebody else's", "DKIM_DOMAIN == other.example", "sets up DKIM in the place of what mailsetup wrote"),
	overridden("h= with fields that are absent", "DKIM_SIGN_HEADERS == From:To:Subject:Date:Sender:List-Id", "breaks once a mailing list adds"),
	{
		"no table", "mv /etc/exim4/mailsetup.dkim /root/", "/etc/exim4/mailsetup.dkim is missing", "mailsetup init", eximReset,
	},
	{
		"a row that is gone", "sed -i /^shop/d /etc/exim4/mailsetup.dkim", "/etc/exim4/mailsetup.dkim has no row", "mailsetup init", eximReset + " --overwrite-drift",
	},
	{
		"a line of ours that is edited", "sed -i '/^DKIM_DOMAIN/s/{1}/{2}/' " + localmac + "; systemctl reload exim4",
		"were edited by hand", "mailsetup init --overwrite-drift", eximReset + " --overwrite-drift",
	},
	{
		"settings that were not made anew", "sed -i /^dkim_domain/d /var/lib/exim4/config.autogenerated",
		"no transport in /var/lib/exim4/config.autogenerated has dkim_domain", "systemctl reload exim4", "systemctl reload exim4",
	},
	{
		"a template of somebody's, without DKIM", "sed -i /^dkim_/d /etc/exim4/exim4.conf.template; systemctl reload exim4",
		"no transport in /var/lib/exim4/config.autogenerated has dkim_domain", "--force-confask",
		"DEBIAN_FRONTEND=noninteractive apt-get install -y --reinstall -o Dpkg::Options::=--force-confask -o Dpkg::Options::=--force-confnew exim4-config",
	},
	{
		"a configuration in the place of Debian's", "sed s/^dkim_domain.*// /var/lib/exim4/config.autogenerated >/etc/exim4/exim4.conf",
		"/etc/exim4/exim4.conf is in the place of the configuration that Debian generates", "see update-exim4.conf(8)", "rm /etc/exim4/exim4.conf",
	},
	{
		"a smarthost", eximType(`"s/_configtype=.*/_configtype='smarthost'/; s/^dc_smarthost=.*/dc_smarthost='192.0.2.25'/"`),
		"remote_smtp_smarthost, which knows no DKIM", "dc_use_split_config='true'", eximType(`"s/_configtype=.*/_configtype='internet'/; s/^dc_smarthost=.*/dc_smarthost=''/"`),
	},
	{
		"split, where nobody reads localmacros", eximType(`"s/^dc_use_split_config=.*/dc_use_split_config='true'/"`),
		"/etc/exim4/conf.d/main/00_mailsetup is missing", "mailsetup init", eximReset,
	},
	{
		"split, and a smarthost", eximType(`"s/^dc_use_split_config=.*/dc_use_split_config='true'/"`) + "; " + eximReset + " >/dev/null; " +
			eximType(`"s/_configtype=.*/_configtype='smarthost'/; s/^dc_smarthost=.*/dc_smarthost='192.0.2.25'/"`),
		"_remote_smtp_smarthost_mailsetup is missing", "mailsetup init", eximReset,
	},
}

// eximFault injects a fault, insists that it is noticed, and mends it as it is said.
func eximFault(t *testing.T, b *lab.Box, f silentFault) {
	t.Helper()
	b.Sh(t, ": >/var/mail/root; "+f.inject)
	flat := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	said, errs, code := b.Exec(t.Context(), nil, "mailsetup", "check", "--only", "live")
	if said = flat(said); code != 3 || !strings.Contains(said, f.says) || !strings.Contains(said, f.remedy) {
		t.Errorf("%s: check exits with %d, wants %q and %q\n%s\n%s", f.name, code, f.says, f.remedy, said, errs)
	}
	_, _, code = b.Exec(t.Context(), nil, "systemctl", "start", "mailsetup-rotate.service")
	letter := flat(b.Read(t, "/var/mail/root"))
	if code == 0 || !strings.Contains(letter, "exim4 does not sign as it should") || !strings.Contains(letter, f.says) || !strings.Contains(letter, f.remedy) {
		t.Errorf("%s: the hourly run exits with %d, wants %q and %q\n%s\n%s", f.name, code, f.says, f.remedy, letter,
			b.Run(t, "journalctl", "-u", "mailsetup-rotate", "-n", "10", "-o", "cat"))
	}
	out, errs, code := b.Exec(t.Context(), nil, "sh", "-c", f.mend)
	if code != 0 {
		t.Fatalf("%s: %s: exit %d\n%s%s", f.name, f.mend, code, out, errs)
	}
	b.Sh(t, ": >/var/mail/root; systemctl reset-failed mailsetup-rotate.service || true")
	if out, errs, code := b.Exec(t.Context(), nil, "systemctl", "start", "mailsetup-rotate.service"); code != 0 || b.Read(t, "/var/mail/root") != "" {
		t.Fatalf("%s: the hourly run, when it is mended: exit %d: %s%s\n%s", f.name, code, out, errs, b.Run(t, "journalctl", "-u", "mailsetup-rotate", "-n", "20", "-o", "cat"))
	}
}
