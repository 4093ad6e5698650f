// Bench compares mailsetup with the tools that people use otherwise, shows how
// its work grows with the number of domains, and says of each number that was
// promised whether it is reached. It needs a machine that does nothing else.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/e2e/lab"
	"mailsetup/zonefile"
)

const zoneRecords = 10_000

func main() {
	if err := report(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func report(ctx context.Context, out io.Writer) error {
	names := os.Args[1:] // of parts; all without any
	if len(names) == 0 {
		if err := besideTools(ctx, out); err != nil {
			return err
		}
	}
	if why := cannot(); why != "" {
		fmt.Fprintf(out, "\n*** SKIPPED: all that is measured on a booted Debian server. Why: %s. ***\n"+
			"*** Nothing above says that what was promised of many domains is true. ***\n", why)
		return nil
	}
	if err := prepare(ctx); err != nil {
		return err
	}
	v := &verdicts{}
	var parts []func(context.Context, io.Writer, *verdicts) error
	for _, p := range []struct {
		name string
		run  func(context.Context, io.Writer, *verdicts) error
	}{{"scale", scale}, {"check", checks}, {"inbound", door}, {"exim", exim}, {"zones", zones}, {"fleet", fleet}} {
		if len(names) == 0 || slices.Contains(names, p.name) {
			parts = append(parts, p.run)
		}
	}
	for _, part := range parts {
		if err := part(ctx, out, v); err != nil {
			return err
		}
	}
	return v.print(out)
}

// prepare installs what boots a server, where that is missing.
func prepare(ctx context.Context) error {
	if _, err := lab.Open(); err == nil {
		return nil
	}
	install := exec.CommandContext(ctx, "make", "deps")
	install.Stdout, install.Stderr = os.Stderr, os.Stderr
	if err := install.Run(); err != nil {
		return fmt.Errorf("make deps: %w", err)
	}
	return nil
}

// besideTools measures what needs no server.
func besideTools(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "mailsetup-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, part := range []func(context.Context, io.Writer, string) error{keys, zone, domains} {
		if err := part(ctx, out, dir); err != nil {
			return err
		}
	}
	return nil
}

// compare prints our time, and that of others as a multiple of it.
func compare(out io.Writer, ours time.Duration, times int, dir string, argv ...string) error {
	d, ok, err := tool(times, dir, argv...)
	name := strings.Join(argv[:min(len(argv), 3)], " ")
	switch {
	case err != nil:
		return err
	case !ok:
		fmt.Fprintf(out, "  %-34s %12s\n", argv[0], "not installed")
	default:
		fmt.Fprintf(out, "  %-34s %12s %8.1f x ours\n", name, short(d), float64(d)/float64(ours))
	}
	return nil
}

func ours(out io.Writer, what string, d time.Duration) {
	fmt.Fprintf(out, "  %-34s %12s\n", what, short(d))
}

func short(d time.Duration) string {
	if d > 10*time.Millisecond {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Microsecond).String()
}

func keys(_ context.Context, out io.Writer, dir string) error {
	const times = 16 // the search for primes takes luck
	fmt.Fprintf(out, "One RSA key of 2048 bits (mean of %d)\n", times)
	d, err := each(times, makeKey)
	if err != nil {
		return err
	}
	ours(out, "mailsetup", d)
	if err := compare(out, d, times, dir, "openssl", "genrsa", "2048"); err != nil {
		return err
	}
	return compare(out, d, times/2, dir, "opendkim-genkey", "-b", "2048", "-s", "bench", "-d", "lab.example")
}

func zone(_ context.Context, out io.Writer, dir string) error {
	fmt.Fprintf(out, "\nA zone of %d records\n", zoneRecords)
	text := bigZone(zoneRecords)
	d, err := each(20, func() error {
		_, err := zonefile.Apply(zoneEdit("/etc/bind/mailsetup/lab.example.zone"), text)
		return err
	})
	if err != nil {
		return err
	}
	ours(out, "$INCLUDE and serial", d)
	file, err := zoneFiles(dir, zoneRecords)
	if err != nil {
		return err
	}
	return compare(out, d, 5, dir, "named-checkzone", "-q", "lab.example", file)
}

func domains(ctx context.Context, out io.Writer, _ string) error {
	fmt.Fprint(out, "\nDomains on one server, in memory      nothing to do      adding one more\n"+
		"                                     run  per domain    steps  of these syncs\n")
	for _, n := range []int{1, 100, 1_000, 10_000} {
		s, err := newServer(ctx, n)
		if err != nil {
			return err
		}
		d, err := each(max(1, 1_000/n), func() error {
			p, err := s.again(ctx)
			if err == nil && !p.Empty() {
				err = fmt.Errorf("with %d domains there is something to do: %s", n, p.Stages[0].Name)
			}
			return err
		})
		if err != nil {
			return err
		}
		m, err := s.add(ctx, n)
		if err != nil {
			return err
		}
		trace := m.Trace()
		fmt.Fprintf(out, "  %26d %12s %11s %8d %15d\n", n, short(d), short(d/time.Duration(n)), len(trace), syncs(trace))
	}
	return nil
}

// syncs counts what waits for the disk: each Sync, and each line of the
// journal.
func syncs(trace []string) int {
	n := 0
	for _, t := range trace {
		if strings.HasPrefix(t, "sync ") || strings.HasPrefix(t, "append ") {
			n++
		}
	}
	return n
}
