package provision_test

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
)

// four is a server with four domains: the first signs the host's own mail, the
// second has its SPF record from the third, and the host is named after the last.
func four(t *testing.T) (spec.Spec, keyring.Ledger) {
	t.Helper()
	sp, ledger := lab(t), keyring.Ledger{}
	for _, name := range []string{"a.example", "b.example", "mail.lab.example"} {
		d := sp.Domains[0]
		d.Name = name
		sp.Domains = append(sp.Domains, d)
	}
	slices.SortFunc(sp.Domains, func(a, b spec.Domain) int { return strings.Compare(a.Name, b.Name) })
	for i := range sp.Domains {
		if sp.Domains[i].Name == "a.example" {
			sp.Domains[i].SPF.Redirect = "b.example"
		}
		ledger[sp.Domains[i].Name] = []keyring.Key{{Selector: "new", Stage: keyring.Active}, {Selector: "old", Stage: keyring.Draining}, {Selector: "older", Stage: keyring.Gone}}
	}
	return sp, ledger
}

func TestRemoval(t *testing.T) {
	for _, tt := range []struct {
		name     string
		domains  []string
		purge    bool
		scope    string
		removed  string
		withdraw string
		before   string
	}{
		{"one domain", []string{"a.example"}, false, "a.example", "a.example", "", ""},
		{"its keys, too", []string{"a.example"}, true, "a.example", "a.example", "new old", ""},
		{"two that go together", []string{"b.example", "a.example"}, false, "a.example b.example", "a.example b.example", "", ""},
		{"the host's name", []string{"mail.lab.example"}, false, "lab.example mail.lab.example", "mail.lab.example", "", ""},
		// Somebody deleted its file, and nothing told its key to drain: removing it does.
		{"one whose file is gone", []string{"signs.example"}, false, "signs.example", "", "", ""},
		{"one that was removed before", []string{"drains.example"}, false, "", "", "", "drains.example"},
		{"one that was removed before, with its key", []string{"drains.example"}, true, "drains.example", "", "x", ""},
	} {
		sp, ledger := four(t)
		ledger["signs.example"] = []keyring.Key{{Selector: "x", Stage: keyring.Active}}
		ledger["drains.example"] = []keyring.Key{{Selector: "x", Stage: keyring.Draining}}
		r, before, err := provision.Removal{Domains: tt.domains, Purge: tt.purge, Machine: "server"}.Request(sp, ledger)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var removed []string
		for _, d := range r.Removed {
			removed = append(removed, d.Name)
		}
		got := []string{
			strings.Join(r.Scope.Selection(), " "), strings.Join(removed, " "), strings.Join(r.Keys.Withdraw[tt.domains[0]], " "), strings.Join(before, " "),
		}
		if want := []string{tt.scope, tt.removed, tt.withdraw, tt.before}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", tt.name, got, want)
		}
		if r.Scope.WholeHost() || slices.ContainsFunc(tt.domains, r.Want.Has) || len(sp.Domains) != 4 || !r.Have.Has("a.example") {
			t.Errorf("%s: the spec has %d domains afterwards", tt.name, len(r.Want.Domains))
		}
	}
}

func TestDomainsThatCannotBeRemoved(t *testing.T) {
	for _, tt := range []struct{ domain, err, hint string }{
		{"shop.example", "no domain of this tree: shop.example", "mailsetup list shows those of this tree"},
		{
			"lab.example", "lab.example is the primary domain, with whose key the mail of this tree itself is signed",
			"write another one into domain = in /etc/mailsetup/host.toml, run mailsetup init, then remove this one",
		},
		{"b.example", "the SPF record of a.example is that of b.example", "mailsetup init --domain a.example --spf-redirect=false"},
	} {
		sp, ledger := four(t)
		ledger["shop.example"] = []keyring.Key{{Selector: "x", Stage: keyring.Gone}} // long ago
		_, _, err := provision.Removal{Domains: []string{tt.domain}, Machine: "tree"}.Request(sp, ledger)
		if err == nil || err.Error() != tt.err || !hint.IsUsage(err) || !slices.Equal(hint.Of(err), []string{tt.hint}) {
			t.Errorf("%s: %v, %q", tt.domain, err, hint.Of(err))
		}
	}
}
