// Package apt asks and drives Debian's package tools: what an installation
// would change, the installation itself, and what is installed.
package apt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/system"
)

// Preview is what apt would do: package names, sorted.
type Preview struct {
	Install []string // dependencies included
	Upgrade []string // packages that are there in an older version
	Remove  []string
}

// lockSeconds is how long apt waits for another package manager.
const lockSeconds = "20"

// within is how long a download or an installation may take.
const within = time.Hour

// Simulate asks apt-get(8) what installing pkgs, without recommended packages,
// would do. With refresh the package lists are fetched if one is not in them;
// that needs root.
func Simulate(ctx context.Context, r system.Runner, pkgs []string, refresh bool) (Preview, error) {
	if err := checkNames(pkgs); err != nil || len(pkgs) == 0 {
		return Preview{}, err
	}
	p, err := simulate(ctx, r, pkgs)
	if !refresh || !errors.Is(err, ErrUnknownPackage) {
		return p, err
	}
	if uerr := update(ctx, r, nil); uerr != nil {
		return Preview{}, fmt.Errorf("%w; fetching the package lists failed too: %w", err, uerr)
	}
	return simulate(ctx, r, pkgs)
}

func simulate(ctx context.Context, r system.Runner, pkgs []string) (Preview, error) {
	argv := append([]string{"apt-get", "-s", "-q", "--no-install-recommends", "install", "--"}, pkgs...)
	res, err := run(ctx, r, nil, argv...)
	if err != nil {
		return Preview{}, err
	}
	return parsePreview(string(res.Stdout)), nil
}

// parsePreview reads the lines of a simulation:
//
//	Inst postfix (3.7.11-0+deb12u1 Debian:12.15/oldstable [amd64])
//	Inst libc6 [2.36-9] (2.36-9+deb12u1 Debian:12.15/oldstable [amd64])
//	Remv exim4-base [4.96-15+deb12u7]
func parsePreview(out string) Preview {
	var p Preview
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "Inst":
			if len(fields) > 2 && strings.HasPrefix(fields[2], "[") {
				p.Upgrade = append(p.Upgrade, fields[1])
			} else {
				p.Install = append(p.Install, fields[1])
			}
		case "Remv", "Purg":
			p.Remove = append(p.Remove, fields[1])
		}
	}
	for _, list := range []*[]string{&p.Install, &p.Upgrade, &p.Remove} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return p
}

// update fetches the package lists. apt-get exits with 0 even if some servers failed,
// so update looks for warnings in the output.
func update(ctx context.Context, r system.Runner, out io.Writer) error {
	argv := []string{"apt-get", "-q", "-o", "DPkg::Lock::Timeout=" + lockSeconds, "update"}
	res, err := run(ctx, r, out, argv...)
	if err == nil && strings.Contains(string(res.Stderr), "Failed to fetch") {
		err = explain(argv, res)
	}
	return err
}

// checkNames refuses what is no package name (Debian Policy 5.6.7): apt would
// take "postfix-" for a removal and "a.*" for a pattern.
func checkNames(pkgs []string) error {
	for _, name := range pkgs {
		if !regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]*[a-z0-9.]$`).MatchString(name) {
			return fmt.Errorf("package %q: not a package name", name)
		}
	}
	return nil
}

// run starts a package tool without questions and explains its failure.
func run(ctx context.Context, r system.Runner, out io.Writer, argv ...string) (system.Result, error) {
	res, err := r.Run(ctx, system.Command{Argv: argv, Output: out, Within: within, Env: []string{
		"DEBIAN_FRONTEND=noninteractive",
		"APT_LISTCHANGES_FRONTEND=none",
		"NEEDRESTART_MODE=l", // list, never restart other people's services
	}})
	if err == nil && res.Code != 0 {
		err = explain(argv, res)
	}
	return res, noDebian(argv, err)
}
