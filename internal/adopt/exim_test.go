package adopt_test

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/adopt"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
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
	exim := spec.Host{MTA: "exim4"}
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
		s, err := adopt.DetectExim(files, &state.Exim{Hand: &tt.hand}, exim, nil, time.Now())
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
		if _, err := adopt.DetectExim(files, &state.Exim{Hand: &tt.hand}, exim, nil, time.Now()); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: %v", tt.hand, err)
		}
	}
	if s, err := adopt.DetectExim(files, &state.Exim{Signs: []string{"x:1"}}, exim, nil, time.Now()); s != nil || err != nil {
		t.Errorf("what is not understood: %+v %v", s, err)
	}

	// After a purge of the package nobody knows of the keys, and exim4 signs on.
	put("/etc/exim4/dkim/lab.example/2026a.private", "Debian-exim", 0o640)
	files.PutFile("/etc/exim4/mailsetup.dkim", "# Written by mailsetup\nlab.example: lab.example 2026a /etc/exim4/dkim/lab.example/2026a.private\n"+
		"*.lab.example: lab.example 2026a /etc/exim4/dkim/lab.example/2026a.private\nmail.lab.example: lab.example 2026a /etc/exim4/dkim/lab.example/2026a.private\n")
	s, err := adopt.DetectExim(files, &state.Exim{}, exim, nil, time.Now())
	if err != nil || s == nil || strings.Join(s.Names(), " ") != "lab.example" || s.Keys["lab.example"].Selector != "2026a" || !s.Domains[0].Subdomains || len(s.Copies) > 0 || s.Hashes["/etc/exim4/mailsetup.dkim"] == "" {
		t.Errorf("what earlier runs left: %v %+v", err, s)
	}
	if s, err := adopt.DetectExim(files, &state.Exim{}, exim, keyring.Ledger{"lab.example": nil}, time.Now()); s != nil || err != nil {
		t.Errorf("of a host that is set up: %v %+v", err, s)
	}
}

// Where Postfix takes the place of an exim4 that was set up by hand, or by earlier runs of which
// nothing is known, OpenDKIM signs with copies of its keys, under the same selectors; and exim4
// with those of an OpenDKIM.
func TestKeysGoToTheOtherMailServer(t *testing.T) {
	pair, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	files := systemtest.NewMem()
	files.PutFile("/etc/passwd", "Debian-exim:x:105:109::/var/spool/exim4:/usr/sbin/nologin\n")
	files.PutFile("/etc/group", "Debian-exim:x:109:\n")
	const old = "/etc/exim4/dkim/shop.example/2026a.private"
	for _, path := range []state.Path{"/etc/exim4/hand.key", old, "/etc/mail/dkim.pem"} {
		files.Put(path, state.Object{Kind: state.Regular, Mode: 0o640, Owner: state.Owner{User: "root", Group: "Debian-exim"}, Content: pair.PEM()})
	}
	files.PutFile("/etc/exim4/mailsetup.dkim", "shop.example: shop.example 2026a "+old+"\n")
	hand := state.EximDKIM{Domain: "lab.example", Key: "/etc/exim4/hand.key", Selector: "byhand", At: "/etc/exim4/exim4.conf.localmacros:3"}
	check := func(s *adopt.Setup, err error, domain, selector string, path state.Path) {
		t.Helper()
		if err != nil || s == nil {
			t.Fatalf("%v %v", s, err)
		}
		k := s.Keys[domain]
		if k.Selector != selector || k.File != string(path) || k.Adopted || len(s.Copies) != 1 || string(s.Copies[path]) != string(pair.PEM()) || len(s.Permissions)+len(s.Hashes) > 0 {
			t.Errorf("%+v, %d copies", k, len(s.Copies))
		}
	}
	s, err := adopt.DetectExim(files, &state.Exim{Hand: &hand}, spec.Host{}, nil, time.Now())
	check(s, err, "lab.example", "byhand", "/etc/dkimkeys/lab.example/byhand.private")
	if want := "/etc/exim4/hand.key (OpenDKIM gets a copy)"; !strings.Contains(s.Notes[0].Text, want) {
		t.Errorf("%q", s.Notes[0].Text)
	}
	s, err = adopt.DetectExim(files, &state.Exim{}, spec.Host{}, nil, time.Now())
	check(s, err, "shop.example", "2026a", "/etc/dkimkeys/shop.example/2026a.private")

	s = &adopt.Setup{
		Keys:        map[string]keyring.Key{"lab.example": {Selector: "mail", File: "/etc/mail/dkim.pem", Adopted: true}},
		Permissions: []state.Meta{{Path: "/etc/mail/dkim.pem"}},
	}
	check(s, s.MoveTo(files, spec.Host{MTA: "exim4"}), "lab.example", "mail", "/etc/exim4/dkim/lab.example/mail.private")
}
