package dnsclient

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
)

// WithCache returns a client that puts each question to its resolver once, and finds
// the zone of each name and the servers of each zone once: for checks of many domains
// with common names and name servers. That every resolver answers with a failure is an
// answer, too (RFC 9520 section 3.2); other errors are not cached, but a server that did
// not answer several times in succession is not waited for again. Not more questions are on
// their way than sockets take.
func (c *Client) WithCache() *Client {
	r := *c
	r.answers, r.zones, r.origins, r.silent = &cache[answer]{}, &cache[Authority]{}, &cache[string]{}, &silent{resolvers: c.servers}
	r.delegations, r.room = &cache[[]string]{}, newRoom()
	return &r
}

// ForRun is WithCache for a run about so many domains before it changes anything: name
// servers are asked each question once as well, and all questions have one deadline. Its
// clock stands while nothing is asked, as when a person is. Say is told every few seconds of
// it how many answers there are.
func (c *Client) ForRun(domains int, say func(answers int)) *Client {
	r := c.WithCache()
	r.direct = &cache[directAnswer]{most: directCache}
	r.room.within = runWithin + time.Duration(domains)*forEachDomain
	r.room.say, r.room.next = say, sayAfter
	return r
}

const (
	// directCache is how many answers of name servers are kept at most, some 10 MB.
	directCache = 16384
	// runWithin is how long look-ups of a run may take, and forEachDomain what each of
	// many domains adds: some forty questions, of which thousands take a second.
	runWithin     = 30 * time.Second
	forEachDomain = 30 * time.Millisecond
)

// directAnswer is the answer of a name server.
type directAnswer struct {
	msg   *dns.Msg
	wrong Finding
}

// WithSmallCache is WithCache for thousands of domains, one after the other: what is kept
// are the answers to the last questions, some thousands.
func (c *Client) WithSmallCache() *Client {
	r := *c
	r.answers, r.zones, r.origins = &cache[answer]{most: smallCache}, &cache[Authority]{most: smallCache}, &cache[string]{most: smallCache}
	r.delegations = &cache[[]string]{most: smallCache}
	return &r
}

// smallCache is how many answers a small cache has at most.
const smallCache = 4096

// answer is the answer of a resolver.
type answer struct {
	records []state.Record
	status  Status
}

// questionOf returns the key of a question in the cache.
func questionOf(name, rtype string) string {
	return strings.ToLower(dnsname.TrimDot(name)) + " " + strings.ToUpper(rtype)
}

// cache keeps results, and errors that are final. A nil cache keeps nothing.
type cache[V any] struct {
	mu      sync.Mutex
	entries map[string]*entry[V]
	most    int // entries at which it begins anew; 0 for never
}

// entry has its value once done is closed.
type entry[V any] struct {
	done  chan struct{}
	value V
	err   error
}

// getOrFind returns the value of a key, calling find for it once. A caller that waits
// for the find of another one stops when ctx ends.
func (m *cache[V]) getOrFind(ctx context.Context, key string, find func() (V, error)) (V, error) {
	if m == nil {
		return find()
	}
	v, first := m.entry(key)
	if !first {
		select {
		case <-v.done:
		case <-ctx.Done():
			var none V // the value is the other's until done is closed
			return none, ctx.Err()
		}
		if v.err == nil || isFinal(v.err) {
			return v.value, v.err
		}
		return find() // the other may have had less time
	}
	v.value, v.err = find()
	if v.err != nil && !isFinal(v.err) {
		m.mu.Lock()
		if m.entries[key] == v {
			delete(m.entries, key)
		}
		m.mu.Unlock()
	}
	close(v.done)
	return v.value, v.err
}

// isFinal reports whether an error is what DNS says, and not that nobody said anything.
func isFinal(err error) bool { return errors.As(err, new(failure)) || errors.Is(err, ErrNoZone) }

// entry returns the entry of a key, and whether this call made it.
func (m *cache[V]) entry(key string) (v *entry[V], first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil || m.most > 0 && len(m.entries) >= m.most {
		m.entries = map[string]*entry[V]{} // who waits for an entry has it
	}
	v, known := m.entries[key]
	if !known {
		v = &entry[V]{done: make(chan struct{})}
		m.entries[key] = v
	}
	return v, !known
}

// silent counts how often name servers did not answer in succession, by address. A nil
// one counts nothing.
type silent struct {
	resolvers []string
	mu        sync.Mutex
	left      map[string]int
}

// maxSilent is how often in succession a name server may not answer. Thousands of domains
// may have the same one. A resolver is asked everything, and much of it at the same time.
const maxSilent, maxSilentResolver = 4, 64

// givenUp reports whether a server is not waited for any more.
func (s *silent) givenUp(address string) bool {
	if s == nil {
		return false
	}
	most := maxSilent
	if slices.Contains(s.resolvers, address) {
		most = maxSilentResolver
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left[address] >= most
}

// note remembers whether a server has answered.
func (s *silent) note(address string, answered bool) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case answered:
		delete(s.left, address)
	case s.left == nil:
		s.left = map[string]int{address: 1}
	default:
		s.left[address]++
	}
}
