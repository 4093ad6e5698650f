// Package detecttest has a machine in memory whose programs print what a test wrote down.
package detecttest

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

// Machine is a source.Source: files in memory, and programs that print what a test
// wrote down for their command line.
type Machine struct {
	mu sync.Mutex // of Stdin: several sides are looked at side by side
	*systemtest.Mem
	Answers map[string]system.Result
	Units   map[string]system.UnitStatus
	Stdin   map[string]string // what programs were given
}

// New returns an empty machine.
func New() *Machine {
	return &Machine{
		Mem: systemtest.NewMem(), Answers: map[string]system.Result{},
		Units: map[string]system.UnitStatus{}, Stdin: map[string]string{},
	}
}

// Says makes a command print a text.
func (m *Machine) Says(argv, stdout string) { m.Answers[argv] = system.Result{Stdout: []byte(stdout)} }

// Run answers a command by the longest beginning of it that is known.
func (m *Machine) Run(_ context.Context, c system.Command) (system.Result, error) {
	line := strings.Join(c.Argv, " ")
	m.mu.Lock()
	m.Stdin[line] = string(c.Stdin)
	m.mu.Unlock()
	best := ""
	for known := range m.Answers {
		if strings.HasPrefix(line, known) && len(known) > len(best) {
			best = known
		}
	}
	if best == "" {
		return system.Result{}, fmt.Errorf("%w: %s", exec.ErrNotFound, line)
	}
	return m.Answers[best], nil
}

// Status implements system.Units.
func (m *Machine) Status(_ context.Context, unit string) (system.UnitStatus, error) {
	if s, ok := m.Units[unit]; ok {
		return s, nil
	}
	return system.UnitStatus{Load: "not-found", Active: "inactive"}, nil
}

// Bookworm returns a Debian 12 with Postfix, OpenDKIM and BIND, in the words its
// programs use.
func Bookworm() *Machine {
	m := New()
	m.PutFile("/usr/lib/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n")
	m.Put("/etc/os-release", state.Object{Kind: state.Symlink, Content: []byte("../usr/lib/os-release")})
	m.PutFile("/etc/mailname", "mail.lab.example\n")
	m.PutFile("/etc/aliases", "postmaster: root\n")
	m.PutFile("/etc/postfix/main.cf", "compatibility_level = 3.6\nmydestination = $myhostname, localhost\nempty =\n")
	m.PutFile("/etc/postfix/master.cf", "smtp inet n - y - - smtpd\nsubmission inet n - y - - smtpd\n  -o syslog_name=postfix/submission\n  -o smtpd_milters=inet:127.0.0.1:11332\n")
	m.Says("hostname --fqdn", "Mail.Lab.Example\n")
	m.Says("ip -j addr", `[{"ifname":"lo","addr_info":[{"local":"127.0.0.1"},{"local":"192.0.2.10"}]},
		{"ifname":"eth0","addr_info":[{"local":"10.0.0.5"},{"local":"2001:db8::5"},{"local":"2001:db8::77","temporary":true},{"local":"fe80::1"}]}]`)
	m.PutFile("/etc/opendkim.conf", "Syslog yes\n")
	m.Says("dpkg-query", "config-files|exim4-daemon-light|mail-transport-agent\n\ninstalled|postfix|default-mta, mail-transport-agent (= 1)\n\n"+
		"installed|bind9|\n\ninstalled|opendkim|\n\n /etc/opendkim.conf a59c77353e6db893396ecb5efb185faa\n /etc/init.d/opendkim 11111111\n")
	m.Says("postconf -n", "compatibility_level = 3.6\nmydestination = $myhostname, localhost\nempty =\n")
	m.Says("postconf -x", "myorigin = /etc/mailname\nmydestination = mail.lab.example, localhost\nmail_version = 3.7.11\n"+
		"queue_directory = /var/spool/postfix\nmulti_instance_directories = /etc/postfix-out, /etc/postfix-in\nmynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128 hash:/etc/postfix/nets\nsmtpd_milters =\n")
	m.Says("postconf -M", "smtp       inet  n       -       y       -       -       smtpd\n"+
		"submission inet  n       -       y       -       -       smtpd -o syslog_name=postfix/submission -o smtpd_milters=inet:127.0.0.1:11332\n")
	m.Says("postconf -Px", "submission/inet/smtpd_milters = inet:127.0.0.1:11332\nsubmission/inet/syslog_name = postfix/submission\n")
	m.Says("named-checkconf -px", "options {\n\tdirectory \"/var/cache/bind\";\n};\nzone \"lab.example\" {\n\ttype master;\n\tfile \"/etc/bind/db.lab\";\n};\n")
	m.Units["postfix.service"] = system.UnitStatus{Load: "loaded", Active: "active", Type: "oneshot"}
	m.Units["opendkim.service"] = system.UnitStatus{Load: "loaded", Active: "active", Type: "forking"}
	return m
}
