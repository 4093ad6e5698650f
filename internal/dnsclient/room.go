package dnsclient

import (
	"context"
	"errors"
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
	// sayAfter is how long questions are on their way before somebody is told, and
	// sayEvery how long until the next time.
	sayAfter, sayEvery = 2 * time.Second, 5 * time.Second
	// maxServers is of how many name servers it is known that they answer.
	maxServers = 1000
)

// room bounds how many questions are on their way, and how long there are any. A nil one
// does not.
type room struct {
	within  time.Duration     // that questions may be on their way, 0 for no bound
	say     func(answers int) // told how many answers there are, when it takes long; may be nil
	mu      sync.Mutex
	now     int
	since   time.Time     // when the first of those on their way was put
	spent   time.Duration // before that
	next    time.Duration // when there is something to say again
	total   int           // answers
	most    float64
	lost    time.Time // zero for never
	waiting []chan struct{}
	answers map[string]bool // name servers: one that is down says nothing about the way
}

func newRoom() *room { return &room{most: firstQuestions, answers: map[string]bool{}} }

// errNoTime is the error of a question for which no time was left.
var errNoTime = errors.New("the time for look-ups is over")

// enter waits for a place.
func (r *room) enter(ctx context.Context) error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	if r.over() {
		r.mu.Unlock()
		return errNoTime
	}
	if r.now < int(r.most) {
		r.take()
		r.mu.Unlock()
		return nil
	}
	place := make(chan struct{}, 1)
	r.waiting = append(r.waiting, place)
	r.mu.Unlock()
	select {
	case <-place:
		r.mu.Lock()
		over := r.over()
		r.mu.Unlock()
		if over {
			r.leave("", false, false)
			return errNoTime
		}
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

// over reports whether questions have been on their way for too long.
func (r *room) over() bool { return r.within > 0 && r.asking() > r.within }

// asking returns how long questions have been on their way.
func (r *room) asking() time.Duration {
	if r.now > 0 {
		return r.spent + time.Since(r.since)
	}
	return r.spent
}

// take counts one question more on its way.
func (r *room) take() {
	if r.now == 0 {
		r.since = time.Now()
	}
	r.now++
}

// leave gives the place back. Answered and lost say what came of a question to a server.
func (r *room) leave(server string, answered, lost bool) {
	if r == nil {
		return
	}
	r.mu.Lock()
	if said := r.left(server, answered, lost); said > 0 {
		defer r.say(said)
	}
	r.mu.Unlock()
}

// left counts a question less on its way, and returns how many answers there are if it is
// time to say so.
func (r *room) left(server string, answered, lost bool) (say int) {
	spent := r.asking()
	if r.now--; r.now == 0 {
		r.spent = spent
	}
	if answered {
		r.total++
	}
	if r.say != nil && spent >= r.next {
		say, r.next = r.total, spent+sayEvery
	}
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
	return say
}

// pass lets in who has waited longest.
func (r *room) pass() {
	for len(r.waiting) > 0 && r.now < int(r.most) {
		select {
		case r.waiting[0] <- struct{}{}:
			r.take()
		default: // it has gone
		}
		r.waiting = r.waiting[1:]
	}
}
