// Package templates renders the configuration files that belong to mailsetup,
// one function for each. Values that would change the meaning of a line are
// refused, since OpenDKIM itself hardly checks its tables.
package templates

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"mailsetup/internal/state"
)

//go:embed *.tmpl
var files embed.FS

func render(name string, data any) ([]byte, error) {
	t, err := template.New(name).ParseFS(files, name)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// OpenDKIM are the values of opendkim.conf(5) that differ between machines.
type OpenDKIM struct {
	Mode         string // sv, or s where something else verifies
	Socket       string // a path, or as opendkim.conf(5) has it (inet:8891@localhost)
	KeyTable     string // absolute paths
	SigningTable string
	TrustedHosts string
	Nameservers  string // addresses with commas between, "" to ask from the root down
	TrustAnchor  string // path of the DNSSEC root key, "" for no DNSSEC
	Resubmitted  string // path of the script of Resubmitted, "" to run none
	// Overrides are lines in place of ours, or beside them; a name alone leaves
	// ours out.
	Overrides []string
}

// OpenDKIMConf renders opendkim.conf(5). ResolverConfiguration is never set:
// with it, reloads under load crash the daemon.
func OpenDKIMConf(o OpenDKIM) ([]byte, error) {
	if o.Mode != "sv" && o.Mode != "s" {
		return nil, fmt.Errorf("render opendkim.conf: mode %q: want sv or s", o.Mode)
	}
	for _, v := range []struct{ name, value string }{
		{"Socket", o.Socket}, {"KeyTable", o.KeyTable}, {"SigningTable", o.SigningTable}, {"TrustedHosts", o.TrustedHosts},
	} {
		if v.value == "" {
			return nil, fmt.Errorf("render opendkim.conf: %s is empty", v.name)
		}
	}
	for _, v := range []string{o.Socket, o.KeyTable, o.SigningTable, o.TrustedHosts, o.Nameservers, o.TrustAnchor, o.Resubmitted} {
		if err := checkWord(v, "#"); err != nil {
			return nil, fmt.Errorf("render opendkim.conf: %w", err)
		}
	}
	if strings.HasPrefix(o.Socket, "/") {
		o.Socket = "local:" + o.Socket
	}
	text, err := render("opendkim.conf.tmpl", o)
	if err != nil {
		return nil, err
	}
	return replaceSettings(text, o.Overrides)
}

// replaceSettings replaces lines by others with the same name, and appends the rest.
func replaceSettings(conf []byte, lines []string) ([]byte, error) {
	more := "\n# From the set-up that was here before; see opendkim in host.toml.\n"
	added := false
	for _, line := range lines {
		name, value, _ := strings.Cut(line, " ")
		if strings.ContainsAny(line, "#\r\n\x00") || name == "" {
			return nil, fmt.Errorf("render opendkim.conf: %q: not a line of it", line)
		}
		at := regexp.MustCompile(`(?mi)^` + regexp.QuoteMeta(name) + `[ \t].*\n`)
		text := ""
		if value = strings.TrimSpace(value); value != "" {
			text = fmt.Sprintf("%-23s %s\n", name, value)
		}
		if at.Match(conf) {
			conf = at.ReplaceAllLiteral(conf, []byte(text))
		} else if text != "" {
			more, added = more+text, true
		}
	}
	if added {
		conf = append(conf, more...)
	}
	return conf, nil
}

// TrustedHosts renders the file for InternalHosts and ExternalIgnoreList:
// loopback first, then the networks in order. OpenDKIM compares texts, so an
// address is written as inet_ntop(3) does and a network with its host bits
// zero. Further entries are as opendkim.conf(5) has them.
func TrustedHosts(hosts []netip.Prefix, further ...string) ([]byte, error) {
	return hostList("TrustedHosts", hosts, further)
}

// UnjudgedHosts renders the file for IgnoreHosts of opendmarc.conf(5), which is read as
// that for InternalHosts of OpenDKIM is.
func UnjudgedHosts(hosts []netip.Prefix, further ...string) ([]byte, error) {
	return hostList("UnjudgedHosts", hosts, further)
}

func hostList(name string, hosts []netip.Prefix, further []string) ([]byte, error) {
	lines := []string{"127.0.0.1", "::1"}
	sorted := slices.Clone(hosts)
	slices.SortFunc(sorted, func(a, b netip.Prefix) int {
		if c := a.Addr().Unmap().Compare(b.Addr().Unmap()); c != 0 {
			return c
		}
		return a.Bits() - b.Bits()
	})
	for _, p := range sorted {
		line, err := host(p)
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", name, err)
		}
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	for _, line := range further {
		if err := checkWord(line, "#"); err != nil || line == "" {
			return nil, fmt.Errorf("render %s: %q: not a host", name, line)
		}
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return render(name+".tmpl", lines)
}

func host(p netip.Prefix) (string, error) {
	switch {
	case !p.IsValid():
		return "", errors.New("not an address or network")
	case p.Bits() == 0:
		return "", fmt.Errorf("%s: would sign mail from everywhere", p)
	case p.Addr().Is4In6() && p.Bits() >= 96:
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		return host(p)
	case p.IsSingleIP():
		return p.Addr().String(), nil
	}
	return p.Masked().String(), nil
}

// Resubmitted returns the script, opendkim-lua(3), that lets mail pass as it is which a
// content filter hands back by sendmail(1): whoever sent it, it comes from this
// machine then. Postfix gives mail that comes by SMTP a Received field, and tells
// milters the transport of its recipients; of mail by sendmail(1) it does neither.
func Resubmitted() []byte {
	text, err := render("resubmitted.lua.tmpl", nil)
	if err != nil { // it has no values
		panic(err)
	}
	return text
}

// Tmpfiles renders the tmpfiles.d(5) line that makes the socket's directory,
// and those of directories that belong to OpenDKIM alone. The paths come from
// the program, not from outside.
func Tmpfiles(socketDir string, own ...string) []byte {
	text, err := render("tmpfiles.conf.tmpl", struct {
		SocketDir string
		Own       []string
	}{socketDir, own})
	if err != nil { // the template takes any string
		panic(err)
	}
	return text
}

// PostfixSnippet renders settings of main.cf with explanations, for people who
// paste them.
func PostfixSnippet(settings []state.Setting) ([]byte, error) {
	for _, s := range settings {
		if err := checkWord(s.Name, "=#"); err != nil || s.Name == "" {
			return nil, fmt.Errorf("render main.cf: parameter %q: not a name", s.Name)
		}
		if strings.ContainsAny(s.Value, "\r\n\x00") {
			return nil, fmt.Errorf("render main.cf: %s: value has a line break", s.Name)
		}
	}
	return render("main.cf.tmpl", settings)
}
