package dkimkeys_test

import (
	"testing"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
	"mailsetup/keygen"
)

// Each key goes where the mail server looks that signs from now on; those that are there
// already, and those that are gone, stay as they are.
func TestMove(t *testing.T) {
	pair, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	files := systemtest.NewMem()
	put := func(path state.Path) { files.PutFile(path, string(pair.PEM())) }
	put("/etc/dkimkeys/lab.example/s1.private")
	put("/etc/dkimkeys/lab.example/s2.private")
	put("/srv/keys/shop.private")
	ledger := keyring.Ledger{
		"lab.example": {
			{Selector: "s0", File: "/etc/dkimkeys/lab.example/s0.private", Stage: keyring.Gone},
			{Selector: "s1", Public: pair.Public(), File: "/etc/dkimkeys/lab.example/s1.private", Stage: keyring.Draining},
			{Selector: "s2", Public: pair.Public(), File: "/etc/dkimkeys/lab.example/s2.private", Stage: keyring.Active},
		},
		"shop.example": {{Selector: "a", Public: pair.Public(), File: "/srv/keys/shop.private", Adopted: true, Stage: keyring.Active}},
		"none.example": {{Selector: "b", Public: pair.Public(), File: "/etc/dkimkeys/none.example/b.private", Stage: keyring.Draining}},
	}
	exim := spec.Host{MTA: spec.Exim}
	moved, copies, err := dkimkeys.Move(files, exim, ledger)
	if err != nil {
		t.Fatal(err)
	}
	for domain, want := range map[string][]string{
		"lab.example":  {"/etc/dkimkeys/lab.example/s0.private", "/etc/exim4/dkim/lab.example/s1.private", "/etc/exim4/dkim/lab.example/s2.private"},
		"shop.example": {"/etc/exim4/dkim/shop.example/a.private"},
		"none.example": {"/etc/dkimkeys/none.example/b.private"},
	} {
		for i, k := range moved[domain] {
			if k.File != want[i] || k.Adopted || k.Selector != ledger[domain][i].Selector || k.Stage != ledger[domain][i].Stage {
				t.Errorf("%s: %+v", domain, k)
			}
			if text, copied := copies[state.Path(k.File)]; copied != (want[i][:11] == "/etc/exim4/") || copied && string(text) != string(pair.PEM()) {
				t.Errorf("%s: a copy %v", k.File, copied)
			}
		}
	}
	if ledger["lab.example"][2].File != "/etc/dkimkeys/lab.example/s2.private" || !ledger["shop.example"][0].Adopted {
		t.Errorf("the ledger of before was changed: %+v", ledger)
	}
	for path, text := range copies {
		files.PutFile(path, string(text))
	}
	if again, copies, err := dkimkeys.Move(files, exim, moved); err != nil || again != nil || len(copies) > 0 {
		t.Errorf("once more: %v %v %v", err, again, copies)
	}
	back, copies, err := dkimkeys.Move(files, spec.Host{}, moved)
	if err != nil || len(copies) != 1 || copies["/etc/dkimkeys/shop.example/a.private"] == nil || back["shop.example"][0].File != "/etc/dkimkeys/shop.example/a.private" {
		t.Errorf("back: %v, %d copies, %+v", err, len(copies), back["shop.example"])
	}

	files.PutFile("/etc/dkimkeys/lab.example/s2.private", "no key")
	if _, _, err := dkimkeys.Move(files, exim, ledger); err == nil {
		t.Error("a file that is no key is taken along")
	}
}
