package postfix

import (
	"slices"
	"time"

	"mailsetup/internal/milters"
	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// DeferMail makes Postfix defer mail while OpenDKIM restarts, on a server that signs
// already and would let mail out unsigned in those seconds: in every list that has our
// milter, at its old endpoint or the new one.
func DeferMail(in step.Input) (state.Stage, []state.Note, error) {
	if in.Facts.Postfix == nil || in.SignsNothing() {
		return state.Stage{}, nil, nil
	}
	conf, err := signer.RenderConf(in)
	if err != nil || signer.UnitAction(in, conf) != state.Restart {
		return state.Stage{}, nil, err
	}
	l := newLists(in, "tempfail")
	if err := l.deferMail(in.Facts.Postfix); err != nil || len(l.set)+len(l.services) == 0 {
		return state.Stage{}, nil, nil // what cannot be read, Postfix's own step refuses
	}
	stage := l.stage(in, "mail waits while the signer restarts")
	stage.Units[0].Probes = append(stage.Units[0].Probes, l.sessionsEnded())
	return stage, nil, nil
}

// sessionsEnded returns the probe that waits for SMTP sessions that began before the
// lists changed: they would let mail out unsigned. An idle session ends after
// smtpd_timeout, five minutes.
func (l *milterLists) sessionsEnded() state.Probe {
	changed := postconf.MainCF
	if len(l.set) == 0 {
		changed = postconf.MasterCF
	}
	return state.Probe{Kind: state.ProbeSessions, Address: string(changed), Within: 6 * time.Minute}
}

// deferOnUndo makes the undo wait for old SMTP sessions, as the run itself does, where
// mail does not wait for the signer in the end.
func (l *milterLists) deferOnUndo(in step.Input, stage *state.Stage) error {
	if in.Facts.Postfix == nil || in.Spec.Host.MilterDefaultAction == "tempfail" {
		return nil
	}
	conf, err := signer.RenderConf(in)
	if err == nil && signer.UnitAction(in, conf) == state.Restart {
		stage.Units[0].UndoProbes = append(stage.Units[0].UndoProbes, l.sessionsEnded())
	}
	return err
}

// deferMail makes mail wait for our milter in every list that has it.
func (l *milterLists) deferMail(p *state.Postfix) error {
	users := []listPlace{{nil, "smtpd_milters"}, {nil, "non_smtpd_milters"}}
	for i := range p.Services {
		switch s := &p.Services[i]; s.Command {
		case "smtpd":
			users = append(users, listPlace{s, "smtpd_milters"})
		case "cleanup":
			users = append(users, listPlace{s, "non_smtpd_milters"})
		}
	}
	for _, u := range users {
		places, err := l.expand(u.service, u.name)
		if err != nil {
			return err
		}
		otherwise := postconf.Effective(p, u.service, "milter_default_action")
		for _, at := range places {
			if err := l.deferAt(at, otherwise); err != nil {
				return err
			}
		}
	}
	return nil
}

// deferAt makes mail wait for our milter at one place, if it does not yet.
func (l *milterLists) deferAt(at listPlace, otherwise string) error {
	list, err := milters.Parse(l.text(at))
	if err != nil {
		return err
	}
	passes := func(m milters.Milter) bool { return l.ours.Is(m) && action(m, otherwise) != "tempfail" }
	if !slices.ContainsFunc(list, passes) {
		return nil
	}
	held, _, err := l.ours.SetOptions(l.text(at))
	if err == nil {
		l.put(at, held)
	}
	return err
}

// action returns what Postfix does while a milter does not answer: the milter's own
// default_action, else the one given.
func action(m milters.Milter, otherwise string) string {
	for _, o := range m.Options {
		if o.Name == "default_action" {
			return o.Value
		}
	}
	return otherwise
}
