package live

import (
	"strings"

	"mailsetup/internal/hint"
	"mailsetup/internal/livepath"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// ownLoginFile names no file: a command would break one of another program.
const ownLoginFile = "a file of its own, made by install -m 600 /dev/null FILE, with two lines: the user, as it logs in, and the password"

// ReadLogin reads the user and the password for submission from a file: a line for each.
// Only root may be able to read it.
func ReadLogin(files system.Reader, name string) (*livepath.Login, error) {
	p, err := state.ParsePath(name)
	if err != nil {
		return nil, hint.NewUsage("name it with its whole path, as in /root/login", "--login %s: %w", name, err)
	}
	o, err := files.Read(p)
	switch {
	case err != nil:
		return nil, hint.NewUsage("", "--login: %w", err)
	case o.Kind != state.Regular:
		return nil, hint.NewUsage(ownLoginFile, "--login %s: is no regular file (%s)", name, o.Kind)
	case o.Owner.User != state.Root.User || o.Mode.Perm()&0o077 != 0:
		return nil, hint.NewUsage(ownLoginFile, "--login %s: %s, mode %04o: others could read the password", name, o.Owner, o.Mode.Perm())
	}
	user, rest, _ := strings.Cut(string(o.Content), "\n")
	password, more, _ := strings.Cut(rest, "\n")
	user, password = strings.TrimSpace(user), strings.TrimRight(password, "\r")
	if user == "" || password == "" || strings.TrimSpace(more) != "" || strings.ContainsAny(user+password, "\x00") {
		return nil, hint.NewUsage(ownLoginFile, "--login %s: not a user and a password", name)
	}
	return &livepath.Login{User: user, Password: password}, nil
}
