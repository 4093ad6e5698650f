//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/e2e/lab"
)

// TestCheckFix: what check finds and init makes, check --fix mends by the same plan, with
// the same questions, and it can be taken back. An ordinary user is told what can be seen.
func TestCheckFix(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, sink := checkedServer(t, release)
		main, zone := b.Read(t, "/etc/postfix/main.cf"), b.Read(t, "/etc/bind/db.lab.example")
		_, said := product(t, b, 2, "check", "--fix", "--changed")
		says(t, said, "--fix and --changed do not go together")
		out, _ := product(t, b, 0, "check", "--fix", "--yes")
		if strings.Contains(out, "rollback") || b.Read(t, "/etc/postfix/main.cf") != main {
			t.Errorf("nothing was wrong, and\n%s", out)
		}

		b.Sh(t, checkLab+"postconf -X smtp_tls_security_level; postconf -e compatibility_level=3.6; sed -i '/INCLUDE.*mailsetup/d' $zone; zones")
		broken := b.Read(t, "/etc/bind/db.lab.example")
		found, _ := check(t, b)
		if is := wrong(found, finding.Problem, finding.Warning); !strings.Contains(is, "tls.out") || !strings.Contains(is, "dkim.record lab.example") {
			t.Errorf("found\n%s", is)
		}
		out, _ = product(t, b, 0, "check", "--fix", "--dry-run")
		says(t, out, "smtp_tls_security_level = may", "$INCLUDE")
		_, said = product(t, b, 2, "check", "--fix")
		says(t, said, "--yes")
		if b.Read(t, "/etc/bind/db.lab.example") != broken {
			t.Error("the zone was changed without a yes")
		}
		nobody := strings.Split("setpriv --reuid 65534 --regid 65534 --clear-groups mailsetup check", " ")
		if _, said, code := b.Exec(t.Context(), nil, append(nobody, "--fix", "--yes")...); code != 1 || !strings.Contains(said, "only root may see") {
			t.Errorf("an ordinary user may mend: exit %d\n%s", code, said)
		}
		if out, said, code := b.Exec(t.Context(), nil, nobody...); code != 3 || !strings.Contains(out, "smtp_tls_security_level") {
			t.Errorf("an ordinary user sees: exit %d\n%s\n%s", code, out, said)
		}

		mailsChanges(t, b)
		out, _ = product(t, b, 0, "check", "--fix", "--yes")
		says(t, out, "To take it back: mailsetup rollback ")
		leavesSigned(t, b, sink)
		found, _ = check(t, b)
		if is := wrong(found, finding.Problem, finding.Warning, finding.Unknown); is != "" {
			t.Errorf("mended, and\n%s", is)
		}
		product(t, b, 0, "rollback", "--yes")
		if now := b.Run(t, "postconf", "-n"); strings.Contains(now, "smtp_tls_security_level") {
			t.Errorf("taken back, and main.cf has\n%s", now)
		}
		product(t, b, 0, "check", "--fix", "--yes", "--json")
		if !strings.Contains(b.Read(t, "/etc/bind/db.lab.example"), "$INCLUDE") || !strings.Contains(zone, "$INCLUDE") {
			t.Error("the zone has no line of ours")
		}
	})
}

// mailsChanges: the timer of the check is off after make install, and what its confined
// service finds, and mails, is what root finds.
func mailsChanges(t *testing.T, b *lab.Box) {
	t.Helper()
	makes(t, b, "install")
	if said, _, _ := b.Exec(t.Context(), nil, "systemctl", "is-enabled", "mailsetup-check.timer"); strings.TrimSpace(said) != "disabled" {
		t.Errorf("the timer of the check is %s", said)
	}
	if said := b.Sh(t, "systemd-analyze verify --man=no /usr/local/lib/systemd/system/mailsetup-check.* 2>&1"); said != "" {
		t.Errorf("systemd-analyze verify:\n%s", said)
	}
	b.Sh(t, "rm -f /var/lib/mailsetup/check.json; systemctl start mailsetup-check.service")
	becomes(t, b, "grep -qs 'Subject: mail.lab.example: .* new problems for your mail' /var/mail/ann && grep -q 'tls.out' /var/mail/ann")
	out, said, code := b.Exec(t.Context(), nil, "mailsetup", "check", "--changed")
	if out != "" || code != 0 {
		t.Errorf("root finds something else than the service: exit %d\n%s\n%s\n%s", code, out, said, b.Run(t, "journalctl", "-q", "--no-pager", "-o", "cat", "-u", "mailsetup-check"))
	}
}
