package detect

import (
	"context"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Image collects what can be known of a directory that will be the root of
// some machine. Nothing runs there; its main.cf is read by this machine's
// postconf(1), in the directory that host names.
func Image(ctx context.Context, r system.Reader, host system.Runner, dir string, files []state.Path) (state.Facts, error) {
	f := state.Facts{Files: map[state.Path][]byte{}, Installed: map[string]bool{}, Live: map[string]state.LiveDNS{}}
	for _, p := range files {
		text, err := follow(r, p)
		if err != nil {
			return f, err
		}
		if text != nil {
			f.Files[p] = text
		}
	}
	if text, err := follow(r, "/etc/os-release"); err == nil {
		f.Release = release(string(text))
	}
	main, err := follow(r, "/etc/postfix/main.cf")
	if err != nil || main == nil {
		return f, err
	}
	if f.Postfix, err = parameterValues(ctx, postconf{read: r, run: host, below: dir}); err != nil {
		return f, err
	}
	f.Postfix.Unit, f.Postfix.QueueDirectory = mainUnit, "/var/spool/postfix"
	return f, nil
}
