package postfix

import (
	"slices"
	"strings"

	"mailsetup/internal/milters"
	"mailsetup/internal/postconf"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// milterLists are Postfix's lists of milters while they are being changed: those of
// main.cf, and those that services of master.cf override.
type milterLists struct {
	ours     milters.Ours
	main     map[string]string // parameters of main.cf as written, with what set says
	set      []state.Setting   // of main.cf, in order
	services []state.ServiceSetting
}

// listPlace is where a list is set: a parameter of a service, or of main.cf.
type listPlace struct {
	service *state.Service // nil for main.cf
	name    string
}

func newLists(in step.Input, defaultAction string) *milterLists {
	l := &milterLists{main: map[string]string{}, ours: milters.Ours{
		Milter: milters.Milter{
			Endpoint: endpoint, Options: []state.Setting{{Name: "default_action", Value: defaultAction}},
		},
		Queue: signer.QueueDirectory(in.Facts),
	}}
	if p := in.Facts.Postfix; p != nil {
		for name, value := range p.Raw {
			l.main[name] = value
		}
	}
	l.ours.Value = func(name string) string { return l.main[name] }
	if o := in.Facts.OpenDKIM; o != nil {
		l.ours.Former = milters.Listening(o.Endpoint, OwnNames(in)...)
	}
	return l
}

// OwnNames returns the names and addresses by which a list of milters may mean this machine.
func OwnNames(in step.Input) []string {
	names := []string{in.Spec.Host.Hostname}
	for _, a := range slices.Concat(in.Facts.Addresses, in.Spec.Host.Addresses) {
		names = append(names, a.String())
	}
	if p := in.Facts.Postfix; p != nil && p.Value["myhostname"] != "" {
		names = append(names, strings.ToLower(p.Value["myhostname"]))
	}
	return names
}

// value returns the text of a parameter in a service, and where it is set. What the service
// sets counts in it for every list that refers to the parameter.
func (l *milterLists) value(s *state.Service, name string) (string, listPlace) {
	if s != nil {
		for _, set := range l.services {
			if set.Service == s.Name && set.Name == name {
				return set.Value, listPlace{s, name}
			}
		}
		if o, ok := s.Option(name); ok {
			return o.Value, listPlace{s, name}
		}
	}
	return l.main[name], listPlace{nil, name}
}

// expand returns the places of a list: its own, and those of the lists that it takes
// in ($mua_milters).
func (l *milterLists) expand(s *state.Service, name string) ([]listPlace, error) {
	return l.walk(s, name, nil)
}

func (l *milterLists) walk(s *state.Service, name string, above []string) ([]listPlace, error) {
	value, at := l.value(s, name)
	if slices.Contains(above, name) {
		return nil, step.Refuse("write the milters out", "%s: %s refers to itself, which Postfix cannot expand", l.where(at), name)
	}
	if _, err := milters.Parse(value); err != nil {
		return nil, step.Refuse("write it in a form that postconf(5) describes", "%s: %s: %v", l.where(at), name, err)
	}
	places := []listPlace{at}
	for _, ref := range milters.References(value) {
		below, err := l.walk(s, ref, append(above[:len(above):len(above)], name))
		if err != nil {
			return nil, err
		}
		places = append(places, below...)
	}
	return places, nil
}

// where names a place in the words of errors.
func (l *milterLists) where(at listPlace) string {
	if at.service == nil {
		return string(postconf.MainCF)
	}
	o, _ := at.service.Option(at.name)
	return lineOf(*at.service, o)
}

// findOurs finds the one place of a list where our milter stands.
func (l *milterLists) findOurs(s *state.Service, name string) (at listPlace, found bool, err error) {
	places, err := l.expand(s, name)
	if err != nil {
		return listPlace{}, false, err
	}
	for _, p := range places {
		if _, in := l.ours.In(l.text(p)); !in || found && p == at {
			continue
		}
		if found {
			return listPlace{}, false, step.Refuse("take it out of one of them",
				"%s: %s asks OpenDKIM twice, through %s and through %s: mail would be signed twice",
				l.where(at), name, at.name, p.name)
		}
		at, found = p, true
	}
	return at, found, nil
}

func (l *milterLists) text(at listPlace) string {
	value, _ := l.value(at.service, at.name)
	return value
}

// merge puts our milter into a list of main.cf, or updates its entry there.
func (l *milterLists) merge(name string) error {
	at, found, err := l.findOurs(nil, name)
	if err != nil {
		return err
	}
	if !found {
		at = listPlace{nil, name}
	}
	value, _, err := l.ours.Merge(l.main[at.name])
	if err != nil {
		return step.Refuse("write it in a form that postconf(5) describes", "%s: %s: %v", postconf.MainCF, at.name, err)
	}
	l.put(at, value)
	return nil
}

// put sets the new value of a list.
func (l *milterLists) put(at listPlace, value string) {
	if at.service != nil {
		l.services = slices.DeleteFunc(l.services, func(s state.ServiceSetting) bool {
			return s.Service == at.service.Name && s.Name == at.name
		})
		l.services = append(l.services, state.ServiceSetting{
			Service: at.service.Name, Setting: state.Setting{Name: at.name, Value: value},
		})
		return
	}
	l.main[at.name] = value
	i := slices.IndexFunc(l.set, func(s state.Setting) bool { return s.Name == at.name })
	if i < 0 {
		l.set = append(l.set, state.Setting{Name: at.name, Value: value})
		return
	}
	l.set[i].Value = value
}

// withoutOurs returns the text of a list without our milter. Lists that it refers to
// are expanded only if they have our milter.
func (l *milterLists) withoutOurs(s *state.Service, name string) (string, error) {
	value, _ := l.value(s, name)
	list, err := milters.Parse(value)
	if err != nil {
		return "", err
	}
	var texts []string
	for _, m := range list {
		if l.ours.Is(m) {
			continue
		}
		text := m.String()
		for _, ref := range milters.References(text) {
			if _, found, err := l.findOurs(s, ref); err != nil {
				return "", err
			} else if found {
				if text, err = l.withoutOurs(s, ref); err != nil {
					return "", err
				}
			}
		}
		if text != "" {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, ", "), nil
}

// otherMilters returns the milters of a list that neither sign nor verify.
func (l *milterLists) otherMilters(s *state.Service, name string) []string {
	places, err := l.expand(s, name)
	if err != nil {
		return nil
	}
	var texts []string
	for _, p := range places {
		list, _ := milters.Parse(l.text(p))
		for _, m := range list {
			if !l.ours.Is(m) && !milters.IsOpenDMARC(m) && len(milters.References(m.String())) == 0 {
				texts = append(texts, m.Endpoint)
			}
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// signsService reports whether the signer is wanted among a service's own milters.
func signsService(h spec.Host, s state.Service) bool {
	return !slices.Contains(h.LeaveServices, s.Name)
}
