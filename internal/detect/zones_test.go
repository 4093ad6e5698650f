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

const namedConf = `options {
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
zone "dyn.example" {
	type primary;
	file "dyn";
	update-policy { grant "k" zonesub ANY; };
};
zone "upd.example" {
	type primary;
	file "upd";
	allow-update { 192.0.2.1; };
};
zone "signed.example" {
	type primary;
	file "signed";
	dnssec-policy "default";
	inline-signing yes;
};
zone "plain.example" {
	type primary;
	file "plain";
	dnssec-policy "none";
};
zone "sec.example" {
	type slave;
	file "sec";
	primaries { 192.0.2.1; };
};
zone "raw.example" {
	type primary;
	file "raw";
	masterfile-format raw;
};
zone "climb.example" {
	type primary;
	file "../climb";
};
zone "none.example" {
	type primary;
};
`

func TestZoneList(t *testing.T) {
	conf, err := parseNamedConf(namedConf)
	if err != nil {
		t.Fatal(err)
	}
	got, directory := zoneList(conf)
	want := []state.Zone{
		{Origin: "example.org.", Kind: "primary", File: "/etc/bind/db.example"},
		{Origin: "rel.example.", Kind: "primary", File: "/var/cache/bind/rel"},
		{Origin: "dyn.example.", Kind: "primary", File: "/var/cache/bind/dyn", Dynamic: true, Problem: "it takes dynamic updates: its file belongs to named"},
		{Origin: "upd.example.", Kind: "primary", File: "/var/cache/bind/upd", Dynamic: true, Problem: "it takes dynamic updates: its file belongs to named"},
		{Origin: "signed.example.", Kind: "primary", File: "/var/cache/bind/signed", Signed: true},
		{Origin: "plain.example.", Kind: "primary", File: "/var/cache/bind/plain"},
		{Origin: "sec.example.", Kind: "secondary", File: "/var/cache/bind/sec", Problem: "it is a secondary zone here: its records are made elsewhere"},
		{Origin: "raw.example.", Kind: "primary", File: "/var/cache/bind/raw", Problem: "its file is in raw format"},
		{Origin: "climb.example.", Kind: "primary", File: "/var/cache/climb"},
		{Origin: "none.example.", Kind: "primary", Problem: "it has no file"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if directory != "/var/cache/bind" {
		t.Errorf("directory %q", directory)
	}
}

func TestViews(t *testing.T) {
	conf, err := parseNamedConf(`
view "in" {
	match-clients { 10.0.0.0/8; };
	dnssec-policy default;
	zone "both.example" { type primary; file "/in/both"; };
	zone "same.example" { type primary; file "/same"; };
};
view "out" {
	allow-update { any; };
	zone "both.example" { type primary; file "/out/both"; };
	zone "same.example" { type primary; file "/same"; allow-update { none; }; };
	zone "shared.example" { in-view "in"; };
};`)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := zoneList(conf)
	contradictions(got)
	want := []state.Zone{
		{Origin: "both.example.", View: "in", Kind: "primary", File: "/in/both", Signed: true, Problem: "several views serve it, each from a file of its own"},
		{Origin: "same.example.", View: "in", Kind: "primary", File: "/same", Signed: true},
		{Origin: "both.example.", View: "out", Kind: "primary", File: "/out/both", Dynamic: true, Problem: "it takes dynamic updates: its file belongs to named"},
		{Origin: "same.example.", View: "out", Kind: "primary", File: "/same"},
		{Origin: "shared.example.", View: "out", Kind: "in-view", Problem: "it is shared from view in"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
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
		zoneList(list)
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
		Origin: "lab.example.", Kind: "primary", File: "/etc/bind/db.lab", Content: []byte(text),
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
	for _, c := range []struct {
		name  string
		place func(m *machine)
		want  string
	}{
		{"no file", func(*machine) {}, "its file /etc/bind/db.lab does not exist"},
		{"link", func(m *machine) {
			m.Put("/etc/bind/db.lab", state.Object{Kind: state.Symlink, Content: []byte("x")})
		}, "its file /etc/bind/db.lab is a symlink"},
		{"syntax", func(m *machine) {
			m.PutFile("/etc/bind/db.lab", "$TTL 60\n@ SOA ns h 1 1 1 1 1\n$INCLUDE /nowhere/mailsetup/x\n@ NONSENSE x\n")
		}, "/etc/bind/db.lab:4"},
		{"no name server", func(m *machine) {
			m.PutFile("/etc/bind/db.lab", "$TTL 60\n@ SOA ns h 1 1 1 1 1\n")
		}, "has no NS records"},
		{"signed by hand", func(m *machine) {
			m.PutFile("/etc/bind/db.lab", "$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n"+
				"ns RRSIG A 13 3 60 20300101000000 20200101000000 1 lab.example. AAAA\n")
		}, "signatures (RRSIG)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := bookworm()
			c.place(m)
			if got := loadZone(t, m); !strings.Contains(got.Problem, c.want) {
				t.Errorf("problem %q, want one with %q", got.Problem, c.want)
			}
		})
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
