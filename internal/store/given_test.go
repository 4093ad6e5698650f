package store_test

import (
	"strings"
	"testing"

	"mailsetup/internal/hint"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system/systemtest"
)

// givenIn puts the files of a spec into a directory of their own.
func givenIn(t *testing.T, sp spec.Spec) *systemtest.Mem {
	t.Helper()
	mem := systemtest.NewMem()
	mem.PutFile("/srv/want/host.toml", string(spec.MarshalHost(sp.Host)))
	for _, d := range sp.Domains {
		mem.PutFile(state.Path("/srv/want/domains.d/"+d.Name+".toml"), string(spec.MarshalDomain(d)))
	}
	return mem
}

// What says the same stays as somebody wrote it, what says something else is put there as
// it was given, and what nobody gave goes.
func TestFilesThatAreGiven(t *testing.T) {
	sp := labSpec(t)
	shop := sp.Domains[0]
	shop.Name = "shop.example"
	sp.Domains = append(sp.Domains, shop)
	g, err := store.LoadGiven(givenIn(t, sp), "/srv/want")
	if err != nil || len(g.Spec.Domains) != 2 || g.Spec.Host.Hostname != "mail.lab.example" {
		t.Fatalf("%+v, %v", g.Spec, err)
	}
	have := sp
	have.Domains = append([]spec.Domain(nil), sp.Domains...)
	have.Domains[1].TTL = 600
	machine := machineWithOwnFiles()
	putSpec(machine, have)
	mine := "# mine\n" + string(spec.MarshalDomain(have.Domains[0]))
	machine.PutFile(spec.DomainFile("lab.example"), mine)
	machine.PutFile(spec.DomainFile("blog.example"), "nonsense")
	files, err := g.Files(machine, &have, g.Spec.Host, g.Spec.Domains)
	if err != nil || len(files) != 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	if got := string(files[spec.DomainFile("lab.example")]); got != mine {
		t.Errorf("the same in other words is now\n%s", got)
	}
	if got := string(files[spec.DomainFile("shop.example")]); !strings.Contains(got, "ttl = 3600") {
		t.Errorf("shop.example: %s", got)
	}
	if text, there := files[spec.DomainFile("blog.example")]; !there || text != nil {
		t.Errorf("blog.example: %v %q", there, text)
	}
}

// What is wrong is said of the files as they were given.
func TestGivenFilesThatAreWrong(t *testing.T) {
	for _, tt := range []struct {
		name string
		put  func(*systemtest.Mem)
		want string
	}{
		{"no host.toml", func(m *systemtest.Mem) { _ = m.Remove("/srv/want/host.toml") }, "/srv/want/host.toml: is missing"},
		{"a wrong value", func(m *systemtest.Mem) {
			m.PutFile("/srv/want/domains.d/lab.example.toml", "domain = \"lab.example\"\nttl = 5\n")
		}, "/srv/want/domains.d/lab.example.toml:2: ttl "},
		{"no file", func(m *systemtest.Mem) {
			m.Put("/srv/want/domains.d/shop.example.toml", state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
		}, "/srv/want/domains.d/shop.example.toml"},
		{"no domain", func(m *systemtest.Mem) { _ = m.Remove("/srv/want/domains.d/lab.example.toml") }, "has no file in /srv/want/domains.d"},
	} {
		mem := givenIn(t, labSpec(t))
		tt.put(mem)
		_, err := store.LoadGiven(mem, "/srv/want")
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "/etc/mailsetup") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if tt.name == "no host.toml" && !hint.IsUsage(err) {
			t.Errorf("%v is no fault of what was asked for", err)
		}
	}
}
