package steps

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/livepath/route"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
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
	if in.SignsNothing() {
		return state.Stage{}, names(in), nil
	}
	if err := understood(in.Facts.Postfix); err != nil {
		return state.Stage{}, nil, err
	}
	l, err := mainLists(in, in.Spec.Host.MilterDefaultAction)
	if err != nil {
		return state.Stage{}, nil, err
	}
	questions, notes, err := l.ownLists(in)
	if err != nil {
		return state.Stage{}, nil, err
	}
	ask, told := l.bounces(in)
	l.names(in)
	l.probeRoute(in)
	stage := l.stage(in, "mail goes through the signer")
	stage.Questions = in.Unanswered(append(questions, ask...)...)
	if err := l.unguard(in, &stage); err != nil {
		return state.Stage{}, nil, err
	}
	return stage, slices.Concat(signedFor(in), notes, told, rewrites(in), unsigned(in), names(in)), nil
}

// mainLists are the lists of main.cf with our milter in them.
func mainLists(in Input, defaultAction string) (*lists, error) {
	l := newLists(in, defaultAction)
	for _, name := range []string{"smtpd_milters", "non_smtpd_milters"} {
		if err := l.merge(name); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// names sets Postfix's idea of its own names on a Postfix of this run.
func (l *lists) names(in Input) {
	if p := in.Facts.Postfix; p != nil && !p.Fresh {
		return
	}
	l.put(place{nil, "myhostname"}, in.Spec.Host.Hostname)
	if swallows(in.Spec) {
		l.put(place{nil, "mydestination"}, "localhost")
	}
}

// probeRoute leads the probe of the whole way to a sink on this machine: by an
// entry of transport_maps, before those that are there. It needs IPv4.
func (l *lists) probeRoute(in Input) {
	transports := []string{"smtp", "relay"} // of the package's master.cf
	if p := in.Facts.Postfix; p != nil {
		transports = route.Transports(p)
	}
	if value := route.Merge(l.main[route.Parameter], transports); value != "" {
		l.put(place{nil, route.Parameter}, value)
	}
}

// stage sets what the lists should be.
func (l *lists) stage(in Input, why string) state.Stage {
	var edits []state.Edit
	if len(l.set) > 0 {
		edits = append(edits, state.PostfixEdit{Path: mainCf, Set: l.set, Reason: why})
	}
	if len(l.services) > 0 {
		edits = append(edits, state.MasterEdit{Path: masterCf, Set: l.services, Reason: why})
	}
	return postfixStage(in, edits...)
}

func postfixStage(in Input, edits ...state.Edit) state.Stage {
	why := "running processes read main.cf again"
	for _, e := range edits {
		if e.Target() == masterCf {
			why = "services are started with their new options"
		}
	}
	return state.Stage{
		Edits: edits,
		Units: []state.Unit{{
			Name: postfixUnit(in.Facts), Action: state.Reload, Why: why,
			Settled: postfixProbes(in.Facts),
		}},
		Validators: []state.Validator{{
			Name: "postfix check", Needs: []state.Path{mainCf, masterCf},
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
	address := smtpAddress(f)
	if address == "" {
		return probes
	}
	return append(probes, state.Probe{Kind: state.ProbeSMTP, Address: address, Within: 20 * time.Second})
}

// smtpAddress is where Postfix takes mail, "" if it listens nowhere.
func smtpAddress(f state.Facts) string {
	if f.Postfix == nil {
		return "127.0.0.1:25"
	}
	return f.SMTPAddress
}

// postfixUnit is what systemd really drives: on Debian 12 postfix.service is a
// oneshot that stays active while Postfix is dead.
func postfixUnit(f state.Facts) string {
	if f.Postfix != nil {
		return f.Postfix.Unit
	}
	if f.PostfixUnit != "" {
		return f.PostfixUnit
	}
	if f.Release.ID == "debian" && f.Release.Version == "12" {
		return "postfix@-.service"
	}
	return "postfix.service"
}

// swallows reports whether Debian's mydestination, which has the host name in
// it, would keep mail here that is received elsewhere.
func swallows(s spec.Spec) bool {
	return slices.ContainsFunc(s.Domains, func(d spec.Domain) bool { return d.Name == s.Host.Hostname && !d.Receive })
}

// understood refuses what would make mail unsigned, or signed twice, behind
// our back.
func understood(p *state.Postfix) error {
	if p == nil {
		return nil
	}
	if c := p.Value["config_directory"]; c != "" && c != string(mainCf.Dir()) {
		return step.Refuse(byHand, "Postfix reads its configuration from %s, which is not understood yet", c)
	}
	if q := p.QueueDirectory; q != "" && q != SocketDir.Dir() {
		return step.Refuse(byHand, "%s: queue_directory = %s is not understood yet", mainCf, q)
	}
	if value := effective(p, nil, overrides); has(value, "no_milters") {
		return step.Refuse("take no_milters out: postconf -e receive_override_options=...",
			"%s: receive_override_options = %s keeps mail away from the signer", mainCf, value)
	}
	for _, hides := range []struct{ name, why string }{
		{"smtpd_milter_maps", "may keep mail away from the signer"},
		{"smtpd_proxy_filter", "takes the message before any milter sees it (MILTER_README, Limitations): it cannot be signed"},
	} {
		name, why := hides.name, hides.why
		if value := effective(p, nil, name); value != "" {
			return step.Refuse(byHand, "%s: %s = %s %s", mainCf, name, value, why)
		}
		for i := range p.Services {
			s := &p.Services[i]
			if o, own := s.Option(name); own && s.Command == "smtpd" && effective(p, s, name) != "" {
				return step.Refuse(byHand, "%s sets %s=%s, which %s", atLine(*s, o), name, o.Value, why)
			}
		}
	}
	return filtersUnderstood(p)
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
			Do: fmt.Sprintf("myhostname = %s in main.cf, once mydestination and myorigin no longer follow from it: mail to @%s would bounce", in.Spec.Host.Hostname, h),
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
