package postfix

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// What postconf cannot read is the administrator's to correct: file, line and
// a command, in words that are the same on Debian 12 and 13.
func TestPostconfCannotRead(t *testing.T) {
	for _, c := range []struct{ stderr, want, hint string }{
		{
			"postconf: fatal: /etc/postfix/main.cf, line 76: missing '=' after attribute name: \"junk\"\n",
			`/etc/postfix/main.cf:76: missing '=' after attribute name: "junk"`,
			"correct line 76 of /etc/postfix/main.cf, then look at the file with postconf -n",
		},
		{
			"postconf: warning: x\npostconf: fatal: file /tmp/tree/etc/postfix/master.cf: line 1: bad field count\n",
			"/etc/postfix/master.cf:1: bad field count",
			"correct line 1 of /etc/postfix/master.cf, then look at the file with postconf -n",
		},
		{
			"postconf: warning: unreasonable macro call nesting: \"smtpd_milters\"\npostconf: fatal: macro processing error\n",
			"/etc/postfix/main.cf: Postfix cannot expand smtpd_milters, which refers to itself",
			"find it and take the reference out: grep -n smtpd_milters /etc/postfix/main.cf /etc/postfix/master.cf",
		},
		{"postconf: fatal: open /etc/postfix/main.cf: Permission denied\n", "postconf -n: exit 1: postconf: fatal: open /etc/postfix/main.cf: Permission denied", ""},
	} {
		m := detecttest.New()
		m.Answers["postconf -n"] = system.Result{Code: 1, Stderr: []byte(c.stderr)}
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

// In another root $config_directory is a directory of that tree.
func TestInDirectory(t *testing.T) {
	const conf = "postconf -c /srv/tree/etc/postfix "
	for _, master := range []string{"", "smtp inet n - y - - smtpd -o content_filter=x:$config_directory\n"} {
		m := detecttest.New()
		m.PutFile("/etc/postfix/main.cf", "alias_maps = hash:$config_directory/aliases\n")
		m.Says(conf+"-n", "alias_maps = hash:$config_directory/aliases\n")
		m.Says(conf+"-x", "alias_maps = hash:/srv/tree/etc/postfix/aliases\nconfig_directory = /srv/tree/etc/postfix\n")
		want := []state.Service(nil)
		if master != "" {
			m.PutFile("/etc/postfix/master.cf", master)
			m.Says(conf+"-M", master)
			m.Says(conf+"-Px", "smtp/inet/content_filter = x:/srv/tree/etc/postfix\n")
			want = []state.Service{{Name: "smtp/inet", Command: "smtpd", Line: 1, Options: []state.Option{
				{Name: "content_filter", Value: "x:$config_directory", Expanded: "x:/etc/postfix", Line: 1},
			}}}
		}
		p, err := InDirectory(t.Context(), m, m, "/srv/tree")
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Value["config_directory"] + " " + p.Value["alias_maps"]; got != "/etc/postfix hash:/etc/postfix/aliases" {
			t.Errorf("values %s", got)
		}
		if diff := cmp.Diff(want, p.Services); diff != "" || p.Raw["alias_maps"] != "hash:$config_directory/aliases" {
			t.Errorf("%v %s", p.Raw, diff)
		}
	}
}
