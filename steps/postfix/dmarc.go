package postfix

import (
	"errors"
	"fmt"
	"slices"

	"mailsetup/internal/edits"
	"mailsetup/internal/inbound"
	"mailsetup/internal/milters"
	"mailsetup/internal/opendmarc"
	"mailsetup/internal/state"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// judge has Postfix ask OpenDMARC behind the signer, which verifies, in every list for
// mail by SMTP that has the signer; or no longer, where DMARC is off. While OpenDMARC does
// not answer, mail passes unjudged: it refuses nothing, so nothing is lost.
func judge(in step.Input, l *milterLists) error {
	text, there := in.Facts.Files[opendmarc.ConfFile]
	_, theirs, ours := edits.BlockLines(string(text), opendmarc.Block)
	d := openDMARC(in, opendmarc.Parse(theirs).Value("Socket"))
	d.Value = l.ours.Value
	on := in.Spec.Host.Inbound.DMARC != inbound.Off && !in.Facts.Rspamd
	if !on && there && !ours {
		return nil // what is asked is the administrator's
	}
	for _, at := range placesOfOurs(in, l, "smtpd_milters") {
		value, changed, err := d.MergeBehind(l.text(at), l.ours)
		if m, found := d.In(l.text(at)); !on {
			value, changed, err = l.text(at), false, nil
			if found && m.Raw == d.String() {
				value, changed, err = d.Without(value)
			}
		}
		switch {
		case errors.Is(err, milters.ErrBefore):
			return step.Refuse(fmt.Sprintf("put %s behind %s there", d.Endpoint, l.ours.Endpoint),
				"%s: %s asks OpenDMARC before OpenDKIM, so that no signature counts", l.where(at), at.name)
		case err != nil:
			return step.Refuse("write it in a form that postconf(5) describes", "%s: %s: %v", l.where(at), at.name, err)
		case changed:
			l.put(at, value)
		}
	}
	return nil
}

// openDMARC is OpenDMARC as we write it into a list: at its own socket, if Postfix reaches
// that.
func openDMARC(in step.Input, socket string) milters.Ours {
	d := milters.Ours{
		Milter: milters.Milter{
			Endpoint: "unix:" + opendmarc.SocketBelowQueue, Options: []state.Setting{{Name: "default_action", Value: "accept"}},
		},
		Queue: signer.QueueDirectory(in.Facts),
	}
	if opendmarc.IsReached(socket, string(d.Queue)) || AsksOpenDMARC(in, socket) {
		d.Endpoint = milters.Listening(socket, OwnNames(in)...)[0]
	}
	return d
}

// AsksOpenDMARC reports whether Postfix asks a milter at a socket, in OpenDMARC's words.
func AsksOpenDMARC(in step.Input, socket string) bool {
	for _, endpoint := range milters.Listening(socket, OwnNames(in)...) {
		d := milters.Ours{Milter: milters.Milter{Endpoint: endpoint}, Queue: signer.QueueDirectory(in.Facts)}
		asked := func(m state.Milter) bool { return d.Is(milters.Milter{Endpoint: m.Endpoint}) }
		if slices.ContainsFunc(OtherMilters(in), asked) {
			return true
		}
	}
	return false
}

// placesOfOurs returns the places of a list that have our milter, in main.cf and in services.
func placesOfOurs(in step.Input, l *milterLists, name string) []listPlace {
	var all []listPlace
	add := func(s *state.Service) {
		places, err := l.expand(s, name)
		if err != nil {
			return // refused where the signer is merged
		}
		for _, at := range places {
			if _, in := l.ours.In(l.text(at)); in && !slices.Contains(all, at) {
				all = append(all, at)
			}
		}
	}
	add(nil)
	if p := in.Facts.Postfix; p != nil {
		for i := range p.Services {
			if s := &p.Services[i]; s.Command == "smtpd" {
				add(s)
			}
		}
	}
	return all
}
