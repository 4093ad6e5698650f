package restrictions

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
)

// Config is what decides whose mail is taken on port 25.
type Config struct {
	postfix *state.Postfix
	main    []parameter
	check   string
}

// Read reads the lists of a Postfix. Main is the text of main.cf. The check is what Places is
// about: a restriction, or a class that may be defined elsewhere.
func Read(p *state.Postfix, main, check string) (*Config, error) {
	all, err := mainParameters(main)
	return &Config{postfix: p, main: all, check: check}, err
}

// Place is where a check stands, or belongs.
type Place struct {
	Path      state.Path
	Service   string // of master.cf, "" for main.cf
	Parameter string
	Line      int // 0 where nothing sets the parameter
	// Index is how many elements of the list stand in front.
	Index int
	// Whole is the list in front of the check where no line sets the parameter.
	Whole []string
}

// value is a list as it is written, and where.
type value struct {
	text string
	set  bool // in main.cf or by the service
	at   Place
}

// lookup returns a parameter as a service reads it.
func (c *Config) lookup(s *state.Service, name string) (value, error) {
	if o, own := s.Option(name); own {
		return value{o.Value, true, Place{Path: postconf.MasterCF, Service: s.Name, Parameter: name, Line: cmp.Or(o.Line, s.Line)}}, nil
	}
	at := Place{Path: postconf.MainCF, Parameter: name}
	p, err := find(c.main, name)
	if err != nil || p == nil {
		return value{c.postfix.Value[name], false, at}, err
	}
	at.Line = p.line
	return value{string(p.value), true, at}, nil
}

// fail returns an error about a list.
func (v value) refuse(hint, format string, a ...any) error {
	name := v.at.Parameter
	if v.at.Service != "" {
		name = v.at.Service + ": " + name
	}
	return &Error{v.at.Path, v.at.Line, name, fmt.Sprintf(format, a...), hint}
}

// written is one element of a list, with what it stands for.
type written struct {
	Restriction
	// inner are the restrictions of a class or of $name, in order, those of others in it
	// included; of a plain one that itself.
	inner []Restriction
	// via is the parameter that it takes in, "" for none.
	via string
}

// list returns the elements of a list.
func (c *Config) list(s *state.Service, name string, above ...string) ([]written, value, error) {
	v, err := c.lookup(s, name)
	if err != nil {
		return nil, v, err
	}
	if slices.Contains(above, name) {
		return nil, v, v.refuse("write the restrictions out", "refers to itself, which Postfix cannot expand")
	}
	elements, err := Parse(v.text)
	if err != nil {
		return nil, v, v.refuse("write it in a form that postconf(5) describes, then: postconf "+name, "%v", err)
	}
	classes, err := c.lookup(s, classList)
	if err != nil {
		return nil, v, err
	}
	if !v.set { // what Postfix said of it may come of lines of ours, which come and go with the check
		elements = slices.DeleteFunc(elements, func(r Restriction) bool { return r.Is(c.check) })
	}
	all := make([]written, 0, len(elements))
	for _, r := range elements {
		w := written{Restriction: r, inner: []Restriction{r}}
		switch class := slices.ContainsFunc(postconf.Words(classes.text), func(n string) bool { return strings.EqualFold(n, r.Name) }); {
		case r.Is(c.check):
		case r.Reference, class:
			if w.via = c.spelled(s, r.Name); r.Warn && class {
				return nil, v, v.refuse("take warn_if_reject into the class", "warn_if_reject stands before the class %s", r.Name)
			}
			inner, _, err := c.list(s, w.via, append(above, name)...)
			if err != nil {
				return nil, v, err
			}
			if w.inner = nil; len(inner) == 0 && !c.known(s, w.via) {
				return nil, v, v.refuse(fmt.Sprintf("set it, or take it out: postconf %s", w.via), "%s is not set", w.via)
			}
			for _, e := range inner {
				w.inner = append(w.inner, e.inner...)
			}
		case r.Name == "", takesArgument(r.Name), slices.Contains(plain, r.Name):
		default:
			return nil, v, v.refuse("write it in a form that postconf(5) describes, or name it in "+classList, "%s is no restriction that is known", r.Name)
		}
		all = append(all, w)
	}
	return all, v, nil
}

// spelled returns a parameter's name as it is set: classes are compared without case.
func (c *Config) spelled(s *state.Service, name string) string {
	for _, o := range s.Options {
		if strings.EqualFold(o.Name, name) {
			return o.Name
		}
	}
	for _, p := range c.main {
		if strings.EqualFold(p.name, name) {
			return p.name
		}
	}
	return name
}

// known reports whether a parameter is set somewhere, to nothing perhaps.
func (c *Config) known(s *state.Service, name string) bool {
	v, err := c.lookup(s, name)
	_, builtIn := c.postfix.Value[name]
	return err == nil && (v.set || builtIn)
}

// Find returns where a check stands already, in the lists that strangers meet on port 25.
// Lists of main.cf that several services read are named once.
func (c *Config) Find(is func(Restriction) bool) ([]Place, error) {
	var places []Place
	for _, s := range postconf.PublicServices(c.postfix) {
		for _, name := range lists {
			if err := c.findIn(s, name, is, &places); err != nil {
				return nil, err
			}
		}
	}
	return places, nil
}

// lists are those that decide about a message, in the order in which they are asked.
var lists = []string{
	"smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions", RelayList, RecipientList,
	"smtpd_data_restrictions", "smtpd_end_of_data_restrictions",
}

func (c *Config) findIn(s *state.Service, name string, is func(Restriction) bool, places *[]Place) error {
	elements, v, err := c.list(s, name)
	if err != nil {
		return err
	}
	for i, w := range elements {
		if w.via != "" {
			if err := c.findIn(s, w.via, is, places); err != nil {
				return err
			}
			continue
		}
		at := v.at
		if at.Index = i; is(w.Restriction) && !slices.ContainsFunc(*places, at.same) {
			*places = append(*places, at)
		}
	}
	return nil
}

func (p Place) same(q Place) bool {
	return p.Path == q.Path && p.Service == q.Service && p.Parameter == q.Parameter && p.Index == q.Index
}

// Places returns where the check stands or belongs, a place for each service on port 25 whose lists are
// its own: behind what refuses to relay, and behind what lets our networks and users who
// logged in pass, but before anything that ends the list. There nothing that the check
// answers can let a stranger relay. Of the two lists that may refuse to relay the one for
// recipients comes first, where other checks are usually found.
func (c *Config) Places() ([]Place, error) {
	var places []Place
	for _, s := range postconf.PublicServices(c.postfix) {
		at, err := c.place(s)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(places, at.same) {
			places = append(places, at)
		}
	}
	return places, nil
}

func (c *Config) place(s *state.Service) (Place, error) {
	var there []Place
	for _, name := range []string{RelayList, RecipientList} {
		err := c.findIn(s, name, func(r Restriction) bool { return r.Is(c.check) }, &there)
		if err != nil || len(there) > 0 {
			return append(there, Place{})[0], err
		}
	}
	var refused error
	for _, name := range []string{RecipientList, RelayList} {
		spot, err := c.spot(s, name, c.trusted(s))
		if err != nil {
			return Place{}, err
		}
		if spot.found && len(spot.missing) == 0 {
			return spot.at, nil
		}
		if spot.found && refused == nil {
			refused = value{at: spot.at}.refuse("add it in front of that, then look at the list: postconf "+name,
				"%s does not stand before %s, so a check behind it would judge them, too", strings.Join(spot.missing, ", "), spot.guard)
		}
	}
	empty, v, err := c.list(s, RecipientList)
	if err != nil {
		return Place{}, err
	}
	replaceable, err := c.onlyTrusts(s, RelayList)
	if err == nil && replaceable && len(empty) == 0 && !v.set {
		v.at.Whole, v.at.Index = []string{mynetworks, authenticated, unauth}, 3
		return v.at, nil
	}
	if err == nil && refused == nil {
		_, relay, _ := c.list(s, RelayList)
		refused = relay.refuse(fmt.Sprintf("put %s behind %s, %s in it", unauth, mynetworks, authenticated), "no place in it or in %s is behind what refuses to relay", RecipientList)
	}
	return Place{}, cmp.Or(err, refused)
}

// trusted returns what has to stand in front of a check: what lets pass whom the server
// trusts, as far as there is anybody.
func (c *Config) trusted(s *state.Service) []string {
	var all []string
	if !postconf.OnlyLoopback(postconf.Effective(c.postfix, s, "mynetworks")) {
		all = append(all, mynetworks)
	}
	if postconf.Effective(c.postfix, s, "smtpd_sasl_auth_enable") == "yes" {
		all = append(all, authenticated)
	}
	return all
}

// onlyTrusts reports whether a list refuses to relay for everybody but our networks and
// users who logged in: then a list of recipients that does the same changes nothing.
func (c *Config) onlyTrusts(s *state.Service, name string) (bool, error) {
	elements, _, err := c.list(s, name)
	for _, w := range elements {
		for _, r := range w.inner {
			switch {
			case r.guards(), r.final():
				return r.Name != "permit", err
			case r.Warn, slices.Contains([]string{mynetworks, authenticated, "permit_auth_destination"}, r.Name):
			case r.Arg == "" && strings.HasPrefix(r.Name, "reject_"):
			default:
				return false, err
			}
		}
	}
	return false, err
}

// spot is a place behind what refuses to relay.
type spot struct {
	at      Place
	found   bool
	guard   string   // the restriction that refuses
	missing []string // of what has to stand in front
}

// spot returns the first place of a list where a check may stand. It is behind exceptions
// that the administrator made for clients and senders right there, too.
func (c *Config) spot(s *state.Service, name string, trusted []string) (spot, error) {
	elements, v, err := c.list(s, name)
	if err != nil {
		return spot{}, err
	}
	found := spot{at: v.at, missing: slices.Clone(trusted)}
	if !v.set {
		for _, w := range elements {
			found.at.Whole = append(found.at.Whole, w.String())
		}
	}
	for i, w := range elements {
		before := found
		found.missing = slices.Clone(found.missing)
		ended := false
		for _, r := range w.inner {
			// Behind permit_auth_destination there is no mail that we take.
			if ended = ended || r.final() || r.Name == "permit_auth_destination"; ended {
				break
			}
			n := len(found.missing)
			found.missing = slices.DeleteFunc(found.missing, func(t string) bool { return t == r.Name })
			if r.guards() && !found.found {
				found.found, found.guard, found.at.Index = true, r.Name, i+1
			}
			if found.found && (len(found.missing) < n || found.at.Index == i && excepts(r)) {
				found.at.Index = i + 1
			}
		}
		switch {
		case ended && w.via != "" && found.at.Index == i+1:
			// What the parameter has ends with it, so the place is in there.
			return c.inside(s, w.via, v, before)
		case ended:
			return found, nil
		}
	}
	return found, nil
}

// inside returns the place in a class, or in a parameter that a list refers to. That may
// stand in no other list.
func (c *Config) inside(s *state.Service, via string, above value, before spot) (spot, error) {
	if before.found {
		return before, nil // it is in front of it
	}
	if n := c.uses(via); n != 1 {
		return spot{}, above.refuse("write what is in it out where it is used, with "+unauth+" in the list itself",
			"%s refuses to relay and ends the list, and is used %d times", via, n)
	}
	return c.spot(s, via, before.missing)
}

// uses counts where a parameter is an element of a list.
func (c *Config) uses(name string) int {
	n := 0
	count := func(at, text string) {
		if at == classList {
			return
		}
		for _, w := range postconf.Words(text) {
			ref, ok := referenceOf(w)
			if ok && ref == name || strings.EqualFold(w, name) {
				n++
			}
		}
	}
	for _, p := range c.main {
		count(p.name, string(p.value))
	}
	for _, s := range c.postfix.Services {
		for _, o := range s.Options {
			count(o.Name, o.Value)
		}
	}
	return n
}

// excepts reports whether a restriction is there to let certain clients or senders pass.
func excepts(r Restriction) bool {
	if strings.HasPrefix(r.Name, "permit_") && r.Name != "permit_auth_destination" && r.Name != "permit_mx_backup" {
		return true
	}
	return strings.HasPrefix(r.Name, "check_") && strings.HasSuffix(r.Name, "_access") && !strings.HasPrefix(r.Name, "check_recipient_")
}
