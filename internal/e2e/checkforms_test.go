//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// checkForms: on a healthy server each form says that nothing is wrong, to an ordinary
// user as well; what changes is told once, and once more when it is mended.
func checkForms(t *testing.T, b *lab.Box) {
	text, _ := product(t, b, 0, "check")
	t.Logf("\n%s", text)
	if !strings.Contains(text, "\nNothing is wrong with what was looked at.\n") {
		t.Errorf("on a healthy server:\n%s", text)
	}
	for _, l := range strings.Split(text, "\n") {
		if len(l) > 80 && !strings.Contains(l, " TXT ") {
			t.Errorf("%d columns: %s", len(l), l)
		}
	}
	changed := func(code int, want string) {
		t.Helper()
		out, _ := product(t, b, code, "check", "--changed", "--skip", "live")
		if t.Log(out); want == "" && out != "" || !strings.Contains(out, want) {
			t.Errorf("check --changed: no %q in\n%s", want, out)
		}
	}
	changed(0, "")
	if mode := b.Sh(t, "stat -c '%a %U' /var/lib/mailsetup/check.json"); mode != "600 root\n" {
		t.Errorf("the last result is %s", mode)
	}
	if out := b.Sh(t, "cd /tmp; setpriv --reuid=nobody --regid=nogroup --clear-groups mailsetup check"); !strings.Contains(out, "\n0 problems, 0 warnings, ") {
		t.Errorf("as nobody: %s", out)
	}
	product(t, b, 0, "check", "--json")
	if out, _ := product(t, b, 0, "check", "--format", "nagios"); !strings.HasPrefix(out, "MAILSETUP OK - 0 problems, 0 warnings, 0 unknown | ") {
		t.Errorf("Nagios: %s", out)
	}

	b.Sh(t, "postconf -e smtp_tls_security_level=none; postfix reload")
	// What could not be printed is not told yet.
	if _, said, code := b.Exec(t.Context(), nil, "sh", "-c", "mailsetup check --changed --skip live >/dev/full"); code != 5 {
		t.Errorf("on a full disk: exit %d: %s", code, said)
	}
	changed(3, "[tls.out]")
	changed(0, "")
	if out, _ := product(t, b, 2, "check", "--skip", "live", "--format", "nagios"); !strings.HasPrefix(out, "MAILSETUP CRITICAL - 1 problem") {
		t.Errorf("Nagios: %s", out)
	}
	if out, _ := product(t, b, 3, "check", "--only", "tls,spf", "--format", "prometheus"); !strings.Contains(out, `mailsetup_check_not_ok{id="tls.out",domain="",severity="problem"} 1`) {
		t.Errorf("Prometheus: %s", out)
	}
	b.Sh(t, "postconf -e smtp_tls_security_level=may; postfix reload")
	changed(0, "No longer\n  tls.out")
	changed(0, "")

	// Somebody from elsewhere is proof that port 25 is open.
	_, _ = b.Send(t, lab.Letter{From: "bob@remote.example", To: "ann@lab.example", Client: "198.51.100.7", Subject: "from outside"})
	b.Sh(t, "journalctl --sync")
	if out, _ := product(t, b, 0, "check", "--json", "--online", "--only", "net.in25"); !strings.Contains(out, `"seen": "198.51.100.7 connected on 20`) {
		t.Errorf("port 25: %s", out)
	}
}
