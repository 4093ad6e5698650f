package detect

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

const namedConf = `acl "nobody" {
	"none";
};
acl "office" {
	!192.0.2.9;
	192.0.2.0/24;
};
options {
	directory "/var/cache/bind";
	inline-signing no;
};
key "k" {
	algorithm "hmac-sha256";
	secret "????????";
};
controls {
	inet 127.0.0.1 port 953 allow {
		"localhost";
	} keys {
		"k";
	};
};
zone "." {
	type hint;
	file "/usr/share/dns/root.hints";
};
zone "localhost" {
	type master;
	file "/etc/bind/db.local";
};
zone "10.in-addr.arpa" IN {
	type master;
	file "/etc/bind/db.empty";
};
zone "version.bind" CH {
	type master;
	file "version";
};
zone "Example.ORG" IN {
	type master;
	file "/etc/bind/db.example";
	allow-update { "none"; };
};
zone "rel.example" {
	type primary;
	file "rel";
};
zone "denied.example" {
	type primary;
	file "denied";
	allow-update { !"any"; };
};
zone "acl.example" {
	type primary;
	file "acl";
	allow-update { "nobody"; };
};
zone "dyn.example" {
	type primary;
	file "dyn";
	update-policy { grant "k" zonesub ANY; };
};
zone "upd.example" {
	type primary;
	file "upd";
	allow-update { "office"; };
};
zone "key.example" {
	type primary;
	file "key";
	allow-update { key "k"; };
};
zone "signed.example" {
	type primary;
	file "signed";
	dnssec-policy "default";
	inline-signing yes;
};
zone "policy.example" {
	type primary;
	file "policy";
	dnssec-policy "default";
};
zone "plain.example" {
	type primary;
	file "plain";
	dnssec-policy "none";
};
zone "differences.example" {
	type primary;
	file "differences";
	ixfr-from-differences yes;
};
zone "journal.example" {
	type primary;
	file "journal";
	journal "/var/lib/bind/j";
};
zone "sec.example" {
	type slave;
	file "sec";
	masters { 192.0.2.1 port 5353 key "k"; "others"; };
};
zone "lost.example" {
	type secondary;
};
zone "mirror.example" {
	type mirror;
	primaries { 192.0.2.1; };
};
zone "fwd.example" {
	type forward;
	forward only;
	forwarders { 192.0.2.3; 2001:db8::3 port 54; };
};
zone "stub.example" {
	type stub;
	primaries { 192.0.2.1; };
};
zone "sstub.example" {
	type static-stub;
	server-addresses { 192.0.2.1; };
};
zone "raw.example" {
	type primary;
	file "raw";
	masterfile-format raw;
};
zone "dlz.example" {
	type primary;
	dlz "db";
};
zone "base.example" {
	type primary;
	database "ldap x";
};
zone "climb.example" {
	type primary;
	file "../climb";
};
zone "none.example" {
	type primary;
};
zone "odd.example" {
	type hint-of-the-future;
};
`

const (
	there   = "run mailsetup there, or here with --dns manual, which prints the records"
	instead = "--dns manual prints the records instead"
	dynamic = "--dns manual prints the records for nsupdate; or make the zone static: take that option out, then rndc reconfig and rndc sync -clean"
)

func TestZoneList(t *testing.T) {
	conf, err := parseNamedConf(namedConf)
	if err != nil {
		t.Fatal(err)
	}
	want := []state.Zone{
		{Origin: "example.org.", Kind: "primary", File: "/etc/bind/db.example"},
		{Origin: "rel.example.", Kind: "primary", File: "/var/cache/bind/rel"},
		{Origin: "denied.example.", Kind: "primary", File: "/var/cache/bind/denied"},
		{Origin: "acl.example.", Kind: "primary", File: "/var/cache/bind/acl"},
		{
			Origin: "dyn.example.", Kind: "primary", File: "/var/cache/bind/dyn", Dynamic: true,
			Problem: "it takes dynamic updates (update-policy): its file belongs to named", Hint: dynamic,
		},
		{
			Origin: "upd.example.", Kind: "primary", File: "/var/cache/bind/upd", Dynamic: true,
			Problem: "it takes dynamic updates (allow-update): its file belongs to named", Hint: dynamic,
		},
		{
			Origin: "key.example.", Kind: "primary", File: "/var/cache/bind/key", Dynamic: true,
			Problem: "it takes dynamic updates (allow-update): its file belongs to named", Hint: dynamic,
		},
		{Origin: "signed.example.", Kind: "primary", File: "/var/cache/bind/signed", Signed: true},
		{Origin: "policy.example.", Kind: "primary", File: "/var/cache/bind/policy", Signed: true},
		{Origin: "plain.example.", Kind: "primary", File: "/var/cache/bind/plain"},
		{Origin: "differences.example.", Kind: "primary", File: "/var/cache/bind/differences"},
		{Origin: "journal.example.", Kind: "primary", File: "/var/cache/bind/journal"},
		{
			Origin: "sec.example.", Kind: "secondary", File: "/var/cache/bind/sec",
			Problem: "BIND is a secondary server for it here: its records are made on the primary, 192.0.2.1 or others", Hint: there,
		},
		{Origin: "lost.example.", Kind: "secondary", Problem: "BIND is a secondary server for it here: its records are made on the primary", Hint: there},
		{Origin: "mirror.example.", Kind: "mirror", Problem: "BIND keeps a mirror of it here: its records are made on the primary, 192.0.2.1", Hint: there},
		{Origin: "fwd.example.", Kind: "forward", Problem: "BIND only forwards questions about it, to 192.0.2.3 or 2001:db8::3", Hint: there},
		{Origin: "stub.example.", Kind: "stub", Problem: "BIND only knows which servers have it, 192.0.2.1 (a stub zone)", Hint: there},
		{Origin: "sstub.example.", Kind: "static-stub", Problem: "BIND only knows which servers have it, 192.0.2.1 (a static-stub zone)", Hint: there},
		{
			Origin: "raw.example.", Kind: "primary", File: "/var/cache/bind/raw", Problem: "its file /var/cache/bind/raw is in raw format (masterfile-format)",
			Hint: "write it as text: named-compilezone -f raw -F text -o /var/cache/bind/raw.txt raw.example /var/cache/bind/raw, and take the option out; or --dns manual",
		},
		{Origin: "dlz.example.", Kind: "primary", Problem: "its records come from a database", Hint: instead},
		{Origin: "base.example.", Kind: "primary", Problem: "its records come from a database", Hint: instead},
		{Origin: "climb.example.", Kind: "primary", File: "/var/cache/climb"},
		{Origin: "none.example.", Kind: "primary", Problem: "it has no file", Hint: instead},
		{Origin: "odd.example.", Kind: "hint-of-the-future", Problem: "it is a hint-of-the-future zone here: its records are made elsewhere", Hint: instead},
	}
	var got []state.Zone
	journals := map[string]state.Path{}
	list := namedConfig{statements: conf}.zones()
	for _, z := range list {
		got = append(got, z.Zone)
		journals[z.Origin] = z.journal
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for origin, want := range map[string]state.Path{
		"example.org.": "/etc/bind/db.example.jnl", "rel.example.": "/var/cache/bind/rel.jnl", "signed.example.": "",
		"differences.example.": "", "journal.example.": "/var/lib/bind/j", "sec.example.": "",
	} {
		if journals[origin] != want {
			t.Errorf("%s: a journal at %q would be in the way, want %q", origin, journals[origin], want)
		}
	}
}

func TestViews(t *testing.T) {
	conf, err := parseNamedConf(`
options { allow-update { none; }; masterfile-format raw; };
view "in" {
	match-clients { 10.0.0.0/8; };
	dnssec-policy default; masterfile-format text;
	zone "both.example" { type primary; file "/in/both"; };
	zone "same.example" { type primary; file "/same"; };
	zone "copy.example" { type secondary; primaries { 127.0.0.1; }; };
};
view "out" {
	allow-update { any; };
	zone "both.example" { type primary; file "/out/both"; allow-update { none; }; masterfile-format text; };
	zone "dyn.example" { type primary; file "/out/dyn"; };
	zone "same.example" { type primary; file "/same"; allow-update { none; }; masterfile-format text; };
	zone "shared.example" { in-view "in"; };
	zone "copy.example" { type primary; file "/out/copy"; allow-update { none; }; masterfile-format text; };
	zone "old.example" { type primary; file "/out/old"; allow-update { none; }; };
};`)
	if err != nil {
		t.Fatal(err)
	}
	list := settle(namedConfig{statements: conf}.zones())
	const twice, hint = "two views have it, each with a file of its own: /in/both (view in), /out/both (view out)", "--dns manual prints the records, to be put into each of them"
	want := []state.Zone{
		{Origin: "same.example.", View: "in", Kind: "primary", File: "/same", Signed: true},
		{Origin: "same.example.", View: "out", Kind: "primary", File: "/same"},
		{Origin: "copy.example.", View: "out", Kind: "primary", File: "/out/copy"},
		{Origin: "both.example.", View: "in", Kind: "primary", File: "/in/both", Signed: true, Problem: twice, Hint: hint},
		{
			Origin: "copy.example.", View: "in", Kind: "secondary",
			Problem: "BIND is a secondary server for it here: its records are made on the primary, 127.0.0.1", Hint: there,
		},
		{Origin: "both.example.", View: "out", Kind: "primary", File: "/out/both", Problem: twice, Hint: hint},
		{
			Origin: "dyn.example.", View: "out", Kind: "primary", File: "/out/dyn", Dynamic: true,
			Problem: "it takes dynamic updates (allow-update, inherited): its file belongs to named", Hint: dynamic,
		},
		{Origin: "shared.example.", View: "out", Kind: "in-view", Problem: "it is shared from view in", Hint: instead},
		{
			Origin: "old.example.", View: "out", Kind: "primary", File: "/out/old", Problem: "its file /out/old is in raw format (masterfile-format)",
			Hint: "write it as text: named-compilezone -f raw -F text -o /out/old.txt old.example /out/old, and take the option out; or --dns manual",
		},
	}
	var got []state.Zone
	for _, z := range list {
		got = append(got, z.Zone)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A file that several zones read is not ours to put the records of one into.
func TestSharedFiles(t *testing.T) {
	conf, err := parseNamedConf(`zone "b.example" { type primary; file "/parked"; };
zone "a.example" { type primary; file "/parked"; }; zone "c.example" { type secondary; file "/parked"; };`)
	if err != nil {
		t.Fatal(err)
	}
	list := settle(namedConfig{statements: conf}.zones())
	if got, want := list[0].Problem, "its file /parked is also that of a.example"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := list[0].Hint, "give it a file of its own: cp /parked /parked.b.example, name that in named.conf, rndc reconfig; or --dns manual"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := list[1].Problem, "its file /parked is also that of b.example"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseNamedConf(t *testing.T) {
	got, err := parseNamedConf("a \"b\\\"c;{\" d { e; f { g 1.2; }; }; # x\n// y ; {\n/* z\n } */ h{i;}j;")
	if err != nil {
		t.Fatal(err)
	}
	want := []statement{
		{words: []string{"a", `b"c;{`, "d"}, blocks: [][]statement{{
			{words: []string{"e"}},
			{words: []string{"f"}, blocks: [][]statement{{{words: []string{"g", "1.2"}}}}},
		}}},
		{words: []string{"h", "j"}, blocks: [][]statement{{{words: []string{"i"}}}}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(statement{})); diff != "" {
		t.Error(diff)
	}
	for text, part := range map[string]string{
		"a {":                   "line 1: braces do not match",
		"a;\n}":                 "line 2: braces do not match",
		"a":                     "a semicolon is missing",
		"a { b }; ":             "a semicolon is missing",
		"\"a":                   "does not end",
		"\"a\\":                 "does not end",
		"\"a\nb\";":             "does not end on its line",
		"/* a":                  "a comment does not end",
		strings.Repeat("{", 99): "nested too deep",
	} {
		if _, err := parseNamedConf(text); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("parse %.20q: %v, want an error with %q", text, err, part)
		}
	}
}

func FuzzParseNamedConf(f *testing.F) {
	for _, s := range []string{namedConf, `a "\"" { b; };`, "/* */ # x\n//", "{};", "}", "a {b {c {d;};};};"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseNamedConf(text)
		if err != nil {
			return
		}
		printed := printConf(list)
		again, err := parseNamedConf(printed)
		if err != nil {
			t.Fatalf("%q was printed as %q: %v", text, printed, err)
		}
		if got := printConf(again); got != printed {
			t.Errorf("%q: %q read back as %q", text, printed, got)
		}
		settle(namedConfig{statements: list}.zones())
	})
}

// printConf writes statements out with every word quoted, blocks last.
func printConf(list []statement) string {
	var b strings.Builder
	for _, s := range list {
		for _, w := range s.words {
			b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", "\\\n").Replace(w) + `" `)
		}
		for _, block := range s.blocks {
			b.WriteString("{" + printConf(block) + "}")
		}
		b.WriteString(";")
	}
	return b.String()
}

func TestWithoutWarnings(t *testing.T) {
	in := "/etc/bind/named.conf.options:12: option 'x' is deprecated\nnamed.conf:3: dup\nzone \"a:3: b\" {\n\tfile \"x\";\n\tlisten 2001:db8::1;\n};\n"
	want := "zone \"a:3: b\" {\n\tfile \"x\";\n\tlisten 2001:db8::1;\n};\n"
	if got := withoutWarnings(in); got != want {
		t.Errorf("got %q", got)
	}
}

func TestAbove(t *testing.T) {
	names := []string{"mail.Example.org", "other.example."}
	for origin, want := range map[string]bool{
		"example.org.": true, "mail.example.org.": true, "org.": true, ".": true, "other.example.": true,
		"ple.org.": false, "www.example.org.": false, "example.net.": false,
	} {
		if got := above(origin, names); got != want {
			t.Errorf("above(%s) = %v", origin, got)
		}
	}
}

func TestZonesThatCannotBeListed(t *testing.T) {
	bad := bookworm()
	bad.answers["named-checkconf -px"] = system.Result{Code: 1, Stdout: []byte("/etc/bind/named.conf.local:3: unknown option 'zne'\n")}
	odd := bookworm()
	odd.says("named-checkconf -px", "zone \"a\" {\n")
	missing := bookworm()
	delete(missing.answers, "named-checkconf -px")
	for part, m := range map[string]*machine{
		"named-checkconf: /etc/bind/named.conf.local:3: unknown option 'zne'": bad,
		"named.conf line 2: braces do not match":                              odd,
		"named-checkconf could not be run":                                    missing,
	} {
		f := state.Facts{Installed: map[string]bool{"bind9": true}}
		if err := zones(t.Context(), m, Options{}, &f); err != nil {
			t.Fatal(err)
		}
		if len(f.Zones) != 1 || f.Zones[0].Origin != "." || !strings.Contains(f.Zones[0].Problem, part) {
			t.Errorf("zones %+v, want a problem with %q", f.Zones, part)
		}
	}
}

// realBIND answers named-checkzone with BIND's own.
type realBIND struct{ *machine }

func (r realBIND) Run(ctx context.Context, c system.Command) (system.Result, error) {
	if c.Argv[0] == "named-checkzone" {
		return system.NewRunner().Run(ctx, c)
	}
	return r.machine.Run(ctx, c)
}

func loadZone(t *testing.T, m *machine) state.Zone {
	t.Helper()
	if _, err := exec.LookPath("named-checkzone"); err != nil {
		t.Skip("named-checkzone is not installed (package bind9-utils)")
	}
	m.says("named-checkconf -px", "options {\n\tdirectory \"/\";\n};\nzone \"lab.example\" {\n\ttype primary;\n\tfile \"/etc/bind/db.lab\";\n};\n")
	f := state.Facts{Installed: map[string]bool{"bind9": true}}
	o := Options{Origins: []string{"mail.lab.example"}, Fragments: "/nowhere/mailsetup"}
	if err := zones(t.Context(), realBIND{m}, o, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Zones) != 1 {
		t.Fatalf("zones %v", f.Zones)
	}
	return f.Zones[0]
}

func TestZoneRecords(t *testing.T) {
	m := bookworm()
	text := "$TTL 3600\n@ IN SOA ns h 7 3600 600 86400 60\n@ NS ns\nns A 192.0.2.1\n" +
		"$INCLUDE \"/nowhere/mailsetup/lab.example.zone\" lab.example. ; 1a2b\n" +
		"@ 60 TXT \"v=spf1 mx \" \"\\\"q\\\" -all\"\n@ MX 10 Mail\nwww CNAME ns"
	m.PutFile("/etc/bind/db.lab", text)
	got := loadZone(t, m)
	want := state.Zone{
		Origin: "lab.example.", Kind: "primary", File: "/etc/bind/db.lab", Content: []byte(text), Dir: "/",
		Records: []state.Record{
			{Name: "lab.example.", Type: "SOA", TTL: 3600, Value: "ns.lab.example. h.lab.example. 7 3600 600 86400 60"},
			{Name: "lab.example.", Type: "NS", TTL: 3600, Value: "ns.lab.example."},
			{Name: "lab.example.", Type: "MX", TTL: 3600, Value: "10 mail.lab.example."},
			{Name: "lab.example.", Type: "TXT", TTL: 60, Value: `v=spf1 mx "q" -all`},
			{Name: "ns.lab.example.", Type: "A", TTL: 3600, Value: "192.0.2.1"},
			{Name: "www.lab.example.", Type: "CNAME", TTL: 3600, Value: "ns.lab.example."},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestZoneProblems(t *testing.T) {
	const plain = "$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n"
	for _, c := range []struct {
		name  string
		place func(m *machine)
		want  string
		hint  string
	}{
		{"no file", func(*machine) {}, "its file /etc/bind/db.lab does not exist", "put it there"},
		{"a link to nothing", func(m *machine) {
			m.Put("/etc/bind/db.lab", state.Object{Kind: state.Symlink, Content: []byte("x")})
		}, "its file /etc/bind/x does not exist", "put it there"},
		{"a link to itself", func(m *machine) {
			m.Put("/etc/bind/db.lab", state.Object{Kind: state.Symlink, Content: []byte("db.lab")})
		}, "its file /etc/bind/db.lab is a symlink", "--dns manual"},
		{"syntax", func(m *machine) {
			m.PutFile("/etc/bind/db.lab", "$TTL 60\n@ SOA ns h 1 1 1 1 1\n$INCLUDE /nowhere/mailsetup/x\n@ NONSENSE x\n")
		}, "/etc/bind/db.lab:4", "named-checkzone"},
		{"no name server", func(m *machine) {
			m.PutFile("/etc/bind/db.lab", "$TTL 60\n@ SOA ns h 1 1 1 1 1\n")
		}, "has no NS records", "mend the file"},
		{"signed by hand", func(m *machine) {
			m.PutFile("/etc/bind/db.lab", plain+"ns RRSIG A 13 3 60 20300101000000 20200101000000 1 lab.example. AAAA\n")
		}, "signatures (RRSIG)", "sign anew"},
		{"once dynamic", func(m *machine) {
			m.PutFile("/etc/bind/db.lab", plain)
			m.PutFile("/etc/bind/db.lab.jnl", ";BIND LOG V9.2\n")
		}, "/etc/bind/db.lab.jnl is left of dynamic updates", "rndc sync -clean lab.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := bookworm()
			c.place(m)
			if got := loadZone(t, m); !strings.Contains(got.Problem, c.want) || !strings.Contains(got.Hint, c.hint) {
				t.Errorf("problem %q, hint %q, want %q and %q", got.Problem, got.Hint, c.want, c.hint)
			}
		})
	}
}

func TestZoneBehindALink(t *testing.T) {
	m := bookworm()
	m.PutFile("/srv/dns/lab", "$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n")
	m.Put("/etc/bind/db.lab", state.Object{Kind: state.Symlink, Content: []byte("../../srv/dns/lab")})
	if got := loadZone(t, m); got.File != "/srv/dns/lab" || got.Problem != "" || len(got.Records) != 3 {
		t.Errorf("got %+v, want the file behind the link", got)
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
	m := bookworm()
	m.PutFile("/etc/default/named", "OPTIONS=\"-u bind -c /srv/named.conf\"\n")
	m.says("named-checkconf -px /srv/named.conf", "zone \"srv.example\" { type primary; file \"/x\"; };")
	f := state.Facts{Installed: map[string]bool{"bind9": true}}
	if err := zones(t.Context(), m, Options{}, &f); err != nil || len(f.Zones) != 1 || f.Zones[0].Origin != "srv.example." {
		t.Errorf("zones %+v, %v", f.Zones, err)
	}
	m.PutFile("/etc/default/named", "OPTIONS=\"-u bind -t /srv\"\n")
	f.Zones = nil
	if err := zones(t.Context(), m, Options{}, &f); err != nil || len(f.Zones) != 1 ||
		f.Zones[0].Problem != "named runs in a directory of its own (-t /srv in /etc/default/named), where paths are not those of this machine" {
		t.Errorf("zones %+v, %v", f.Zones, err)
	}
}

// Zones that named took on while it runs are not in its configuration.
func TestAddedZones(t *testing.T) {
	m := bookworm()
	m.says("named-checkconf -px", `options { directory "/srv"; allow-new-zones yes; catalog-zones { zone "cat.example" { }; }; };
zone "cat.example" { type primary; file "cat"; };`)
	m.answers["rndc"] = system.Result{Code: 1, Stderr: []byte("rndc: 'zonestatus' failed: not found\n")}
	m.says("rndc showzone added.example", `zone "added.example" { type primary; file "added"; };`)
	m.answers["rndc zonestatus member.example"] = system.Result{Code: 1, Stderr: []byte("rndc: 'zonestatus' failed: zone not loaded\n")}
	m.says("rndc zonestatus loaded.example", "name: loaded.example\ntype: secondary\n")
	f := state.Facts{Installed: map[string]bool{"bind9": true}}
	o := Options{Origins: []string{"mail.Added.example.", "member.example", "sub.loaded.example", "other.example", "cat.example"}}
	if err := zones(t.Context(), m, o, &f); err != nil {
		t.Fatal(err)
	}
	const catalog = "BIND has it from a catalog zone and is a secondary server for it: its records are made on the primary"
	want := []state.Zone{
		{Origin: "cat.example.", Kind: "primary", File: "/srv/cat", Problem: "its file /srv/cat does not exist", Hint: "put it there, or take the zone out of named.conf; or --dns manual"},
		{Origin: "added.example.", Kind: "primary", File: "/srv/added", Problem: "its file /srv/added does not exist", Hint: "put it there, or take the zone out of named.conf; or --dns manual"},
		{Origin: "member.example.", Kind: "secondary", Problem: catalog, Hint: there},
		{Origin: "loaded.example.", Kind: "secondary", Problem: catalog, Hint: there},
	}
	if diff := cmp.Diff(want, f.Zones); diff != "" {
		t.Error(diff)
	}
}

// A zone made on request has its name server's address in our fragment, and
// does not load without it.
func TestZoneThatNeedsOurFragment(t *testing.T) {
	m := bookworm()
	m.PutFile("/etc/bind/db.lab", "$TTL 60\n@ SOA mail h 1 1 1 1 1\n@ NS mail\n$INCLUDE \"/nowhere/mailsetup/lab.zone\" lab.example.\n")
	m.PutFile("/nowhere/mailsetup/lab.zone", "mail.lab.example. 300 IN A 192.0.2.1\n")
	m.says("named-checkconf -px", "zone \"lab.example\" {\n\ttype primary;\n\tfile \"/etc/bind/db.lab\";\n};\n")
	whole := "lab.example. 60 IN SOA mail.lab.example. h.lab.example. 1 1 1 1 1\nlab.example. 60 IN NS mail.lab.example.\nmail.lab.example. 300 IN A 192.0.2.1\n"
	f := state.Facts{Installed: map[string]bool{"bind9": true}}
	o := Options{Origins: []string{"lab.example"}, Fragments: "/nowhere/mailsetup"}
	if err := zones(t.Context(), picky{m, whole}, o, &f); err != nil {
		t.Fatal(err)
	}
	want := []state.Record{
		{Name: "lab.example.", Type: "SOA", TTL: 60, Value: "mail.lab.example. h.lab.example. 1 1 1 1 1"},
		{Name: "lab.example.", Type: "NS", TTL: 60, Value: "mail.lab.example."},
	}
	if diff := cmp.Diff(want, f.Zones[0].Records); diff != "" || f.Zones[0].Problem != "" {
		t.Errorf("problem %q\n%s", f.Zones[0].Problem, diff)
	}
}

// picky loads a zone only with its include.
type picky struct {
	*machine
	whole string
}

func (p picky) Run(ctx context.Context, c system.Command) (system.Result, error) {
	if c.Argv[0] != "named-checkzone" {
		return p.machine.Run(ctx, c)
	}
	if strings.Contains(string(c.Stdin), "$INCLUDE") {
		return system.Result{Stdout: []byte(p.whole)}, nil
	}
	return system.Result{Code: 1, Stderr: []byte("zone lab.example/IN: NS 'mail.lab.example' has no address records (A or AAAA)\n")}, nil
}
