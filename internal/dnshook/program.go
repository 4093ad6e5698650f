package dnshook

import (
	"fmt"
	"path"

	"mailsetup/internal/hint"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// SettingsDir has the settings of hooks, with their credentials, in files of the names of
// the programs. Only root may read them; systemd gives a hook its own.
const SettingsDir state.Path = "/etc/mailsetup/hooks"

// credentialStores are where systemd.exec(5) looks for credentials: those that
// systemd-creds(1) encrypted, and others.
var credentialStores = []struct {
	dir      state.Path
	property string
}{{"/etc/credstore.encrypted", "LoadCredentialEncrypted"}, {"/etc/credstore", "LoadCredential"}}

// validate refuses a program that others than root could have changed, or that its user
// could not run.
func validate(r system.Reader, program state.Path) error {
	at, o, err := follow(r, program)
	if err != nil {
		return err
	}
	unfit := func(hint, format string, a ...any) error {
		return &system.UnusableError{Path: program, Text: "the hook " + fmt.Sprintf(format, a...), Hint: hint}
	}
	switch {
	case o.Kind == state.Absent:
		return unfit("--dns-hook names a program by its absolute path", "is not there")
	case o.Kind != state.Regular:
		return unfit("--dns-hook names a program by its absolute path", "is a %s, not a program", o.Kind)
	case o.Owner.User != "root":
		return unfit("see what it does, then: chown root "+hint.Quote(string(at)), "belongs to %s, who could change it", o.Owner.User)
	case o.Mode&0o022 != 0:
		return unfit("see what it does, then: chmod go-w "+hint.Quote(string(at)), "can be changed by others than root (mode %04o)", o.Mode.Perm())
	case o.Mode&0o005 != 0o005:
		return unfit("chmod 755 "+hint.Quote(string(at))+"; what is secret belongs into "+string(settings(program)), "cannot be read and run by a user of its own (mode %04o)", o.Mode.Perm())
	}
	for dir := at.Dir(); ; dir = dir.Dir() {
		o, err := r.Stat(dir)
		switch {
		case err != nil:
			return err
		case o.Owner.User != "root" || o.Mode&0o022 != 0:
			return unfit("move it to a directory where only root may write, as /usr/local/lib", "could be replaced by others than root: %s belongs to %s (mode %04o)", dir, o.Owner.User, o.Mode.Perm())
		case o.Mode&0o001 == 0:
			return unfit("move it to a directory that everybody may pass, as /usr/local/lib", "cannot be run by a user of its own: %s has mode %04o", dir, o.Mode.Perm())
		case dir == "/":
			return nil
		}
	}
}

// follow returns the file that a path leads to.
func follow(r system.Reader, at state.Path) (state.Path, state.Object, error) {
	o, err := r.Stat(at)
	for range 8 {
		if err != nil || o.Kind != state.Symlink {
			break
		}
		if o, err = r.Read(at); err != nil {
			break
		}
		target := string(o.Content)
		if !path.IsAbs(target) {
			target = path.Join(string(at.Dir()), target)
		}
		at = state.Path(path.Clean(target))
		o, err = r.Stat(at)
	}
	return at, o, err
}

// settings returns the file with the settings of a program.
func settings(program state.Path) state.Path { return SettingsDir.Join(program.Base()) }

// credential returns what systemd-run(1) is told to give a hook its settings, "" for none,
// and the words of them that are in no message.
func credential(r system.Reader, program state.Path) (property string, secrets []string, err error) {
	file := settings(program)
	o, err := r.Read(file)
	if err != nil {
		return "", nil, err
	}
	unfit := func(hint, format string, a ...any) error {
		return &system.UnusableError{Path: file, Text: "the settings of the hook " + fmt.Sprintf(format, a...), Hint: hint}
	}
	switch {
	case o.Kind == state.Absent:
		for _, s := range credentialStores {
			at := s.dir.Join("mailsetup." + program.Base())
			if o, err := r.Stat(at); err == nil && o.Kind == state.Regular {
				return s.property + "=" + program.Base() + ":" + string(at), nil, nil
			}
		}
		return "", nil, nil
	case o.Kind != state.Regular:
		return "", nil, unfit("put a file of root's there, with mode 0600", "are in a %s, not in a file", o.Kind)
	case o.Owner.User != "root" || o.Mode&0o077 != 0:
		return "", nil, unfit("chown root "+hint.Quote(string(file))+" && chmod 600 "+hint.Quote(string(file)), "can be read or changed by others than root (owner %s, mode %04o)", o.Owner.User, o.Mode.Perm())
	}
	return "LoadCredential=" + program.Base() + ":" + string(file), secretWords.FindAllString(string(o.Content), -1), nil
}
