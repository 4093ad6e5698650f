package zones

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

func TestAbove(t *testing.T) {
	names := []string{"mail.Example.org", "other.example."}
	for origin, want := range map[string]bool{
		"example.org.": true, "mail.example.org.": true, "org.": true, ".": true, "other.example.": true,
		"ple.org.": false, "www.example.org.": false, "example.net.": false,
		"_domainkey.other.example.": true, "s1._domainkey.other.example.": true, "_dmarc.other.example.": true,
		"_report._dmarc.other.example.": true, "_domainkey.example.net.": false, "x_dmarc.other.example.": false,
	} {
		if got := isAtOrAbove(origin, withAncestors(names)); got != want {
			t.Errorf("above(%s) = %v", origin, got)
		}
	}
}

// What is in a zone that the run is not about stays unknown, and is said to be.
func TestZonesThatAreNotRead(t *testing.T) {
	m := detecttest.Bookworm()
	m.Says("named-checkconf -px", `zone "lab.example" { type primary; file "/etc/bind/lab"; };
zone "other.example" { type primary; file "/etc/bind/other"; };
zone "third.example" { type secondary; primaries { 192.0.2.1; }; };`)
	f := state.Facts{Installed: map[string]bool{"bind9": true}}
	if err := Find(t.Context(), m, source.Options{Origins: []string{"lab.example"}}, &f); err != nil {
		t.Fatal(err)
	}
	unread := map[string]bool{}
	for _, z := range f.Zones {
		unread[z.Origin] = z.NotLoaded
	}
	if diff := cmp.Diff(map[string]bool{"lab.example.": false, "other.example.": true, "third.example.": false}, unread); diff != "" {
		t.Error(diff)
	}
}

func TestZonesThatCannotBeListed(t *testing.T) {
	bad := detecttest.Bookworm()
	bad.Answers["named-checkconf -px"] = system.Result{Code: 1, Stdout: []byte("/etc/bind/named.conf.local:3: unknown option 'zne'\n")}
	odd := detecttest.Bookworm()
	odd.Says("named-checkconf -px", "zone \"a\" {\n")
	missing := detecttest.Bookworm()
	delete(missing.Answers, "named-checkconf -px")
	for part, m := range map[string]*detecttest.Machine{
		"named-checkconf: /etc/bind/named.conf.local:3: unknown option 'zne'": bad,
		"named.conf line 2: braces do not match":                              odd,
		"named-checkconf could not be run":                                    missing,
	} {
		f := state.Facts{Installed: map[string]bool{"bind9": true}}
		if err := Find(t.Context(), m, source.Options{}, &f); err != nil {
			t.Fatal(err)
		}
		if len(f.Zones) != 1 || f.Zones[0].Origin != "." || !strings.Contains(f.Zones[0].Problem, part) || !strings.Contains(f.Zones[0].Hint, "--dns manual") {
			t.Errorf("zones %+v, want a problem with %q", f.Zones, part)
		}
	}
}

func TestStartOptions(t *testing.T) {
	const usual, dropIn = "OPTIONS=\"-u bind\"\n", "[Service]\nExecStart=\nExecStart=/usr/sbin/named -f "
	type options struct{ File, Root, By string }
	for name, c := range map[string]struct {
		defaults, dropIn, process string
		want                      options
	}{
		"nothing":                   {"", "", "", options{}},
		"as shipped":                {"# OPTIONS=\"-t /x\"\n" + usual, "", "", options{}},
		"a file":                    {"OPTIONS=\"-u bind -c /etc/named.conf\"\n", "", "", options{File: "/etc/named.conf"}},
		"a root in one word":        {"RESOLVCONF=no\n OPTIONS='-4 -u bind -t/var/lib/named'\n", "", "", options{Root: "/var/lib/named"}},
		"the last line counts":      {"OPTIONS=\"-t /old\"\nOPTIONS=\"-u bind -c /a -n 2 -t /new", "", "", options{File: "/a", Root: "/new"}},
		"without its argument":      {"OPTIONS=-t", "", "", options{}},
		"letters that share a word": {"OPTIONS=-4fc/a\n", "", "", options{File: "/a"}},
		"arguments of others":       {"OPTIONS='-u -t -L /c -c /a'\n", "", "", options{File: "/a"}},
		"a drop-in":                 {usual, dropIn + "-c /srv/named.conf $OPTIONS\n", "", options{"/srv/named.conf", "", "named.service"}},
		"a drop-in without them":    {"OPTIONS='-c /old'\n", dropIn + "-t /srv/jail\n", "", options{"", "/srv/jail", "named.service"}},
		"a drop-in about something": {"OPTIONS='-c /a'\n", "[Service]\nNice=1\n", "", options{File: "/a"}},
		"the process has the last word": {
			"OPTIONS='-c /a'\n", dropIn + "-c /b\n", "/usr/sbin/named\x00-f\x00-u\x00bind\x00-c\x00/c\x00",
			options{"/c", "", "named.service"},
		},
		"a process without any": {"OPTIONS='-c /a'\n", "", "/usr/sbin/named\x00-f\x00-u\x00bind\x00", options{"", "", "named.service"}},
	} {
		m := detecttest.New()
		m.PutFile("/etc/default/named", c.defaults)
		if c.dropIn != "" {
			m.PutFile("/etc/systemd/system/named.service.d/lab.conf", c.dropIn)
		}
		status := system.UnitStatus{Load: "loaded", Active: "inactive"}
		if c.process != "" {
			status = system.UnitStatus{Load: "loaded", Active: "active", PID: 7}
			m.PutFile("/proc/7/cmdline", c.process)
		}
		got, err := startOptions(m, status)
		if c.want.By == "" {
			c.want.By = "/etc/default/named"
		}
		if is := (options{got.file, got.root, got.by}); is != c.want || err != nil {
			t.Errorf("%s: %+v, %v, want %+v", name, is, err, c.want)
		}
	}
}

// A zone that is declared in a file which named does not read is never served.
func TestNewZonesThatNobodyWouldServe(t *testing.T) {
	for name, c := range map[string]struct {
		start, main, own, want string
	}{
		"as shipped":        {"", "include \"/etc/bind/named.conf.options\";\ninclude \"/etc/bind/named.conf.local\";\n", "", ""},
		"no include":        {"", "// include \"/etc/bind/named.conf.local\";\noptions { };\n", "", "named reads /etc/bind/named.conf, which does not include /etc/bind/named.conf.local"},
		"another file":      {"-c /srv/own.conf", "include \"/etc/bind/named.conf.local\";\n", "options { };\n", "named reads /srv/own.conf, which does not include /etc/bind/named.conf.local"},
		"by another file":   {"-c /srv/own.conf", "include \"/etc/bind/named.conf.local\";\n", "include \"/etc/bind/named.conf\";\n", ""},
		"in a view":         {"", "view \"a\" { include \"/etc/bind/named.conf.local\"; };\n", "", ""},
		"by a pattern":      {"", "include \"/etc/bind/named.conf.l*\";\n", "", ""},
		"in a circle":       {"", "include \"/srv/own.conf\";\n", "include \"/etc/bind/named.conf\";\n", "named reads /etc/bind/named.conf, which does not include /etc/bind/named.conf.local"},
		"that file alone":   {"-c /etc/bind/named.conf.local", "", "", ""},
		"not to be parsed":  {"", "include \"a\n", "", ""},
		"of a relative one": {"", "include \"named.conf.local\";\n", "", ""},
	} {
		m := detecttest.New()
		m.PutFile("/etc/bind/named.conf", c.main)
		m.PutFile("/srv/own.conf", c.own)
		o := parseOptions(strings.Fields(c.start))
		o.files = filesOf(m, o.mainFile())
		if got := o.newZoneProblem(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := (options{files: filesOf(detecttest.New(), mainConf)}).newZoneProblem(); got != "" {
		t.Errorf("of a file that is not there: %q", got)
	}
}

func TestAnotherConfigurationFile(t *testing.T) {
	m := detecttest.Bookworm()
	m.PutFile("/etc/default/named", "OPTIONS=\"-u bind -c /srv/named.conf\"\n")
	m.Says("named-checkconf -px /srv/named.conf", "zone \"srv.example\" { type primary; file \"/x\"; };")
	f := state.Facts{Installed: map[string]bool{"bind9": true}}
	if err := Find(t.Context(), m, source.Options{}, &f); err != nil || len(f.Zones) != 1 || f.Zones[0].Origin != "srv.example." {
		t.Errorf("zones %+v, %v", f.Zones, err)
	}
	m.PutFile("/etc/default/named", "OPTIONS=\"-u bind -t /srv\"\n")
	f.Zones = nil
	if err := Find(t.Context(), m, source.Options{}, &f); err != nil || len(f.Zones) != 1 ||
		f.Zones[0].Problem != "named runs in a directory of its own (-t /srv in /etc/default/named), where paths are not those of this machine" {
		t.Errorf("zones %+v, %v", f.Zones, err)
	}
}

// Zones that named took on while it runs are not in its configuration.
func TestAddedZones(t *testing.T) {
	m := detecttest.Bookworm()
	m.Says("named-checkconf -px", `options { directory "/srv"; allow-new-zones yes; catalog-zones { zone "cat.example" { }; }; };
zone "cat.example" { type primary; file "cat"; };`)
	m.Answers["rndc"] = system.Result{Code: 1, Stderr: []byte("rndc: 'zonestatus' failed: not found\n")}
	m.Says("rndc showzone added.example", `zone "added.example" { type primary; file "added"; };`)
	m.Answers["rndc zonestatus member.example"] = system.Result{Code: 1, Stderr: []byte("rndc: 'zonestatus' failed: zone not loaded\n")}
	m.Says("rndc zonestatus loaded.example", "name: loaded.example\ntype: secondary\n")
	f := state.Facts{Installed: map[string]bool{"bind9": true}}
	o := source.Options{Origins: []string{"mail.Added.example.", "member.example", "sub.loaded.example", "other.example", "cat.example"}}
	if err := Find(t.Context(), m, o, &f); err != nil {
		t.Fatal(err)
	}
	const catalog = "BIND has it from a catalog zone and is a secondary server for it: its records are made on the primary"
	want := state.Zones{
		{Origin: "added.example.", Kind: "primary", File: "/srv/added", Problem: "its file /srv/added does not exist", Hint: "put it there, or take the zone out of named.conf; or --dns manual"},
		{Origin: "cat.example.", Kind: "primary", File: "/srv/cat", Problem: "its file /srv/cat does not exist", Hint: "put it there, or take the zone out of named.conf; or --dns manual"},
		{Origin: "loaded.example.", Kind: "secondary", Problem: catalog, Hint: there},
		{Origin: "member.example.", Kind: "secondary", Problem: catalog, Hint: there},
	}
	if diff := cmp.Diff(want, f.Zones); diff != "" {
		t.Error(diff)
	}
}

// Ten thousand zones of as many names are sorted out at once. Comparing each with
// each would be two hundred million comparisons.
func TestManyZonesAndNames(t *testing.T) {
	const many = 10_000
	var names []string
	for i := range many {
		names = append(names, fmt.Sprintf("mail.d%05d.example", i))
	}
	all, matter := withAncestors(names), 0
	for i := range 2 * many {
		if isAtOrAbove(fmt.Sprintf("d%05d.example.", i), all) {
			matter++
		}
	}
	if matter != many || len(all) != 2*many+1 {
		t.Errorf("%d zones of %d matter, %d names", matter, 2*many, len(all))
	}
}

// Of ten thousand zones one matters: BIND's tools are started twice, once for all and
// once for that one. Parked zones may share a file, and lists of addresses a name.
func TestTenThousandZones(t *testing.T) {
	const many = 10_000
	m := detecttest.Bookworm()
	var conf strings.Builder
	conf.WriteString(`options { directory "/srv"; };` + "\n")
	for i := range many {
		file := fmt.Sprintf("d%d", i)
		if i%2 == 0 {
			file = "parked"
		}
		fmt.Fprintf(&conf, "acl \"a%d\" {\n\tnone;\n};\nzone \"d%d.example\" {\n\ttype primary;\n\tfile \"%s\";\n\tallow-update {\n\t\t\"a%d\";\n\t};\n};\n", i, i, file, i)
	}
	m.Says("named-checkconf -px", conf.String())
	m.Says("named-checkzone", "d4321.example.\t300 IN SOA\tns.d4321.example. h.d4321.example. 1 2 3 4 5\n")
	m.PutFile("/srv/d4321", "@ 300 IN SOA ns h 1 2 3 4 5\n")
	f := state.Facts{Installed: map[string]bool{"bind9": true}}
	began := time.Now()
	if err := Find(t.Context(), m, source.Options{Origins: []string{"mail.d4321.example"}}, &f); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v", took)
	}
	if len(m.Stdin) != 2 || len(f.Zones) != many {
		t.Errorf("%d programs for %d zones", len(m.Stdin), len(f.Zones))
	}
	if z, ok := f.Zones.Closest("mail.d4321.example."); !ok || z.NotLoaded || z.Problem != "" || len(z.Records) != 1 {
		t.Errorf("the one that matters: %+v", z)
	}
	if z, _ := f.Zones.Closest("d4322.example."); z.Problem != "its file /srv/parked is also that of d0.example" {
		t.Errorf("a parked one: %q", z.Problem)
	}
}
