package inventory_test

import (
	"testing"
	"time"

	"mailsetup/internal/hint"
	"mailsetup/internal/inventory"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// A domain whose file is gone is listed with its key, which signs only if OpenDKIM's
// tables still name it.
func TestReadADirectory(t *testing.T) {
	sp, findings := spec.Answers{Domain: "lab.example", Hostname: "mail.lab.example", Addresses: []string{"192.0.2.10"}}.Spec(nil, noon)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	root := systemtest.Directory(t, map[state.Path][]byte{
		spec.HostFile:                  spec.MarshalHost(sp.Host),
		spec.DomainFile("lab.example"): spec.MarshalDomain(sp.Domains[0]),
		keyring.File("lab.example"):    keyring.MarshalDomain([]keyring.Key{key("now", keyring.Active, made)}),
		keyring.File("left.example"):   keyring.MarshalDomain([]keyring.Key{key("s1", keyring.Active, made)}),
		keyring.File("past.example"):   keyring.MarshalDomain([]keyring.Key{key("s2", keyring.Active, made)}),
		"/etc/opendkim/KeyTable":       []byte("s1._domainkey.left.example left.example:s1:/k\n"),
	})
	on := machine.Options{Root: root, DryRun: true, Command: "list", Clock: func() time.Time { return noon }}
	domains, now, err := inventory.Read(t.Context(), on)
	if err != nil || !now.Equal(noon) {
		t.Fatalf("at %v, %v", now, err)
	}
	const want = `DOMAIN        SELECTOR  AGE  STATE   UNTIL  DNS     CHECKED
lab.example   now       31d  active  -      manual  unseen
left.example  s1        31d  active  -      -       unseen
past.example  s2        31d  unused  -      -       unseen
`
	if got := inventory.Table(domains, now); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	on.Root = t.TempDir()
	if _, _, err := inventory.Read(t.Context(), on); err == nil || err.Error() != "this tree is not set up yet" || !hint.IsUsage(err) {
		t.Errorf("nothing is set up: %v", err)
	}
}
