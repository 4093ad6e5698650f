package console

import (
	"context"
	"fmt"
	"io"

	"mailsetup/internal/stdio"
)

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
