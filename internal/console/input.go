package console

import (
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"mailsetup/internal/hint"
	"mailsetup/internal/stdio"
	"mailsetup/internal/text"
)

// ReadPassphrase asks the person at the terminal for a line that is not shown.
func (c Console) ReadPassphrase(ctx context.Context, question string) (string, error) {
	in, ok := c.In.(*os.File)
	if !ok || !c.Interactive {
		return "", hint.NewUsage("run it in a terminal", "nobody can be asked for a passphrase here")
	}
	fd := int(in.Fd())
	shown, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	fmt.Fprint(text.Raw(c.Out), question+": ")
	line, err := stdio.Within(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
	fmt.Fprintln(c.Out)
	if err != nil {
		_ = term.Restore(fd, shown) // an interrupted read leaves the terminal as it was
	}
	return string(line), err
}

// ReadFile reads a file that the command line names, or In for "-". What is longer
// than most octets is no file that was meant.
func (c Console) ReadFile(ctx context.Context, file string, most int64) ([]byte, error) {
	in := c.In
	if file != "-" {
		f, err := stdio.Open(ctx, file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	text, err := stdio.ReadAll(ctx, io.LimitReader(in, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", file, err)
	case int64(len(text)) > most:
		return nil, fmt.Errorf("%s: is longer than %d octets", file, most)
	}
	return text, nil
}
