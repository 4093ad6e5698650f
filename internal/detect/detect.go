// Package detect collects what a machine is: facts, never wishes. It looks
// through the system seam only and changes nothing.
package detect

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"mailsetup/internal/detect/exim"
	"mailsetup/internal/detect/postfix"
	"mailsetup/internal/detect/signer"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/detect/zones"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// knownPackages returns the packages whose presence matters.
func knownPackages() []string {
	return []string{
		"postfix", "opendkim", "opendkim-tools", "bind9", "bind9-utils", "dnsmasq", "unbound", "nsd",
		"pdns-server", "rspamd", "opendmarc", "amavisd-new", "spamassassin", "spamass-milter",
		"postfix-policyd-spf-python", "exim4", "exim4-base", "exim4-daemon-light", "exim4-daemon-heavy",
		"sendmail-bin", "nullmailer", "msmtp-mta", "dma", "opensmtpd",
		"dbconfig-no-thanks", "dbconfig-mysql", "dbconfig-pgsql", "dbconfig-sqlite", "dbconfig-sqlite3",
	}
}

// Machine collects the facts. An error means that something essential could not be
// read; what may be missing on a healthy machine is missing in the facts instead.
func Machine(ctx context.Context, s source.Source, o source.Options) (state.Facts, error) {
	if o.Fragments == "" {
		o.Fragments = "/etc/bind/mailsetup"
	}
	f := state.Facts{}
	// Each fills in facts of its own, and mostly waits for programs. Those that
	// ask what is installed, and what the files say, come after it.
	host := sideBySide(names, network)
	if o.OwnName {
		if err := names(ctx, s, o, &f); err != nil {
			return state.Facts{}, err
		}
		if host = network; f.FQDN != "" {
			o.Origins = append(slices.Clip(o.Origins), f.FQDN)
		}
	}
	look := inOrder(distribution, files, sideBySide(host, inOrder(packages,
		sideBySide(inOrder(tolerant(postfix.Find), daemons), tolerant(exim.Find), tolerant(signer.Find), inOrder(zones.Server, zones.Find), mailSystem, listeners))))
	if err := look(ctx, s, o, &f); err != nil {
		return state.Facts{}, err
	}
	return f, nil
}

// detector collects some of the facts.
type detector func(context.Context, source.Source, source.Options, *state.Facts) error

// tolerant is a detector that tells of an unusable file instead of returning an error, if
// somebody wants to be told.
func tolerant(look detector) detector {
	return func(ctx context.Context, s source.Source, o source.Options, f *state.Facts) error {
		err := look(ctx, s, o, f)
		if unusable := (*system.UnusableError)(nil); o.Unusable != nil && errors.As(err, &unusable) {
			o.Unusable(err)
			return nil
		}
		return err
	}
}

func inOrder(parts ...detector) detector {
	return func(ctx context.Context, s source.Source, o source.Options, f *state.Facts) error {
		for _, look := range parts {
			if err := look(ctx, s, o, f); err != nil {
				return err
			}
		}
		return nil
	}
}

// sideBySide runs detectors concurrently and returns the first error.
func sideBySide(parts ...detector) detector {
	return func(ctx context.Context, s source.Source, o source.Options, f *state.Facts) error {
		errs := make([]error, len(parts))
		var wg sync.WaitGroup
		for i, look := range parts {
			wg.Go(func() { errs[i] = look(ctx, s, o, f) })
		}
		wg.Wait()
		return cmp.Or(errs...)
	}
}

func distribution(_ context.Context, s source.Source, _ source.Options, f *state.Facts) error {
	text, err := source.Text(s, "/etc/os-release")
	f.Release = release(string(text))
	return err
}

func names(ctx context.Context, s source.Source, _ source.Options, f *state.Facts) error {
	f.Hostname, f.FQDN = hostname(ctx, s), fqdn(ctx, s)
	return nil
}

func network(ctx context.Context, s source.Source, _ source.Options, f *state.Facts) error {
	f.Addresses, f.Sources = addresses(ctx, s), sourceAddresses(ctx, s)
	return nil
}

func files(_ context.Context, s source.Source, o source.Options, f *state.Facts) error {
	f.Files = map[state.Path][]byte{}
	for _, dir := range o.Dirs {
		names, _ := s.List(dir) // of an ordinary user: as much as it may see
		for _, name := range names {
			if text, err := source.Text(s, dir.Join(name)); err == nil && text != nil {
				f.Files[dir.Join(name)] = text
			}
		}
	}
	for _, p := range o.Files {
		text, err := source.Text(s, p)
		switch {
		case err != nil && !postfix.Configures(p):
			return err
		case text != nil:
			f.Files[p] = text
		}
	}
	return nil
}
