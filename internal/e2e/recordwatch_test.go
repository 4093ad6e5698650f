//go:build e2e

package e2e

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// rewrites is what a hosting panel does with a zone file: it writes its own text
// under a higher serial, and reloads.
type rewrites struct {
	b      *lab.Box
	file   string
	text   string
	serial int
}

func (p *rewrites) again(t *testing.T) {
	t.Helper()
	p.serial += 1000
	m := serial.FindStringSubmatch(p.text)
	if m == nil {
		t.Fatalf("no serial in\n%s", p.text)
	}
	p.b.Write(t, p.file, strings.Replace(p.text, m[2], strconv.Itoa(p.serial), 1), 0o644)
	p.b.Run(t, "rndc", "reload", "lab.example")
	eventually(t, "the records are gone", func() bool { return len(dig(t, p.b, "TXT", "_dmarc.lab.example")) == 0 })
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 600 {
		if is() {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatalf("not within two minutes: %s", what)
}

// rootMail is what root's mailbox on the server has, past its alias.
func rootMail(t *testing.T, b *lab.Box) string {
	t.Helper()
	return b.Sh(t, "cat /var/mail/root 2>/dev/null || true")
}

// TestRecordWatch: a panel rewrites the zone file without our line. The timer
// notices, puts it back once, and tells root in a mailbox of the server; within a
// week it only tells. A record that others publish is told as well, and a fragment
// that was edited is left alone.
func TestRecordWatch(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		b.Named(t, "shop.example")
		panel := &rewrites{b, "/etc/bind/db.lab.example", b.Read(t, "/etc/bind/db.lab.example"), 2027010101}
		b.Sh(t, "cp /etc/bind/db.shop.example /root/empty")
		makes(t, b, "install")
		b.Run(t, "systemctl", "stop", "mailsetup-rotate.timer")
		product(t, b, 0, initArgs("--root-alias", "bob@remote.example", "--ttl", "60")...)
		product(t, b, 0, "add-domain", "--yes", "--ttl", "60", "--dns", "manual", "--receive", "yes", "shop.example")
		publishes(t, b, "2026010102")
		if log := tick(t, b, "success", "0"); log != "" {
			t.Errorf("all is well:\n%s", log)
		}
		says(t, b.Run(t, "mailsetup", "list"), "ok 0m")
		selector := selectorOf(t, b, "lab.example")
		key := selector + "._domainkey.lab.example"
		keyFileGone(t, b, selector)

		restoredByTimer(t, b, sink, panel, key)
		onlyToldWithinAWeek(t, b, panel, key)
		notWanted(t, b, panel, key)
		fragmentEdited(t, b, panel, key)
		publishedElsewhere(t, b)
		noLeak(t, b)
	})
}

// keyFileGone takes the private key of a domain away for which nothing is due.
func keyFileGone(t *testing.T, b *lab.Box, selector string) {
	t.Helper()
	file := "/etc/dkimkeys/lab.example/" + selector + ".private"
	b.Run(t, "mv", file, "/root/key")
	says(t, tick(t, b, "exit-code", "1"), file+", the private key of lab.example, is gone: its mail is not accepted", "rotate-dkim --compromised lab.example")
	b.Run(t, "mv", "/root/key", file)
	tick(t, b, "success", "0")
}

// restoredByTimer lets the timer of systemd notice.
func restoredByTimer(t *testing.T, b *lab.Box, sink *lab.Sink, panel *rewrites, key string) {
	t.Helper()
	runs := len(historyOf(t, b))
	b.Write(t, "/etc/systemd/system/mailsetup-rotate.timer.d/lab.conf", "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/3\nRandomizedDelaySec=0\nAccuracySec=100ms\n", 0o644)
	panel.again(t)
	b.Sh(t, "systemctl daemon-reload; systemctl start mailsetup-rotate.timer")
	eventually(t, "the record is back", func() bool { return len(dig(t, b, "TXT", key)) > 0 && rootMail(t, b) != "" })
	b.Sh(t, "rm -r /etc/systemd/system/mailsetup-rotate.timer.d; systemctl daemon-reload; systemctl stop mailsetup-rotate.timer; while systemctl is-active mailsetup-rotate.service | grep -qx activating; do sleep 0.1; done")
	leavesSigned(t, b, sink)
	if n := strings.Count(b.Read(t, panel.file), "$INCLUDE"); n != 1 {
		t.Errorf("%d lines with $INCLUDE in\n%s", n, b.Read(t, panel.file))
	}
	if now := historyOf(t, b); len(now) != runs+1 || !strings.Contains(strings.Join(strings.Fields(now[0]), " "), "rotate-dkim done") {
		t.Errorf("history:\n%s", strings.Join(now, "\n"))
	}
	says(t, flat(rootMail(t, b)), "\nTo: <root@mail.lab.example>\n", "Subject: mail.lab.example: DNS records were gone, and are back\n",
		"lab.example: gone from its zone, and put back: "+key+" TXT, _dmarc.lab.example TXT, lab.example MX, lab.example TXT")
	says(t, b.Sh(t, "journalctl --sync; journalctl -q --no-pager -o cat -p err _COMM=mailsetup"), "lab.example: gone from its zone, and put back: ")
	says(t, b.Run(t, "mailsetup", "status"), "active")
}

// flat takes the line breaks out of what is folded.
func flat(text string) string {
	head, body, _ := strings.Cut(text, "\n\n")
	return head + "\n\n" + strings.ReplaceAll(body, "\n", " ")
}

// onlyToldWithinAWeek: the same again is told once, shown, and the command that is
// named puts it back.
func onlyToldWithinAWeek(t *testing.T, b *lab.Box, panel *rewrites, key string) {
	t.Helper()
	panel.again(t)
	before := b.Read(t, panel.file)
	log := tick(t, b, "success", "3")
	if log == "" {
		t.Log(b.Run(t, "journalctl", "-q", "--no-pager", "-n", "60"), rootMail(t, b))
	}
	says(t, log, "lab.example: "+key+" TXT, _dmarc.lab.example TXT, lab.example MX, lab.example TXT, mail.lab.example TXT: missing at mail.lab.example (192.0.2.10)\n",
		"hint: it was put back on ", "hint: mailsetup init --yes puts it back\n", "hint: mailsetup dns --wait lab.example shows")
	if is := b.Read(t, panel.file); is != before {
		t.Errorf("changed again within a week:\n%s", is)
	}
	says(t, rootMail(t, b), "Subject: mail.lab.example: DNS records are gone or changed\n", "\nlab.example: "+key+" TXT, ")
	letters := rootMail(t, b)
	out, said := product(t, b, 3, "rotate-dkim", "--yes")
	if out+said != "" || rootMail(t, b) != letters {
		t.Errorf("told again:\n%s%s", out, said)
	}
	var turned struct {
		Problems []struct {
			Domain, About, Status, Found string
			Gone                         bool
		}
	}
	out, _ = product(t, b, 3, "rotate-dkim", "--yes", "--json")
	if err := json.Unmarshal([]byte(out), &turned); err != nil || len(turned.Problems) != 5 || !turned.Problems[0].Gone || turned.Problems[0].Domain != "lab.example" {
		t.Errorf("%v\n%s", err, out)
	}
	out, said = product(t, b, 0, "status")
	says(t, out, "not in DNS")
	says(t, strings.ReplaceAll(said, "\n", " "), "lab.example: "+key+" TXT, ", " TXT: missing at mail.lab.example (192.0.2.10), since ", "hint: mailsetup init --yes puts it back")
	out, _ = product(t, b, 0, "list")
	says(t, out, "not in DNS", "bad 0m")
	out, _ = product(t, b, 3, "dns", "--wait", "--timeout", "0", "lab.example")
	says(t, out, "-> publish it: mailsetup init --yes\n")
	product(t, b, 0, "init", "--yes")
	product(t, b, 0, "dns", "--wait", "--timeout", "0", "lab.example")
	if out, said := product(t, b, 0, "rotate-dkim", "--yes"); out+said != "" {
		t.Errorf("after that:\n%s%s", out, said)
	}
}

// notWanted: repair = "no" leaves it at telling.
func notWanted(t *testing.T, b *lab.Box, panel *rewrites, key string) {
	t.Helper()
	b.Sh(t, `rm /var/lib/mailsetup/dns-checks/lab.example.json; sed -i '/^notify/i repair = "no"' /etc/mailsetup/host.toml`)
	product(t, b, 0, "rotate-dkim", "--yes")
	panel.again(t)
	_, said := product(t, b, 3, "rotate-dkim", "--yes")
	says(t, strings.ReplaceAll(said, "\n", " "), "lab.example: "+key+" TXT, ", "hint: mailsetup init --yes puts it back")
	saysNot(t, said, "was put back")
	saysNot(t, b.Read(t, panel.file), "$INCLUDE")
	b.Sh(t, `sed -i '/^repair/d' /etc/mailsetup/host.toml`)
}

// fragmentEdited: what somebody else has his hands in is left alone.
func fragmentEdited(t *testing.T, b *lab.Box, panel *rewrites, key string) {
	t.Helper()
	const fragment = "/etc/bind/mailsetup/lab.example.zone"
	b.Sh(t, "rm /var/lib/mailsetup/dns-checks/lab.example.json; cp -p "+fragment+" /root/; sed -i '/^_dmarc/d' "+fragment)
	out, said := product(t, b, 3, "rotate-dkim", "--yes")
	says(t, strings.ReplaceAll(out+said, "\n", " "), "lab.example: "+key+" TXT: missing at ", "lab.example: not put back: "+fragment+" is not as mailsetup left it",
		"hint: mailsetup init --dry-run shows the difference; mailsetup init --overwrite-drift writes our version")
	saysNot(t, b.Read(t, panel.file), "$INCLUDE")
	b.Sh(t, "cp -p /root/lab.example.zone "+fragment+"; rm /var/lib/mailsetup/dns-checks/lab.example.json")
	product(t, b, 3, "rotate-dkim", "--yes")
	if len(dig(t, b, "TXT", key)) == 0 {
		t.Errorf("not put back once the fragment was as before:\n%s", b.Read(t, panel.file))
	}
	product(t, b, 0, "rotate-dkim", "--yes")

	b.Sh(t, "rm /var/lib/mailsetup/dns-checks/lab.example.json "+fragment)
	_, said = product(t, b, 3, "rotate-dkim", "--yes")
	says(t, strings.ReplaceAll(said, "\n", " "), "lab.example: gone from its zone, and put back: file "+fragment)
	b.Sh(t, "cmp "+fragment+" /root/lab.example.zone")
	product(t, b, 0, "dns", "--wait", "--timeout", "0", "lab.example")
}

// publishedElsewhere: a record that is taken out where somebody else publishes is
// told, and no longer once it is back.
func publishedElsewhere(t *testing.T, b *lab.Box) {
	t.Helper()
	key := selectorOf(t, b, "shop.example") + "._domainkey.shop.example"
	b.Sh(t, "cp -p /etc/bind/db.shop.example /root/full; sed 's/2026010101/2026010103/' /root/empty >/etc/bind/db.shop.example")
	reload(t, b, "shop.example")
	_, said := product(t, b, 3, "rotate-dkim", "--yes")
	says(t, strings.ReplaceAll(said, "\n", " "), "shop.example: "+key+" TXT, _dmarc.shop.example TXT, shop.example MX, shop.example TXT: missing at mail.shop.example (192.0.2.10)",
		"hint: mailsetup dns shop.example prints what to publish", "hint: mailsetup dns --wait shop.example shows")
	says(t, flat(rootMail(t, b)), "shop.example: "+key+" TXT, ")
	b.Sh(t, "sed 's/2026010102/2026010104/' /root/full >/etc/bind/db.shop.example")
	reload(t, b, "shop.example")
	product(t, b, 0, "rotate-dkim", "--yes")
	saysNot(t, b.Run(t, "mailsetup", "status"), "not in DNS")
}
