package dkimkeys_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
	"mailsetup/keygen"
	"mailsetup/steps/signer"
)

// noReading is a machine whose private keys have an owner and a mode, and cannot
// be read.
type noReading struct{ *systemtest.Mem }

func (n noReading) Read(p state.Path) (state.Object, error) {
	if p.Dir().Dir() == signer.KeyDir {
		return state.Object{}, fmt.Errorf("read %s: not for us", p)
	}
	return n.Mem.Read(p)
}

func none(string, keyring.Key) bool { return false }

// server has domains that sign with keys in files of mode 0600.
func server(n int) (*systemtest.Mem, []spec.Domain, keyring.Ledger) {
	files, ledger := systemtest.NewMem(), keyring.Ledger{}
	var domains []spec.Domain
	for i := range n {
		d := spec.Domain{Name: fmt.Sprintf("shop%02d.example", i)}
		file := signer.KeyFile(d.Name, "202611")
		files.Put(file, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: []byte("PEM")})
		domains = append(domains, d)
		ledger[d.Name] = []keyring.Key{{Selector: "202611", Stage: keyring.Active, File: string(file)}}
	}
	return files, domains, ledger
}

// Ten thousand keys are not read in each run, and each domain that fails is named.
func TestCheckAll(t *testing.T) {
	files, domains, ledger := server(30)
	if err := dkimkeys.CheckAll(noReading{files}, domains, ledger, none); err != nil {
		t.Fatal(err)
	}
	files.Delete(signer.KeyFile("shop07.example", "202611"))
	files.Delete(signer.KeyFile("shop21.example", "202611"))
	err := dkimkeys.CheckAll(noReading{files}, domains, ledger, none)
	failed, ok := errors.AsType[state.DomainErrors](err)
	if !ok || len(failed) != 2 || !strings.Contains(failed["shop21.example"].Error(), "/etc/dkimkeys/shop21.example/202611.private") {
		t.Fatalf("%v", err)
	}
	if want := "mailsetup rotate-dkim --compromised shop07.example makes another key"; !strings.Contains(strings.Join(hint.Of(err), " "), want) {
		t.Errorf("hints %q", hint.Of(err))
	}
	err = dkimkeys.CheckAll(files, domains, ledger, func(domain string, k keyring.Key) bool {
		return domain == "shop07.example" || k.File == string(signer.KeyFile("shop21.example", "202611"))
	})
	if err != nil {
		t.Errorf("with exceptions: %v", err)
	}
	ledger["shop07.example"][0].Stage = keyring.Gone
	if err := dkimkeys.CheckAll(files, domains[:10], ledger, none); err != nil {
		t.Errorf("a key that signs no more: %v", err)
	}
}

func TestCheck(t *testing.T) {
	files, _, ledger := server(1)
	k := ledger["shop00.example"][0]
	if err := dkimkeys.Check(files, "shop00.example", k); err != nil {
		t.Fatal(err)
	}
	if err := files.SetMeta(state.Path(k.File), state.Object{Kind: state.Regular, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	err := dkimkeys.Check(files, "shop00.example", k)
	if want := "chown opendkim: " + k.File + " && chmod 600 " + k.File; err == nil || !slices.Equal(hint.Of(err), []string{want}) ||
		!strings.Contains(err.Error(), "0644") || !strings.Contains(err.Error(), "its mail is not accepted") {
		t.Errorf("%v", err)
	}
	k.Adopted = true // OpenDKIM was told not to mind
	if err := dkimkeys.Check(files, "shop00.example", k); err != nil {
		t.Errorf("a key that was adopted: %v", err)
	}
	files.Delete(state.Path(k.File))
	k.Stage = keyring.Published
	if err := dkimkeys.Check(files, "shop00.example", k); err == nil || !strings.Contains(err.Error(), "is gone: its mail would not be accepted") {
		t.Errorf("a key that does not sign yet: %v", err)
	}
}

func TestCheckMatchesRecord(t *testing.T) {
	mine, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	files := systemtest.NewMem()
	files.PutFile("/k", string(mine.PEM()))
	files.PutFile("/text", "PEM")
	for _, tt := range []struct{ file, public, says string }{
		{"/k", mine.Public(), ""},
		{"/k", "MIIBother", "/k is not the private key of the record s1 in DNS"},
		{"/text", mine.Public(), "/text is no private key"},
		{"/gone", mine.Public(), "/gone is no private key"},
	} {
		err := dkimkeys.CheckMatchesRecord(files, keyring.Key{Selector: "s1", File: tt.file, Public: tt.public})
		if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v, want %q", tt.file, err, tt.says)
		}
	}
	err = dkimkeys.CheckMatchesRecord(unreadable{files}, keyring.Key{File: "/k"})
	if err == nil || !strings.Contains(err.Error(), "input/output error") {
		t.Errorf("a file that cannot be read: %v", err)
	}
}

// A domain that comes back signs with the key that it had, if the file is still
// there and the right one; of two, with the one that servers were seen to have.
func TestResumable(t *testing.T) {
	key, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	files := systemtest.NewMem()
	drains := func(selector string) keyring.Key {
		file := signer.KeyFile("lab.example", selector)
		files.Put(file, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: key.PEM()})
		return keyring.Key{
			Selector: selector, Stage: keyring.Draining, Public: key.Public(), File: string(file),
			Since: map[keyring.Stage]time.Time{keyring.Active: now},
		}
	}
	keys := []keyring.Key{drains("s1"), drains("s2")}
	seen := map[string]time.Time{"s1": now}
	if k, ok := dkimkeys.Resumable(files, "lab.example", keys, seen); !ok || k.Selector != "s1" || !k.Seen.Equal(now) {
		t.Errorf("%+v", k)
	}
	if k, ok := dkimkeys.Resumable(files, "lab.example", keys, nil); !ok || k.Selector != "s2" {
		t.Errorf("none was seen: %+v", k)
	}
	files.Delete(state.Path(keys[1].File))
	keys[0].Public = "MIIBother"
	if k, ok := dkimkeys.Resumable(files, "lab.example", keys, seen); ok {
		t.Errorf("without a usable file: %+v", k)
	}
	if !keys[0].Seen.IsZero() {
		t.Error("the caller's keys changed")
	}
}
