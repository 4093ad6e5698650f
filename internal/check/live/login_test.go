package live_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/check/live"
	"mailsetup/internal/hint"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// Only a file that nobody but root can read may have a password.
func TestReadLogin(t *testing.T) {
	const ownFile = "a file of its own, made by install -m 600 /dev/null FILE, with two lines: the user, as it logs in, and the password"
	ann := state.Owner{User: "ann", Group: "ann"}
	for _, tt := range []struct {
		name, file string
		mode       fs.FileMode
		owner      state.Owner
		text       string
		says, hint string
	}{
		{"right", "/root/login", 0o600, state.Root, "ann@lab.example\nsecret word\n", "", ""},
		{"without a final line break", "/root/login", 0o400, state.Root, "ann\nsecret", "", ""},
		{"others may read it", "/root/login", 0o640, state.Root, "ann\nsecret\n", "--login /root/login: root:root, mode 0640: others could read the password", ownFile},
		{"somebody else's", "/root/login", 0o600, ann, "ann\nsecret\n", "--login /root/login: ann:ann, mode 0600", ownFile},
		{"no password", "/root/login", 0o600, state.Root, "ann\n", "not a user and a password", ownFile},
		{"three lines", "/root/login", 0o600, state.Root, "ann\nsecret\nmore\n", "not a user and a password", ownFile},
		{"no such file", "/root/other", 0o600, state.Root, "", "--login /root/other: is no regular file", ownFile},
		{"not a whole path", "login", 0o600, state.Root, "", "--login login: ", "name it with its whole path, as in /root/login"},
	} {
		m := systemtest.NewMem()
		m.Put("/root/login", state.Object{Kind: state.Regular, Mode: tt.mode, Owner: tt.owner, Content: []byte(tt.text)})
		l, err := live.ReadLogin(m, tt.file)
		switch {
		case tt.says == "" && (err != nil || !strings.HasPrefix(l.User, "ann") || !strings.HasPrefix(l.Password, "secret")):
			t.Errorf("%s: %v, %v", tt.name, l, err)
		case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says) || !slices.Equal(hint.Of(err), []string{tt.hint})):
			t.Errorf("%s: %v, %q", tt.name, err, hint.Of(err))
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%s: the password is in the error", tt.name)
		}
	}
}
