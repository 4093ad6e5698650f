package zones

import (
	"fmt"
	"strings"
	"testing"

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
		if len(f.Zones) != 1 || f.Zones[0].Origin != "." || !strings.Contains(f.Zones[0].Problem, part) {
			t.Errorf("zones %+v, want a problem with %q", f.Zones, part)
		}
	}
}

func TestStartOptions(t *testing.T) {
	for text, want := range map[string][2]string{
		"": {"", ""},
		"# OPTIONS=\"-t /x\"\nOPTIONS=\"-u bind\"\n":                {"", ""},
		"OPTIONS=\"-u bind -c /etc/named.conf\"\n":                  {"/etc/named.conf", ""},
		"RESOLVCONF=no\n OPTIONS='-4 -u bind -t/var/lib/named'\n":   {"", "/var/lib/named"},
		"OPTIONS=\"-t /old\"\nOPTIONS=\"-u bind -c /a -n 2 -t /new": {"/a", "/new"},
		"OPTIONS=-t": {"", ""},
	} {
		if file, root := startOptions(text); file != want[0] || root != want[1] {
			t.Errorf("%q: file %q, root %q, want %q", text, file, root, want)
		}
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
	want := []state.Zone{
		{Origin: "cat.example.", Kind: "primary", File: "/srv/cat", Problem: "its file /srv/cat does not exist", Hint: "put it there, or take the zone out of named.conf; or --dns manual"},
		{Origin: "added.example.", Kind: "primary", File: "/srv/added", Problem: "its file /srv/added does not exist", Hint: "put it there, or take the zone out of named.conf; or --dns manual"},
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
