package provision_test

import (
	"strings"
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/keygen"
	"mailsetup/steps/keys"
	"mailsetup/steps/step"
)

// A run that exchanges the mail server copies the key for it, with its owner, and writes the
// ledger; the file of before stays. Below a directory nothing moves.
func TestKeysGoAlong(t *testing.T) {
	key, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	for root, file := range map[string]string{"": "/etc/exim4/dkim/lab.example/202611.private", "/image": "/etc/dkimkeys/lab.example/202611.private"} {
		w := newWorld(t, root)
		w.Put("/etc/dkimkeys/lab.example/202611.private", state.Object{
			Kind: state.Regular, Mode: 0o600, Owner: state.Owner{User: "opendkim", Group: "opendkim"}, Content: key.PEM(),
		})
		w.Put("/etc/exim4", state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
		w.ledger = keyring.Ledger{"lab.example": {{Selector: "202611", Public: key.Public(), File: "/etc/dkimkeys/lab.example/202611.private", Stage: keyring.Active}}}
		w.Put("/etc/dkimkeys/old.example/202610.private", state.Object{
			Kind: state.Regular, Mode: 0o600, Owner: state.Owner{User: "opendkim", Group: "opendkim"}, Content: key.PEM(),
		})
		w.ledger["old.example"] = []keyring.Key{{Selector: "202610", Public: key.Public(), File: "/etc/dkimkeys/old.example/202610.private", Stage: keyring.Draining}}
		sp := lab(t)
		sp.Host.MTA = spec.Exim
		create := step.Step{Name: "Keys", Build: keys.Create}
		d, err := w.plan(w.request(sp, create))
		if err != nil {
			t.Fatal(err)
		}
		if k, _ := d.Input.Ledger.Signing("lab.example"); k.File != file || k.Selector != "202611" || w.ledger["lab.example"][0].File != "/etc/dkimkeys/lab.example/202611.private" {
			t.Errorf("%q: %+v, before %+v", root, k, w.ledger)
		}
		if root != "" {
			continue
		}
		if _, err := w.p.Run(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		copied, _ := w.Read(state.Path(file))
		if string(copied.Content) != string(key.PEM()) || copied.Mode.Perm() != 0o600 || copied.Owner.User != "Debian-exim" {
			t.Errorf("the copy: %v %+v", copied.Mode, copied.Owner)
		}
		if w.content("/etc/dkimkeys/lab.example/202611.private") != string(key.PEM()) {
			t.Error("the file of before is gone")
		}
		// So it is with those of a domain that was removed: its key may still come back.
		if text := w.content("/var/lib/mailsetup/keyring/old.example.json"); !strings.Contains(text, `"/etc/exim4/dkim/old.example/202610.private"`) {
			t.Errorf("the ledger of a domain that was removed: %s", text)
		}
	}
}
