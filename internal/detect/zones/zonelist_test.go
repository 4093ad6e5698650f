package zones

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/namedconf"
	"mailsetup/internal/state"
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
	newOne  = "make a key: (umask 027; set -C; tsig-keygen mailsetup >/etc/bind/mailsetup.key) && install -m 600 /etc/bind/mailsetup.key /root/mailsetup.key\nput include \"/etc/bind/mailsetup.key\"; into named.conf.local, and "
	thenIt  = "\nthen --dns rfc2136 --rfc2136-server 127.0.0.1 --rfc2136-key /root/mailsetup.key; or --dns manual"
	dynamic = newOne + "key mailsetup; into the zone's allow-update" + thenIt
	grants  = newOne + "grant mailsetup zonesub A AAAA MX TXT; into the zone's update-policy" + thenIt
)

func TestZoneList(t *testing.T) {
	conf, err := namedconf.Parse(namedConf)
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
			Problem: "it takes dynamic updates (update-policy): its file belongs to named", Hint: grants,
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
	list := newConfig(conf).zones()
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
	conf, err := namedconf.Parse(`
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
	list := markConflicts(newConfig(conf).zones())
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
	conf, err := namedconf.Parse(`zone "b.example" { type primary; file "/parked"; };
zone "a.example" { type primary; file "/parked"; }; zone "c.example" { type secondary; file "/parked"; };`)
	if err != nil {
		t.Fatal(err)
	}
	list := markConflicts(newConfig(conf).zones())
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

// Where named has a key of its own for updates, that one is named.
func TestUpdatePolicyLocal(t *testing.T) {
	conf, err := namedconf.Parse(`zone "example.org" { type primary; file "/var/lib/bind/db"; update-policy local; };`)
	if err != nil {
		t.Fatal(err)
	}
	const want = "--dns rfc2136 --rfc2136-server 127.0.0.1 --rfc2136-key /run/named/session.key updates it; or --dns manual"
	if z := newConfig(conf).zones(); len(z) != 1 || z[0].Hint != want {
		t.Errorf("%+v, want the hint %s", z, want)
	}
}
