package rotation_test

import (
	"testing"
	"time"

	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/provision"
	"mailsetup/internal/rotation"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// In a directory no time passes for keys, and nothing begins to sign.
func TestOpenADirectory(t *testing.T) {
	start := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	sp, findings := spec.Answers{Domain: "lab.example", Hostname: "mail.lab.example", Addresses: []string{"192.0.2.10"}}.Spec(nil, start)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	key := keyring.Key{
		Selector: "202611", Bits: 2048, Stage: keyring.Active, File: "/etc/dkimkeys/lab.example/202611.private",
		Since: map[keyring.Stage]time.Time{keyring.Active: start},
	}
	root := systemtest.Directory(t, map[state.Path][]byte{
		spec.HostFile:                  spec.MarshalHost(sp.Host),
		spec.DomainFile("lab.example"): spec.MarshalDomain(sp.Domains[0]),
		keyring.File("lab.example"):    keyring.MarshalDomain([]keyring.Key{key}),
	})
	said := &ui{}
	on := machine.Options{Root: root, DryRun: true, Command: "rotate-dkim", Clock: func() time.Time { return start.AddDate(1, 0, 0) }, Logf: said.Logf}
	r, done, err := rotation.Open(t.Context(), on, provision.Options{DryRun: true}, said, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	st, err := r.Status(nil)
	if err != nil || len(st.Keys) != 1 || st.Keys[0].WaitsFor != "age" || !st.Now.Equal(start.AddDate(1, 0, 0)) {
		t.Errorf("%+v, %v", st, err)
	}
	report, err := r.Run(t.Context(), rotation.Options{DryRun: true})
	if err != nil || report.Plan != nil || len(report.Steps) > 0 || len(report.Keys) != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	if len(said.said) > 0 {
		t.Errorf("said %q", said.said)
	}
}

func TestOpenWhereNothingIsSetUp(t *testing.T) {
	on := machine.Options{Root: t.TempDir(), DryRun: true, Command: "status"}
	_, _, err := rotation.Open(t.Context(), on, provision.Options{}, &ui{}, nil)
	if err == nil || err.Error() != "this tree is not set up yet" || !hint.IsUsage(err) {
		t.Errorf("error %v", err)
	}
}
