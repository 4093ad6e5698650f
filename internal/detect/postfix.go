package detect

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

const mainUnit = "postfix.service"

// parameters are those whose effective value steps look at.
func parameters() []string {
	return []string{
		"myhostname", "mydomain", "myorigin", "mydestination", "mynetworks", "mynetworks_style", "smtpd_milters",
		"non_smtpd_milters", "smtpd_milter_maps", "internal_mail_filter_classes",
		"milter_default_action", "milter_protocol", "queue_directory", "alias_maps",
		"alias_database", "inet_interfaces", "inet_protocols", "compatibility_level", "content_filter",
		"mail_version", "virtual_alias_domains", "virtual_mailbox_domains",
		"relay_domains", "relayhost", "always_add_missing_headers",
		"receive_override_options", "smtp_header_checks", "config_directory",
	}
}

// overridable are the parameters that a service in master.cf may set behind
// main.cf's back.
func overridable() []string {
	return []string{
		"smtpd_milters", "non_smtpd_milters", "milter_default_action",
		"receive_override_options", "content_filter", "internal_mail_filter_classes", "smtpd_milter_maps",
	}
}

// postfix fills in the facts about an installed Postfix.
func postfix(ctx context.Context, s Source, _ Options, f *state.Facts) error {
	if !f.Installed["postfix"] {
		return nil
	}
	raw, err := output(ctx, s, "postconf", "-n")
	if err != nil {
		return err
	}
	values, err := output(ctx, s, append([]string{"postconf", "-x"}, parameters()...)...)
	if err != nil {
		return err
	}
	p := &state.Postfix{Raw: assignments(raw), Value: assignments(values)}
	if p.Unit, err = postfixUnit(ctx, s); err != nil {
		return err
	}
	if p.Services, err = services(ctx, s); err != nil {
		return err
	}
	if err := resolveOrigin(s, p.Value); err != nil {
		return err
	}
	p.Version = p.Value["mail_version"]
	p.Networks, p.OtherNetworks = Networks(p.Value["mynetworks"])
	if p.QueueDirectory, err = state.ParsePath(p.Value["queue_directory"]); err != nil {
		return fmt.Errorf("postconf queue_directory: %w", err)
	}
	f.Postfix = p
	f.Rspamd = usesRspamd(p)
	return nil
}

// postfixUnit tells what systemd really drives: on Debian 12 postfix.service
// is a oneshot that stays active while Postfix is dead.
func postfixUnit(ctx context.Context, s Source) (string, error) {
	status, err := s.Status(ctx, mainUnit)
	if err != nil {
		return "", fmt.Errorf("look at unit %s: %w", mainUnit, err)
	}
	if status.Type == "oneshot" {
		return "postfix@-.service", nil
	}
	return mainUnit, nil
}

// assignments reads the lines "name = value" that postconf(1) prints.
func assignments(out string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(out) {
		name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		if ok {
			values[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return values
}

// resolveOrigin replaces a myorigin that names a file by the file's first
// line, as Debian's Postfix does.
func resolveOrigin(s Source, values map[string]string) error {
	p, err := state.ParsePath(values["myorigin"])
	if err != nil {
		return nil // a name, the usual case
	}
	text, err := follow(s, p)
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	values["myorigin"] = strings.TrimSpace(first)
	return nil
}

// services lists what services set for themselves, with the line of master.cf.
func services(ctx context.Context, s Source) ([]state.Service, error) {
	out, err := output(ctx, s, "postconf", "-P")
	if err != nil {
		return nil, err
	}
	master, err := follow(s, "/etc/postfix/master.cf")
	if err != nil {
		return nil, err
	}
	all := masterOptions(out)
	for i, service := range all {
		for j, o := range service.Options {
			all[i].Options[j].Line = masterLine(string(master), service.Name, o.Name)
		}
	}
	return all, nil
}

// masterOptions reads the lines "service/type/name = value" of postconf -P;
// a service may have slashes in its name, a parameter never.
func masterOptions(out string) []state.Service {
	var list []state.Service
	for line := range strings.Lines(out) {
		key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		key = strings.TrimSpace(key)
		cut := strings.LastIndexByte(key, '/')
		if !ok || cut < 0 || !slices.Contains(overridable(), key[cut+1:]) {
			continue
		}
		if n := len(list); n == 0 || list[n-1].Name != key[:cut] {
			list = append(list, state.Service{Name: key[:cut]})
		}
		last := &list[len(list)-1]
		last.Options = append(last.Options, state.Option{Name: key[cut+1:], Value: strings.TrimSpace(value)})
	}
	return list
}

// masterLine finds the line of master.cf(5), counted from 1, where a service
// sets a parameter with -o name=value or -o { name = value }; 0 if nowhere.
// Postfix takes the last of several.
func masterLine(text, service, name string) int {
	found, number := 0, 0
	inside, pending := false, false
	for line := range strings.Lines(text) {
		number++
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if line[0] != ' ' && line[0] != '\t' {
			inside = len(fields) > 1 && fields[0]+"/"+fields[1] == service
			pending = false
		}
		if !inside {
			continue
		}
		for _, word := range fields {
			switch option, joined := strings.CutPrefix(word, "-o"); {
			case word == "-o":
				pending = true
			case joined && sets(option, name), pending && sets(word, name):
				found, pending = number, false
			case word != "{":
				pending = false
			}
		}
	}
	return found
}

// sets reports whether a word of master.cf begins an assignment to name.
func sets(word, name string) bool {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(word, "{"), name)
	return ok && (rest == "" || rest[0] == '=')
}

// usesRspamd reports whether a milter of rspamd is configured anywhere: its
// default port, or a socket with its name.
func usesRspamd(p *state.Postfix) bool {
	values := []string{p.Value["smtpd_milters"], p.Value["non_smtpd_milters"]}
	for _, service := range p.Services {
		for _, o := range service.Options {
			if strings.HasSuffix(o.Name, "smtpd_milters") {
				values = append(values, o.Value)
			}
		}
	}
	return slices.ContainsFunc(values, func(v string) bool {
		return strings.Contains(v, ":11332") || strings.Contains(v, "rspamd")
	})
}
