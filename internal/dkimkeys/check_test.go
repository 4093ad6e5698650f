package dkimkeys_test

import (
	"errors"
	"fmt"
	"io/fs"
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
		files.Put(file, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Owner{User: "opendkim", Group: "opendkim"}, Content: []byte("PEM")})
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
	if err := files.SetMeta(state.Path(k.File), state.Object{Kind: state.Regular, Mode: 0o644, Owner: state.Owner{User: "opendkim", Group: "opendkim"}}); err != nil {
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

// What keeps OpenDKIM from a key is named, with the command that mends it.
func TestDiagnose(t *testing.T) {
	key, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	const file, own = "/etc/dkimkeys/lab.example/s1.private", "chown opendkim: /etc/dkimkeys/lab.example/s1.private && chmod 600 /etc/dkimkeys/lab.example/s1.private"
	const backup = "put the file back from a backup; without one, mailsetup rotate-dkim --compromised lab.example makes another key and revokes this one"
	opendkim := state.Owner{User: "opendkim", Group: "opendkim"}
	dir := func(o state.Owner, mode fs.FileMode) state.Object {
		return state.Object{Kind: state.Directory, Mode: mode, Owner: o}
	}
	for _, tt := range []struct {
		name       string
		file       state.Object
		keys, etc  state.Object
		says, hint string
	}{
		{"all as it should be", state.Object{}, state.Object{}, state.Object{}, "", ""},
		{
			"root's",
			state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: key.PEM()},
			state.Object{},
			state.Object{},
			file + ", the private key of lab.example, belongs to root: OpenDKIM cannot use it, and its mail is not accepted", own,
		},
		{
			"no key",
			state.Object{Kind: state.Regular, Mode: 0o600, Owner: opendkim, Content: []byte("junk")},
			state.Object{},
			state.Object{},
			file + " is no private key", backup,
		},
		{
			"a link to a file of root's",
			state.Object{Kind: state.Symlink, Mode: 0o777, Owner: state.Root, Content: []byte("/etc/shadow")},
			state.Object{},
			state.Object{},
			file + ", the private key of lab.example, is a symlink, not the key itself: its mail is not accepted", "remove it; then " + backup,
		},
		{
			"a directory in its place",
			dir(opendkim, 0o700),
			state.Object{},
			state.Object{},
			file + ", the private key of lab.example, is a directory, not the key itself: its mail is not accepted", "remove it; then " + backup,
		},
		{
			"a directory of root's",
			state.Object{},
			dir(state.Root, 0o700),
			state.Object{},
			"the user opendkim cannot enter /etc/dkimkeys (root:root, mode 0700)", "chown opendkim: /etc/dkimkeys && chmod 700 /etc/dkimkeys",
		},
		{
			"a directory that everybody writes to",
			state.Object{},
			dir(opendkim, 0o777),
			state.Object{},
			"/etc/dkimkeys (mode 0777) is open to everybody", "chown opendkim: /etc/dkimkeys && chmod 700 /etc/dkimkeys",
		},
		{
			"/etc for root alone",
			state.Object{},
			state.Object{},
			dir(state.Root, 0o700),
			"the user opendkim cannot enter /etc (root:root, mode 0700)", "chmod o+x /etc",
		},
		{
			"/etc for everybody",
			state.Object{},
			state.Object{},
			dir(state.Root, 0o777),
			"/etc (mode 0777) is open to everybody", "chown root: /etc && chmod go-w /etc",
		},
	} {
		files := systemtest.NewMem()
		put := func(p state.Path, o, usual state.Object) {
			if o.Kind == state.Absent {
				o = usual
			}
			files.Put(p, o)
		}
		put("/etc", tt.etc, dir(state.Root, 0o755))
		put("/etc/dkimkeys", tt.keys, dir(opendkim, 0o700))
		put("/etc/dkimkeys/lab.example", state.Object{}, dir(opendkim, 0o700))
		put(file, tt.file, state.Object{Kind: state.Regular, Mode: 0o600, Owner: opendkim, Content: key.PEM()})
		err := dkimkeys.Diagnose(files, "lab.example", keyring.Key{Selector: "s1", Stage: keyring.Active, File: file, Public: key.Public()})
		if tt.says == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), tt.says) || !slices.Equal(hint.Of(err), []string{tt.hint}) {
			t.Errorf("%s: %v, %q", tt.name, err, hint.Of(err))
		}
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
		err := dkimkeys.CheckMatchesRecord(files, "lab.example", keyring.Key{Selector: "s1", File: tt.file, Public: tt.public})
		if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v, want %q", tt.file, err, tt.says)
		}
	}
	files.Put("/link", state.Object{Kind: state.Symlink, Mode: 0o777, Owner: state.Root, Content: []byte("/k")})
	if err := dkimkeys.CheckContent(files, "lab.example", keyring.Key{File: "/link", Public: mine.Public(), Adopted: true}); err != nil {
		t.Errorf("a link to a key that was adopted: %v", err)
	}
	err = dkimkeys.CheckMatchesRecord(unreadable{files}, "lab.example", keyring.Key{File: "/k"})
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
		files.Put(file, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Owner{User: "opendkim", Group: "opendkim"}, Content: key.PEM()})
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
