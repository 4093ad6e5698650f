package dnshook

import (
	"context"
	"sync"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/nsupdate"
	"mailsetup/internal/state"
)

// Session queries providers by hooks, and primaries as nsupdate.Session does. It asks each
// hook once for its zones, and not again after it failed. It is safe for concurrent use; a
// hook is run a few times at once at most, for the sake of the provider's limits.
type Session struct {
	*nsupdate.Session
	Sys   Machine
	mu    sync.Mutex // of hooks, also while they are asked for their zones
	hooks map[state.Path]*asked
}

// asked is a hook with its zones, or why it has none.
type asked struct {
	hook
	zones   []string
	err     error
	running chan struct{} // has room for callsAtOnce
}

const callsAtOnce = 4

func (s *Session) hook(ctx context.Context, program state.Path) (*asked, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.hooks[program]; a != nil {
		return a, a.err
	}
	if s.hooks == nil {
		s.hooks = map[state.Path]*asked{}
	}
	a := &asked{running: make(chan struct{}, callsAtOnce)}
	s.hooks[program] = a
	if a.hook, a.err = open(s.Sys, program, 0); a.err != nil {
		return a, a.err
	}
	var answer Answer
	answer, a.err = a.call(ctx, Request{Operation: List})
	a.zones = answer.Zones
	return a, a.err
}

// Zone is nsupdate.Session.Zone. The zone of a hook is the closest of those that it has.
func (s *Session) Zone(ctx context.Context, server string, key nsupdate.Key, name string) (origin, primary string, err error) {
	program, is := state.Hook(server)
	if !is {
		return s.Session.Zone(ctx, server, key, name)
	}
	a, err := s.hook(ctx, program)
	if err != nil {
		return "", "", err
	}
	return a.closest(name), server, nil
}

// Records is nsupdate.Session.Records, for names of one zone.
func (s *Session) Records(ctx context.Context, server string, key nsupdate.Key, list []nsupdate.Question) ([]state.Record, error) {
	program, is := state.Hook(server)
	if !is {
		return s.Session.Records(ctx, server, key, list)
	}
	a, err := s.hook(ctx, program)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, nil
	}
	a.running <- struct{}{}
	defer func() { <-a.running }()
	found, _, err := a.read(ctx, a.closest(list[0].Name), list)
	return found, err
}

// closest returns the zone that holds a name, "" for none.
func (a *asked) closest(name string) string {
	origin := ""
	for _, z := range a.zones {
		if dns.IsSubDomain(z, dns.CanonicalName(name)) && len(z) > len(origin) {
			origin = z
		}
	}
	return origin
}

// Coverage is nsupdate.Session.Coverage. Which wildcards answer in the zone of a hook, its
// name servers are asked.
func (s *Session) Coverage(ctx context.Context, server string, key nsupdate.Key, origin string, names []string, ours []state.Record) (dnsclient.Coverage, error) {
	if _, is := state.Hook(server); is {
		cover, err := s.Resolver.Coverage(ctx, names, ours)
		if err != nil || cover.Origin == origin {
			return cover, err
		}
		return dnsclient.Coverage{Origin: origin}, nil // it is not delegated yet
	}
	return s.Session.Coverage(ctx, server, key, origin, names, ours)
}
