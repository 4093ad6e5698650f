package dnshook

import (
	"fmt"

	"mailsetup/internal/hint"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// SettingsDir has the settings of hooks, with their credentials, in files of the names of
// the programs. Only root may read them; systemd gives a hook its own.
const SettingsDir state.Path = "/etc/mailsetup/hooks"

// validate refuses a program that others than root could have changed, or that its user
// could not run.
func validate(r system.Reader, program state.Path) error {
	at, links, err := system.Follow(r, program)
	if err != nil {
		return err
	}
	o, err := r.Stat(at)
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
	case o.Mode&0o111 == 0:
		return unfit("--dns-hook names a program by its absolute path", "is not executable (mode %04o)", o.Mode.Perm())
	case o.Mode&0o005 != 0o005:
		return unfit("chmod 755 "+hint.Quote(string(at))+"; what is secret belongs into "+string(Settings(program)), "cannot be read and run by a user of its own (mode %04o)", o.Mode.Perm())
	}
	// Whoever may write where a link is puts another one there.
	for _, file := range append(links, at) {
		for dir := file.Dir(); ; dir = dir.Dir() {
			o, err := r.Stat(dir)
			switch {
			case err != nil:
				return err
			case o.Kind == state.Symlink:
				return unfit("name it as this prints it: realpath "+hint.Quote(string(program)), "is behind %s, a symbolic link", dir)
			case o.Owner.User != "root" || o.Mode&0o022 != 0:
				return unfit("move it to a directory where only root may write, as /usr/local/lib", "could be replaced by others than root: %s belongs to %s (mode %04o)", dir, o.Owner.User, o.Mode.Perm())
			case o.Mode&0o001 == 0:
				return unfit("move it to a directory that everybody may pass, as /usr/local/lib", "cannot be run by a user of its own: %s has mode %04o", dir, o.Mode.Perm())
			}
			if dir == "/" {
				break
			}
		}
	}
	return nil
}

// Settings returns the file with the settings of a program.
func Settings(program state.Path) state.Path { return SettingsDir.Join(program.Base()) }

// Encrypted returns where systemd-creds(1) has put the settings if no other place has them:
// only this machine can read them there.
func Encrypted(program state.Path) state.Path {
	return state.Path("/etc/credstore.encrypted").Join("mailsetup." + program.Base())
}

// credential is what systemd gives a hook.
type credential struct {
	file      state.Path // which has it, or would have
	encrypted bool
	property  string   // by which systemd-run(1) is told, "" where there is no credential
	secrets   []string // words that are in no message
}

// credentialOf returns the settings of a hook.
func credentialOf(r system.Reader, program state.Path) (credential, error) {
	c := credential{file: Settings(program)}
	o, err := r.Read(c.file)
	if err != nil {
		return c, err
	}
	unfit := func(hint, format string, a ...any) error {
		return &system.UnusableError{Path: c.file, Text: "the settings of the hook " + fmt.Sprintf(format, a...), Hint: hint}
	}
	switch {
	case o.Kind == state.Absent:
		at := Encrypted(program)
		if o, err := r.Stat(at); err != nil || o.Kind != state.Regular {
			return c, err
		}
		c.file, c.encrypted, c.property = at, true, "LoadCredentialEncrypted="+program.Base()+":"+string(at)
		return c, nil
	case o.Kind != state.Regular:
		return c, unfit("put a file of root's there, with mode 0600", "are in a %s, not in a file", o.Kind)
	case o.Owner.User != "root" || o.Mode&0o077 != 0:
		return c, unfit("chown root "+hint.Quote(string(c.file))+" && chmod 600 "+hint.Quote(string(c.file)), "can be read or changed by others than root (owner %s, mode %04o)", o.Owner.User, o.Mode.Perm())
	}
	c.property, c.secrets = "LoadCredential="+program.Base()+":"+string(c.file), secretWords.FindAllString(string(o.Content), -1)
	return c, nil
}
