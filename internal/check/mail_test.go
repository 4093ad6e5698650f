package check_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailsetup/internal/check"
	"mailsetup/internal/check/report"
	"mailsetup/internal/machine"
	"mailsetup/internal/system"
)

// What is new is mailed once, to whom host.toml names or to root; mail that cannot be
// sent is said, ends nothing, and is sent again the next time.
func TestChangesAreMailed(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files []string
		res   system.Result
		to    string
		host  string
		said  string
	}{
		{"to root", nil, system.Result{}, "To: <root>\n", "mail.lab.example", ""},
		{"to whom host.toml names", []string{hostFile + "notify = \"ann@lab.example\"\n", labFile}, system.Result{}, "To: <ann@lab.example>\n", "mail.lab.example", ""},
		{"without a mail server", nil, system.Result{Code: 75, Stderr: []byte("sendmail: fatal: no queue")}, "To: <root>\n", "mail.lab.example", strings.Repeat("no mail to root: run sendmail: exit status 75: sendmail: fatal: no queue\n", 2)},
	} {
		sys := debian("", tt.files...)
		sys.Delete("/etc/postfix/main.cf")
		sys.PutFile("/var/lib/dpkg/status", "")
		sys.Answers["sendmail -t -i"] = tt.res
		var said strings.Builder
		m := machine.New(sys, nil, machine.Options{DryRun: true, Logf: func(format string, a ...any) { fmt.Fprintf(&said, format+"\n", a...) }})
		o := check.Options{Offline: true, Changed: true, Mail: true, Domains: []string{"lab.example"}, Print: printed}
		o.Only = []string{"live.stale"}
		for i := range 2 {
			clear(sys.Stdin)
			if _, err := check.On(t.Context(), m, o); err != nil {
				t.Fatal(err)
			}
			mail := sys.Stdin["sendmail -t -i"]
			if wanted := i == 0 || tt.res.Code != 0; wanted != strings.Contains(mail, tt.to) || wanted != strings.Contains(mail, "[live.stale]") {
				t.Errorf("%s: mail %d is\n%s", tt.name, i+1, mail)
			}
			if i == 0 && !strings.Contains(mail, "\nSubject: "+tt.host+": 1 new problem for your mail\n") {
				t.Errorf("%s: the subject of\n%s", tt.name, mail)
			}
		}
		const foreign = "lab.example is no domain of this server: it is checked as the world sees it\n"
		if said := strings.ReplaceAll(said.String(), foreign, ""); said != tt.said {
			t.Errorf("%s: said %q", tt.name, said)
		}
	}
	if err := (check.Options{Mail: true}).Validate(); err == nil || err.Error() != "--mail goes with --changed" {
		t.Errorf("without --changed: %v", err)
	}
}

func printed(report.Report) (bool, error) { return true, nil }

// While mail of this server does not get through, root's mailbox has a copy: the letter
// would wait for what it is about.
func TestLettersThatWouldWait(t *testing.T) {
	for _, tt := range []struct {
		name    string
		only    string // live.stale: Postfix cannot be used
		res     system.Result
		subject string
		copies  int
		said    string
	}{
		{"mail gets through", "host.fqdn", system.Result{}, "localhost: 1 new problem for your mail", 0, ""},
		{"nothing gets through", "live.stale", system.Result{}, "mail.lab.example: 1 new problem for your mail", 1, ""},
		{"and sendmail does not work", "live.stale", system.Result{Code: 75, Stderr: []byte("no queue")}, "mail.lab.example: 1 new problem for your mail", 1, "no mail to root: run sendmail: exit status 75: no queue\n"},
	} {
		sys := debian("smtp_helo_name = localhost\n")
		sys.PutFile("/var/lib/dpkg/status", "")
		if tt.only == "live.stale" {
			sys.Delete("/etc/postfix/main.cf")
		}
		sys.Answers["sendmail -t -i"] = tt.res
		var said strings.Builder
		m := machine.New(sys, nil, machine.Options{DryRun: true, Logf: func(format string, a ...any) { fmt.Fprintf(&said, format+"\n", a...) }})
		mailbox := filepath.Join(t.TempDir(), "root")
		o := check.Options{Offline: true, Changed: true, Mail: true, Mailbox: mailbox, Print: printed, Domains: []string{"mail.lab.example"}}
		o.Only = []string{tt.only}
		for i := range 2 {
			if r, err := check.On(t.Context(), m, o); err != nil || len(r.Changes) != 1-i {
				t.Fatalf("%s: %+v, %v", tt.name, r.Changes, err)
			}
		}
		text, err := os.ReadFile(mailbox)
		if n := strings.Count(string(text), "\nSubject: "+tt.subject+"\n"); n != tt.copies || err != nil && tt.copies > 0 {
			t.Errorf("%s: %d copies: %v\n%s", tt.name, n, err, text)
		}
		if said := strings.TrimPrefix(said.String(), "mail.lab.example is no domain of this server: it is checked as the world sees it\n"); !strings.HasPrefix(said, tt.said) {
			t.Errorf("%s: said %q", tt.name, said)
		}
	}
}
