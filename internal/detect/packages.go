package detect

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"mailsetup/internal/apt"
	"mailsetup/internal/detect/postfix"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// installed collects which of the known packages are installed.
func installed(ctx context.Context, s source.Source, _ source.Options, f *state.Facts) (err error) {
	if f.Installed, err = apt.Installed(ctx, s, knownPackages()...); err != nil {
		if errors.Is(err, apt.ErrNoDebian) && f.Release.Pretty != "" {
			return fmt.Errorf("%s: %w", f.Release.Pretty, err)
		}
	}
	return err
}

// pristine collects which configuration files are as their packages shipped them.
func pristine(ctx context.Context, s source.Source, _ source.Options, f *state.Facts) (err error) {
	f.Pristine, err = apt.Pristine(ctx, s, "/etc/opendkim.conf", "/etc/bind/named.conf.local", "/etc/bind/named.conf.options")
	return err
}

// mailSystem collects which package is the mail transport agent, and what Postfix would
// replace.
func mailSystem(ctx context.Context, s source.Source, _ source.Options, f *state.Facts) error {
	out, err := source.Output(ctx, s, "dpkg-query", "-W", "-f", `${db:Status-Status}|${Package}|${Provides}\n`)
	if err != nil {
		return err
	}
	f.MTA = provider(out, "mail-transport-agent")
	if !f.Installed["postfix"] {
		f.PostfixUnit = offeredUnit(ctx, s)
		f.OtherMTA, err = postfix.FindOtherMTA(ctx, s, f.MTA)
	}
	return err
}

// offeredUnit returns the unit that systemd will drive once the package that apt offers
// is installed; "" while apt has no package lists. Until 3.9.1-6 (Debian 12, Ubuntu
// 24.04) postfix.service was a oneshot beside postfix@-.service.
func offeredUnit(ctx context.Context, r system.Runner) string {
	version := ""
	for line := range strings.Lines(source.OptionalOutput(ctx, r, "apt-cache", "--no-all-versions", "show", "postfix")) {
		if v, ok := strings.CutPrefix(line, "Version: "); ok && version == "" {
			version = strings.TrimSpace(v)
		}
	}
	if version == "" {
		return ""
	}
	res, err := r.Run(ctx, system.Command{Argv: []string{"dpkg", "--compare-versions", version, "lt", "3.9.1-7"}})
	switch {
	case err != nil:
		return ""
	case res.Code == 0:
		return postfix.InstanceUnit
	}
	return postfix.MainUnit
}

// provider parses lines of status|package|provides and returns the package that
// provides a virtual one. A package with only its configuration left does not count;
// one that waits for triggers does.
func provider(out, virtual string) string {
	for line := range strings.Lines(out) {
		fields := strings.SplitN(strings.TrimSpace(line), "|", 3)
		if len(fields) != 3 || fields[0] != "installed" && !strings.HasPrefix(fields[0], "triggers-") {
			continue
		}
		for provided := range strings.SplitSeq(fields[2], ",") {
			if name, _, _ := strings.Cut(strings.TrimSpace(provided), " "); name == virtual {
				return fields[1]
			}
		}
	}
	return ""
}
