package dnspub

import (
	"context"
	"strings"
	"sync"

	"mailsetup/internal/state"
)

// Remember returns a resolver that puts each question once and gives the answer
// to all who ask it. What nobody answered is asked again.
func Remember(r Resolver) Resolver {
	return &remembered{resolver: r, answers: map[[2]string]*answer{}}
}

type remembered struct {
	resolver Resolver
	mu       sync.Mutex
	answers  map[[2]string]*answer // by name and type
}

// answer is there once known is closed.
type answer struct {
	known   chan struct{}
	records []state.Record
	status  Status
	err     error
}

// Lookup implements Resolver.
func (m *remembered) Lookup(ctx context.Context, name, rtype string) ([]state.Record, Status, error) {
	question := [2]string{strings.ToLower(strings.TrimSuffix(name, ".")), strings.ToUpper(rtype)}
	m.mu.Lock()
	a, asked := m.answers[question]
	if !asked {
		a = &answer{known: make(chan struct{})}
		m.answers[question] = a
	}
	m.mu.Unlock()
	if asked {
		select {
		case <-a.known:
		case <-ctx.Done():
			return nil, Unknown, ctx.Err()
		}
		if a.status != Unknown {
			return a.records, a.status, nil
		}
		return m.resolver.Lookup(ctx, name, rtype) // another may have had less time
	}
	a.records, a.status, a.err = m.resolver.Lookup(ctx, name, rtype)
	if a.status == Unknown {
		m.mu.Lock()
		delete(m.answers, question)
		m.mu.Unlock()
	}
	close(a.known)
	return a.records, a.status, a.err
}
