package detect

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"mailsetup/internal/apt"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// packages fills in what dpkg knows.
func packages(ctx context.Context, s Source, _ Options, f *state.Facts) (err error) {
	if f.Installed, err = apt.Installed(ctx, s, knownPackages()...); err != nil {
		return err
	}
	f.Pristine, err = apt.Pristine(ctx, s, "/etc/opendkim.conf", "/etc/bind/named.conf.local", "/etc/bind/named.conf.options")
	if err != nil {
		return err
	}
	out, err := output(ctx, s, "dpkg-query", "-W", "-f", `${db:Status-Status}|${Package}|${Provides}\n`)
	if err != nil {
		return err
	}
	f.MTA = provider(out, "mail-transport-agent")
	f.MTAQueue = queue(ctx, s, f.MTA)
	return nil
}

// provider reads lines of status|package|provides and returns the package that
// provides a virtual one. A package of which only the configuration is left
// does not count; one that waits for triggers does.
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
