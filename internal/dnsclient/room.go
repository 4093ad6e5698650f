package dnsclient

import (
	"context"
	"sync"
	"time"
)

// How many questions are on their way at a time: the socket of a name server takes some
// hundreds at once (net.core.rmem_default), and with one that is far away as many as
// possible should be, since each waits. So there are more with each answer, and half as
// many after a loss, as TCP has it (RFC 5681).
const (
	leastQuestions, firstQuestions, mostQuestions = 50, 100, 500
	// lossTime is how long losses count as one.
	lossTime = time.Second
	// maxServers is of how many name servers it is known that they answer.
	maxServers = 1000
)

// room bounds how many questions are on their way. A nil one does not.
type room struct {
	mu      sync.Mutex
	now     int
	most    float64
	lost    time.Time // zero for never
	waiting []chan struct{}
	answers map[string]bool // name servers: one that is down says nothing about the way
}

func newRoom() *room { return &room{most: firstQuestions, answers: map[string]bool{}} }

// enter waits for a place.
func (r *room) enter(ctx context.Context) error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	if r.now < int(r.most) {
		r.now++
		r.mu.Unlock()
		return nil
	}
	place := make(chan struct{}, 1)
	r.waiting = append(r.waiting, place)
	r.mu.Unlock()
	select {
	case <-place:
		return nil
	case <-ctx.Done():
		select {
		case place <- struct{}{}: // nobody waits for it: see pass
		default: // it was free just now
			r.leave("", false, false)
		}
		return ctx.Err()
	}
}

// leave gives the place back. Answered and lost say what came of a question to a server.
func (r *room) leave(server string, answered, lost bool) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now--
	switch {
	case answered:
		if len(r.answers) < maxServers {
			r.answers[server] = true
		}
		more := 0.1
		if !r.lost.IsZero() {
			more = 0.25 / r.most
		}
		r.most = min(mostQuestions, r.most+more)
	case lost && r.answers[server] && time.Since(r.lost) > lossTime:
		r.most, r.lost = max(leastQuestions, r.most/2), time.Now()
	}
	r.pass()
}

// pass lets in who has waited longest.
func (r *room) pass() {
	for len(r.waiting) > 0 && r.now < int(r.most) {
		select {
		case r.waiting[0] <- struct{}{}:
			r.now++
		default: // it has gone
		}
		r.waiting = r.waiting[1:]
	}
}
