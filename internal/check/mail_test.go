package check_test

import (
	"fmt"
	"strings"
	"testing"

	"mailsetup/internal/check"
	"mailsetup/internal/machine"
	"mailsetup/internal/system"
)

// What is new is mailed once, to whom host.toml names or to root; mail that cannot be
// sent is said and ends nothing.
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
		{"without a mail server", nil, system.Result{Code: 75, Stderr: []byte("sendmail: fatal: no queue")}, "To: <root>\n", "mail.lab.example", "no mail to root: run sendmail: exit status 75: sendmail: fatal: no queue\n"},
	} {
		sys := debian("", tt.files...)
		sys.Delete("/etc/postfix/main.cf")
		sys.PutFile("/var/lib/dpkg/status", "")
		sys.Answers["sendmail -t -i"] = tt.res
		var said strings.Builder
		m := machine.New(sys, nil, machine.Options{DryRun: true, Logf: func(format string, a ...any) { fmt.Fprintf(&said, format+"\n", a...) }})
		o := check.Options{Offline: true, Changed: true, Mail: true, Domains: []string{"lab.example"}}
		o.Only = []string{"live.stale"}
		for i := range 2 {
			clear(sys.Stdin)
			if _, err := check.On(t.Context(), m, o); err != nil {
				t.Fatal(err)
			}
			mail := sys.Stdin["sendmail -t -i"]
			if wanted := i == 0; wanted != strings.Contains(mail, tt.to) || wanted != strings.Contains(mail, "[live.stale]") {
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
