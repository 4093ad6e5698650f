// Package postfix finds a Postfix, its parameters, services and tables, and a mail server in its place.
package postfix

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/recipient"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// The units of Postfix. Until 3.9.1-6 (Debian 12) the main one is a oneshot that starts the instance.
const (
	MainUnit     = "postfix.service"
	InstanceUnit = "postfix@-.service"
)

// whitespace is white space as Postfix has it: that of ASCII.
const whitespace = " \t\n\v\f\r"

// parameters returns the parameters whose effective values steps need.
func parameters() []string {
	return append(recipient.Parameters(),
		"myhostname", "mydomain", "myorigin", "mydestination", "mynetworks", "mynetworks_style",
		"mail_version", "compatibility_level", "queue_directory", "config_directory", "daemon_directory",
		"alternate_config_directories", "multi_instance_directories", "multi_instance_enable", "multi_instance_name",
		"inet_interfaces", "inet_protocols", "smtp_bind_address", "smtp_bind_address6", "smtp_helo_name", "smtp_tls_security_level",
		"postscreen_dnsbl_sites",
		"smtpd_milters", "non_smtpd_milters", "smtpd_milter_maps", "internal_mail_filter_classes",
		"milter_default_action", "milter_protocol", "milter_mail_macros", "milter_rcpt_macros",
		"milter_data_macros", "milter_macro_daemon_name",
		"content_filter", "smtpd_proxy_filter", "receive_override_options",
		"header_checks", "mime_header_checks", "nested_header_checks", "body_checks", "milter_header_checks",
		"smtp_header_checks", "smtp_mime_header_checks", "smtp_nested_header_checks", "smtp_body_checks", "smtp_generic_maps",
		"canonical_maps", "sender_canonical_maps", "recipient_canonical_maps", "virtual_alias_maps",
		"always_bcc", "sender_bcc_maps", "recipient_bcc_maps", "smtp_fallback_relay", "smtp_tls_wrappermode",
		"smtp_use_tls", "smtp_enforce_tls",
		"smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions", "smtpd_relay_restrictions",
		"smtpd_recipient_restrictions", "smtpd_restriction_classes", "smtpd_delay_reject", "smtpd_data_restrictions", "smtpd_end_of_data_restrictions",
		"always_add_missing_headers", "local_header_rewrite_clients",
		"alias_maps", "alias_database", "default_database_type", "virtual_alias_domains", "virtual_mailbox_domains",
		"relay_domains", "relayhost", "sender_dependent_relayhost_maps", "sender_dependent_default_transport_maps", "default_transport", "transport_maps",
	)
}

// Find collects the facts about an installed Postfix.
func Find(ctx context.Context, s source.Source, o source.Options, f *state.Facts) error {
	if !f.Installed["postfix"] {
		return nil
	}
	if err := isConfigured(s); err != nil {
		return err
	}
	p, err := parameterValues(ctx, postconf{read: s, run: s})
	if err != nil {
		return err
	}
	if p.Unit, err = postfixUnit(ctx, s); err != nil {
		return err
	}
	if err := resolveOrigin(s, p.Value); err != nil {
		return err
	}
	if p.QueueDirectory, err = state.ParsePath(p.Value["queue_directory"]); err != nil {
		return fmt.Errorf("postconf queue_directory: %w", err)
	}
	reloadable := checkReloadable(ctx, s, p)
	if reloadable != nil && o.Unusable == nil {
		return reloadable
	}
	p.Rewrites = rewrites(ctx, s, o, p)
	listDomains(ctx, s, p)
	p.Outdated = outdated(ctx, s, p)
	f.Postfix = p
	f.Rspamd = usesRspamd(p)
	return reloadable
}

// Configures reports whether a path is a file of which Find says what is wrong with it.
func Configures(p state.Path) bool { return p == mainCf || p == masterCf }

// isConfigured refuses a Postfix that was installed without a configuration, and one
// whose files are not regular files.
func isConfigured(s source.Source) error {
	remedies := map[state.Path]string{
		mainCf:   "let the package make one (Internet Site): dpkg-reconfigure postfix",
		masterCf: "cp -p /usr/share/postfix/master.cf.dist " + string(masterCf), // the other way would change main.cf
	}
	for _, p := range []state.Path{mainCf, masterCf} {
		o, err := s.Read(p)
		if err != nil {
			return err
		}
		switch o.Kind {
		case state.Regular:
			continue
		case state.Absent:
			return &system.UnusableError{
				Path: p, Text: "there is no such file, although postfix is installed",
				Hint: remedies[p],
			}
		case state.Symlink:
			text, err := source.Text(s, p)
			if err != nil {
				return err
			}
			if text != nil {
				continue // a plan will say what it thinks of it
			}
			return &system.UnusableError{
				Path: p, Text: fmt.Sprintf("is a symbolic link to %s, where there is no file", o.Content),
				Hint: fmt.Sprintf("put the file there, or in the link's place: ls -l %s", p),
			}
		default:
			return &system.UnusableError{
				Path: p, Text: fmt.Sprintf("is no regular file (%s)", o.Kind), Hint: fmt.Sprintf("put a plain file in its place, without which Postfix does not start: ls -l %s", p),
			}
		}
	}
	return nil
}

// InDirectory returns the settings of main.cf and master.cf in a directory that will be
// the root of some machine. host runs this machine's postconf(1) there; dir is its
// absolute path.
func InDirectory(ctx context.Context, r system.Reader, host system.Runner, dir string) (*state.Postfix, error) {
	return parameterValues(ctx, postconf{read: r, run: host, below: dir})
}

// parameterValues returns the settings of main.cf and master.cf.
func parameterValues(ctx context.Context, conf postconf) (*state.Postfix, error) {
	list, err := conf.parse()
	if err != nil {
		return nil, err
	}
	main, err := source.Text(conf.read, mainCf)
	if err != nil {
		return nil, err
	}
	questions := [][]string{{"-n"}, append([]string{"-x"}, parameters()...)}
	if list != nil { // a tree may be without a master.cf
		questions = append(questions, []string{"-M"}, []string{"-Px"})
	}
	answers, err := conf.askAll(ctx, questions...)
	if err != nil {
		return nil, err
	}
	p := &state.Postfix{
		Raw: assignments(answers[0]), Lines: system.ParameterLines(main), Value: assignments(answers[1]), Services: list,
	}
	p.Version = p.Value["mail_version"]
	p.Instances = words(p.Value["multi_instance_directories"])
	l := Networks(p.Value["mynetworks"])
	p.Networks, p.ExcludedNetworks, p.OtherNetworks = l.Trusted, l.Excluded, l.Other
	if list != nil {
		err = agree(list, answers[2], answers[3])
	}
	return p, err
}

// postfixUnit returns the unit that systemd really drives: on Debian 12 postfix.service
// is a oneshot that stays active while Postfix is dead.
func postfixUnit(ctx context.Context, s source.Source) (string, error) {
	status, err := s.Status(ctx, MainUnit)
	if err != nil {
		return "", fmt.Errorf("look at unit %s: %w", MainUnit, err)
	}
	if status.Type == "oneshot" {
		return InstanceUnit, nil
	}
	return MainUnit, nil
}

// checkReloadable refuses a Postfix that runs, but whose files on disk would keep it
// from reloading, before or after our changes: nobody could restore that. "postfix
// status" would tell, but it runs a dozen programs, logs the reason to the journal only
// on Debian 12, and counts other instances, which may be down on purpose. All programs
// of Postfix read main.cf alike, so this runs one that does nothing else, and then the
// master that owns the queue.
func checkReloadable(ctx context.Context, s source.Source, p *state.Postfix) error {
	status, err := s.Status(ctx, p.Unit)
	if err != nil {
		return fmt.Errorf("look at unit %s: %w", p.Unit, err)
	}
	if status.Active != "active" {
		return nil
	}
	refuse := func(reason string) error {
		return &system.UnusableError{
			Path: mainCf, Text: "Postfix runs, but not with what is written here: " + reason,
			Hint: fmt.Sprintf("look what Postfix says, and correct it: postfix check; journalctl -n 20 -t postfix -u %s", p.Unit),
		}
	}
	reads, err := s.Run(ctx, system.Command{Argv: []string{"postmap", "-q", "mailsetup", "static:mailsetup"}})
	if err != nil {
		return fmt.Errorf("run postmap: %w", err)
	}
	if reads.Code != 0 {
		_, reason, _ := strings.Cut(source.LastLine(reads), "fatal: ")
		return refuse(cmp.Or(reason, source.LastLine(reads)))
	}
	if o, err := s.Stat(p.QueueDirectory); err != nil || o.Kind != state.Directory && o.Kind != state.Symlink {
		return cmp.Or(err, refuse(fmt.Sprintf("%s is no directory", p.QueueDirectory)))
	}
	if !HasMaster(ctx, s, p) {
		return refuse(fmt.Sprintf("no master has the queue in %s", p.QueueDirectory))
	}
	return ctx.Err()
}

// HasMaster reports whether a master(8) holds the lock of the queue. Its test starts a
// session, which the leader of a process group may not do.
func HasMaster(ctx context.Context, s source.Source, p *state.Postfix) bool {
	master := p.Value["daemon_directory"] + "/master"
	runs, err := s.Run(ctx, system.Command{Argv: []string{"sh", "-c", `"$0" -t; exit $?`, master}})
	return err != nil || runs.Code != 0 // else it could have the lock
}

// words returns the elements of a list in main.cf, postconf(5).
func words(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(","+whitespace, r) })
}

// assignments parses lines "name = value" of postconf(1).
func assignments(out string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(out) {
		name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		if ok {
			values[strings.Trim(name, whitespace)] = strings.Trim(value, whitespace)
		}
	}
	return values
}

// resolveOrigin replaces a myorigin that names a file by the file's first line, as
// Debian's Postfix does.
func resolveOrigin(s source.Source, values map[string]string) error {
	p, err := state.ParsePath(values["myorigin"])
	if err != nil {
		return nil // a name, the usual case
	}
	text, err := source.Text(s, p)
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	values["myorigin"] = strings.TrimSpace(first)
	return nil
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
