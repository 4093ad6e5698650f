package detect

import (
	"context"

	"mailsetup/internal/detect/postfix"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Image collects the facts of a directory that will be the root of some machine.
// Nothing runs there; this machine's postconf(1), which host runs, reads its main.cf.
func Image(ctx context.Context, r system.Reader, host system.Runner, dir string, files []state.Path) (state.Facts, error) {
	f := state.Facts{Files: map[state.Path][]byte{}, Installed: map[string]bool{}, Live: map[string]state.LiveDNS{}}
	for _, p := range files {
		text, err := source.Text(r, p)
		if err != nil {
			return f, err
		}
		if text != nil {
			f.Files[p] = text
		}
	}
	if text, err := source.Text(r, "/etc/os-release"); err == nil {
		f.Release = release(string(text))
	}
	main, err := source.Text(r, "/etc/postfix/main.cf")
	if err != nil || main == nil {
		return f, err
	}
	if f.Postfix, err = postfix.InDirectory(ctx, r, host, dir); err != nil {
		return f, err
	}
	f.Postfix.Unit = postfix.MainUnit
	if q := f.Postfix.Value["queue_directory"]; q != "" {
		f.Postfix.QueueDirectory, err = state.ParsePath(q)
	}
	return f, err
}
