// Package postfix says what Postfix is to do: hand its mail to the signer, once.
package postfix

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/livepath/route"
	"mailsetup/internal/postconf"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

const (
	// endpoint is relative to the queue directory: right in the chroot, where
	// an absolute path would be looked up below it, and right without one.
	endpoint = "unix:opendkim/opendkim.sock"

	byHand = "set up this server by hand with the snippet of mailsetup init --root DIR"
)

// Configure hands its mail to the milter: mail that comes by SMTP, mail that
// comes from sendmail(1), and the bounces Postfix writes itself.
func Configure(in step.Input) (state.Stage, []state.Note, error) {
	if in.SignsNothing() {
		return state.Stage{}, nameNotes(in), nil
	}
	if err := checkSupported(in.Facts.Postfix); err != nil {
		return state.Stage{}, nil, err
	}
	l, err := mainLists(in, in.Spec.Host.MilterDefaultAction)
	if err != nil {
		return state.Stage{}, nil, err
	}
	questions, notes, err := l.serviceLists(in)
	if err != nil {
		return state.Stage{}, nil, err
	}
	if err := judge(in, l); err != nil {
		return state.Stage{}, nil, err
	}
	ask, told := l.bounces(in)
	l.names(in)
	if leavesInTheClear(in) {
		l.put(listPlace{nil, tlsLevel}, "may")
	}
	l.probeRoute(in)
	stage := l.stage(in, "mail goes through the signer")
	stage.Questions = in.Unanswered(append(questions, ask...)...)
	if err := l.deferOnUndo(in, &stage); err != nil {
		return state.Stage{}, nil, err
	}
	return stage, slices.Concat(signedNotes(in), notes, told, rewrites(in), unsignedNotes(in), nameNotes(in)), nil
}

// mainLists returns the lists of main.cf with our milter in them.
func mainLists(in step.Input, defaultAction string) (*milterLists, error) {
	l := newLists(in, defaultAction)
	for _, name := range []string{"smtpd_milters", "non_smtpd_milters"} {
		if err := l.merge(name); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// names sets Postfix's idea of its own names on a Postfix of this run.
func (l *milterLists) names(in step.Input) {
	if p := in.Facts.Postfix; p != nil && !p.Fresh {
		return
	}
	l.put(listPlace{nil, "myhostname"}, in.Spec.Host.Hostname)
	if list := destinations(in); list != nil {
		l.put(listPlace{nil, "mydestination"}, strings.Join(list, ", "))
	}
}

// tlsLevel is the parameter of postconf(5) about TLS of outgoing mail.
const tlsLevel = "smtp_tls_security_level"

// leavesInTheClear reports whether a client of SMTP uses no TLS, and nobody decided so:
// neither main.cf nor its service, in these words or in those of Postfix 2.2. Debian
// 13's main.cf has no line about it, and large receivers refuse mail in clear text
// (Google, 5.7.29). Without tlsmgr(8) there could be no TLS.
func leavesInTheClear(in step.Input) bool {
	p := in.Facts.Postfix
	if !in.Scope.WholeHost() || p == nil {
		return in.Scope.WholeHost()
	}
	for _, decided := range []string{tlsLevel, "smtp_use_tls", "smtp_enforce_tls", "smtp_tls_per_site", "smtp_tls_policy_maps"} {
		if _, set := p.Raw[decided]; set {
			return false
		}
	}
	undecided := func(s state.Service) bool {
		_, own := s.Option(tlsLevel)
		_, old := s.Option("smtp_use_tls")
		return s.Command == "smtp" && !own && !old
	}
	return p.Value[tlsLevel] == "" && slices.ContainsFunc(p.Services, undecided) &&
		slices.ContainsFunc(p.Services, func(s state.Service) bool { return s.Command == "tlsmgr" })
}

// probeRoute routes the messages of the delivery proof to a sink on this machine, by an
// entry in front of transport_maps. It needs IPv4.
func (l *milterLists) probeRoute(in step.Input) {
	transports := []string{"smtp", "relay"} // of the package's master.cf
	if p := in.Facts.Postfix; p != nil {
		transports = route.Transports(p)
	}
	if value := route.Merge(l.main[route.Parameter], transports); value != "" {
		l.put(listPlace{nil, route.Parameter}, value)
	}
}

// stage sets what the lists should be.
func (l *milterLists) stage(in step.Input, why string) state.Stage {
	var edits []state.Edit
	if len(l.set) > 0 {
		edits = append(edits, state.PostfixEdit{Path: postconf.MainCF, Set: l.set, Reason: why})
	}
	if len(l.services) > 0 {
		edits = append(edits, state.MasterEdit{Path: postconf.MasterCF, Set: l.services, Reason: why})
	}
	return Stage(in, edits...)
}

// Stage returns a stage of edits of Postfix's files, with what has Postfix read them and
// proves that it takes mail.
func Stage(in step.Input, edits ...state.Edit) state.Stage {
	why := "running processes read main.cf again"
	for _, e := range edits {
		if e.Target() == postconf.MasterCF {
			why = "services are started with their new options"
		}
	}
	return state.Stage{
		Edits: edits,
		Units: []state.Unit{{
			Name: postfixUnit(in.Facts), Action: state.Reload, Why: why,
			Probes: postfixProbes(in.Facts),
		}},
		Validators: []state.Validator{{
			Name: "postfix check", Early: true, LogTag: "postfix/postfix-script", Needs: []state.Path{postconf.MainCF, postconf.MasterCF},
			Argv: func(scratch func(state.Path) string) []string {
				return []string{"postfix", "-c", string(state.Path(scratch(postconf.MainCF)).Dir()), "check"}
			},
		}},
	}
}

// postfixProbes ask whether Postfix runs and takes mail. A null client that
// listens nowhere is asked for the first only.
func postfixProbes(f state.Facts) []state.Probe {
	probes := []state.Probe{{Kind: state.ProbePostfix, Within: 10 * time.Second}}
	address := SMTPAddress(f)
	if address == "" {
		return probes
	}
	return append(probes, state.Probe{Kind: state.ProbeSMTP, Address: address, Within: 20 * time.Second})
}

// SMTPAddress returns where Postfix takes mail, or will once it is started for the first
// time, "" if it listens nowhere.
func SMTPAddress(f state.Facts) string {
	const loopback = "127.0.0.1:25"
	switch p := f.Postfix; {
	case p == nil:
		return loopback
	case f.SMTPAddress != "" || !f.Daemons[p.Unit].New:
		return f.SMTPAddress
	case slices.ContainsFunc(p.Services, func(s state.Service) bool { return s.Name == "smtp/inet" }) &&
		slices.ContainsFunc(postconf.Words(strings.ToLower(p.Value["inet_interfaces"])), func(w string) bool {
			return w == "all" || w == "loopback-only" || w == "localhost" || w == "127.0.0.1"
		}):
		return loopback
	}
	return ""
}

// postfixUnit returns the unit whose state is that of Postfix: on Debian 12 postfix.service is a
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

// deliversLocally reports whether Debian's mydestination, which has the host name in
// it, would keep mail here that is received elsewhere.
func deliversLocally(s spec.Spec) bool {
	return slices.ContainsFunc(s.Domains, func(d spec.Domain) bool { return d.Name == s.Host.Hostname && !d.Receive })
}

// checkSupported refuses settings that would make mail unsigned, or signed twice,
// without anybody noticing.
func checkSupported(p *state.Postfix) error {
	if p == nil {
		return nil
	}
	if c := p.Value["config_directory"]; c != "" && c != string(postconf.MainCF.Dir()) {
		return step.Refuse(byHand, "Postfix reads its configuration from %s, which is not understood yet", c)
	}
	if value := postconf.Effective(p, nil, overrides); postconf.Has(value, "no_milters") {
		rest := slices.DeleteFunc(postconf.Words(value), func(w string) bool { return w == "no_milters" })
		return step.Refuse(fmt.Sprintf("postconf -e '%s = %s' && postfix reload", overrides, strings.Join(rest, ", ")),
			"%s: receive_override_options = %s keeps mail away from the signer", postconf.MainCF, value)
	}
	const name, why = "smtpd_milter_maps", "may keep mail away from the signer"
	if value := postconf.Effective(p, nil, name); value != "" {
		return step.Refuse(byHand, "%s: %s = %s %s", postconf.MainCF, name, value, why)
	}
	for i := range p.Services {
		s := &p.Services[i]
		if o, own := s.Option(name); own && s.Command == "smtpd" && postconf.Effective(p, s, name) != "" {
			return step.Refuse(byHand, "%s sets %s=%s, which %s", lineOf(*s, o), name, o.Value, why)
		}
	}
	return checkFilters(p)
}

// nameNotes returns notes on what is left alone on a Postfix that was here before us: its
// idea of its names decides which mail is local, so it is not ours to change.
func nameNotes(in step.Input) []state.Note {
	p := in.Facts.Postfix
	if p == nil {
		return nil
	}
	var notes []state.Note
	if h := p.Value["myhostname"]; !p.Fresh && !strings.EqualFold(h, in.Spec.Host.Hostname) {
		notes = append(notes, state.Note{
			Topic: "myhostname", Text: fmt.Sprintf("Postfix calls itself %s and keeps doing so", h),
			Action: fmt.Sprintf("myhostname = %s in main.cf, once mydestination and myorigin no longer follow from it: mail to @%s would bounce", in.Spec.Host.Hostname, h),
		})
	}
	return notes
}
