package adopt_test

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/adopt"
	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
	"mailsetup/keygen"
)

// The keys of an exim4 that was set up by hand go on signing, as copies, under their selector.
func TestEximByHand(t *testing.T) {
	pair, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	files := systemtest.NewMem()
	put := func(path state.Path, group string, mode fs.FileMode) {
		files.Put(path, state.Object{Kind: state.Regular, Mode: mode, Owner: state.Owner{User: "root", Group: group}, Content: pair.PEM()})
	}
	for _, p := range []state.Path{"/etc/exim4/dkim.key", "/etc/exim4/keys/lab.example.pem", "/etc/exim4/keys/shop.example.pem", "/etc/exim4/keys/notes"} {
		put(p, "Debian-exim", 0o640)
	}
	put("/etc/exim4/root.key", "root", 0o600)
	files.PutFile("/etc/passwd", "Debian-exim:x:105:109::/var/spool/exim4:/usr/sbin/nologin\n")
	files.PutFile("/etc/group", "Debian-exim:x:109:\n")
	files.PutFile("/etc/exim4/table", "# domains\nlab.example: /etc/exim4/keys/lab.example.pem\nshop.example:/etc/exim4/keys/shop.example.pem\n*: /etc/exim4/dkim.key\n")
	for _, tt := range []struct {
		name string
		hand state.EximDKIM
		want string
	}{
		{"one key", state.EximDKIM{Domain: "lab.example", Key: "/etc/exim4/dkim.key"}, "lab.example"},
		{"a table", state.EximDKIM{Table: "/etc/exim4/table"}, "lab.example shop.example"},
		{"a table of one domain", state.EximDKIM{Domain: "shop.example", Table: "/etc/exim4/table"}, "shop.example"},
		{"a directory", state.EximDKIM{Directory: "/etc/exim4/keys", Suffix: ".pem"}, "lab.example shop.example"},
	} {
		tt.hand.Selector, tt.hand.At = "2024", "/etc/exim4/exim4.conf.localmacros:3"
		s, err := adopt.DetectExim(files, &state.Exim{Hand: &tt.hand}, nil, time.Now())
		if err != nil || strings.Join(s.Names(), " ") != tt.want {
			t.Errorf("%s: %v, %v", tt.name, err, s.Names())
			continue
		}
		for _, name := range s.Names() {
			k := s.Keys[name]
			if want := "/etc/exim4/dkim/" + name + "/2024.private"; k.File != want || k.Public != pair.Public() || k.Stage != keyring.Active || string(s.Copies[state.Path(want)]) != string(pair.PEM()) {
				t.Errorf("%s: the key of %s: %+v", tt.name, name, k)
			}
		}
	}
	for _, tt := range []struct {
		hand state.EximDKIM
		says string
	}{
		{state.EximDKIM{Domain: "lab.example", Key: "/etc/exim4/gone.key"}, "localmacros:3: the key of lab.example"},
		{state.EximDKIM{Domain: "lab.example", Key: "/etc/exim4/root.key"}, "localmacros:3: the key of lab.example does not sign"},
		{state.EximDKIM{Domain: "lab.example", Key: "/etc/exim4/table"}, "localmacros:3: the key of lab.example"},
		{state.EximDKIM{Directory: "/etc/exim4/keys", Suffix: ".key"}, "localmacros:3: exim4 finds no private key there"},
	} {
		tt.hand.Selector, tt.hand.At = "2024", "/etc/exim4/exim4.conf.localmacros:3"
		if _, err := adopt.DetectExim(files, &state.Exim{Hand: &tt.hand}, nil, time.Now()); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: %v", tt.hand, err)
		}
	}
	if s, err := adopt.DetectExim(files, &state.Exim{Signs: []string{"x:1"}}, nil, time.Now()); s != nil || err != nil {
		t.Errorf("what is not understood: %+v %v", s, err)
	}

	// After a purge of the package nobody knows of the keys, and exim4 signs on.
	put("/etc/exim4/dkim/lab.example/2026a.private", "Debian-exim", 0o640)
	files.PutFile("/etc/exim4/mailsetup.dkim", "# Written by mailsetup\nlab.example: lab.example 2026a /etc/exim4/dkim/lab.example/2026a.private\n"+
		"*.lab.example: lab.example 2026a /etc/exim4/dkim/lab.example/2026a.private\nmail.lab.example: lab.example 2026a /etc/exim4/dkim/lab.example/2026a.private\n")
	s, err := adopt.DetectExim(files, &state.Exim{}, nil, time.Now())
	if err != nil || s == nil || strings.Join(s.Names(), " ") != "lab.example" || s.Keys["lab.example"].Selector != "2026a" || !s.Domains[0].Subdomains || len(s.Copies) > 0 || s.Hashes["/etc/exim4/mailsetup.dkim"] == "" {
		t.Errorf("what earlier runs left: %v %+v", err, s)
	}
	if s, err := adopt.DetectExim(files, &state.Exim{}, keyring.Ledger{"lab.example": nil}, time.Now()); s != nil || err != nil {
		t.Errorf("of a host that is set up: %v %+v", err, s)
	}
}
