package detect

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

func TestMachine(t *testing.T) {
	got, err := Machine(t.Context(), detecttest.Bookworm(), source.Options{Files: []state.Path{"/etc/aliases", "/etc/not-there"}})
	if err != nil {
		t.Fatal(err)
	}
	if !got.Installed["postfix"] || got.Installed["exim4-daemon-light"] || got.Installed["dnsmasq"] {
		t.Errorf("installed: %v", got.Installed)
	}
	got.Installed = nil
	want := state.Facts{
		Release: state.Release{ID: "debian", Version: "12", Pretty: "Debian GNU/Linux 12 (bookworm)"},
		FQDN:    "mail.lab.example", MTA: "postfix", DNS: state.BIND, Rspamd: true,
		Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::5")},
		Pristine:  map[state.Path]bool{"/etc/opendkim.conf": true, "/etc/bind/named.conf.local": false, "/etc/bind/named.conf.options": false},
		Files:     map[state.Path][]byte{"/etc/aliases": []byte("postmaster: root\n")},
		OpenDKIM:  &state.OpenDKIM{Active: true},
		Daemons:   map[string]state.Daemon{"opendkim.service": {Running: true}, "postfix.service": {Running: true}},
		Zones:     []state.Zone{{Origin: "lab.example.", Kind: "primary", File: "/etc/bind/db.lab", NotLoaded: true}},
		Postfix: &state.Postfix{
			Unit: "postfix@-.service", Version: "3.7.11", QueueDirectory: "/var/spool/postfix",
			Lines: map[string]int{"compatibility_level": 1, "mydestination": 2, "empty": 3},
			Raw:   map[string]string{"compatibility_level": "3.6", "mydestination": "$myhostname, localhost", "empty": ""},
			Value: map[string]string{
				"myorigin": "mail.lab.example", "mydestination": "mail.lab.example, localhost", "mail_version": "3.7.11",
				"queue_directory": "/var/spool/postfix", "smtpd_milters": "",
				"multi_instance_directories": "/etc/postfix-out, /etc/postfix-in",
				"mynetworks":                 "127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128 hash:/etc/postfix/nets",
			},
			Networks:      []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
			OtherNetworks: []string{"hash:/etc/postfix/nets"},
			Services: []state.Service{
				{Name: "smtp/inet", Command: "smtpd", Line: 1},
				{Name: "submission/inet", Command: "smtpd", Line: 2, Options: []state.Option{
					{Name: "syslog_name", Value: "postfix/submission", Expanded: "postfix/submission", Line: 3},
					{Name: "smtpd_milters", Value: "inet:127.0.0.1:11332", Expanded: "inet:127.0.0.1:11332", Line: 4},
				}},
			},
			Instances: []string{"/etc/postfix-out", "/etc/postfix-in"},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Error(diff)
	}
}

func TestBareMachine(t *testing.T) {
	m := detecttest.New()
	m.PutFile("/etc/os-release", "ID=debian\nVERSION_ID='13'\n")
	m.Says("dpkg-query", "installed|exim4-daemon-light|mail-transport-agent\n\n")
	m.Says("exim4 -bpc", "7\n")
	got, err := Machine(t.Context(), m, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Release.Version != "13" || got.MTA != "exim4-daemon-light" || got.OtherMTA == nil || got.OtherMTA.Queue != 7 {
		t.Errorf("release %v, MTA %q: %+v", got.Release, got.MTA, got.OtherMTA)
	}
	if got.Postfix != nil || got.OpenDKIM != nil || got.Zones != nil || got.DNS != state.NoDNSServer || got.FQDN != "" || got.Addresses != nil {
		t.Errorf("facts about what is not there: %+v", got)
	}
}

func TestMachineErrors(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(m *detecttest.Machine)
		want  string
	}{
		{"postconf missing", func(m *detecttest.Machine) { delete(m.Answers, "postconf -n") }, "run postconf -n: executable file not found"},
		{"postconf fails", func(m *detecttest.Machine) {
			m.Answers["postconf -x"] = system.Result{Code: 1, Stderr: []byte("postconf: warning: x\npostconf: fatal: open /etc/postfix/main.cf: Permission denied\n")}
		}, "exit 1: postconf: fatal: open /etc/postfix/main.cf: Permission denied"},
		{"no main.cf", func(m *detecttest.Machine) { m.Delete("/etc/postfix/main.cf") }, "/etc/postfix/main.cf: there is no such file, although postfix is installed"},
		{"main.cf that leads nowhere", func(m *detecttest.Machine) {
			m.Put("/etc/postfix/main.cf", state.Object{Kind: state.Symlink, Content: []byte("gone.cf")})
		}, "/etc/postfix/main.cf: is a symbolic link to gone.cf, where there is no file"},
		{"a directory master.cf", func(m *detecttest.Machine) {
			m.Put("/etc/postfix/master.cf", state.Object{Kind: state.Directory})
		}, "/etc/postfix/master.cf: is no regular file (directory)"},
		{
			"no dpkg", func(m *detecttest.Machine) {
				delete(m.Answers, "dpkg-query")
				m.PutFile("/usr/lib/os-release", "PRETTY_NAME=\"Fedora Linux 43\"\nID=fedora\n")
			},
			"Fedora Linux 43: dpkg-query: not found: this system has no Debian packages",
		},
		{"queue directory", func(m *detecttest.Machine) { m.Says("postconf -x", "queue_directory = spool\n") }, "postconf queue_directory"},
		{"a directory for a file", func(m *detecttest.Machine) {
			m.Delete("/etc/aliases")
			m.Put("/etc/aliases", state.Object{Kind: state.Directory, Mode: 0o755})
		}, "/etc/aliases: is a directory, expected a file"},
		{"links in a circle", func(m *detecttest.Machine) {
			m.Put("/etc/aliases", state.Object{Kind: state.Symlink, Content: []byte("aliases")})
		}, "too many symbolic links"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := detecttest.Bookworm()
			c.spoil(m)
			_, err := Machine(t.Context(), m, source.Options{Files: []state.Path{"/etc/aliases", "/etc/postfix/main.cf", "/etc/postfix/master.cf"}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestFQDN(t *testing.T) {
	for _, c := range []struct{ name, command, hostname, hosts, want string }{
		{"resolver knows", "mail.example.org.\n", "other.example\n", "", "mail.example.org"},
		{"only localhost", "localhost\n", "", "127.0.0.1 localhost\n", ""},
		{"localdomain", "localhost.localdomain\n", "localhost\n", "127.0.0.1 localhost.localdomain localhost\n", ""},
		{"in /etc/hostname", "mail\n", "Mail.example.org\n", "", "mail.example.org"},
		{"in /etc/hosts", "mail\n", "mail\n", "# mail.wrong.example mail\n192.0.2.1 mail.example.org mail # us\n", "mail.example.org"},
		{"hosts of another", "mail\n", "mail\n", "192.0.2.2 www.example.org www\n", ""},
		{"an address", "192.0.2.1\n", "mail\n", "", ""},
		{"nothing", "", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := detecttest.New()
			if c.command != "" {
				m.Says("hostname --fqdn", c.command)
			}
			m.PutFile("/etc/hostname", c.hostname)
			m.PutFile("/etc/hosts", c.hosts)
			if got := fqdn(t.Context(), m); got != c.want {
				t.Errorf("fqdn = %q, want %q", got, c.want)
			}
		})
	}
}

func TestAddressesWithoutIproute(t *testing.T) {
	m := detecttest.New()
	m.Says("hostname -I", "192.0.2.10 fe80::1 2001:db8::1 192.0.2.10 \n")
	want := []netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::1")}
	if got := addresses(t.Context(), m); !slices.Equal(got, want) {
		t.Errorf("addresses = %v, want %v", got, want)
	}
}

func TestWhatOpenDKIMLacks(t *testing.T) {
	const socket = "/var/spool/postfix/opendkim/opendkim.sock"
	for _, c := range []struct {
		name, conf, atBoot string
		there              bool
		deaf, disabled     bool
	}{
		{"all is well", "Socket local:" + socket + "\n", "enabled", true, false, false},
		{"its directory was removed", "Socket\tlocal:" + socket + " # ours\n", "enabled", false, true, false},
		{"the last setting counts", "Socket local:/run/x\nsocket unix:" + socket + "\n", "enabled", true, false, false},
		{"a port", "Socket inet:8891@localhost\n", "enabled", false, false, false},
		{"no socket", "#Socket local:" + socket + "\n", "enabled", false, false, false},
		{"not started at boot", "Socket local:" + socket + "\n", "disabled", true, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := detecttest.Bookworm()
			m.PutFile("/etc/opendkim.conf", c.conf)
			m.Units["opendkim.service"] = system.UnitStatus{Load: "loaded", Active: "active", AtBoot: c.atBoot}
			if c.there {
				m.Put(socket, state.Object{Kind: state.Special})
			}
			got, err := Machine(t.Context(), m, source.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got.OpenDKIM.SocketGone != c.deaf || got.OpenDKIM.Disabled != c.disabled {
				t.Errorf("%+v, want deaf %v, disabled %v", got.OpenDKIM, c.deaf, c.disabled)
			}
		})
	}
}
