package postfix

import (
	"cmp"
	"regexp"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
)

// The functions below read from a mail server's configuration where its mail
// goes: to a relay, and into which kind of mailbox. They look for what Debian's
// own files say in their usual form, no more: a configuration of somebody's
// own may say the same in ways that only the program understands.

// eximConf reads what debconf asked: update-exim4.conf(8).
func eximConf(text string, o *state.OtherMTA) {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			values[name] = strings.Trim(value, `'"`)
		}
	}
	o.Maildir = values["dc_localdelivery"] == "maildir_home"
	if kind := values["dc_eximconfig_configtype"]; kind == "smarthost" || kind == "satellite" {
		host, port, _ := strings.Cut(values["dc_smarthost"], "::")
		host, _, _ = strings.Cut(host, ":") // the first of a list
		port, _, _ = strings.Cut(port, ":")
		o.Relay = relay(host, port)
	}
}

// sendmailConf reads SMART_HOST; m4 takes "dnl" for the start of a comment.
func sendmailConf(text string, o *state.OtherMTA) {
	define := regexp.MustCompile("^define\\(`SMART_HOST',\\s*`([^']*)'\\)")
	for line := range strings.Lines(text) {
		m := define.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		host := m[1]
		if _, after, ok := strings.Cut(host, ":"); ok { // a mailer in front
			host = after
		}
		o.Relay = dnsname.TrimDot(host)
	}
}

// smtpdConf reads smtpd.conf(5) of OpenSMTPD.
func smtpdConf(text string, o *state.OtherMTA) {
	action := regexp.MustCompile(`^action\s+\S+\s+relay\s+host\s+"?([^"\s]+)`)
	maildir := regexp.MustCompile(`^action\s+\S+\s+maildir\b`)
	table := regexp.MustCompile(`^table\s+aliases\s+(?:file:|db:)?"?(/[^"\s]+)`)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if m := action.FindStringSubmatch(line); m != nil && o.Relay == "" {
			o.Relay = relay(hostPort(m[1]))
		}
		o.Maildir = o.Maildir || maildir.MatchString(line)
		if m := table.FindStringSubmatch(line); m != nil {
			if p, err := state.ParsePath(strings.TrimSuffix(m[1], ".db")); err == nil && p != "/etc/aliases" {
				o.Aliases = p
			}
		}
	}
}

// nullmailerConf reads the first of the remotes. Words after the host may be a
// password.
func nullmailerConf(text string, o *state.OtherMTA) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		port := ""
		for _, option := range f[1:] {
			if p, ok := strings.CutPrefix(option, "--port="); ok {
				port = p
			}
		}
		o.Relay = relay(f[0], port)
		return
	}
}

// hostFromKeys returns a reader of files with a host, and perhaps a port, in lines of
// key and value.
func hostFromKeys(host, port string) func(string, *state.OtherMTA) {
	return func(text string, o *state.OtherMTA) {
		values := map[string]string{}
		for line := range strings.Lines(text) {
			f := strings.FieldsFunc(line, func(r rune) bool { return r == '=' || r == ' ' || r == '\t' || r == '\n' || r == '\r' })
			if len(f) > 1 {
				values[f[0]] = f[1]
			}
		}
		name, at := hostPort(values[host])
		o.Relay = relay(name, cmp.Or(values[port], at))
	}
}

// courierConf reads the route for all domains, esmtproutes.
func courierConf(text string, o *state.OtherMTA) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), ":"); ok {
			to, _, _ := strings.Cut(rest, " ")
			host, port, _ := strings.Cut(to, ",")
			o.Relay = relay(host, port)
			return
		}
	}
}

// hostPort splits a URL or host:port.
func hostPort(s string) (host, port string) {
	if _, after, ok := strings.Cut(s, "://"); ok {
		s = after
	}
	if _, after, ok := strings.Cut(s, "@"); ok {
		s = after
	}
	host, port, _ = strings.Cut(s, ":")
	return host, port
}

// relay writes a host as relayhost takes it. Brackets mean that the host itself is
// used, not the MX of its name, postconf(5).
func relay(host, port string) string {
	host = strings.Trim(host, "[]")
	switch {
	case host == "":
		return ""
	case port == "" || port == "25":
		return "[" + host + "]"
	}
	return "[" + host + "]:" + port
}
