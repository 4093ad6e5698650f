package signers

import (
	"context"
	"path"
	"slices"
	"strings"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/opendkim"
	"mailsetup/internal/state"
)

// Key is a key with which a program signs, as its configuration says.
type Key struct {
	Domain, Selector string // d= and s=, in lower case
	File             string // "" if it is not known
	Program          string
}

// ConfiguredKeys returns the keys with which programs sign mail of the domains,
// according to their configuration alone: nobody is asked. What cannot be read names no
// key.
func ConfiguredKeys(ctx context.Context, s Source, f state.Facts, domains []string) map[string][]Key {
	all := map[string][]Key{}
	add := func(domain string, k Key) {
		k.Domain, k.Selector = strings.ToLower(k.Domain), strings.ToLower(k.Selector)
		if k.Domain != "" && k.Selector != "" && !slices.Contains(all[domain], k) {
			all[domain] = append(all[domain], k)
		}
	}
	if f.OpenDKIM != nil {
		rows, _ := opendkim.Rows(confOf(f.OpenDKIM.Args), reading(s))
		about := opendkim.About(rows)
		for _, domain := range domains {
			for _, r := range about(domain) {
				add(domain, Key{r.Domain, r.Selector, r.KeyFile, "OpenDKIM"})
			}
		}
	}
	if f.Rspamd {
		addSettings(s, rspamd(ctx, s), domains, "rspamd", add)
	}
	if f.Installed["amavisd-new"] && amavisSigns(s) {
		addSettings(s, amavis(ctx, s), domains, "amavis", add)
	}
	return all
}

// addSettings adds the keys of the domains. A path for keys of any domain counts where
// its file is there.
func addSettings(s Source, has settings, domains []string, program string, add func(domain string, k Key)) {
	asked, named := map[string]bool{}, map[string]bool{}
	for _, domain := range domains {
		asked[domain] = true
	}
	for _, k := range has.keys {
		if asked[k.domain] {
			named[k.domain] = true
			add(k.domain, Key{k.domain, k.selector, k.file, program})
		}
	}
	for _, domain := range domains {
		file := strings.NewReplacer("$domain", domain, "$selector", has.selector).Replace(has.pattern)
		p, err := state.ParsePath(file)
		if named[domain] || has.selector == "" || err != nil {
			continue
		}
		if o, err := s.Stat(p); err == nil && o.Kind != state.Absent {
			add(domain, Key{domain, has.selector, file, program})
		}
	}
}

// confOf returns the configuration that OpenDKIM was started with, opendkim(8).
func confOf(args []string) string {
	for i, a := range args {
		value, is := strings.CutPrefix(a, "-x")
		if is && value == "" && i+1 < len(args) {
			value = args[i+1]
		}
		if is && path.IsAbs(value) {
			return path.Clean(value)
		}
	}
	return "/etc/opendkim.conf"
}

// reading returns files as OpenDKIM names them.
func reading(s Source) opendkim.Read {
	return func(name string) ([]byte, error) {
		at, err := state.ParsePath(name)
		if err != nil {
			return nil, err
		}
		return source.Text(s, at)
	}
}
