package steps

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/milters"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

const (
	mainCf   state.Path = "/etc/postfix/main.cf"
	masterCf state.Path = "/etc/postfix/master.cf"
	// endpoint is relative to the queue directory: right in the chroot, where
	// an absolute path would be looked up below it, and right without one.
	endpoint = "unix:opendkim/opendkim.sock"

	byHand = "set up this server by hand with the snippet of mailsetup init --root DIR"
)

// Postfix hands its mail to the milter: mail that comes by SMTP, mail that
// comes from sendmail(1), and the bounces Postfix writes itself.
func Postfix(in Input) (state.Stage, []state.Note, error) {
	if err := understood(in.Facts.Postfix); err != nil {
		return state.Stage{}, nil, err
	}
	set, err := mainSettings(in, in.Spec.Host.MilterDefaultAction)
	if err != nil {
		return state.Stage{}, nil, err
	}
	stage := postfixStage(in, state.PostfixEdit{
		Path: mainCf, Set: set, Reason: "mail goes through the signer",
	})
	return stage, names(in), nil
}

func postfixStage(in Input, e state.PostfixEdit) state.Stage {
	return state.Stage{
		Edits: []state.Edit{e},
		Units: []state.Unit{{
			Name: postfixUnit(in.Facts), Action: state.Reload, Why: "running processes read main.cf again",
			Settled: postfixProbes(in.Facts),
		}},
		Validators: []state.Validator{{
			Name: "postfix check", Needs: []state.Path{masterCf},
			Argv: func(scratch func(state.Path) string) []string {
				return []string{"postfix", "-c", string(state.Path(scratch(mainCf)).Dir()), "check"}
			},
		}},
	}
}

// postfixProbes ask whether Postfix runs and takes mail. A null client that
// listens nowhere is asked for the first only.
func postfixProbes(f state.Facts) []state.Probe {
	probes := []state.Probe{{Kind: state.ProbePostfix, Within: 10 * time.Second}}
	address := f.SMTPAddress
	if f.Postfix == nil {
		address = "127.0.0.1:25"
	}
	if address == "" {
		return probes
	}
	return append(probes, state.Probe{Kind: state.ProbeSMTP, Address: address, Within: 20 * time.Second})
}

// postfixUnit is what systemd really drives: on Debian 12 postfix.service is a
// oneshot that stays active while Postfix is dead.
func postfixUnit(f state.Facts) string {
	if f.Postfix != nil {
		return f.Postfix.Unit
	}
	if f.Release.ID == "debian" && f.Release.Version == "12" {
		return "postfix@-.service"
	}
	return "postfix.service"
}

// mainSettings are the parameters of main.cf that we need, merged with what
// stands there.
func mainSettings(in Input, defaultAction string) ([]state.Setting, error) {
	raw, queue := map[string]string{}, state.Path("/var/spool/postfix")
	if p := in.Facts.Postfix; p != nil {
		raw, queue = p.Raw, p.QueueDirectory
	}
	ours := milters.Milter{
		Endpoint: endpoint,
		Options:  []state.Setting{{Name: "default_action", Value: defaultAction}},
	}
	var set []state.Setting
	for _, name := range []string{"smtpd_milters", "non_smtpd_milters"} {
		if name == "non_smtpd_milters" && milters.Refers(raw[name], "smtpd_milters") {
			continue
		}
		value, _, err := milters.Merge(raw[name], ours, queue)
		if err != nil {
			return nil, refuse("write it in a form that postconf(5) describes", "%s: %s: %v", mainCf, name, err)
		}
		set = append(set, state.Setting{Name: name, Value: value})
	}
	set = append(set, state.Setting{
		Name: "internal_mail_filter_classes", Value: withBounce(raw["internal_mail_filter_classes"]),
	})
	if p := in.Facts.Postfix; p == nil || p.Fresh {
		set = append(set, state.Setting{Name: "myhostname", Value: in.Spec.Host.Hostname})
		if swallows(in.Spec) {
			set = append(set, state.Setting{Name: "mydestination", Value: "localhost"})
		}
	}
	return set, nil
}

// swallows reports whether Debian's mydestination, which has the host name in
// it, would keep mail here that is received elsewhere.
func swallows(s spec.Spec) bool {
	return slices.ContainsFunc(s.Domains, func(d spec.Domain) bool { return d.Name == s.Host.Hostname && !d.Receive })
}

// withBounce adds the bounces to internal_mail_filter_classes, postconf(5).
func withBounce(value string) string {
	classes := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
	if slices.Contains(classes, "bounce") {
		return value
	}
	return strings.Join(append(classes, "bounce"), ", ")
}

// understood refuses what would make mail unsigned, or signed twice, behind
// our back.
func understood(p *state.Postfix) error {
	if p == nil {
		return nil
	}
	for service, o := range options(p) {
		if o.Name == "milter_default_action" || o.Name == "internal_mail_filter_classes" ||
			o.Name == "receive_override_options" && !strings.Contains(o.Value, "no_milters") {
			continue // ours names its own action
		}
		return refuse("take that option out, or set up this server by hand with the snippet of mailsetup init --root DIR",
			"%s:%d: service %s sets %s=%s, which is not understood yet", masterCf, o.Line, service.Name, o.Name, o.Value)
	}
	if strings.Contains(p.Value["receive_override_options"], "no_milters") {
		return refuse("take no_milters out: postconf -e receive_override_options=...",
			"%s: receive_override_options = %s keeps mail away from the signer", mainCf, p.Value["receive_override_options"])
	}
	if m := p.Value["smtpd_milter_maps"]; m != "" {
		return refuse(byHand, "%s: smtpd_milter_maps = %s may keep mail away from the signer", mainCf, m)
	}
	if q := p.QueueDirectory; q != "" && q != SocketDir.Dir() {
		return refuse(byHand, "%s: queue_directory = %s is not understood yet", mainCf, q)
	}
	if f := p.Value["content_filter"]; f != "" {
		return refuse(byHand,
			"%s: content_filter = %s would make OpenDKIM see each message twice", mainCf, f)
	}
	return nil
}

// options are those of all services.
func options(p *state.Postfix) iter.Seq2[state.Service, state.Option] {
	return func(yield func(state.Service, state.Option) bool) {
		for _, s := range p.Services {
			for _, o := range s.Options {
				if !yield(s, o) {
					return
				}
			}
		}
	}
}

// names tells what is left alone on a Postfix that was here before us: its
// idea of its names decides which mail is local, so it is not ours to change.
func names(in Input) []state.Note {
	p := in.Facts.Postfix
	if p == nil {
		return nil
	}
	var notes []state.Note
	if h := p.Value["myhostname"]; !p.Fresh && !strings.EqualFold(h, in.Spec.Host.Hostname) {
		notes = append(notes, state.Note{
			Topic: "myhostname", Text: fmt.Sprintf("Postfix calls itself %s and keeps doing so", h),
			Do: fmt.Sprintf("postconf -e myhostname=%s && postfix reload", in.Spec.Host.Hostname),
		})
	}
	notes = append(notes, unreachable(in)...)
	local := destinations(p)
	for _, d := range in.Spec.Domains {
		is := slices.Contains(local, d.Name)
		switch {
		case d.Receive && !is:
			notes = append(notes, state.Note{
				Topic: "mydestination", Text: fmt.Sprintf("Postfix does not take mail for %s yet", d.Name),
				Do: "add it to mydestination or virtual_mailbox_domains",
			})
		case !d.Receive && is:
			notes = append(notes, state.Note{
				Topic: "mydestination", Text: fmt.Sprintf("Postfix keeps mail for %s here, although it is received elsewhere: "+
					"mail from this machine to colleagues never leaves", d.Name),
				Do: fmt.Sprintf("take %s out of mydestination", d.Name),
			})
		}
	}
	return notes
}

// unreachable tells of an MX that points to a Postfix which nobody outside can
// connect to.
func unreachable(in Input) []state.Note {
	p := in.Facts.Postfix
	receives := slices.ContainsFunc(in.Spec.Domains, func(d spec.Domain) bool { return d.Receive })
	listens := strings.ToLower(p.Value["inet_interfaces"])
	outside := func(name string) bool { return name != "loopback-only" && name != "localhost" }
	if !receives || listens == "" || slices.ContainsFunc(words(listens), outside) {
		return nil
	}
	return []state.Note{{
		Topic: "inet_interfaces",
		Text:  fmt.Sprintf("the MX record points here, but Postfix listens on %s: no other server can deliver", listens),
		Do:    "postconf -e inet_interfaces=all, then restart Postfix; or mailsetup init --receive no",
	}}
}

// words are the elements of a list in main.cf, postconf(5).
func words(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
}

// destinations are the domains that Postfix delivers itself, as far as they
// are written out.
func destinations(p *state.Postfix) []string {
	var all []string
	for _, name := range []string{"mydestination", "virtual_mailbox_domains", "virtual_alias_domains", "relay_domains"} {
		all = append(all, words(strings.ToLower(p.Value[name]))...)
	}
	return all
}
