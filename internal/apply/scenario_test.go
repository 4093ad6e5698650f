package apply_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/apply"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
	"mailsetup/zonefile"
)

const zonePath state.Path = "/etc/bind/db.example.org"

const dropIn state.Path = "/etc/systemd/system/opendkim.service.d/override.conf"

// goneKey is a key that nothing needs any more, alone in its directory.
const goneKey state.Path = "/etc/old/gone.example/202610.private"

const zoneText = `$TTL 3600
@ IN SOA ns1.example.org. hostmaster.example.org. 2026112201 7200 3600 1209600 300
@ IN NS ns1.example.org.
ns1 IN A 192.0.2.1
`

var (
	dkim = state.Owner{User: "opendkim", Group: "opendkim"}
	spam = state.Owner{User: "opendkim", Group: "postfix"}
)

// machine is a server with Postfix, OpenDKIM and BIND as someone left it.
func machine() *systemtest.Mem {
	m := systemtest.NewMem()
	dir := func(p state.Path) { m.Put(p, state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root}) }
	dir("/etc/keys")
	dir("/var/lib")
	dir("/etc/opendkim")
	dir("/var/spool/postfix")
	dir("/etc/old")
	m.Put("/etc/old/gone.example", state.Object{Kind: state.Directory, Mode: 0o700, Owner: dkim})
	m.Put(goneKey, state.Object{Kind: state.Regular, Mode: 0o600, Owner: dkim, Content: []byte("-----BEGIN RSA PRIVATE KEY-----\nMIJ=\n")})
	m.PutFile("/etc/main.cf", "# by hand\nmyhostname = mail.example.org\nmilters =\n")
	m.PutFile("/etc/opendkim.conf", "Mode v\n")
	m.PutFile("/etc/opendkim/old", "left over\n")
	m.PutFile("/etc/aliases", "postmaster: root\n")
	m.Put("/etc/aliases.db", state.Object{Kind: state.Regular, Mode: 0o640, Owner: spam, Content: []byte("db of something")})
	m.PutFile(zonePath, zoneText)
	m.Zone("example.net.", policyThere)
	m.PutFile(dropIn, "[Service]\nLimitNOFILE=9999\nExecStart=\nExecStart=/usr/sbin/opendkim -p inet:8891\n")
	m.Unit("opendkim.service", "/etc/opendkim.conf", "/etc/opendkim/", "/etc/keys/")
	m.Defines("opendkim.service", dropIn)
	m.Unit("named.service", "/etc/bind/")
	m.Unit("postfix.service", "/etc/main.cf", "/etc/aliases.db")
	m.Unit("idle.service", "/etc/opendkim.conf")
	m.Inactive("idle.service")
	m.OnRun = func(system.Command) (system.Result, error) {
		o, err := m.Read("/etc/aliases")
		m.PutFile("/etc/aliases.db", "db of "+string(o.Content))
		return system.Result{}, err
	}
	m.OnProbe = func(p state.Probe) error {
		if p.Kind == state.ProbeMilter { // the daemon has made its socket
			m.Put(state.Path(p.Address), state.Object{Kind: state.Special, Mode: 0o770, Owner: spam})
		}
		return nil
	}
	return m
}

// policyThere is what the zone example.net has, on a primary elsewhere.
var policyThere = state.Record{Name: "_dmarc.example.net.", Type: "TXT", TTL: 60, Value: "v=DMARC1; p=none"}

// updates are what it gets, and how a second zone does.
func updates() []state.Update {
	policy, key := policyThere, policyThere
	policy.Value = "v=DMARC1; p=reject"
	key.Name, key.Value = "s._domainkey.example.net.", "v=DKIM1; p="
	return []state.Update{{
		Origin: "example.net.", Server: "192.0.2.53:53", KeyFile: "/etc/update.key",
		Add: []state.Record{key, policy}, Remove: []state.Record{policyThere}, Expected: []state.Record{policyThere},
	}}
}

// wanted is a state that needs every kind of change, one path in two stages.
func wanted() state.State {
	fragment := state.Path("/etc/bind/mailsetup/example.org.zone")
	socket := state.Path("/var/spool/postfix/opendkim")
	return state.State{Stages: []state.Stage{{
		Name: "Keys",
		Dirs: []state.Dir{
			{Path: "/etc/keys", Mode: 0o700, Owner: dkim},
			{Path: "/etc/keys/example.org", Mode: 0o700, Owner: dkim},
		},
		Files: []state.File{{
			Path: "/etc/keys/example.org/202611.private", Mode: 0o600, Owner: dkim, Secret: true,
			Content: []byte("-----BEGIN RSA PRIVATE KEY-----\nMII=\n"),
		}},
	}, {
		Name:  "DNS",
		Dirs:  []state.Dir{{Path: fragment.Dir(), Mode: 0o755, Owner: state.Root}},
		Files: []state.File{{Path: fragment, Mode: 0o644, Owner: state.Root, Content: []byte("example.org. 3600 IN TXT \"v=spf1 -all\"\n")}},
		Edits: []state.Edit{state.ZoneEdit{
			Path: zonePath, Origin: "example.org.", Include: fragment, Stamp: "abc",
			Now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
		}},
		Updates: updates(),
		Units: []state.Unit{{Name: "named.service", Action: state.Reload, Probes: []state.Probe{
			{Kind: state.ProbeActive, Unit: "named.service"}, {Kind: state.ProbeServed, Origin: "example.org."},
		}}},
	}, {
		Name:  "Postfix careful",
		Edits: []state.Edit{state.PostfixEdit{Path: "/etc/main.cf", Set: []state.Setting{{Name: "milters", Value: "tempfail"}}}},
		Units: []state.Unit{{Name: "postfix.service", Action: state.Reload, Probes: []state.Probe{
			{Kind: state.ProbeSessions, Address: "/etc/main.cf"},
		}}},
	}, {
		Name: "OpenDKIM",
		Dirs: []state.Dir{{Path: socket, Mode: fs.ModeSetgid | 0o750, Owner: spam}},
		Files: []state.File{
			{Path: "/etc/opendkim.conf", Mode: 0o640, Owner: dkim, Content: []byte("Mode sv\n")},
			{Path: "/etc/opendkim/KeyTable", Mode: 0o644, Owner: state.Root, Content: []byte("k example.org:202611:/etc/keys\n")},
		},
		Remove:     []state.Path{"/etc/opendkim/old"},
		Edits:      []state.Edit{state.UnitEdit{Path: dropIn, Drop: []string{"ExecStart"}}},
		Validators: []state.Validator{{Name: "opendkim -n"}},
		Units: []state.Unit{
			{Name: "opendkim.service", Action: state.Restart, NeedsDaemonReload: true, Probes: []state.Probe{
				{Kind: state.ProbeActive, Unit: "opendkim.service"},
				{Kind: state.ProbeMilter, Address: string(socket.Join("opendkim.sock"))},
			}},
			{Name: "idle.service", Action: state.Reload},
		},
	}, {
		Name:    "Aliases",
		Edits:   []state.Edit{state.AliasEdit{Path: "/etc/aliases", Set: []state.Setting{{Name: "root", Value: "admin@example.org"}}}},
		Derived: []state.Derived{{Path: "/etc/aliases.db", From: "/etc/aliases", Argv: []string{"newaliases"}}},
	}, {
		Name:  "Postfix",
		Edits: []state.Edit{state.PostfixEdit{Path: "/etc/main.cf", Set: []state.Setting{{Name: "milters", Value: "unix:x"}}}},
		Units: []state.Unit{{Name: "postfix.service", Action: state.Reload, Probes: []state.Probe{
			{Kind: state.ProbeActive, Unit: "postfix.service"},
		}}},
	}, {
		Name:    "Ledger",
		Discard: []state.Path{goneKey, goneKey.Dir()},
	}}}
}

func planFor(t testing.TB, m *systemtest.Mem, want state.State) plan.Plan {
	t.Helper()
	rec, err := m.Read(plan.HashesFile)
	if err != nil {
		t.Fatal(err)
	}
	known, err := plan.ParseFileHashes(rec.Content)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Make(context.Background(), want, m, known)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var clock = func() time.Time { return time.Date(2026, 11, 22, 22, 15, 0, 0, time.UTC) }

func options(id string) apply.Options {
	return apply.Options{Command: "mailsetup init", ID: apply.NewID(clock(), id), Now: clock}
}

func runOn(ctx context.Context, s system.System, p plan.Plan, id string) (apply.Report, error) {
	return apply.Run(ctx, s, p, apply.NewJournal(s, apply.JournalDir), options(id))
}

func recoverOn(s system.System) error {
	_, err := apply.Recover(context.Background(), s, apply.NewJournal(s, apply.JournalDir), options("r"))
	return err
}

// look describes all that counts of a machine: files with owner and mode, what
// each unit has loaded and whether it runs. Serials of zones and the journal
// do not count.
func look(t testing.TB, m *systemtest.Mem) string {
	t.Helper()
	files := m.Files()
	if o, ok := files[zonePath]; ok {
		o.Content = []byte(noSerial(t, string(o.Content)))
		files[zonePath] = o
	}
	var b strings.Builder
	b.WriteString(systemtest.Tree(files, func(p state.Path) bool {
		return p == plan.OwnDir || strings.HasPrefix(string(p), string(apply.JournalDir)) ||
			files[p].Kind == state.Special
	}))
	served := m.Served("example.net.")
	slices.SortFunc(served, func(a, b state.Record) int { return strings.Compare(a.Name, b.Name) })
	fmt.Fprintf(&b, "example.net. %v\n", served)
	for _, name := range []string{"opendkim.service", "named.service", "postfix.service", "idle.service"} {
		st, _ := m.Status(context.Background(), name)
		loaded := m.Loaded(name)
		if z, ok := loaded[zonePath]; ok {
			loaded[zonePath] = noSerial(t, z)
		}
		fmt.Fprintf(&b, "%s %s stale %v %q\n", name, st.Active, st.NeedsDaemonReload, loaded)
	}
	return b.String()
}

func noSerial(t testing.TB, zone string) string {
	t.Helper()
	out, err := zonefile.WithSerial([]byte(zone), 1)
	if err != nil {
		t.Fatalf("%v in\n%s", err, zone)
	}
	return string(out)
}

// worlds are the machine before and after, described.
func worlds(t testing.TB) (p plan.Plan, start, end string, ops int) {
	t.Helper()
	m := machine()
	p, start = planFor(t, m, wanted()), look(t, m)
	f := &systemtest.Faulty{System: m}
	if _, err := runOn(context.Background(), f, p, "a"); err != nil {
		t.Fatal(err)
	}
	if end = look(t, m); end == start {
		t.Fatal("the scenario changes nothing")
	}
	if again := planFor(t, m, wantedAgain()); !again.Empty() {
		t.Fatalf("planned again, it is not empty: %+v", again)
	}
	return p, start, end, f.Ops
}

// wantedAgain is the state of a second run: a key is made only once, no zone
// lacks anything, and no restart needs to be guarded.
func wantedAgain() state.State {
	w := wanted()
	w.Stages[0].Files = nil
	w.Stages[1].Updates = nil // the zone has it all
	w.Stages = slices.Delete(w.Stages, 2, 3)
	return w
}

// brokenProbe makes Postfix unhappy with what the last stage gives it.
func brokenProbe(m *systemtest.Mem) {
	m.RejectProbe("postfix.service", func(files map[state.Path]string) error {
		if strings.Contains(files["/etc/main.cf"], "unix:x") {
			return errors.New("fatal: bad milter")
		}
		return nil
	})
}
