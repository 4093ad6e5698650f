// Package detect collects what a machine is: facts, never wishes. It looks
// through the system seam only and changes nothing.
package detect

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Source is what detection may do: look, and run programs that only look.
type Source interface {
	system.Reader
	system.Runner
	system.Units
}

// Options say what to look at beside the fixed things.
type Options struct {
	// Files whose content is wanted in Facts.Files; absent ones are left out.
	Files []state.Path
	// Origins are the names whose zones matter: the domains and the host name.
	// Zone files are read for zones equal to or above one of them only, and for
	// those of their keys and policies. The others are Unread.
	Origins []string
	// Fragments is the directory of our own zone fragments, whose records are
	// left out of Facts.Zones; /etc/bind/mailsetup if empty.
	Fragments state.Path
}

// The packages whose presence decides something.
func knownPackages() []string {
	return []string{
		"postfix", "opendkim", "opendkim-tools", "bind9", "bind9-utils", "dnsmasq", "unbound", "nsd",
		"pdns-server", "rspamd", "opendmarc", "amavisd-new", "spamassassin", "spamass-milter",
		"postfix-policyd-spf-python", "exim4", "exim4-daemon-light", "exim4-daemon-heavy",
		"sendmail-bin", "nullmailer", "msmtp-mta", "dma", "opensmtpd",
	}
}

// Machine collects the facts. An error tells that something that must be known
// could not be looked at; what can be missing on a healthy machine is missing
// in the facts instead.
func Machine(ctx context.Context, s Source, o Options) (state.Facts, error) {
	if o.Fragments == "" {
		o.Fragments = "/etc/bind/mailsetup"
	}
	f := state.Facts{}
	// Each fills in facts of its own, and mostly waits for programs. Those that
	// ask what is installed, and what the files say, come after it.
	look := inOrder(distribution, files, sideBySide(host, inOrder(installed,
		sideBySide(inOrder(postfix, daemons), openDKIM, inOrder(dnsServer, zones), mailSystem, pristine, listeners))))
	if err := look(ctx, s, o, &f); err != nil {
		return state.Facts{}, err
	}
	return f, nil
}

// part finds out about one side of the machine.
type part func(context.Context, Source, Options, *state.Facts) error

func inOrder(parts ...part) part {
	return func(ctx context.Context, s Source, o Options, f *state.Facts) error {
		for _, look := range parts {
			if err := look(ctx, s, o, f); err != nil {
				return err
			}
		}
		return nil
	}
}

// sideBySide returns the error of the first that failed.
func sideBySide(parts ...part) part {
	return func(ctx context.Context, s Source, o Options, f *state.Facts) error {
		errs := make([]error, len(parts))
		var wg sync.WaitGroup
		for i, look := range parts {
			wg.Go(func() { errs[i] = look(ctx, s, o, f) })
		}
		wg.Wait()
		return cmp.Or(errs...)
	}
}

func distribution(_ context.Context, s Source, _ Options, f *state.Facts) error {
	text, err := follow(s, "/etc/os-release")
	f.Release = release(string(text))
	return err
}

func host(ctx context.Context, s Source, _ Options, f *state.Facts) error {
	f.Hostname, f.FQDN = hostname(ctx, s), fqdn(ctx, s)
	f.Addresses, f.Sources = addresses(ctx, s), sources(ctx, s)
	return nil
}

func files(_ context.Context, s Source, o Options, f *state.Facts) error {
	f.Files = map[state.Path][]byte{}
	for _, p := range o.Files {
		text, err := follow(s, p)
		if err != nil {
			return err
		}
		if text != nil {
			f.Files[p] = text
		}
	}
	return nil
}

// Text reads a regular file through symbolic links; nil if nothing is there.
func Text(r system.Reader, p state.Path) ([]byte, error) { return follow(r, p) }

// follow reads a regular file through symbolic links; nil if nothing is there.
func follow(r system.Reader, p state.Path) ([]byte, error) {
	at := p
	for range 10 {
		o, err := r.Read(at)
		if err != nil {
			return nil, err
		}
		switch o.Kind {
		case state.Absent:
			return nil, nil
		case state.Regular:
			return append([]byte{}, o.Content...), nil
		case state.Symlink:
			target := string(o.Content)
			if !path.IsAbs(target) {
				target = path.Join(string(at.Dir()), target)
			}
			at = state.Path(path.Clean(target))
		default:
			return nil, fmt.Errorf("read %s: a %s, not a file", at, o.Kind)
		}
	}
	return nil, fmt.Errorf("read %s: too many symbolic links", p)
}

// output runs a program that only looks and returns what it printed; a
// non-zero exit is an error with the last line it said.
func output(ctx context.Context, r system.Runner, argv ...string) (string, error) {
	res, err := r.Run(ctx, system.Command{Argv: argv})
	if err != nil {
		return "", fmt.Errorf("run %s: %w", strings.Join(argv, " "), err)
	}
	if res.Code != 0 {
		return "", fmt.Errorf("%s: exit %d: %s", strings.Join(argv, " "), res.Code, said(res))
	}
	return string(res.Stdout), nil
}

// hint runs a program whose answer is welcome and not needed: "" for none. It
// gets a few seconds, since some of these ask name servers.
func hint(ctx context.Context, r system.Runner, argv ...string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, err := output(ctx, r, argv...)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

// said returns the last line a program wrote.
func said(r system.Result) string {
	for _, b := range [][]byte{r.Stderr, r.Stdout} {
		if text := strings.TrimSpace(string(b)); text != "" {
			return text[strings.LastIndexByte(text, '\n')+1:]
		}
	}
	return "no message"
}
