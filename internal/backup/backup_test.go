package backup_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"mailsetup/internal/backup"
	"mailsetup/internal/backup/archive"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/keygen"
	"mailsetup/steps/step"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// contents are the files of a small server.
func contents(t *testing.T) map[state.Path]string {
	t.Helper()
	return map[state.Path]string{
		spec.HostFile:                          "version = 1\nhostname = \"mail.lab.example\" # mine\naddresses = [\"192.0.2.10\"]\ndomain = \"lab.example\"\ndns = \"manual\"\n",
		spec.DomainFile("lab.example"):         "domain = \"lab.example\"\nselector = \"s1\"\nkey_bits = 1024\n",
		keyring.File("lab.example"):            string(keyring.MarshalDomain([]keyring.Key{{Selector: "s1", Bits: 2048, Public: key.Public(), Fingerprint: key.Fingerprint(), File: privateFile, Stage: keyring.Active, Since: map[keyring.Stage]time.Time{keyring.Active: now}}})),
		privateFile:                            string(key.PEM()),
		"/var/lib/mailsetup/journal/x":         "not in a backup",
		"/etc/mailsetup/domains.d/.a.toml.ab~": "a draft",
	}
}

const privateFile = "/etc/dkimkeys/lab.example/s1.private"

var key = func() *keygen.Key {
	k, err := keygen.Generate(1024)
	if err != nil {
		panic(err)
	}
	return k
}()

// server is a directory with these files.
func server(t *testing.T) *machine.Machine {
	t.Helper()
	return below(t, contents(t))
}

func below(t *testing.T, files map[state.Path]string) *machine.Machine {
	t.Helper()
	root := t.TempDir()
	for p, text := range files {
		if err := os.MkdirAll(filepath.Join(root, string(p.Dir())), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, string(p)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	image, err := system.NewRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	m := machine.New(image, nil, machine.Options{Root: root, Clock: func() time.Time { return now }})
	m.Image = image
	return m
}

// The file is there as a whole or not at all, and never in the place of another one.
func TestFileOfTheBackup(t *testing.T) {
	me, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	secrets := backup.Secrets{Recipients: []string{me.Recipient().String()}}
	dir := t.TempDir()
	file := filepath.Join(dir, "mail.backup")
	sealed, err := backup.Seal(t.Context(), backup.Options{File: file, Secrets: secrets})
	if err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if res, err := sealed.Write(cancelled, server(t)); !errors.Is(err, context.Canceled) || backup.Text(res) != "" {
		t.Errorf("interrupted: %q, %v", backup.Text(res), err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("an interrupted backup leaves %v", left)
	}
	if err := os.WriteFile(file, []byte("mine"), 0o644); err != nil { // between the question and the answer
		t.Fatal(err)
	}
	if _, err := sealed.Write(t.Context(), server(t)); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("a file that came meanwhile: %v", err)
	}
	if text, _ := os.ReadFile(file); string(text) != "mine" {
		t.Errorf("it was overwritten: %q", text)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("a refused backup leaves %v", left)
	}
	for name, tt := range map[string]struct{ file, want string }{
		"there already":   {file, "is there already"},
		"a directory":     {dir, "is something else than a file"},
		"a device":        {"/dev/null", "is something else than a file"},
		"no directory":    {filepath.Join(dir, "no", "b"), "there is no directory"},
		"below a file":    {filepath.Join(file, "b"), "not a directory"},
		"no name":         {"", "the backup needs a file to be written to"},
		"a dangling link": {link(t, dir), "is something else than a file"},
	} {
		if _, err := backup.Seal(t.Context(), backup.Options{File: tt.file, Secrets: secrets}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	sealed, err = backup.Seal(t.Context(), backup.Options{File: file, Overwrite: true, Secrets: secrets})
	if err == nil {
		_, err = sealed.Write(t.Context(), server(t))
	}
	if fi, serr := os.Stat(file); err != nil || serr != nil || fi.Mode() != 0o600 {
		t.Errorf("overwritten: %v %v", fi, errors.Join(err, serr))
	}
}

func link(t *testing.T, dir string) string {
	t.Helper()
	at := filepath.Join(dir, "link")
	if err := os.Symlink("/no/such", at); err != nil {
		t.Fatal(err)
	}
	return at
}

const tsig = `key "k" { algorithm hmac-sha256; secret "c2VjcmV0"; };`

// A backup has what a new server needs, under the names that it has there, and nothing
// that would be wrong on it. Keys that are not there are named.
func TestWhatIsInIt(t *testing.T) {
	files := contents(t)
	files["/root/tsig"], files["/srv/tsig"] = tsig, tsig
	files[spec.HostFile] += "\n[rfc2136]\nkey_file = \"/root/tsig\"\n"
	files["/etc/mailsetup/domains.d/lab.example.toml"] += "\n[rfc2136]\nkey_file = \"/srv/tsig\"\n"
	gone := "/etc/dkimkeys/lab.example/s0.private"
	keys, err := keyring.ParseDomain([]byte(files[keyring.File("lab.example")]))
	if err != nil {
		t.Fatal(err)
	}
	keys = append([]keyring.Key{{Selector: "s0", Public: key.Public(), File: gone, Stage: keyring.Draining}, {Selector: "s9", File: "/etc/dkimkeys/lab.example/s9.private", Stage: keyring.Gone}}, keys...)
	files[keyring.File("lab.example")] = string(keyring.MarshalDomain(keys))
	file := filepath.Join(t.TempDir(), "b")
	pass := write(t, "pass", "correct horse battery\n", 0o600)
	sealed, err := backup.Seal(t.Context(), backup.Options{File: file, Secrets: backup.Secrets{PassphraseFile: pass, WorkFactor: 10}, Version: "1.2"})
	if err != nil {
		t.Fatal(err)
	}
	res, err := sealed.Write(t.Context(), below(t, files))
	if err != nil || !slices.Equal(res.Missing, []string{gone, "/srv/tsig"}) {
		t.Fatalf("result %+v, %v", res, err)
	}
	b, err := backup.Open(t.Context(), file, backup.Secrets{PassphraseFile: pass})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, f := range b.Manifest.Files {
		paths = append(paths, string(f.Path))
		if string(b.Files[f.Path]) != files[f.Path] {
			t.Errorf("%s: %q", f.Path, b.Files[f.Path])
		}
	}
	if got, want := strings.Join(paths, " "), privateFile+" /etc/mailsetup/domains.d/lab.example.toml /etc/mailsetup/host.toml /root/tsig /var/lib/mailsetup/keyring/lab.example.json"; got != want {
		t.Errorf("files %s, want %s", got, want)
	}
	if b.Manifest.Version != "1.2" || !b.Manifest.Time.Equal(now) {
		t.Errorf("manifest %+v", b.Manifest)
	}
	if _, err := sealed.Write(t.Context(), below(t, nil)); err == nil || !strings.Contains(err.Error(), "is not set up yet") {
		t.Errorf("of a server without settings: %v", err)
	}
}

// A new server cannot change zones without the credentials of hooks. They are for root alone
// there, and have to be there before zones are asked; what a backup cannot have is named.
func TestCredentialsOfHooks(t *testing.T) {
	const settings, tsigFile = "/etc/mailsetup/hooks/desec", "/root/tsig"
	files := contents(t)
	files[spec.HostFile] = strings.Replace(files[spec.HostFile], `dns = "manual"`, "dns = \"hook\"\ndns_hook = \"/usr/lib/mailsetup/hooks/desec\"", 1)
	files[spec.DomainFile("mine.example")] = "domain = \"mine.example\"\nselector = \"s1\"\ndns_hook = \"/usr/local/lib/mine\"\n"
	files[spec.DomainFile("other.example")] = "domain = \"other.example\"\nselector = \"s1\"\ndns = \"rfc2136\"\n[rfc2136]\nkey_file = \"" + tsigFile + "\"\n"
	files[settings], files["/etc/mailsetup/hooks/of-others"], files["/etc/credstore.encrypted/mailsetup.mine"], files[tsigFile] = `{"token": "t0ken"}`, "x", "y", tsig
	file, pass := filepath.Join(t.TempDir(), "b"), write(t, "pass", "correct horse battery\n", 0o600)
	sealed, err := backup.Seal(t.Context(), backup.Options{File: file, Secrets: backup.Secrets{PassphraseFile: pass, WorkFactor: 10}})
	if err != nil {
		t.Fatal(err)
	}
	res, err := sealed.Write(t.Context(), below(t, files))
	if err != nil || !slices.Equal(res.Missing, []string{"/etc/credstore.encrypted/mailsetup.mine", "/usr/local/lib/mine"}) {
		t.Fatalf("result %+v, %v", res, err)
	}
	b, err := backup.Open(t.Context(), file, backup.Secrets{PassphraseFile: pass})
	if err != nil {
		t.Fatal(err)
	}
	if _, others := b.Files["/etc/mailsetup/hooks/of-others"]; others || string(b.Files[settings]) != files[settings] {
		t.Errorf("%q", b.Files)
	}

	m := below(t, nil)
	p := provision.New(m, provision.Options{}, nil)
	if err := b.Bring(p, false); err != nil {
		t.Fatal(err)
	}
	stage, _, err := p.Brought.Steps[0].Build(step.Input{})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(stage.Files, func(f state.File) bool { return f.Path == settings })
	if i < 0 || stage.Files[i].Mode != 0o600 || stage.Files[i].Owner != state.Root || !stage.Files[i].Secret {
		t.Errorf("files %+v", stage.Files)
	}
	if !slices.Contains(stage.Dirs, state.Dir{Path: "/etc/mailsetup/hooks", Mode: 0o700, Owner: state.Root}) {
		t.Errorf("directories %+v", stage.Dirs)
	}

	m.Image = nil // a booted server
	lacks := func(want, hints string) {
		t.Helper()
		_, err := b.Propose(t.Context(), provision.New(m, provision.Options{}, nil), spec.Answers{}, false, nil)
		if err == nil || err.Error() != want || !hint.IsUsage(err) || strings.Join(hint.Of(err), "\n") != hints {
			t.Errorf("error %v, hints %q\nwant  %s", err, hint.Of(err), want)
		}
	}
	extract := "apt-get install age\nage -d " + file + " | tar -xpC / --strip-components=1 files"
	lacks("zones are asked with "+settings+", "+tsigFile+", which is not here yet", extract+settings+" files"+tsigFile)
	if err := errors.Join(os.MkdirAll(filepath.Join(m.Root, settings, ".."), 0o700), os.WriteFile(filepath.Join(m.Root, settings), []byte(files[settings]), 0o600)); err != nil {
		t.Fatal(err)
	}
	lacks("zones are asked with "+tsigFile+", which is not here yet", extract+tsigFile)
}

// sealedArchive encrypts any archive to a key, as somebody might who wants root here.
func sealedArchive(t *testing.T, files map[state.Path]string, cut int) (file string, with backup.Secrets) {
	t.Helper()
	me, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := age.Encrypt(&b, me.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	m := archive.Manifest{}
	for p, text := range files {
		m.Files = append(m.Files, archive.NewFile(p, state.Object{Mode: 0o644, Content: []byte(text)}))
	}
	if err := errors.Join(archive.Write(w, m, func(f archive.File) ([]byte, error) { return []byte(files[f.Path]), nil }), w.Close()); err != nil {
		t.Fatal(err)
	}
	if cut > 0 {
		b.Truncate(b.Len() - cut)
	}
	return write(t, "hostile", b.String(), 0o600), backup.Secrets{IdentityFiles: []string{write(t, "key", me.String(), 0o600)}}
}

// age(1) gives out what it decrypted of a file before it knows that the rest is there.
func TestCutBackup(t *testing.T) {
	files := contents(t)
	delete(files, "/var/lib/mailsetup/journal/x")
	delete(files, "/etc/mailsetup/domains.d/.a.toml.ab~")
	files["/etc/mailsetup/notes"] = strings.Repeat("x", 200_000) // four chunks
	for _, cut := range []int{1, 16, 70_000, 140_000} {
		file, with := sealedArchive(t, files, cut)
		if b, err := backup.Open(t.Context(), file, with); err == nil || b != nil {
			t.Errorf("%d octets less: %v", cut, err)
		}
	}
	file, with := sealedArchive(t, files, 0)
	if _, err := backup.Open(t.Context(), file, with); err != nil {
		t.Errorf("whole: %v", err)
	}
}
