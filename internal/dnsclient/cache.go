package dnsclient

import (
	"context"
	"strings"
	"sync"

	"mailsetup/internal/state"
)

// WithCache is a client that puts each question to its resolver once, and finds
// the servers of each zone once, whoever asks: for one look at many domains,
// whose names and name servers have much in common. What nobody answered is asked
// again.
func (c *Client) WithCache() *Client {
	r := *c
	r.answers, r.zones = &cache[answer]{}, &cache[Authority]{}
	return &r
}

// answer is what a resolver says of a name.
type answer struct {
	records []state.Record
	status  Status
}

// questionOf tells one question from another.
func questionOf(name, rtype string) string {
	return strings.ToLower(strings.TrimSuffix(name, ".")) + " " + strings.ToUpper(rtype)
}

// cache keeps what was found out, but no errors. A nil memo keeps nothing.
type cache[V any] struct {
	mu      sync.Mutex
	entries map[string]*entry[V]
}

// entry is there once done is closed.
type entry[V any] struct {
	done  chan struct{}
	value V
	err   error
}

// get returns the value of a key, which find finds out if nobody did. Who waits
// for another goes when ctx ends.
func (m *cache[V]) get(ctx context.Context, key string, find func() (V, error)) (V, error) {
	if m == nil {
		return find()
	}
	v, first := m.entry(key)
	if !first {
		select {
		case <-v.done:
		case <-ctx.Done():
			return v.value, ctx.Err()
		}
		if v.err == nil {
			return v.value, nil
		}
		return find() // the other may have had less time
	}
	v.value, v.err = find()
	if v.err != nil {
		m.mu.Lock()
		delete(m.entries, key)
		m.mu.Unlock()
	}
	close(v.done)
	return v.value, v.err
}

// entry is that of a key, and whether the caller is the first to come to it.
func (m *cache[V]) entry(key string) (v *entry[V], first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		m.entries = map[string]*entry[V]{}
	}
	v, known := m.entries[key]
	if !known {
		v = &entry[V]{done: make(chan struct{})}
		m.entries[key] = v
	}
	return v, !known
}
