package rollback_test

import (
	"fmt"
	"strings"
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/rollback"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// counting counts what is read of the files of domains.
type counting struct {
	*systemtest.Mem
	reads *int
}

func (c counting) Read(p state.Path) (state.Object, error) {
	if p.Dir() == spec.DomainsDir() {
		*c.reads++
	}
	return c.Mem.Read(p)
}

// Taking one domain back asks nothing about the thousands of others, and says the same of its
// records; where host.toml changes, all are looked at.
func TestARollbackLooksAtWhatItChanges(t *testing.T) {
	h := newHost(t)
	h.Put(spec.DomainsDir(), state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
	host, lab := byHand("none")
	h.run("first", change{spec.HostFile, host}, change{spec.DomainFile("lab.example"), lab}, change{labLedger, ledger(key("s1", keyring.Active))})
	other := func(name string) state.Object {
		return file(strings.ReplaceAll(string(lab.Content), "lab.example", name))
	}
	for i := range 1000 {
		name := fmt.Sprintf("d%d.example", i)
		h.Put(spec.DomainFile(name), other(name))
		h.Put(keyring.File(name), ledger(key("s1", keyring.Active)))
	}
	h.run("one", change{spec.DomainFile("shop.example"), other("shop.example")}, change{keyring.File("shop.example"), ledger(key("s2", keyring.Active))})
	stricter := file(strings.Replace(string(host.Content), "192.0.2.10", "192.0.2.11", 1))
	h.run("address", change{spec.HostFile, stricter})
	for run, want := range map[string]struct {
		reads int
		notes int
		text  string
	}{
		"one":     {8, 1, "take these records out of the DNS of shop.example"},
		"address": {1004, 2004, "publish these records of d999.example again"},
	} {
		reads := 0
		m := machine.New(counting{h.Mem, &reads}, nil, machine.Options{Command: "rollback"})
		r, err := rollback.Make(t.Context(), m, run, nil)
		if err != nil {
			t.Fatal(err)
		}
		if reads > 2*(want.reads+2) {
			t.Errorf("%s: %d files of domains read", run, reads)
		}
		if got := dnsNotes(r.Plan.Notes); strings.Count(got, "\n")+1 != want.notes || !strings.Contains(got, want.text) {
			t.Errorf("%s: %d notes\n%.400s", run, strings.Count(got, "\n")+1, got)
		}
	}
}
