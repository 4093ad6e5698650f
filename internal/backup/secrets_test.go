package backup_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"mailsetup/internal/backup"
	"mailsetup/internal/hint"
)

// typed is a person who types these lines.
func typed(lines ...string) func(context.Context, string) (string, error) {
	return func(context.Context, string) (string, error) {
		line := lines[0]
		lines = lines[1:]
		return line, nil
	}
}

func write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
	return file
}

// What cannot protect a backup is refused before anything is read, in one line.
func TestRefusedSecrets(t *testing.T) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	pq, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	good := write(t, "pass", "correct horse battery\n", 0o600)
	for name, tt := range map[string]struct {
		secrets backup.Secrets
		want    string
	}{
		"nobody there": {backup.Secrets{}, "nobody can be asked for a passphrase here: stdin or stdout is not a terminal"},
		"both": {
			backup.Secrets{PassphraseFile: good, Recipients: []string{key.Recipient().String()}},
			"a backup is encrypted with a passphrase or to recipients, not both",
		},
		"two passphrases": {backup.Secrets{Ask: typed("correct horse battery", "correct horse bakery")}, "these were two passphrases"},
		"short":           {backup.Secrets{Ask: typed("horse")}, "the passphrase has 5 characters; it takes 10"},
		"empty file":      {backup.Secrets{PassphraseFile: write(t, "p", "\n", 0o600)}, "p: has 1 lines"},
		"two lines":       {backup.Secrets{PassphraseFile: write(t, "p", "correct horse\nbattery\n", 0o600)}, "p: has 2 lines"},
		"open to all":     {backup.Secrets{PassphraseFile: write(t, "p", "correct horse battery\n", 0o644)}, "p: others than root can read it"},
		"a directory":     {backup.Secrets{PassphraseFile: t.TempDir()}, "is neither a file nor a pipe"},
		"missing":         {backup.Secrets{PassphraseFile: "/no/such"}, "open /no/such: no such file or directory"},
		"secret half":     {backup.Secrets{Recipients: []string{key.String()}}, "is the secret half; the public one begins with age1"},
		"no key":          {backup.Secrets{Recipients: []string{"ann@lab.example"}}, "--recipient: ann@lab.example: is no public key of age(1) or ssh"},
		"no keys in it":   {backup.Secrets{RecipientFiles: []string{write(t, "keys", "# none\n\n", 0o644)}}, "keys: has no recipient"},
		"bad line":        {backup.Secrets{RecipientFiles: []string{write(t, "keys", "# one\nage1x\n", 0o644)}}, "keys: line 2: malformed recipient"},
	} {
		_, err := backup.Seal(t.Context(), backup.Options{File: filepath.Join(t.TempDir(), "b"), Secrets: tt.secrets})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !hint.IsUsage(err) || len(hint.Of(err)) == 0 {
			t.Errorf("%s: %v (hints %q), want %s", name, err, hint.Of(err), tt.want)
		}
	}
	if err := mustFail(t, backup.Secrets{Recipients: []string{key.String()}}); strings.Contains(err.Error(), key.String()[20:]) {
		t.Errorf("the secret half is shown: %v", err)
	}
	opened(t, backup.Secrets{Recipients: []string{key.Recipient().String()}}, backup.Secrets{IdentityFiles: []string{write(t, "key", key.String()+"\n", 0o600)}})
	opened(t, backup.Secrets{Recipients: []string{pq.Recipient().String()}}, backup.Secrets{IdentityFiles: []string{write(t, "key", pq.String()+"\n", 0o600)}})
	opened(t, backup.Secrets{PassphraseFile: good, WorkFactor: 10}, backup.Secrets{Ask: typed("correct horse battery")})
	opened(t, backup.Secrets{Ask: typed("correct horse battery", "correct horse battery"), WorkFactor: 10}, backup.Secrets{PassphraseFile: good})
	public, private := sshKey(t)
	opened(t, backup.Secrets{RecipientFiles: []string{write(t, "keys", "# admins\n"+key.Recipient().String()+"\n"+public+" ann@lab\n", 0o644)}},
		backup.Secrets{IdentityFiles: []string{write(t, "id_ed25519", private, 0o600)}})

	mixed := server(t)
	s, err := backup.Seal(t.Context(), backup.Options{File: filepath.Join(t.TempDir(), "b"), Secrets: backup.Secrets{Recipients: []string{key.Recipient().String(), pq.Recipient().String()}}})
	if err == nil {
		_, err = s.Write(t.Context(), mixed)
	}
	if err == nil || err.Error() != "these recipients cannot be mixed" {
		t.Errorf("two kinds of keys: %v", err)
	}
}

func mustFail(t *testing.T, s backup.Secrets) error {
	t.Helper()
	_, err := backup.Seal(t.Context(), backup.Options{File: filepath.Join(t.TempDir(), "b"), Secrets: s})
	if err == nil {
		t.Fatal("no error")
	}
	return err
}

func sshKey(t *testing.T) (public, private string) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "ann")
	if err != nil {
		t.Fatal(err)
	}
	return p.Type() + " " + base64.StdEncoding.EncodeToString(p.Marshal()), string(pem.EncodeToMemory(block))
}

// opened wants what one side encrypts to be opened by the other.
func opened(t *testing.T, by, with backup.Secrets) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mail.backup")
	s, err := backup.Seal(t.Context(), backup.Options{File: file, Secrets: by})
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Write(t.Context(), server(t))
	if err != nil {
		t.Fatal(err)
	}
	if res.Domains != 1 || res.Keys != 1 || res.Octets < 1000 || len(res.Missing) != 0 {
		t.Errorf("result %+v", res)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(file); err != nil || fi.Mode() != 0o600 || fi.Size() != int64(res.Octets) {
		t.Errorf("the file is %v, %v", fi, err)
	}
	if !bytes.HasPrefix(text, []byte("age-encryption.org/v1\n")) || bytes.Contains(text, []byte("PRIVATE KEY")) || bytes.Contains(text, []byte("lab.example")) {
		t.Errorf("not encrypted: %.200q", text)
	}
	b, err := backup.Open(t.Context(), file, with)
	if err != nil {
		t.Fatal(err)
	}
	if b.Manifest.Host != "mail.lab.example" || len(b.Files) != 4 {
		t.Errorf("%+v", b.Manifest)
	}
}

// Who cannot open a backup is told what would.
func TestRefusedIdentities(t *testing.T) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	phrased, keyed := filepath.Join(t.TempDir(), "p"), filepath.Join(t.TempDir(), "k")
	for file, s := range map[string]backup.Secrets{
		phrased: {Ask: typed("correct horse battery", "correct horse battery"), WorkFactor: 10}, keyed: {Recipients: []string{key.Recipient().String()}},
	} {
		sealed, err := backup.Seal(t.Context(), backup.Options{File: file, Secrets: s})
		if err == nil {
			_, err = sealed.Write(t.Context(), server(t))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	mine := write(t, "key", key.String()+"\n", 0o600)
	for name, tt := range map[string]struct {
		file    string
		secrets backup.Secrets
		want    string
	}{
		"another passphrase": {phrased, backup.Secrets{Ask: typed("correct horse bakery")}, "this passphrase does not open it"},
		"empty passphrase":   {phrased, backup.Secrets{Ask: typed("")}, "the passphrase is empty"},
		"nobody there":       {phrased, backup.Secrets{}, "nobody can be asked for a passphrase here"},
		"key for passphrase": {phrased, backup.Secrets{IdentityFiles: []string{mine}}, "is encrypted with a passphrase"},
		"passphrase for key": {keyed, backup.Secrets{Ask: typed("correct horse battery")}, "is encrypted to recipients, not with a passphrase"},
		"another key":        {keyed, backup.Secrets{IdentityFiles: []string{write(t, "key", other.String(), 0o600)}}, "none of these keys opens it"},
		"key open to all":    {keyed, backup.Secrets{IdentityFiles: []string{write(t, "key", key.String(), 0o640)}}, "others than root can read it"},
		"public half":        {keyed, backup.Secrets{IdentityFiles: []string{write(t, "key", key.Recipient().String(), 0o600)}}, "has no private key of age(1)"},
		"ssh noise":          {keyed, backup.Secrets{IdentityFiles: []string{write(t, "key", "-----BEGIN X-----\n", 0o600)}}, "is no private key of ssh that can be used"},
		"no backup":          {mine, backup.Secrets{IdentityFiles: []string{mine}}, "is no backup"},
		"a directory":        {t.TempDir(), backup.Secrets{}, "is a directory"},
		"missing":            {"/no/such", backup.Secrets{}, "open /no/such: no such file or directory"},
	} {
		_, err := backup.Open(t.Context(), tt.file, tt.secrets)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !hint.IsUsage(err) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}
