package steps

import (
	"cmp"
	"slices"
	"strings"

	"mailsetup/internal/milters"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// lists are Postfix's lists of milters on their way to what they should be:
// those of main.cf, and those that services have to themselves.
type lists struct {
	ours     milters.Ours
	main     map[string]string // parameters of main.cf as written, with what set says
	set      []state.Setting   // of main.cf, in order
	services []state.ServiceSetting
}

// place is where a list stands: a parameter of a service, or of main.cf.
type place struct {
	service *state.Service // nil for main.cf
	name    string
}

func newLists(in Input, defaultAction string) *lists {
	l := &lists{main: map[string]string{}, ours: milters.Ours{
		Milter: milters.Milter{
			Endpoint: endpoint, Options: []state.Setting{{Name: "default_action", Value: defaultAction}},
		},
		Queue: SocketDir.Dir(),
	}}
	if p := in.Facts.Postfix; p != nil {
		for name, value := range p.Raw {
			l.main[name] = value
		}
		l.ours.Queue = cmp.Or(p.QueueDirectory, l.ours.Queue)
	}
	l.ours.Value = func(name string) string { return l.main[name] }
	if o := in.Facts.OpenDKIM; o != nil {
		l.ours.Former = milters.Listening(o.Endpoint, ownNames(in)...)
	}
	return l
}

// ownNames are what a list may call this machine.
func ownNames(in Input) []string {
	names := []string{in.Spec.Host.Hostname}
	for _, a := range slices.Concat(in.Facts.Addresses, in.Spec.Host.Addresses) {
		names = append(names, a.String())
	}
	if p := in.Facts.Postfix; p != nil && p.Value["myhostname"] != "" {
		names = append(names, strings.ToLower(p.Value["myhostname"]))
	}
	return names
}

// value is what a parameter says in a service, and where. What the service
// sets counts in it for every list that refers to the parameter.
func (l *lists) value(s *state.Service, name string) (string, place) {
	if s != nil {
		for _, set := range l.services {
			if set.Service == s.Name && set.Name == name {
				return set.Value, place{s, name}
			}
		}
		if o, ok := s.Option(name); ok {
			return o.Value, place{s, name}
		}
	}
	return l.main[name], place{nil, name}
}

// reach are the places of a list: its own, and those of the lists that it takes
// in ($mua_milters).
func (l *lists) reach(s *state.Service, name string) ([]place, error) {
	return l.walk(s, name, nil)
}

func (l *lists) walk(s *state.Service, name string, above []string) ([]place, error) {
	value, at := l.value(s, name)
	if slices.Contains(above, name) {
		return nil, step.Refuse("write the milters out", "%s: %s refers to itself, which Postfix cannot expand", l.where(at), name)
	}
	if _, err := milters.Parse(value); err != nil {
		return nil, step.Refuse("write it in a form that postconf(5) describes", "%s: %s: %v", l.where(at), name, err)
	}
	places := []place{at}
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
func (l *lists) where(at place) string {
	if at.service == nil {
		return string(mainCf)
	}
	o, _ := at.service.Option(at.name)
	return atLine(*at.service, o)
}

// mine finds the one place of a list where our milter stands.
func (l *lists) mine(s *state.Service, name string) (at place, found bool, err error) {
	places, err := l.reach(s, name)
	if err != nil {
		return place{}, false, err
	}
	for _, p := range places {
		if _, in := l.ours.In(l.text(p)); !in || found && p == at {
			continue
		}
		if found {
			return place{}, false, step.Refuse("take it out of one of them",
				"%s: %s asks OpenDKIM twice, through %s and through %s: mail would be signed twice",
				l.where(at), name, at.name, p.name)
		}
		at, found = p, true
	}
	return at, found, nil
}

func (l *lists) text(at place) string {
	value, _ := l.value(at.service, at.name)
	return value
}

// merge puts our milter where it stands in the list of main.cf, or into it.
func (l *lists) merge(name string) error {
	at, found, err := l.mine(nil, name)
	if err != nil {
		return err
	}
	if !found {
		at = place{nil, name}
	}
	value, _, err := l.ours.Merge(l.main[at.name])
	if err != nil {
		return step.Refuse("write it in a form that postconf(5) describes", "%s: %s: %v", mainCf, at.name, err)
	}
	l.put(at, value)
	return nil
}

// put notes what a list should be.
func (l *lists) put(at place, value string) {
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

// foreign writes a list out without our milter. Lists that it takes in stay as
// they are unless ours is in them.
func (l *lists) foreign(s *state.Service, name string) (string, error) {
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
			if _, found, err := l.mine(s, ref); err != nil {
				return "", err
			} else if found {
				if text, err = l.foreign(s, ref); err != nil {
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

// others are the milters of a list that neither sign nor look at signatures.
func (l *lists) others(s *state.Service, name string) []string {
	places, err := l.reach(s, name)
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

// effective is the value of a parameter in a service, references expanded.
func effective(p *state.Postfix, s *state.Service, name string) string {
	if s != nil {
		if o, ok := s.Option(name); ok && o.Expanded != "" {
			return strings.TrimSpace(o.Expanded)
		}
	}
	own := func(name string) (string, bool) {
		if s == nil {
			return "", false
		}
		o, ok := s.Option(name)
		return o.Value, ok
	}
	lookup := func(name string) string {
		if value, ok := own(name); ok {
			return value
		}
		if value, ok := p.Raw[name]; ok {
			return value
		}
		return p.Value[name]
	}
	return strings.TrimSpace(milters.Expand(lookup(name), lookup))
}

// has reports whether a list of words in main.cf or master.cf holds one.
func has(value, word string) bool { return slices.Contains(words(value), word) }

// wanted reports whether the signer is wanted among a service's own milters.
func wanted(h spec.Host, s state.Service) bool { return !slices.Contains(h.LeaveServices, s.Name) }
