package postfix

import (
	"fmt"
	"strings"

	"mailsetup/internal/mastercf"
	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// lineOf names the line on which a service sets an option, for errors.
func lineOf(s state.Service, o state.Option) string {
	line := o.Line
	if line == 0 {
		line = s.Line
	}
	return fmt.Sprintf("%s:%d: service %s", postconf.MasterCF, line, s.Name)
}

// serviceLists merges our milter into the lists of services that override those of
// main.cf, each with a consent of its own.
func (l *milterLists) serviceLists(in step.Input) ([]state.Question, []state.Note, error) {
	p := in.Facts.Postfix
	if p == nil {
		return nil, nil, nil
	}
	var questions []state.Question
	var notes []state.Note
	for i := range p.Services {
		s := &p.Services[i]
		if isReinjection(p, *s) || postconf.ProxyFilter(p, s) != "" {
			continue // see Reinjection, and proxyFilter
		}
		ask, err := l.serviceList(in, s)
		switch {
		case err != nil:
			return nil, nil, err
		case ask == nil:
		case !signsService(in.Spec.Host, *s) && ask.q.Declined != "":
			notes = append(notes, state.Note{
				Topic: s.Name, Text: ask.q.Declined + ", as you decided", Informational: true,
			})
		default:
			for _, set := range ask.set {
				l.put(listPlace{s, set.Name}, set.Value)
			}
			questions = append(questions, ask.q)
		}
	}
	return questions, notes, nil
}

// change is a question with the settings that a yes makes.
type change struct {
	q   state.Question
	set []state.Setting
}

// serviceList returns the change of one service that takes mail; nil if our milter sees
// its mail already.
func (l *milterLists) serviceList(in step.Input, s *state.Service) (*change, error) {
	list, off := "smtpd_milters", switchedOff(in.Facts.Postfix, s)
	switch {
	case s.Command == "smtpd" && off:
		return l.overrideNoMilters(in.Facts.Postfix, s)
	case s.Command == "smtpd":
	case s.Command == "cleanup" && takesLocalMail(in.Facts.Postfix, s):
		list = "non_smtpd_milters"
	case (s.Command == "pickup" || s.Command == "qmqpd") && off:
		return l.removeNoMilters(in, s)
	default:
		return nil, nil
	}
	at, found, err := l.findOurs(s, list)
	if err != nil {
		return nil, err
	}
	switch {
	case found && at.service == nil:
		return nil, l.merge(at.name) // perhaps through $mua_milters, which holds ours
	case !found:
		return l.addToList(s, list)
	case l.ours.HasFormer(l.text(at)):
		return l.moveEndpoint(at)
	}
	value, changed, err := l.ours.Merge(l.text(at))
	if err == nil && changed { // ours, with another action for when it is down
		l.put(at, value)
	}
	return nil, err
}

// addToList adds our milter to a list of a service.
func (l *milterLists) addToList(s *state.Service, list string) (*change, error) {
	was, at := l.value(s, list)
	value, _, err := l.ours.Merge(was)
	if err != nil {
		return nil, step.Refuse("write it in a form that postconf(5) describes", "%s: %s: %v", l.where(at), list, err)
	}
	text := "has milters of its own, without the signer: %s would leave unsigned. " +
		"The signer is added; what stands there stays"
	if strings.TrimSpace(was) == "" {
		text = "switches milters off: %s would leave unsigned. The signer is switched on again, and no other milter"
	}
	q := question(s, fmt.Sprintf(text, describeMail(s)))
	q.Declined = describeMail(s) + " leaves unsigned"
	return l.withLines(s, q, state.Setting{Name: list, Value: value}), nil
}

// moveEndpoint changes a list to our milter's new socket. Nobody can decline that:
// Postfix would reject mail once nobody listens at the old one.
func (l *milterLists) moveEndpoint(at listPlace) (*change, error) {
	value, _, err := l.ours.Merge(l.text(at))
	if err != nil {
		return nil, err
	}
	m, _ := l.ours.In(l.text(at))
	q := question(at.service, fmt.Sprintf("asks OpenDKIM at %s, where it will no longer listen: "+
		"Postfix would refuse %s. The entry gets the new socket", m.Endpoint, describeMail(at.service)))
	return l.withLines(at.service, q, state.Setting{Name: at.name, Value: value}), nil
}

// overrideNoMilters lets our milter, and no other, see the mail of a service that has
// no_milters.
func (l *milterLists) overrideNoMilters(p *state.Postfix, s *state.Service) (*change, error) {
	value, _, err := l.ours.Merge("")
	if err != nil {
		return nil, err
	}
	q := question(s, fmt.Sprintf("switches milters off (no_milters): %s would leave unsigned. "+
		"The signer is switched on again, and no other milter", describeMail(s)))
	q.Declined = describeMail(s) + " leaves unsigned"
	return l.withLines(s, q, withoutNoMilters(p, s), state.Setting{Name: "smtpd_milters", Value: value}), nil
}

// removeNoMilters removes no_milters from a service whose milters are those of a
// cleanup(8) that serves others too: our milter cannot be added for it alone.
func (l *milterLists) removeNoMilters(in step.Input, s *state.Service) (*change, error) {
	if others := l.otherMilters(nil, "non_smtpd_milters"); len(others) > 0 {
		o, _ := s.Option(overrides)
		if !signsService(in.Spec.Host, *s) {
			return &change{q: state.Question{Declined: describeMail(s) + " leaves unsigned"}}, nil
		}
		return nil, step.Refuse(fmt.Sprintf("take no_milters out if %s may see that mail, or name the service in leave_services of host.toml",
			strings.Join(others, ", ")), "%s sets %s=%s, which keeps mail away from the signer", lineOf(*s, o), o.Name, o.Value)
	}
	q := question(s, fmt.Sprintf("switches milters off (no_milters): %s would leave unsigned. "+
		"The signer is switched on again, and there is no other milter", describeMail(s)))
	q.Declined = describeMail(s) + " leaves unsigned"
	return l.withLines(s, q, withoutNoMilters(in.Facts.Postfix, s)), nil
}

const overrides = "receive_override_options"

// switchedOff reports whether the service itself has no_milters; main.cf's are
// refused as a whole.
func switchedOff(p *state.Postfix, s *state.Service) bool {
	_, own := s.Option(overrides)
	return own && postconf.Has(postconf.Effective(p, s, overrides), "no_milters")
}

func withoutNoMilters(p *state.Postfix, s *state.Service) state.Setting {
	var rest []string
	for _, w := range postconf.Words(postconf.Effective(p, s, overrides)) {
		if w != "no_milters" {
			rest = append(rest, w)
		}
	}
	return state.Setting{Name: overrides, Value: strings.Join(rest, ",")}
}

// takesLocalMail reports whether a cleanup(8) gets mail that does not come by
// SMTP, for which its non_smtpd_milters are: from sendmail(1), and bounces.
func takesLocalMail(p *state.Postfix, s *state.Service) bool {
	name := strings.TrimSuffix(s.Name, "/unix")
	is := func(from *state.Service) bool {
		value := postconf.Effective(p, from, "cleanup_service_name")
		return value == name || value == "" && name == "cleanup"
	}
	if is(nil) {
		return true
	}
	for i := range p.Services {
		if p.Services[i].Command != "smtpd" && is(&p.Services[i]) {
			return true
		}
	}
	return false
}

// describeMail says which mail a service takes.
func describeMail(s *state.Service) string {
	switch s.Command {
	case "cleanup", "pickup":
		return "mail from programs on this machine (" + s.Name + ")"
	}
	return "mail that comes in by " + s.Name
}

func question(s *state.Service, text string) state.Question {
	return state.Question{
		ID: "service " + s.Name, Kind: state.AskService, Subject: s.Name, Path: postconf.MasterCF, Line: s.Line,
		Text: fmt.Sprintf("%s in %s %s.", s.Name, postconf.MasterCF, text),
	}
}

// withLines completes a question with the lines before and after the change.
func (l *milterLists) withLines(s *state.Service, q state.Question, set ...state.Setting) *change {
	var before, after []string
	for i, wish := range set {
		was := ""
		if o, ok := s.Option(wish.Name); ok {
			was = optionText("", state.Setting{Name: o.Name, Value: o.Value})
			before = append(before, was)
			if i == 0 && o.Line > 0 {
				q.Line = o.Line
			}
		}
		after = append(after, optionText(was, wish))
	}
	q.Before, q.After = strings.Join(before, " "), strings.Join(after, " ")
	return &change{q: q, set: set}
}

// optionText returns an option as it will be written into master.cf(5), in place of
// another text or none.
func optionText(was string, s state.Setting) string {
	const service, line = "x/inet", "x inet - - - - - smtpd "
	text, err := mastercf.Set(line+was, []state.ServiceSetting{{Service: service, Setting: s}})
	if err != nil {
		return "-o " + s.Name + "=" + s.Value // the edit will say what is wrong
	}
	return strings.TrimSpace(strings.TrimPrefix(text, strings.TrimSpace(line)))
}
