package zones

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/zonefile"
)

// realBIND answers named-checkzone with BIND's own.
type realBIND struct{ *detecttest.Machine }

func (r realBIND) Run(ctx context.Context, c system.Command) (system.Result, error) {
	if c.Argv[0] == "named-checkzone" {
		return system.NewHost(system.Options{}).Run(ctx, c)
	}
	return r.Machine.Run(ctx, c)
}

func loadZone(t *testing.T, m *detecttest.Machine) state.Zone {
	t.Helper()
	if _, err := exec.LookPath("named-checkzone"); err != nil {
		t.Skip("named-checkzone is not installed (package bind9-utils)")
	}
	m.Says("named-checkconf -px", "options {\n\tdirectory \"/\";\n};\nzone \"lab.example\" {\n\ttype primary;\n\tfile \"/etc/bind/db.lab\";\n};\n")
	f := state.Facts{Installed: map[string]bool{"bind9": true}}
	o := source.Options{Origins: []string{"mail.lab.example"}, Fragments: "/nowhere/mailsetup"}
	if err := Find(t.Context(), realBIND{m}, o, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Zones) != 1 {
		t.Fatalf("zones %v", f.Zones)
	}
	return f.Zones[0]
}

func TestZoneRecords(t *testing.T) {
	m := detecttest.Bookworm()
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
		place func(m *detecttest.Machine)
		want  string
		hint  string
	}{
		{"no file", func(*detecttest.Machine) {}, "its file /etc/bind/db.lab does not exist", "put it there"},
		{"a link to nothing", func(m *detecttest.Machine) {
			m.Put("/etc/bind/db.lab", state.Object{Kind: state.Symlink, Content: []byte("x")})
		}, "its file /etc/bind/x does not exist", "put it there"},
		{"a link to itself", func(m *detecttest.Machine) {
			m.Put("/etc/bind/db.lab", state.Object{Kind: state.Symlink, Content: []byte("db.lab")})
		}, "its file /etc/bind/db.lab is a symlink", "--dns manual"},
		{"syntax", func(m *detecttest.Machine) {
			m.PutFile("/etc/bind/db.lab", "$TTL 60\n@ SOA ns h 1 1 1 1 1\n$INCLUDE /nowhere/mailsetup/x\n@ NONSENSE x\n")
		}, "/etc/bind/db.lab:4", "named-checkzone"},
		{"no name server", func(m *detecttest.Machine) {
			m.PutFile("/etc/bind/db.lab", "$TTL 60\n@ SOA ns h 1 1 1 1 1\n")
		}, "has no NS records", "mend the file"},
		{"signed by hand", func(m *detecttest.Machine) {
			m.PutFile("/etc/bind/db.lab", plain+"ns RRSIG A 13 3 60 20300101000000 20200101000000 1 lab.example. AAAA\n")
		}, "signatures (RRSIG)", "sign anew"},
		{"SOA in another file", func(m *detecttest.Machine) {
			soa := filepath.Join(t.TempDir(), "soa")
			if err := os.WriteFile(soa, []byte("@ SOA ns h 1 1 1 1 1\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			m.PutFile("/etc/bind/db.lab", "$TTL 60\n$INCLUDE "+soa+"\n@ NS ns\nns A 192.0.2.1\n")
		}, "its file /etc/bind/db.lab has no serial that could be raised: no SOA record here: it may be in", "put the SOA record into that file"},
		{"once dynamic", func(m *detecttest.Machine) {
			m.PutFile("/etc/bind/db.lab", plain)
			m.PutFile("/etc/bind/db.lab.jnl", ";BIND LOG V9.2\n")
		}, "/etc/bind/db.lab.jnl is left of dynamic updates", "rndc sync -clean lab.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := detecttest.Bookworm()
			c.place(m)
			if got := loadZone(t, m); !strings.Contains(got.Problem, c.want) || !strings.Contains(got.Hint, c.hint) {
				t.Errorf("problem %q, hint %q, want %q and %q", got.Problem, got.Hint, c.want, c.hint)
			}
		})
	}
}

func TestZoneBehindALink(t *testing.T) {
	m := detecttest.Bookworm()
	m.PutFile("/srv/dns/lab", "$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n")
	m.Put("/etc/bind/db.lab", state.Object{Kind: state.Symlink, Content: []byte("../../srv/dns/lab")})
	if got := loadZone(t, m); got.File != "/srv/dns/lab" || got.Problem != "" || len(got.Records) != 3 {
		t.Errorf("got %+v, want the file behind the link", got)
	}
}

// A zone made on request has its name server's address in our fragment, and
// does not load without it.
func TestZoneThatNeedsOurFragment(t *testing.T) {
	m := detecttest.Bookworm()
	m.PutFile("/etc/bind/db.lab", "$TTL 60\n@ SOA mail h 1 1 1 1 1\n@ NS mail\n$INCLUDE \"/nowhere/mailsetup/lab.zone\" lab.example.\n")
	m.PutFile("/nowhere/mailsetup/lab.zone", "mail.lab.example. 300 IN A 192.0.2.1\n")
	m.Says("named-checkconf -px", "zone \"lab.example\" {\n\ttype primary;\n\tfile \"/etc/bind/db.lab\";\n};\n")
	whole := "lab.example. 60 IN SOA mail.lab.example. h.lab.example. 1 1 1 1 1\nlab.example. 60 IN NS mail.lab.example.\nmail.lab.example. 300 IN A 192.0.2.1\n"
	f := state.Facts{Installed: map[string]bool{"bind9": true}}
	o := source.Options{Origins: []string{"lab.example"}, Fragments: "/nowhere/mailsetup"}
	if err := Find(t.Context(), picky{m, whole}, o, &f); err != nil {
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
	*detecttest.Machine
	whole string
}

func (p picky) Run(ctx context.Context, c system.Command) (system.Result, error) {
	if c.Argv[0] != "named-checkzone" {
		return p.Machine.Run(ctx, c)
	}
	if strings.Contains(string(c.Stdin), "$INCLUDE") {
		return system.Result{Stdout: []byte(p.whole)}, nil
	}
	return system.Result{Code: 1, Stderr: []byte("zone lab.example/IN: NS 'mail.lab.example' has no address records (A or AAAA)\n")}, nil
}

// A zone that somebody rewrote without our line is known by the fragment that is
// still there.
func TestZoneThatDroppedOurFragment(t *testing.T) {
	const plain = "$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n"
	m := detecttest.Bookworm()
	m.PutFile("/etc/bind/db.lab", plain)
	m.PutFile("/nowhere/mailsetup/lab.example.zone", "_dmarc.lab.example. 300 IN TXT \"v=DMARC1; p=none\"\n")
	got := loadZone(t, m)
	want := []state.Record{{Name: "_dmarc.lab.example.", Type: "TXT", TTL: 300, Value: "v=DMARC1; p=none"}}
	if diff := cmp.Diff(want, got.OurRecords); diff != "" || !got.IncludeLost || len(got.Records) != 3 || got.Problem != "" {
		t.Errorf("%+v\n%s", got, diff)
	}
	m.PutFile("/nowhere/mailsetup/lab.example.zone", "no ( record\n")
	if got := loadZone(t, m); !got.IncludeLost || got.Problem != "" {
		t.Errorf("a fragment that nobody reads: %+v", got)
	}
	m.PutFile("/etc/bind/db.lab", plain+"$INCLUDE \"/nowhere/mailsetup/lab.example.zone\" lab.example.\n")
	if got := loadZone(t, m); got.IncludeLost {
		t.Error("taken in, and said to be dropped")
	}
}

// What our fragment has as copies of wildcards is told from the rest.
func TestCopiesInFragment(t *testing.T) {
	m := detecttest.Bookworm()
	m.PutFile("/etc/bind/db.lab", "$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n* A 192.0.2.80\n$INCLUDE \"/nowhere/mailsetup/lab.zone\" lab.example.\n")
	m.PutFile("/nowhere/mailsetup/lab.zone", "; SPF: who may send mail\nshop.lab.example. 300 IN TXT \"v=spf1 -all\"\n\n"+
		"; Copies of wildcard records of this zone, which no longer count for these names\n*.shop.lab.example. 60 IN A 192.0.2.80\n")
	z := loadZone(t, m)
	text := state.Record{Name: "shop.lab.example.", Type: "TXT", TTL: 300, Value: "v=spf1 -all"}
	copied := state.Record{Name: "*.shop.lab.example.", Type: "A", TTL: 60, Value: "192.0.2.80"}
	if diff := cmp.Diff([][]state.Record{{text, copied}, {copied}}, [][]state.Record{z.OurRecords, z.Copies}); diff != "" {
		t.Error(diff)
	}
}

const plainHead = "$TTL 1h\n@ SOA ns.x. h 7 3600 600 1d 60\n@ NS ns.x.\n"

// noBIND fails a test in which a program is run.
type noBIND struct {
	*detecttest.Machine
	t *testing.T
}

func (r noBIND) Run(context.Context, system.Command) (system.Result, error) {
	r.t.Error("a program reads the zone")
	return system.Result{}, nil
}

// What is usual in a zone needs no process to be read, and gives what BIND's own makes
// of it, in the same order.
func TestPlainZonesAreReadWithoutAProcess(t *testing.T) {
	const text = "; a comment (\n" + plainHead + `www	60 IN A 192.0.2.2
	60	A 192.0.2.1
	IN	TXT	"q; (x)" "two"
www AAAA 2001:DB8::1 ; (
@ MX 20 b
@ MX 10 C.lab.example.
b.c.lab.example. CNAME @
*.c 1d TXT ( "a"
   ) ; end
_x._Tcp TXT "b"
9 A 192.0.2.9
`
	want := []state.Record{
		{Name: "lab.example.", Type: "SOA", TTL: 3600, Value: "ns.x. h.lab.example. 7 3600 600 86400 60"},
		{Name: "lab.example.", Type: "NS", TTL: 3600, Value: "ns.x."},
		{Name: "lab.example.", Type: "MX", TTL: 3600, Value: "10 c.lab.example."},
		{Name: "lab.example.", Type: "MX", TTL: 3600, Value: "20 b.lab.example."},
		{Name: "9.lab.example.", Type: "A", TTL: 3600, Value: "192.0.2.9"},
		{Name: "_x._tcp.lab.example.", Type: "TXT", TTL: 3600, Value: "b"},
		{Name: "*.c.lab.example.", Type: "TXT", TTL: 86400, Value: "a"},
		{Name: "b.c.lab.example.", Type: "CNAME", TTL: 3600, Value: "lab.example."},
		{Name: "www.lab.example.", Type: "A", TTL: 60, Value: "192.0.2.1"},
		{Name: "www.lab.example.", Type: "A", TTL: 60, Value: "192.0.2.2"},
		{Name: "www.lab.example.", Type: "TXT", TTL: 3600, Value: "q; (x)two"},
		{Name: "www.lab.example.", Type: "AAAA", TTL: 3600, Value: "2001:db8::1"},
	}
	zone := state.Zone{Origin: "lab.example.", Content: []byte(text)}
	got, problem, err := dumpZone(t.Context(), noBIND{detecttest.Bookworm(), t}, "/", zone, string(zone.Content))
	if err != nil || problem != "" {
		t.Fatal(problem, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := exec.LookPath("named-checkzone"); err != nil {
		t.Skip("named-checkzone is not installed (package bind9-utils)")
	}
	// An escape has BIND read the same zone.
	by, problem, err := dumpZone(t.Context(), realBIND{detecttest.Bookworm()}, "/", zone, string(zone.Content)+"; \\\n")
	if diff := cmp.Diff(want, by); diff != "" || problem != "" || err != nil {
		t.Error(problem, err, diff)
	}
}

// What is unusual, or what BIND may refuse, is BIND's to judge.
func TestZonesThatAreNotPlain(t *testing.T) {
	if _, ok := plainRecords(plainHead, "lab.example."); !ok {
		t.Error("the plain zone")
	}
	ours, err := zonefile.Apply(state.ZoneEdit{Path: "/etc/bind/x", Origin: "lab.example.", Include: "/y/lab.example.zone", Stamp: "01234567", New: &state.NewZone{NS: []string{"ns.x."}, Hostmaster: "h.x.", TTL: 60}}, nil)
	text, _ := withoutIncludes(string(ours), "/y")
	if list, ok := plainRecords(text, "lab.example."); err != nil || !ok || len(list) != 2 {
		t.Errorf("a zone that mailsetup makes: %v, %v\n%s", list, err, ours)
	}
	for _, text := range []string{
		"", "@ NS ns.x.\n", "$TTL 60\n@ SOA ns.x. h 7 1 1 1 1\n", "$TTL 60\n@ NS ns.x.\n@ SOA ns.x. h 7 1 1 1 1\n", "@ SOA ns.x. h 7 1 1 1 1\n@ NS ns.x.\n",
		"$TTL 60\na SOA ns.x. h 7 1 1 1 1\n@ NS ns.x.\n", "$TTL 60\n@ SOA ns.x. h 4294967296 1 1 1 1\n@ NS ns.x.\n",
		"$TTL 60\n@ SOA ns h 7 1 1 1 1\n@ NS ns\n",
		plainHead + "$TTL 60\n", plainHead + "$ORIGIN a\n", plainHead + "$INCLUDE \"x\"\n", plainHead + "$GENERATE 1-2 a A 192.0.2.$\n",
		plainHead + "a\\.b A 192.0.2.1\n", plainHead + "a TXT \"x\\\"\"\n", plainHead + "\xe4 A 192.0.2.1\n", plainHead + "a A 192.0.2.1\r\n",
		plainHead + "a TXT unquoted\n", plainHead + "a TXT \"open\n", plainHead + "a TXT x\"y\"\n", plainHead + "a TXT \"x\"y\n", plainHead + "a TXT\n",
		plainHead + "a TXT \"" + strings.Repeat("y", 256) + "\"\n",
		plainHead + "a A 192.0.2.300\n", plainHead + "a A 192.0.2.01\n", plainHead + "a A 2001:db8::1\n", plainHead + "a AAAA 192.0.2.1\n", plainHead + "a AAAA ::ffff:192.0.2.1\n", plainHead + "a A 192.0.2.1 x\n",
		plainHead + "a MX mail\n", plainHead + "a MX 65536 mail\n", plainHead + "a MX 10 *.b\n", plainHead + "a SRV 0 0 25 mail\n", plainHead + "a TYPE99 \\# 0\n", plainHead + "a\n", plainHead + "a IN\n",
		plainHead + "a IN 60 A 192.0.2.1\n", plainHead + "a CH A 192.0.2.1\n", plainHead + "a 1h30m A 192.0.2.1\n", plainHead + "a 9999999999 A 192.0.2.1\n",
		plainHead + "x. A 192.0.2.1\n", plainHead + "a.*.b A 192.0.2.1\n", plainHead + "-a A 192.0.2.1\n", plainHead + "a..b A 192.0.2.1\n", plainHead + strings.Repeat("y", 64) + " A 192.0.2.1\n",
		plainHead + "a A 192.0.2.1\na A 192.0.2.1\n", plainHead + "a A 192.0.2.1\na 60 A 192.0.2.2\n", plainHead + "a CNAME b\na A 192.0.2.1\n", plainHead + "a CNAME b\na CNAME c\n", plainHead + "@ CNAME b\n",
		plainHead + "a NS ns.x.\n", plainHead + "*  NS ns.x.\n", plainHead + "@ SOA ns.x. h 8 1 1 1 1\n", plainHead + "@ NS ns2\n",
		plainHead + "a A ( 192.0.2.1\n", plainHead + "a A 192.0.2.1 )\n", plainHead + "( a A 192.0.2.1 )\n", plainHead + "a A (( 192.0.2.1 ))\n",
		plainHead + strings.Repeat("; a comment\n", 6000),
	} {
		if got, ok := plainRecords(text, "lab.example."); ok {
			t.Errorf("%q is taken for plain: %v", text, got)
		}
	}
}
