package detect

import (
	"context"
	"crypto/md5" // dpkg records its checksums with it; nothing here is a secret
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// installed is one package that dpkg has on the machine.
type installed struct {
	name     string
	provides []string
}

// packages fills in what dpkg knows.
func packages(ctx context.Context, s Source, _ Options, f *state.Facts) error {
	out, err := output(ctx, s, "dpkg-query", "-W", "-f", `${db:Status-Status}|${Package}|${Provides}\n`)
	if err != nil {
		return err
	}
	all := dpkgList(out)
	f.Installed = map[string]bool{}
	for _, name := range knownPackages() {
		f.Installed[name] = false
	}
	for _, p := range all {
		if _, known := f.Installed[p.name]; known {
			f.Installed[p.name] = true
		}
		if slices.Contains(p.provides, "mail-transport-agent") {
			f.MTA = p.name
		}
	}
	f.MTAQueue = queue(ctx, s, f.MTA)
	return pristine(ctx, s, f)
}

// dpkgList reads lines of status|package|provides; packages of which only the
// configuration is left do not count.
func dpkgList(out string) []installed {
	var all []installed
	for line := range strings.Lines(out) {
		fields := strings.SplitN(strings.TrimSpace(line), "|", 3)
		if len(fields) != 3 || fields[0] != "installed" {
			continue
		}
		p := installed{name: fields[1]}
		for provided := range strings.SplitSeq(fields[2], ",") {
			name, _, _ := strings.Cut(strings.TrimSpace(provided), " ")
			p.provides = append(p.provides, name)
		}
		all = append(all, p)
	}
	return all
}

// queue counts the messages that wait in another MTA's queue, as well as it
// lets itself be asked.
func queue(ctx context.Context, r system.Runner, mta string) int {
	switch {
	case mta == "" || mta == "postfix":
		return 0
	case strings.HasPrefix(mta, "exim4"):
		n, _ := strconv.Atoi(hint(ctx, r, "exim4", "-bpc"))
		return n
	case mta == "opensmtpd":
		return lines(hint(ctx, r, "smtpctl", "show", "queue"))
	default:
		return mailq(hint(ctx, r, "mailq"))
	}
}

func lines(s string) int {
	n := 0
	for line := range strings.Lines(s) {
		if strings.TrimSpace(line) != "" {
			n++
		}
	}
	return n
}

// mailq reads what sendmail ("Total requests: 3"), nullmailer (a line each)
// and dma ("Mail queue is empty") print.
func mailq(out string) int {
	if strings.Contains(strings.ToLower(out), "queue is empty") {
		return 0
	}
	if _, after, ok := strings.Cut(out, "Total requests:"); ok {
		total := 0
		if _, err := fmt.Sscan(after, &total); err == nil {
			return total
		}
	}
	return lines(out)
}

// pristine compares the configuration files that steps may replace with the
// checksums that dpkg recorded when it installed them.
func pristine(ctx context.Context, s Source, f *state.Facts) error {
	f.Pristine = map[state.Path]bool{}
	for _, name := range []string{"opendkim", "bind9"} {
		if !f.Installed[name] {
			continue
		}
		out, err := output(ctx, s, "dpkg-query", "-W", "-f", "${Conffiles}", name)
		if err != nil {
			return err
		}
		for p, sum := range conffiles(out) {
			text, err := follow(s, p)
			if err != nil {
				return err
			}
			f.Pristine[p] = text != nil && fmt.Sprintf("%x", md5.Sum(text)) == sum
		}
	}
	return nil
}

// conffiles reads lines of path, checksum, and perhaps the word obsolete;
// programs below /etc (init scripts) are of no interest.
func conffiles(out string) map[state.Path]string {
	sums := map[state.Path]string{}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) == 2 && !strings.HasPrefix(fields[0], "/etc/init.d/") {
			sums[state.Path(fields[0])] = fields[1]
		}
	}
	return sums
}
