package postfix

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

const busyMaster = `# comment
smtp      inet  n       -       y       -       -       smtpd
submission inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
# -o smtpd_milters=commented
  -o smtpd_milters=first
  -o { smtpd_milters = $submission_milters,
       inet:127.0.0.1:11332 }
a/b unix  -       n       n       -       -       pipe -v
  flags=DR user=vmail argv={ /bin/a b }
`

// What postconf 3.7 and 3.10 print of it.
const (
	busyPrinted = "smtp       inet  n       -       y       -       -       smtpd\n" +
		"submission inet  n       -       y       -       -       smtpd -o syslog_name=postfix/submission -o smtpd_milters=first -o {smtpd_milters=$submission_milters,       inet:127.0.0.1:11332}\n" +
		"a/b        unix  -       n       n       -       -       pipe -v flags=DR user=vmail {argv={ /bin/a b }}\n"
	busyExpanded = "submission/inet/smtpd_milters = unix:a, inet:127.0.0.1:11332\nsubmission/inet/syslog_name = postfix/submission\n"
)

func busy() *detecttest.Machine {
	m := detecttest.New()
	m.PutFile("/etc/postfix/master.cf", busyMaster)
	m.Says("postconf -M", busyPrinted)
	m.Says("postconf -Px", busyExpanded)
	return m
}

func readServices(t *testing.T, m *detecttest.Machine) ([]state.Service, error) {
	t.Helper()
	conf := postconf{read: m, run: m}
	list, err := conf.parse()
	if err != nil {
		return list, err
	}
	answers, err := conf.askAll(t.Context(), []string{"-M"}, []string{"-Px"})
	if err == nil {
		err = agree(list, answers[0], answers[1])
	}
	return list, err
}

func TestServices(t *testing.T) {
	want := []state.Service{
		{Name: "smtp/inet", Command: "smtpd", Line: 2},
		{Name: "submission/inet", Command: "smtpd", Line: 3, Options: []state.Option{
			{Name: "syslog_name", Value: "postfix/submission", Expanded: "postfix/submission", Line: 4},
			{Name: "smtpd_milters", Value: "first", Line: 6},
			{Name: "smtpd_milters", Value: "$submission_milters,       inet:127.0.0.1:11332", Expanded: "unix:a, inet:127.0.0.1:11332", Line: 7},
		}},
		{Name: "a/b/unix", Command: "pipe", Args: []string{"-v", "flags=DR", "user=vmail", "argv={ /bin/a b }"}, Line: 9},
	}
	m := busy()
	got, err := readServices(t, m)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Without a common reading of master.cf nothing is decided: the service is
// named, and it is for the administrator to look.
func TestServicesDisagree(t *testing.T) {
	for _, c := range []struct {
		name, printed, expanded, master, want string
	}{
		{
			"another value", strings.Replace(busyPrinted, "first", "second", 1), busyExpanded, busyMaster,
			"/etc/postfix/master.cf:3: postconf -M and mailsetup do not read the service submission/inet alike",
		},
		{
			"a service less", busyPrinted[:strings.Index(busyPrinted, "a/b")], busyExpanded, busyMaster,
			"/etc/postfix/master.cf:9: postconf -M and mailsetup do not read the service a/b/unix alike",
		},
		{
			"a service more", busyPrinted + "x unix - - - - - y\n", busyExpanded, busyMaster,
			"/etc/postfix/master.cf: postconf -M and mailsetup do not read the service x/unix alike",
		},
		{
			"an option less", busyPrinted, "submission/inet/smtpd_milters = a\n", busyMaster,
			"/etc/postfix/master.cf:4: postconf -M and mailsetup do not read the service submission/inet alike",
		},
		{
			"an option more", busyPrinted, busyExpanded + "smtp/inet/smtpd_milters = a\n", busyMaster,
			"/etc/postfix/master.cf: postconf -M and mailsetup do not read the service smtp/inet alike",
		},
		{
			"broken", busyPrinted, busyExpanded, busyMaster + "x inet\n",
			`/etc/postfix/master.cf:11: "x" has 2 fields; a service has 8 at least: name, type, private, unpriv, chroot, wakeup, maxproc, command`,
		},
	} {
		m := busy()
		m.PutFile("/etc/postfix/master.cf", c.master)
		m.Says("postconf -M", c.printed)
		m.Says("postconf -Px", c.expanded)
		got, err := readServices(t, m)
		var unusable *system.UnusableError
		if err == nil || err.Error() != c.want || !errors.As(err, &unusable) || unusable.Hint == "" {
			t.Errorf("%s: %v, %v; want %s", c.name, got, err, c.want)
		}
	}
}
