package apt

import (
	"context"
	"strings"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Installed reports, for each name, whether the package is installed and configured.
func Installed(ctx context.Context, r system.Runner, names ...string) (map[string]bool, error) {
	installed := make(map[string]bool, len(names))
	if err := checkNames(names); err != nil || len(names) == 0 {
		return installed, err
	}
	argv := append([]string{"dpkg-query", "-W", "-f", `${Package} ${db:Status-Status}\n`, "--"}, names...)
	res, err := r.Run(ctx, system.Command{Argv: argv})
	if err != nil {
		return nil, noDebian(argv, err)
	}
	if res.Code > 1 { // 1: a name it does not know
		return nil, explain(argv, res)
	}
	for _, name := range names {
		installed[name] = false
	}
	for line := range strings.Lines(string(res.Stdout)) {
		name, status, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch status {
		case "installed", "triggers-awaited", "triggers-pending":
			installed[name] = true
		}
	}
	return installed, nil
}

// Pristine reports, for each file, whether it is a configuration file of a package and
// unchanged. dpkg keeps the MD5 of what it installed, which is enough to tell versions
// apart, not to protect.
func Pristine(ctx context.Context, r system.Runner, conffiles ...state.Path) (map[state.Path]bool, error) {
	pristine := make(map[state.Path]bool, len(conffiles))
	if len(conffiles) == 0 {
		return pristine, nil
	}
	argv := []string{"dpkg-query", "-W", "-f", `${Conffiles}\n`}
	res, err := r.Run(ctx, system.Command{Argv: argv})
	if err == nil && res.Code != 0 {
		err = explain(argv, res)
	}
	if err != nil {
		return nil, err
	}
	shipped := parseConffiles(string(res.Stdout))
	argv = []string{"md5sum", "--"}
	for _, p := range conffiles {
		pristine[p] = false
		argv = append(argv, string(p))
	}
	// Exit status 1: one of them is not there.
	if res, err = r.Run(ctx, system.Command{Argv: argv}); err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(res.Stdout)) {
		sum, file, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		p := state.Path(file)
		if _, asked := pristine[p]; asked {
			pristine[p] = sum != "" && shipped[p] == sum
		}
	}
	return pristine, nil
}

// parseConffiles reads dpkg's list: a path, its MD5 and perhaps a flag
// (obsolete, remove-on-upgrade). A package that is being unpacked has
// "newconffile" for the sum.
func parseConffiles(out string) map[state.Path]string {
	sums := map[state.Path]string{}
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		for _, flag := range []string{" obsolete", " remove-on-upgrade"} {
			line = strings.TrimSuffix(line, flag)
		}
		if i := strings.LastIndexByte(line, ' '); i > 0 && strings.HasPrefix(line, "/") {
			sums[state.Path(line[:i])] = line[i+1:]
		}
	}
	return sums
}
