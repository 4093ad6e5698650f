package store_test

import (
	"fmt"
	"slices"
	"testing"

	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system/systemtest"
)

func TestWhatEarlierRunsLeft(t *testing.T) {
	mem, want := machineWithOwnFiles(), labSpec(t)
	putSpec(mem, want)
	put := func(domain string) {
		mem.Put(keyring.File(domain), state.Object{
			Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: keyring.MarshalDomain(active()["lab.example"]),
		})
	}
	put("lab.example")
	e, err := store.Load(mem, false, t.Errorf)
	if err != nil {
		t.Fatal(err)
	}
	sp, err := e.SetUp("server")
	if err != nil || sp.Host.Hostname != "mail.lab.example" || e.SpecOnDisk["lab.example"] == nil {
		t.Errorf("spec %+v, on disk %v, %v", sp, e.SpecOnDisk, err)
	}
	if len(e.Ledger) != 1 || len(e.LedgerOnDisk) != 1 || e.Hashes == nil {
		t.Errorf("ledger %v, on disk %v, hashes %v", e.Ledger, e.LedgerOnDisk, e.Hashes)
	}
	put("later.example")
	if err := e.Reload(mem); err != nil || len(e.Ledger) != 2 || len(e.LedgerOnDisk) != 2 || e.Spec == nil {
		t.Errorf("read again: %v, %v, %v", e.Ledger, e.LedgerOnDisk, err)
	}
}

// A command that needs a server which is set up says what sets it up.
func TestAServerThatIsNotSetUp(t *testing.T) {
	e, err := store.Load(systemtest.NewMem(), true, t.Errorf)
	if err != nil || e.Spec != nil || len(e.Ledger) > 0 {
		t.Fatalf("%+v, %v", e, err)
	}
	_, err = e.SetUp("tree")
	if err == nil || err.Error() != "this tree is not set up yet" || !hint.IsUsage(err) || !slices.Equal(hint.Of(err), []string{"mailsetup init"}) {
		t.Errorf("%v, hints %q", err, hint.Of(err))
	}
}

func TestASpecThatCannotBeReadEndsTheCommand(t *testing.T) {
	mem := machineWithOwnFiles()
	mem.PutFile(spec.HostFile, "domain = ")
	if _, err := store.Load(mem, true, t.Errorf); !hint.IsUsage(err) {
		t.Errorf("error %v", err)
	}
}

// A domain file that is none stops no run over all domains; host.toml, the file of the
// host's own domain and the ledger do.
func TestReadableEarlier(t *testing.T) {
	mem := machineWithOwnFiles()
	sp := labSpec(t)
	d := sp.Domains[0]
	d.Name = "shop.example"
	sp.Domains = append(sp.Domains, d)
	putSpec(mem, sp)
	mem.Put(spec.DomainFile("shop.example"), state.Object{Kind: state.Directory})
	if _, err := store.Load(mem, true, t.Errorf); !hint.IsUsage(err) {
		t.Errorf("error %v", err)
	}
	e, err := store.LoadReadable(mem, true, t.Errorf)
	if err != nil || len(e.Spec.Domains) != 1 || len(e.Unreadable) != 1 || e.Hashes == nil ||
		e.Unreadable["shop.example"].Error() != "/etc/mailsetup/domains.d/shop.example.toml: is a directory, expected a file" {
		t.Errorf("%+v, %v", e, err)
	}
	for p, want := range map[state.Path]string{
		spec.DomainFile("lab.example"):  "/etc/mailsetup/domains.d/lab.example.toml: is a symbolic link to /root/x, expected a file",
		spec.HostFile:                   "/etc/mailsetup/host.toml: is a symbolic link to /root/x, expected a file",
		keyring.File("damaged.example"): "/var/lib/mailsetup/keyring/damaged.example.json: cannot be used: is a symbolic link to /root/x, expected a file",
	} {
		before, err := mem.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		mem.Put(p, state.Object{Kind: state.Symlink, Content: []byte("/root/x")})
		if _, err := store.LoadReadable(mem, true, t.Errorf); err == nil || err.Error() != want {
			t.Errorf("%s: %v", p, err)
		}
		mem.Delete(p)
		if before.Kind != state.Absent {
			mem.Put(p, before)
		}
	}
}

// Time counts from the first look at a key; a dry look writes nothing down.
func TestAdvanceElapsed(t *testing.T) {
	mem := machineWithOwnFiles()
	for _, save := range []bool{false, true} {
		now, err := store.AdvanceElapsed(mem, active(), save, t.Errorf)
		if err != nil || len(now.Keys) != 1 {
			t.Errorf("save %v: %+v, %v", save, now, err)
		}
		if o, _ := mem.Read(state.ElapsedFile); (o.Kind != state.Absent) != save {
			t.Errorf("save %v: the file is %+v", save, o)
		}
	}
	mem.PutFile(state.ElapsedFile, "{")
	said := ""
	now, err := store.AdvanceElapsed(mem, active(), false, func(format string, a ...any) { said += fmt.Sprintf(format, a...) })
	if err != nil || len(now.Keys) != 1 || said == "" {
		t.Errorf("%+v, %v, said %q", now, err, said)
	}
}

// After a run the domains that it was about are read again, and no others.
func TestSomeDomainsAreReadAgain(t *testing.T) {
	mem, want := machineWithOwnFiles(), labSpec(t)
	for _, name := range []string{"gone.example", "shop.example"} {
		d := want.Domains[0]
		d.Name = name
		want.Domains = append(want.Domains, d)
	}
	putSpec(mem, want)
	put := func(domain string, keys []keyring.Key) {
		mem.Put(keyring.File(domain), state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: keyring.MarshalDomain(keys)})
	}
	for _, domain := range []string{"gone.example", "lab.example", "shop.example"} {
		put(domain, active()["lab.example"])
	}
	before, err := store.Load(mem, true, t.Errorf)
	if err != nil {
		t.Fatal(err)
	}
	d := want.Domains[0]
	d.Name, d.TTL = "new.example", 77
	mem.PutFile(spec.DomainFile(d.Name), string(spec.MarshalDomain(d)))
	put(d.Name, active()["lab.example"])
	mem.Delete(spec.DomainFile("gone.example"))
	mem.Delete(keyring.File("gone.example"))
	mem.PutFile(spec.DomainFile("shop.example"), "what nobody reads again")
	now, err := before.Again(mem, []string{"new.example", "gone.example"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range now.Spec.Domains {
		names = append(names, d.Name)
	}
	if !slices.Equal(names, []string{"lab.example", "new.example", "shop.example"}) || now.Spec.Domains[1].TTL != 77 {
		t.Errorf("domains %q, %+v", names, now.Spec.Domains[1])
	}
	if _, is := now.Ledger["gone.example"]; is || len(now.Ledger) != 3 || len(before.Ledger) != 3 || len(before.Spec.Domains) != 3 {
		t.Errorf("keys of %d domains, before of %d: %v", len(now.Ledger), len(before.Ledger), now.Ledger)
	}
}
