package check_test

import (
	"fmt"
	"strings"
	"testing"

	"mailsetup/internal/check"
	"mailsetup/internal/check/finding"
	"mailsetup/internal/machine"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
)

// A run ends with what the machine itself tells to be wrong, and asks no resolver: what
// was published just now is not known there yet.
func TestAfterARun(t *testing.T) {
	sys := debian("", hostFile, labFile, shopFile)
	m := machine.New(sys, nil, machine.Options{})
	found := check.After(t.Context(), m, store.Earlier{}, nil)
	if !strings.Contains(found.Text(), "  problem live.milters: submission/inet: smtpd_milters =") {
		t.Errorf("found %+v", found)
	}
	for _, f := range found {
		if f.Severity != finding.Problem && f.Severity != finding.Warning {
			t.Errorf("shown is %+v", f)
		}
	}
	if f, err := sys.Read("/var/lib/mailsetup/check.json"); err != nil || len(f.Content) > 0 {
		t.Errorf("it counts as a check that somebody read: %s, %v", f.Content, err)
	}
	for _, none := range []*machine.Machine{machine.New(sys, nil, machine.Options{DryRun: true}), machine.New(debian(""), nil, machine.Options{})} {
		if list := check.After(t.Context(), none, store.Earlier{}, []string{"no domain"}); len(list) > 0 {
			t.Errorf("found %+v", list)
		}
	}
}

// Of many domains a run ends with a look at its own, as their files are by then: the
// others are not read again.
func TestAfterARunAboutSomeDomains(t *testing.T) {
	sys := debian("", hostFile, labFile, shopFile)
	known, err := store.Load(sys, true, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	without := known.Spec.Without("shop.example") // as it was before the run
	known.Spec = &without
	m := machine.New(noOther{sys, t}, nil, machine.Options{})
	found := check.After(t.Context(), m, known, []string{"shop.example"})
	if !strings.Contains(found.Text(), "  problem live.milters: submission/inet: smtpd_milters =") {
		t.Errorf("found %+v", found)
	}
}

// A run that removed domains says nothing about their being none of this server.
func TestAfterARunThatRemovedDomains(t *testing.T) {
	sys := debian("", hostFile, labFile)
	known, err := store.Load(sys, true, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	m := machine.New(sys, nil, machine.Options{Logf: func(format string, a ...any) { said = append(said, fmt.Sprintf(format, a...)) }})
	check.After(t.Context(), m, known, []string{"shop.example", "blog.example"})
	if len(said) > 0 {
		t.Errorf("said %q", said)
	}
}

// noOther is a machine on which nobody lists the files of all domains.
type noOther struct {
	system.System
	t *testing.T
}

func (m noOther) List(dir state.Path) ([]string, error) {
	if dir == spec.DomainsDir() || dir == state.LedgerDir {
		m.t.Errorf("%s is listed", dir)
	}
	return m.System.List(dir)
}

func TestTextAfterARun(t *testing.T) {
	if got := check.Closing(nil).Text(); got != "" {
		t.Errorf("nothing: %q", got)
	}
	list := check.Closing{{ID: "live.keys", Severity: finding.Problem, Domain: "lab.example", Subject: "/etc/dkimkeys/lab.example/s1.private", Seen: "others can \x1bread it"}}
	for range 11 {
		list = append(list, finding.Finding{ID: "tls.out", Severity: finding.Warning, Seen: "none"})
	}
	got := list.Text()
	if !strings.HasPrefix(got, "mailsetup check says what mends this:\n  problem live.keys lab.example: /etc/dkimkeys/lab.example/s1.private:\n    others can \\x1bread it\n  warning tls.out: none\n") ||
		!strings.HasSuffix(got, "  and 2 more findings\n") || strings.Count(got, "\n") != 13 {
		t.Errorf("got\n%s", got)
	}
}
