//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// TestInstances: of several Postfix instances the first one is set up; the
// others are named, left alone, and may be down.
func TestInstances(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		unit := second(t, b, release)
		was := look(t, b)

		out, _ := product(t, b, 0, initArgs()...)
		says(t, strings.Join(strings.Fields(out), " "),
			"Postfix has further instances (/etc/postfix-out): they are left alone, and their mail is not signed by this set-up")
		leavesSigned(t, b, sink) // once, although it passes both
		other := lab.Letter{Server: "127.0.0.1:2526", Subject: "by the other"}
		if msg := by(t, b, sink, other); len(lab.VerifyDKIM(t, b, msg)) != 0 {
			t.Errorf("signed: the note is wrong\n%s", msg)
		}

		product(t, b, 0, "rollback", "--yes")
		unchanged(t, withoutLedger(was), withoutLedger(look(t, b)))

		down := func() string {
			return b.Run(t, "systemctl", "show", "-p", "ActiveState,SubState,InvocationID", unit)
		}
		b.Run(t, "systemctl", "stop", unit)
		stopped := down()
		product(t, b, 0, initArgs()...)
		nothingChanges(t, b, initArgs()...)
		product(t, b, 0, "rollback", "--yes")
		if got := down(); got != stopped {
			t.Errorf("%s was\n%s\nis\n%s", unit, stopped, got)
		}
		b.Run(t, "systemctl", "start", unit)
		unchanged(t, withoutLedger(was), withoutLedger(look(t, b)))
		leavesUnsigned(t, b, sink)
	})
}

// second makes an instance as MULTI_INSTANCE_README has it: the first one hands
// all mail to it, and it delivers. It returns its unit.
func second(t *testing.T, b *lab.Box, release string) string {
	t.Helper()
	unit := map[string]string{"bookworm": "postfix@postfix-out.service", "trixie": "postfix@out.service"}[release]
	b.Sh(t, `postmulti -e init
postmulti -I postfix-out -G mta -e create
sed -i 's/^smtp  *inet/127.0.0.1:2526 inet/' /etc/postfix-out/master.cf
postmulti -i postfix-out -x postconf -e inet_interfaces= master_service_disable= mynetworks=127.0.0.0/8 myhostname=out.lab.example
postmulti -i postfix-out -e enable
postconf -e 'relayhost=[127.0.0.1]:2526'
systemctl daemon-reload; systemctl restart postfix; systemctl start `+unit+`
postmulti -p status`)
	return unit
}
