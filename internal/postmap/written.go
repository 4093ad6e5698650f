package postmap

import (
	"context"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/system"
)

// Written returns when files were written, by stat(1); those that are not there are missing.
func Written(ctx context.Context, m system.Runner, files ...string) map[string]time.Time {
	all := map[string]time.Time{}
	if len(files) == 0 {
		return all
	}
	res, err := m.Run(ctx, system.Command{Argv: append([]string{"stat", "-L", "-c", "%.9Y %n", "--"}, files...)})
	if err != nil {
		return all
	}
	for line := range strings.Lines(string(res.Stdout)) {
		at, file, ok := strings.Cut(strings.TrimRight(line, "\n"), " ")
		if n, err := strconv.ParseFloat(at, 64); ok && err == nil {
			all[file] = time.UnixMicro(int64(n * 1e6))
		}
	}
	return all
}
