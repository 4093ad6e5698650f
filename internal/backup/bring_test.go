package backup_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailsetup/internal/backup"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// Who may encrypt to a recipient may write any archive. Of one that has more than settings,
// ledger and the keys that it names, nothing is put in place, with --replace neither.
func TestHostileBackup(t *testing.T) {
	pem, ledger := contents(t)[privateFile], contents(t)[keyring.File("lab.example")]
	at := func(file string) string { return strings.Replace(ledger, privateFile, file, 1) }
	for name, tt := range map[string]struct {
		put  map[state.Path]string
		want string
	}{
		"cron":               {map[state.Path]string{"/etc/cron.d/x": "* * * * * root id\n"}, "the backup has /etc/cron.d/x, which is no part of one"},
		"shadow":             {map[state.Path]string{"/etc/shadow": "root::"}, "the backup has /etc/shadow, which is no part of one"},
		"the journal":        {map[state.Path]string{"/var/lib/mailsetup/journal/x": ""}, "the backup has /var/lib/mailsetup/journal/x, which is no part of one"},
		"below the settings": {map[state.Path]string{"/etc/mailsetup/a/b": ""}, "the backup has /etc/mailsetup/a/b, which is no part of one"},
		"no name":            {map[state.Path]string{"/etc/mailsetup/domains.d/.toml": ""}, "the backup has /etc/mailsetup/domains.d/.toml, which is no part of one"},
		"a key that is none": {map[state.Path]string{privateFile: "* * * * * root id\n"}, "the backup has " + privateFile + ", which is not just a private key"},
		"more than a key":    {map[state.Path]string{privateFile: "* * * * * root id\n" + pem}, "the backup has " + privateFile + ", which is not just a private key"},
		"a key and more":     {map[state.Path]string{privateFile: pem + "* * * * * root id\n"}, "the backup has " + privateFile + ", which is not just a private key"},
		"a key elsewhere": {
			map[state.Path]string{keyring.File("lab.example"): at("/etc/cron.d/x"), privateFile: "", "/etc/cron.d/x": "* * * * * root id\n"},
			"the backup has /etc/cron.d/x, which is not just a private key",
		},
		"another key": {map[state.Path]string{keyring.File("lab.example"): strings.Replace(ledger, key.Public(), "MIGf", 1)}, "the backup has " + privateFile + ", which is not the key of selector s1"},
		"no key":      {map[state.Path]string{privateFile: ""}, "the backup lacks " + privateFile + ", the private key of selector s1: it was not there any more when the backup was made"},
		"no ledger":   {map[state.Path]string{keyring.File("lab.example"): "{"}, "the backup has a damaged /var/lib/mailsetup/keyring/lab.example.json"},
		"no settings": {map[state.Path]string{spec.HostFile: ""}, "the backup has no /etc/mailsetup/host.toml"},
		"an update key outside": {
			map[state.Path]string{spec.HostFile: contents(t)[spec.HostFile] + "\n[rfc2136]\nkey_file = \"/etc/cron.d/x\"\n", "/etc/cron.d/x": "* * * * * root id\n"},
			"the backup has /etc/cron.d/x, which is no part of one",
		},
		"an update key that programs read": {
			map[state.Path]string{spec.HostFile: contents(t)[spec.HostFile] + "\n[rfc2136]\nkey_file = \"/root/.ssh/authorized_keys\"\n", "/root/.ssh/authorized_keys": tsig},
			"the backup has /root/.ssh/authorized_keys, which is no part of one",
		},
		"an update key that is none": {
			map[state.Path]string{spec.HostFile: contents(t)[spec.HostFile] + "\n[rfc2136]\nkey_file = \"/root/tsig\"\n", "/root/tsig": "* * * * * root id\n"},
			"the backup has /root/tsig: is not a key statement",
		},
	} {
		files := map[state.Path]string{}
		for p, text := range contents(t) {
			if p.Dir() != "/var/lib/mailsetup/journal" && !strings.HasSuffix(string(p), "~") {
				files[p] = text
			}
		}
		for p, text := range tt.put {
			if files[p] = text; text == "" && (p == privateFile || p == spec.HostFile) {
				delete(files, p)
			}
		}
		file, with := sealedArchive(t, files, 0)
		b, err := backup.Open(t.Context(), file, with)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m := below(t, nil)
		err = b.Bring(provision.New(m, provision.Options{}, nil), true)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || !hint.IsUsage(err) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

// A place where a file of the backup would go may be something else here.
func TestPlaceIsTaken(t *testing.T) {
	files := contents(t)
	delete(files, "/var/lib/mailsetup/journal/x")
	delete(files, "/etc/mailsetup/domains.d/.a.toml.ab~")
	file, with := sealedArchive(t, files, 0)
	b, err := backup.Open(t.Context(), file, with)
	if err != nil {
		t.Fatal(err)
	}
	m := below(t, map[state.Path]string{"/etc/mailsetup/domains.d/x.toml": ""})
	if err := os.Symlink("/etc/passwd", filepath.Join(m.Root, string(spec.HostFile))); err != nil {
		t.Fatal(err)
	}
	if err := b.Bring(provision.New(m, provision.Options{}, nil), true); err == nil || !strings.Contains(err.Error(), "/etc/mailsetup/host.toml: is a symbolic link to /etc/passwd") {
		t.Errorf("a link: %v", err)
	}
}
