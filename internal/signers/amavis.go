package signers

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

const amavisDir state.Path = "/etc/amavis/conf.d"

// AmavisSigner returns amavis as a milter that signs for the domains, according to its
// configuration: it cannot be asked, since it would deliver a test message. Nil if it
// does not sign. Its own tool lists the keys (amavisd showkeys, of amavisd(8)); its
// files say whether it signs.
func AmavisSigner(ctx context.Context, s Source, domains []string) *state.Milter {
	if !amavisSigns(s) {
		return nil
	}
	keys := amavis(ctx, s)
	m := &state.Milter{
		Endpoint: "amavis", Lists: []string{"content_filter"},
		Program: state.Program{Kind: state.Amavis, Conf: amavisDir, Unit: "amavis.service", Others: keys.others(domains)},
	}
	for _, k := range keys.keys {
		if slices.Contains(domains, k.domain) {
			m.Signatures = append(m.Signatures, state.Signature{Domain: k.domain, Selector: k.selector})
		}
	}
	if len(m.Signatures) == 0 {
		return nil
	}
	return m
}

// amavis asks amavis's own tool for its keys.
func amavis(ctx context.Context, s Source) settings {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for _, name := range []string{"amavisd", "amavisd-new"} { // the latter in older packages
		res, err := s.Run(ctx, system.Command{Argv: []string{name, "showkeys"}})
		if err == nil && res.Code == 0 {
			return amavisKeys(string(res.Stdout))
		}
	}
	return settings{}
}

var amavisSwitch = regexp.MustCompile(`(?m)^\s*\$enable_dkim_signing\s*=\s*([^;]*);`)

// amavisSigns reports whether the last of its files that sets signing enables it. By
// default amavis does not sign.
func amavisSigns(r system.Reader) bool {
	names, err := r.List(amavisDir)
	if err != nil {
		return false
	}
	slices.Sort(names)
	on := false
	for _, name := range names {
		text, err := source.Text(r, amavisDir.Join(name))
		if err != nil {
			continue
		}
		for _, m := range amavisSwitch.FindAllStringSubmatch(string(text), -1) {
			value := strings.Trim(strings.TrimSpace(m[1]), `'"`)
			on = value != "" && value != "0" && value != "undef"
		}
	}
	return on
}

// amavisKeys parses lines of showkeys, as amavis 2.13 prints them:
//
//	; key#1 2048 bits, s=am, d=lab.example, /var/lib/amavis/dkim/lab.pem
func amavisKeys(text string) settings {
	var out settings
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "; key#") {
			continue
		}
		k := keyFile{}
		for part := range strings.SplitSeq(strings.TrimSpace(line), ", ") {
			name, value, _ := strings.Cut(part, "=")
			switch {
			case name == "d":
				k.domain = strings.ToLower(value)
			case name == "s" || name == "i": // as older versions call it
				k.selector = strings.ToLower(value)
			case strings.HasPrefix(part, "/"):
				k.file = part
			}
		}
		out.keys = append(out.keys, k)
	}
	return out
}
