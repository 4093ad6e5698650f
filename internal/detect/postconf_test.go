package detect

import (
	"errors"
	"testing"

	"mailsetup/internal/system"
)

// What postconf cannot read is the administrator's to correct: file, line and
// a command, in words that are the same on Debian 12 and 13.
func TestPostconfCannotRead(t *testing.T) {
	for _, c := range []struct{ stderr, want, hint string }{
		{
			"postconf: fatal: /etc/postfix/main.cf, line 76: missing '=' after attribute name: \"junk\"\n",
			`/etc/postfix/main.cf:76: missing '=' after attribute name: "junk"`,
			"correct the line, then look at the file with postconf -n: sudoedit +76 /etc/postfix/main.cf",
		},
		{
			"postconf: warning: x\npostconf: fatal: file /tmp/tree/etc/postfix/master.cf: line 1: bad field count\n",
			"/etc/postfix/master.cf:1: bad field count",
			"correct the line, then look at the file with postconf -n: sudoedit +1 /etc/postfix/master.cf",
		},
		{
			"postconf: warning: unreasonable macro call nesting: \"smtpd_milters\"\npostconf: fatal: macro processing error\n",
			"/etc/postfix/main.cf: Postfix cannot expand smtpd_milters, which refers to itself",
			"find it and take the reference out: grep -n smtpd_milters /etc/postfix/main.cf /etc/postfix/master.cf",
		},
		{"postconf: fatal: open /etc/postfix/main.cf: Permission denied\n", "postconf -n: exit 1: postconf: fatal: open /etc/postfix/main.cf: Permission denied", ""},
	} {
		m := newMachine()
		m.answers["postconf -n"] = system.Result{Code: 1, Stderr: []byte(c.stderr)}
		_, err := postconf{read: m, run: m}.ask(t.Context(), "-n")
		if err == nil || err.Error() != c.want {
			t.Errorf("%q: %v, want %s", c.stderr, err, c.want)
		}
		var unusable *system.UnusableError
		if is := errors.As(err, &unusable); is != (c.hint != "") || is && unusable.Hint != c.hint {
			t.Errorf("%q: %v, hint %v", c.stderr, is, unusable)
		}
	}
}
