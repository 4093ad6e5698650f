//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
	"mailsetup/internal/jsondoc/jsondoctest"
)

// each runs a test on both releases at once, and beside other tests.
func each(t *testing.T, test func(t *testing.T, release string)) {
	t.Helper()
	t.Parallel()
	for _, r := range lab.Releases() {
		t.Run(r, func(t *testing.T) {
			t.Parallel()
			test(t, r)
		})
	}
}

// inTurn runs a test on each release, but in `make test` on one of them: what it is about is
// decided by mailsetup, or by programs that are alike on the releases.
func inTurn(t *testing.T, test func(t *testing.T, release string)) {
	t.Helper()
	t.Parallel()
	number := crc32.ChecksumIEEE([]byte(t.Name())) >> 1
	for _, r := range lab.Releases() {
		if !lab.TakesTurn(int(number), r) {
			continue
		}
		t.Run(r, func(t *testing.T) {
			t.Parallel()
			test(t, r)
		})
	}
}

// once runs a test on one release, where no program differs that has a say.
func once(t *testing.T, test func(t *testing.T, release string)) {
	t.Helper()
	t.Parallel()
	releases := lab.Releases()
	test(t, releases[len(releases)-1])
}

// server boots a Debian whose BIND serves lab.example, with the product on it.
func server(t *testing.T, release string, image lab.Image) *lab.Box {
	t.Helper()
	if image == lab.Mail {
		return lab.Boot(t, lab.Options{Release: release, Image: lab.Staged})
	}
	b := lab.Boot(t, lab.Options{Release: release, Image: image, Hostname: "mail.lab.example"})
	b.Named(t, "lab.example")
	b.Install(t)
	return b
}

// product runs mailsetup in the box and insists on an exit code.
func product(t *testing.T, b *lab.Box, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	plans := []string{"init", "add-domain", "adopt", "remove-domain", "rotate-dkim", "rollback"}
	if slices.Contains(plans, args[0]) && slices.Contains(args, "--yes") && !slices.Contains(args, "--json") {
		args = append(slices.Clone(args), "--verbose") // tests read the whole plan
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	stdout, stderr, got := b.Exec(ctx, nil, append([]string{"mailsetup"}, args...)...)
	if got != code {
		t.Fatalf("mailsetup %s: exit %d, want %d\n%s\n%s\n%s", strings.Join(args, " "), got, code, stdout, stderr,
			b.Run(t, "journalctl", "-n", "40", "--no-pager", "-o", "short"))
	}
	if strings.Contains(stdout+stderr, "PRIVATE KEY") {
		t.Errorf("mailsetup %s: private key material on the screen", strings.Join(args, " "))
	}
	if slices.Contains(args, "--json") {
		if err := jsondoctest.Validate(stdout); err != nil {
			t.Errorf("mailsetup %s: %v", strings.Join(args, " "), err)
		}
	}
	return stdout, stderr
}

func initArgs(more ...string) []string {
	return append(lab.InitArgs(), more...)
}

// signed insists that both verifiers accept exactly one signature, of the
// domain, and that a tampered copy is refused by the quick one.
func signed(t *testing.T, b *lab.Box, msg []byte) {
	t.Helper()
	signedBy(t, b, msg, "lab.example")
}

func signedBy(t *testing.T, b *lab.Box, msg []byte, domain string) {
	t.Helper()
	found := lab.VerifyDKIM(t, b, msg)
	if len(found) != 1 || found[0].Err != "" || found[0].Domain != domain {
		t.Fatalf("go-msgauth: %+v\n%s", found, msg)
	}
	if ok, said := lab.VerifyPython(t, b, msg); !ok {
		t.Errorf("dkimverify: %s\n%s", said, msg)
	}
	if found := lab.VerifyDKIM(t, b, lab.TamperBody(t, msg)); len(found) != 1 || found[0].Err == "" {
		t.Errorf("a tampered copy is accepted: %+v", found)
	}
}

// invocations tell whether a unit was started again.
func invocations(t *testing.T, b *lab.Box) string {
	t.Helper()
	return b.Run(t, "systemctl", "show", "-p", "Id,InvocationID,ActiveState,NRestarts",
		"opendkim.service", "postfix.service", "postfix@-.service", "named.service")
}

// TestInitFromBare is the main job: from a Debian without any mail package to
// mail that others verify, and a second run that changes nothing.
func TestInitFromBare(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := server(t, release, lab.Bare)
		sink := b.Sink(t)
		out, _ := product(t, b, 0, initArgs()...)
		for _, want := range []string{"postfix", "smtpd_milters", "/etc/opendkim/KeyTable"} {
			if !strings.Contains(out, want) {
				t.Errorf("the plan does not speak of %s:\n%s", want, out)
			}
		}
		mails(t, b, sink)
		spf := lab.SPF(t, b, b.Addr, "mail.lab.example", "ann@lab.example")
		if spf.Result != "pass" {
			t.Errorf("SPF %+v, want pass", spf)
		}
		nothingChanges(t, b, initArgs()...)
		b.Reboot(t)
		before := sink.Count()
		b.Sh(t, `printf 'From: root@mail.lab.example\nTo: bob@remote.example\nSubject: after a reboot\n\nhello\n' | /usr/sbin/sendmail -t -i`)
		signed(t, b, sink.Wait(t, before+1, 90*time.Second)[before].Data)
	})
}

// mails sends one message by sendmail(1), one by SMTP and one bounce, and
// insists that each arrives signed, and that both verifiers refuse a tampered
// copy.
func mails(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	b.Sh(t, `printf 'From: root@mail.lab.example\nTo: bob@remote.example\nSubject: by sendmail\n\nhello\n' | /usr/sbin/sendmail -t -i`)
	if said, taken := b.Send(t, lab.Letter{From: "ann@lab.example", To: "bob@remote.example", Subject: "by smtp", Body: "hello"}); !taken {
		t.Fatalf("SMTP on port 25: %s", said)
	}
	if said, taken := b.Send(t, lab.Letter{From: "bob@remote.example", To: "nobody-here@mail.lab.example", Subject: "no such user", Body: "hello"}); taken {
		t.Log("accepted for later: ", said)
	}
	// A local submission from a remote envelope sender to a user who does not
	// exist makes Postfix itself write a bounce to that sender.
	b.Sh(t, `printf 'From: bob@remote.example\nTo: nobody-here@mail.lab.example\nSubject: bounce me\n\nhello\n' | /usr/sbin/sendmail -f bob@remote.example -i nobody-here@mail.lab.example`)
	msgs := sink.Wait(t, 3, 60*time.Second)
	bounce := false
	for _, m := range msgs {
		if strings.Contains(string(m.Data), "MAILER-DAEMON") {
			bounce = true
		}
		signed(t, b, m.Data)
		refused(t, b, lab.TamperBody(t, m.Data))
	}
	if !bounce {
		t.Errorf("no bounce among %d messages", len(msgs))
	}
}

func nothingChanges(t *testing.T, b *lab.Box, args ...string) {
	t.Helper()
	units, tree := invocations(t, b), tree(t, b)
	out, _ := product(t, b, 0, args...)
	if !strings.Contains(out, "Nothing to do") {
		t.Errorf("second run:\n%s", out)
	}
	if got := invocations(t, b); got != units {
		t.Errorf("units were touched:\n%s\nbefore:\n%s", got, units)
	}
	same(t, tree, treeOf(t, b))
}

// tree is what the product may write to, bytes, owners and modes, but for what
// only spares the next run a look.
func tree(t *testing.T, b *lab.Box) map[string]string { return treeOf(t, b) }

func treeOf(t *testing.T, b *lab.Box) map[string]string {
	t.Helper()
	return b.Snapshot(t, "/etc", "/var/spool/postfix/opendkim", "/var/lib/mailsetup", "!/var/lib/mailsetup/unchanged")
}

func same(t *testing.T, before, after map[string]string) {
	t.Helper()
	for p, v := range before {
		if after[p] != v {
			t.Errorf("%s: was %s, is %s", p, v, after[p])
		}
	}
	for p, v := range after {
		if _, ok := before[p]; !ok {
			t.Errorf("%s is new: %s", p, v)
		}
	}
	_ = fmt.Sprint
}
