package signer

import (
	"slices"
	"testing"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

func TestUnitFiles(t *testing.T) {
	const drop, run = "/etc/systemd/system/opendkim.service.d/", "/run/systemd/system/opendkim.service.d/"
	for _, c := range []struct {
		name  string
		files []state.Path
		whole state.Path
		want  []state.Path
	}{
		{"none", nil, "", nil},
		{"in the order of their names", []state.Path{drop + "b.conf", run + "a.conf", drop + "c.conf"}, "", []state.Path{run + "a.conf", drop + "b.conf", drop + "c.conf"}},
		{"one hides another", []state.Path{drop + "a.conf", run + "a.conf"}, "", []state.Path{drop + "a.conf"}},
		{"not a drop-in", []state.Path{drop + "old.conf~", drop + "README"}, "", nil},
		{"a unit of one's own", []state.Path{"/etc/systemd/system/opendkim.service", "/usr/local/lib/systemd/system/opendkim.service"}, "/etc/systemd/system/opendkim.service", nil},
		{"of a package", []state.Path{"/usr/lib/systemd/system/opendkim.service", "/usr/lib/systemd/system/opendkim.service.d/a.conf"}, "", []state.Path{"/usr/lib/systemd/system/opendkim.service.d/a.conf"}},
		{"of a template", []state.Path{"/etc/systemd/system/opendkim@.service.d/a.conf", "/etc/systemd/system/opendkim@.service"}, "", nil},
		{"wants", []state.Path{"/etc/systemd/system/multi-user.target.wants/opendkim.service"}, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := detecttest.New()
			for _, p := range c.files {
				m.PutFile(p, "[Service]\n")
			}
			whole, got, err := source.UnitFiles(m, Unit)
			if whole != c.whole || !slices.Equal(got, c.want) || err != nil {
				t.Errorf("unit %q, drop-ins %q, %v; want %q, %q", whole, got, err, c.whole, c.want)
			}
		})
	}
}

// A link to /dev/null hides what is below it and is no unit file itself.
func TestHiddenUnitFiles(t *testing.T) {
	m := detecttest.New()
	null := state.Object{Kind: state.Symlink, Content: []byte("/dev/null")}
	m.Put("/etc/systemd/system/opendkim.service", null)
	m.Put("/etc/systemd/system/opendkim.service.d/a.conf", null)
	m.PutFile("/run/systemd/system/opendkim.service.d/a.conf", "[Service]\nExecStart=/x\n")
	if whole, got, err := source.UnitFiles(m, Unit); whole != "" || len(got) > 0 || err != nil {
		t.Errorf("unit %q, drop-ins %q, %v; want none", whole, got, err)
	}
}

func TestEndpoint(t *testing.T) {
	const drop = "/etc/systemd/system/opendkim.service.d/override.conf"
	legacy := "[Service]\nExecStart=\nExecStart=/usr/sbin/opendkim -P /run/opendkim/opendkim.pid -p inet:8891@localhost \n"
	for _, c := range []struct {
		name, conf, dropIn, process string
		want                        string
	}{
		{"nothing said", "Syslog yes\n", "", "", ""},
		{"its configuration", "# Socket inet:1\nsocket local:/run/a.sock # here\n", "", "", "local:/run/a.sock"},
		{"its unit", "Socket local:/run/a.sock\n", legacy, "", "inet:8891@localhost"},
		{"in one word", "", "[Service]\nExecStart=/usr/sbin/opendkim -plocal:/run/b.sock -f\n", "", "local:/run/b.sock"},
		{"another configuration", "Socket local:/run/a.sock\n", "[Service]\nExecStart=/usr/sbin/opendkim -x /srv/dkim.conf\n", "", "inet:12345@localhost"},
		{"the process has the last word", "", legacy, "/usr/sbin/opendkim\x00-p\x00local:/run/c.sock\x00", "local:/run/c.sock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := detecttest.New()
			m.PutFile(defaultConf, c.conf)
			m.PutFile("/srv/dkim.conf", "Socket inet:12345@localhost\n")
			if c.dropIn != "" {
				m.PutFile(drop, c.dropIn)
			}
			m.Units[Unit] = system.UnitStatus{Load: "loaded", Active: "active", NeedsDaemonReload: true, PID: 123}
			if c.process != "" {
				m.PutFile("/proc/123/cmdline", c.process)
			}
			f := state.Facts{Installed: map[string]bool{"opendkim": true}, Files: map[state.Path][]byte{}}
			if err := Find(t.Context(), m, source.Options{}, &f); err != nil {
				t.Fatal(err)
			}
			if o := f.OpenDKIM; o.Endpoint != c.want || !o.Active || !o.NeedsDaemonReload || string(f.Files[drop]) != c.dropIn {
				t.Errorf("%+v, want endpoint %q", o, c.want)
			}
		})
	}
}

func TestDeaf(t *testing.T) {
	m := detecttest.New()
	m.Put("/run/opendkim/opendkim.sock", state.Object{Kind: state.Special})
	for endpoint, want := range map[string]bool{
		"": false, "local:/run/opendkim/opendkim.sock": false, "/run/opendkim/opendkim.sock": false,
		"local:/run/gone.sock": true, "unix:/run/gone.sock": true, "/run/gone.sock": true, "inet:8891@localhost": false,
	} {
		if got := socketGone(m, endpoint); got != want {
			t.Errorf("%q: deaf %v, want %v", endpoint, got, want)
		}
	}
}
