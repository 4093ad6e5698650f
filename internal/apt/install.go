package apt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"mailsetup/internal/system"
)

// Preseed answers the questions that packages ask while they are installed.
type Preseed struct {
	// Mailname is postfix's "system mail name", which it writes to
	// /etc/mailname and uses for myhostname and myorigin; "" to not answer.
	Mailname string
	// Exim are the names whose mail an exim4 that is installed delivers here, as an internet
	// site; nil to not answer.
	Exim []string
	// Loopback: that exim4 listens to this machine alone.
	Loopback bool
}

// Install installs packages without questions and without recommended
// packages; configuration files that were changed by hand stay. What apt says
// is copied to out while it runs.
//
// Everything is downloaded first, which ctx can cut short. From then on the
// installation runs to its end whatever becomes of ctx: half a package is worse
// than a few seconds more.
func Install(ctx context.Context, r system.Runner, pkgs []string, preseed Preseed, out io.Writer) error {
	if err := checkNames(pkgs); err != nil || len(pkgs) == 0 {
		return err
	}
	if err := preseedDebconf(ctx, r, preseed); err != nil {
		return err
	}
	if err := download(ctx, r, pkgs, out); err != nil {
		return err
	}
	_, err := run(context.WithoutCancel(ctx), r, out, installArgs("--no-download", pkgs)...)
	return err
}

// download downloads packages; if the lists turn out to be outdated, it updates them
// and tries again.
func download(ctx context.Context, r system.Runner, pkgs []string, out io.Writer) error {
	_, err := run(ctx, r, out, installArgs("--download-only", pkgs)...)
	if !errors.Is(err, ErrUnknownPackage) && !errors.Is(err, ErrNetwork) {
		return err
	}
	if uerr := update(ctx, r, out); uerr != nil {
		return err
	}
	_, err = run(ctx, r, out, installArgs("--download-only", pkgs)...)
	return err
}

func installArgs(phase string, pkgs []string) []string {
	return append([]string{
		"apt-get", "-y", "-q", "--no-install-recommends", phase,
		"-o", "Dpkg::Options::=--force-confdef",
		"-o", "Dpkg::Options::=--force-confold",
		"-o", "Dpkg::Use-Pty=0",
		"-o", "DPkg::Lock::Timeout=" + lockSeconds,
		"install", "--",
	}, pkgs...)
}

// preseedDebconf puts the answers into debconf's database, debconf-set-selections(1).
func preseedDebconf(ctx context.Context, r system.Runner, p Preseed) error {
	if p.Mailname == "" {
		return nil
	}
	if strings.ContainsFunc(p.Mailname+strings.Join(p.Exim, ""), func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return fmt.Errorf("mail name %q: not a host name", p.Mailname)
	}
	argv := []string{"debconf-set-selections"}
	text := "postfix postfix/mailname string " + p.Mailname + "\n" +
		"postfix postfix/main_mailer_type select Internet Site\n"
	if p.Exim != nil {
		interfaces := ""
		if p.Loopback {
			interfaces = " 127.0.0.1 ; ::1"
		}
		text = "exim4-config exim4/mailname string " + p.Mailname + "\n" +
			"exim4-config exim4/dc_eximconfig_configtype select internet site; mail is sent and received directly using SMTP\n" +
			"exim4-config exim4/dc_other_hostnames string " + strings.Join(p.Exim, ":") + "\n" +
			"exim4-config exim4/dc_local_interfaces string" + interfaces + "\n"
	}
	res, err := r.Run(ctx, system.Command{Argv: argv, Stdin: []byte(text), Env: []string{"DEBIAN_FRONTEND=noninteractive"}})
	if err == nil && res.Code != 0 {
		err = explain(argv, res)
	}
	return err
}
