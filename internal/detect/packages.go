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

// packages collects which of the known packages are installed, which package is the
// mail transport agent, and which configuration files are as their packages shipped them.
func packages(ctx context.Context, s source.Source, _ source.Options, f *state.Facts) error {
	db, err := apt.Query(ctx, s)
	if err != nil {
		if errors.Is(err, apt.ErrNoDebian) && f.Release.Pretty != "" {
			return fmt.Errorf("%s: %w", f.Release.Pretty, err)
		}
		return err
	}
	f.Installed, f.MTA = db.Installed(knownPackages()...), db.Provider("mail-transport-agent")
	f.Pristine = map[state.Path]bool{}
	for _, p := range []state.Path{"/etc/opendkim.conf", "/etc/bind/named.conf.local", "/etc/bind/named.conf.options"} {
		text, err := source.Text(s, p)
		f.Pristine[p] = err == nil && db.Shipped(p, text)
	}
	return nil
}

// mailSystem collects what Postfix would replace.
func mailSystem(ctx context.Context, s source.Source, _ source.Options, f *state.Facts) (err error) {
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
