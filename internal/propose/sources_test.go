package propose_test

import (
	"testing"
	"time"

	"mailsetup/internal/facts"
	"mailsetup/internal/keyring"
	systems "mailsetup/internal/machine"
	"mailsetup/internal/plan"
	"mailsetup/internal/propose"
	"mailsetup/internal/spec"
	"mailsetup/steps/step"
)

// Of a directory nobody can say who has an address, and nothing is asked anew.
func TestSourcesOfADirectory(t *testing.T) {
	m, err := systems.Open(t.Context(), systems.Options{Root: t.TempDir(), Command: "init", Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	var sources propose.Gatherer = &propose.Sources{
		Machine: m, Collector: facts.New(m), Hashes: plan.FileHashes{},
	}
	sp := &spec.Spec{Host: spec.Host{Domain: "lab.example"}, Domains: []spec.Domain{{Name: "lab.example"}}}
	f, scope, err := sources.Gather(t.Context(), sp, keyring.Ledger{}, step.Only("lab.example"))
	if err != nil || !scope.Includes("lab.example") || scope.WholeHost() || len(f.Live) > 0 {
		t.Errorf("%+v, about %q, %v", f.Live, scope.Selection(), err)
	}
	if again, _, err := sources.Refresh(t.Context(), sp, keyring.Ledger{}, scope); err != nil || again.FQDN != f.FQDN || len(again.Live) > 0 {
		t.Errorf("refreshed: %+v, %v", again.Live, err)
	}
	if got := sources.Recipients(t.Context(), step.Input{Spec: *sp}); got != nil {
		t.Errorf("recipients %v", got)
	}
}
