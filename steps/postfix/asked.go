package postfix

import (
	"slices"
	"strings"

	"mailsetup/internal/milters"
	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// Asked is a service that takes mail which should be signed, and what the signer sees of
// it.
type Asked struct {
	Service state.Service
	List    string // smtpd_milters or non_smtpd_milters
	// Found: the signer is in the list that counts, and nothing keeps mail away from it.
	Found bool
	// Twice: the list has it more than once.
	Twice bool
	// Endpoint is where Postfix asks it, in Postfix's words.
	Endpoint string
	// Action is what Postfix does while it does not answer (default_action).
	Action string
	// DMARCFirst: OpenDMARC is asked before it, and does not see its result.
	DMARCFirst bool
	// Off is the setting that keeps mail away from it: "receive_override_options =
	// no_milters"; Own: the service sets that itself.
	Off string
	Own bool
	// Maps is smtpd_milter_maps, which may keep mail of some clients away from it.
	Maps string
	// Left: the administrator decided that (leave_services of host.toml).
	Left bool
}

// AskedBy returns the services by which mail comes in that should be signed: of SMTP, but
// for those to which a content filter hands mail back, and cleanup(8) for sendmail(1).
func AskedBy(in step.Input) []Asked {
	p := in.Facts.Postfix
	if p == nil {
		return nil
	}
	ours := newLists(in, "").ours
	var all []Asked
	for i := range p.Services {
		s := &p.Services[i]
		a := Asked{Service: *s, List: "smtpd_milters", Left: !signsService(in.Spec.Host, *s)}
		switch {
		case s.Command == "smtpd" && !isReinjection(p, *s) && postconf.ProxyFilter(p, s) == "":
		case s.Command == "cleanup" && takesLocalMail(p, s):
			a.List = "non_smtpd_milters"
		default:
			continue
		}
		a.look(p, s, ours)
		all = append(all, a)
	}
	return all
}

// look reads the list that counts for a service.
func (a *Asked) look(p *state.Postfix, s *state.Service, ours milters.Ours) {
	value := postconf.Effective(p, s, a.List)
	list, err := milters.Parse(value)
	a.Action = postconf.Effective(p, s, "milter_default_action")
	if s.Command == "smtpd" {
		a.Maps = postconf.Effective(p, s, "smtpd_milter_maps")
	}
	for i, m := range list {
		if err != nil || !ours.Is(m) {
			continue
		}
		if a.Found {
			a.Twice = true
			continue
		}
		a.Found, a.Endpoint = true, ours.Expand(m.Endpoint)
		for _, o := range m.Options {
			if o.Name == "default_action" {
				a.Action = o.Value
			}
		}
		a.DMARCFirst = slices.ContainsFunc(list[:i], milters.IsOpenDMARC)
	}
	from := s
	if s.Command == "cleanup" { // the one that hands it the mail of sendmail(1)
		from = nil
		if i := slices.IndexFunc(p.Services, func(s state.Service) bool { return s.Command == "pickup" }); i >= 0 {
			from = &p.Services[i]
		}
	}
	options := postconf.Effective(p, from, overrides)
	switch {
	case postconf.Has(options, "no_milters"):
		a.Found, a.Off = false, overrides+" = "+options
		_, a.Own = ownOption(from, overrides)
	case !a.Found:
		a.Off = strings.TrimSpace(a.List + " = " + value)
		_, a.Own = s.Option(a.List)
	}
}

func ownOption(s *state.Service, name string) (state.Option, bool) {
	if s == nil {
		return state.Option{}, false
	}
	return s.Option(name)
}
