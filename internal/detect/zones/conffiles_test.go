package zones

import (
	"fmt"
	"strings"
	"testing"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
)

// hosting is a server with a thousand zones, whose configuration a run has read.
func hosting(t *testing.T) *detecttest.Machine {
	t.Helper()
	m := detecttest.Bookworm()
	directory := state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root}
	m.Put("/var/lib/mailsetup", directory)
	m.Put("/var/cache/bind", directory)
	m.PutFile("/usr/bin/named-checkconf", "9.20")
	m.PutFile("/etc/bind/named.conf", "include \"/etc/bind/named.conf.options\";\ninclude \"/etc/bind/named.conf.local\";\n")
	m.PutFile("/etc/bind/named.conf.options", "options { directory \"/var/cache/bind\"; };\n")
	m.PutFile("/etc/bind/named.conf.local", "// zones\n")
	prints(m, "", 1000)
	if zones, _ := found(t, m); zones != 1000 {
		t.Fatalf("%d zones", zones)
	}
	return m
}

// Of a file by a path that climbs nothing is remembered: it is not the usual one.
func TestConfigurationElsewhere(t *testing.T) {
	const climbing, file = "/etc/bind/../../srv/named.conf", "/srv/named.conf"
	m := hosting(t)
	m.PutFile("/etc/default/named", "OPTIONS=\"-c "+climbing+"\"\n")
	m.PutFile(file, "// one\n")
	prints(m, climbing, 1000)
	if zones, problem := found(t, m); zones != 1000 || problem != "" {
		t.Errorf("%d zones, %q", zones, problem)
	}
	m.PutFile(file, "// two\n")
	prints(m, climbing, 7)
	if zones, _ := found(t, m); zones != 7 {
		t.Errorf("%d zones of a file that changed", zones)
	}
}

// prints has named-checkconf print n zones.
func prints(m *detecttest.Machine, file string, n int) {
	var b strings.Builder
	b.WriteString("options {\n\tdirectory \"/var/cache/bind\";\n};\n")
	for i := range n {
		fmt.Fprintf(&b, "zone \"shop%04d.example\" {\n\ttype primary;\n\tfile \"/etc/bind/db.shop%04d\";\n};\n", i, i)
	}
	m.Says(strings.TrimSpace("named-checkconf -px "+file), b.String())
}

// found returns the number of zones that a run sees, and why new ones would not be served.
func found(t *testing.T, m *detecttest.Machine) (zones int, problem string) {
	t.Helper()
	f := state.Facts{Installed: map[string]bool{"bind9": true}}
	o := source.Options{NamedConf: store.NewNamedConf(m, func(err error) { t.Error(err) })}
	if err := Find(t.Context(), m, o, &f); err != nil {
		t.Fatal(err)
	}
	return len(f.Zones), f.NewZoneProblem
}

// While nothing changes, named-checkconf prints nothing again. Whatever is changed is seen.
func TestConfigurationIsReadAgainWhereItChanged(t *testing.T) {
	const local = "/etc/bind/named.conf.local"
	for name, c := range map[string]struct {
		change  func(m *detecttest.Machine)
		zones   int
		problem string
	}{
		"nothing":            {func(*detecttest.Machine) {}, 1000, ""},
		"named.conf":         {func(m *detecttest.Machine) { m.PutFile("/etc/bind/named.conf", "// nothing\n") }, 7, "named reads /etc/bind/named.conf, which does not include /etc/bind/named.conf.local"},
		"an included file":   {func(m *detecttest.Machine) { m.PutFile(local, "// zonez\n") }, 7, ""},
		"a file is gone":     {func(m *detecttest.Machine) { m.Delete("/etc/bind/named.conf.options") }, 7, ""},
		"a link in place":    {func(m *detecttest.Machine) { m.Put(local, state.Object{Kind: state.Symlink, Content: []byte("/x")}) }, 7, ""},
		"another BIND":       {func(m *detecttest.Machine) { m.PutFile("/usr/bin/named-checkconf", "9.22") }, 7, ""},
		"another place":      {func(m *detecttest.Machine) { m.PutFile("/usr/sbin/named-checkconf", "9.20") }, 7, ""},
		"the directory":      {func(m *detecttest.Machine) { m.Delete("/var/cache/bind") }, 7, ""},
		"another file":       {func(m *detecttest.Machine) { m.PutFile("/etc/default/named", "OPTIONS=\"-c /srv/named.conf\"\n") }, 7, ""},
		"the memory is torn": {func(m *detecttest.Machine) { cut(m, 100) }, 7, ""},
		"only its beginning": {func(m *detecttest.Machine) { cut(m, 70000) }, 7, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := hosting(t)
			m.PutFile("/srv/named.conf", "include \""+local+"\";\n")
			c.change(m)
			prints(m, "", 7)
			prints(m, "/srv/named.conf", 7)
			if zones, problem := found(t, m); zones != c.zones || problem != c.problem {
				t.Errorf("%d zones, %q; want %d, %q", zones, problem, c.zones, c.problem)
			}
		})
	}
}

// cut takes the last octets of what is remembered away.
func cut(m *detecttest.Machine, octets int) {
	o, _ := m.Read(state.NamedCache)
	m.PutFile(state.NamedCache, string(o.Content[:len(o.Content)-octets]))
}

// Files that are not known by name cannot be looked at, so nothing is remembered.
func TestWhatCannotBeLookedAtIsNotRemembered(t *testing.T) {
	for name, change := range map[string]func(m *detecttest.Machine){
		"a pattern": func(m *detecttest.Machine) {
			m.PutFile("/etc/bind/named.conf.options", "include \"/etc/bind/conf.d/*.conf\";\n")
		},
		"a pattern, in capitals": func(m *detecttest.Machine) {
			m.PutFile("/etc/bind/named.conf.options", "INCLUDE \"/etc/bind/conf.d/*.conf\";\n")
		},
		"a relative name": func(m *detecttest.Machine) { m.PutFile("/etc/bind/named.conf.options", "include \"x\";\n") },
		"a link": func(m *detecttest.Machine) {
			m.PutFile("/srv/zones", "// zones\n")
			m.Put("/etc/bind/named.conf.local", state.Object{Kind: state.Symlink, Content: []byte("/srv/zones")})
		},
		"an error": func(m *detecttest.Machine) { m.PutFile("/etc/bind/named.conf.options", "include \"x\n") },
	} {
		m := hosting(t)
		m.Delete(state.NamedCache)
		change(m)
		found(t, m)
		if o, _ := m.Read(state.NamedCache); o.Kind != state.Absent {
			t.Errorf("%s: something is remembered", name)
		}
	}
}
