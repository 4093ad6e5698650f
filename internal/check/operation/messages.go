package operation

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsname"
)

// queue is what postqueue -j printed, summed up while it is read.
type queue struct {
	dir     string
	now     time.Time
	senders senders
	tally
	deferrals
}

// senders are whose mail is in the queue.
type senders struct {
	host  string          // of this server
	ours  map[string]bool // domains for which it sends
	asked map[string]bool // those that are checked
}

// tally counts messages.
type tally struct {
	messages int
	held     int // on hold
	unread   int // left in maildrop
	old      int
	oldest   time.Time
	cut      bool // more waits than was read
}

// deferrals are why messages wait.
type deferrals struct {
	deferred  int // messages
	timeouts  int // of these, since no server took a connection
	unreached map[string]bool
	example   string // a reason that is none of ours
	groups    map[groupKey]*group
}

// groupKey is a cause, and the domain whose mail it stops.
type groupKey struct{ what, domain string }

type group struct {
	cause    cause
	domain   string
	messages int
	last     int      // number of the message that was counted last
	to       []string // domains, the first few
	reason   string   // of the first message
}

// maxDestinations is how many domains are kept of each group.
const maxDestinations = 20

func newQueue(s subject.Server, domains []subject.Domain, dir string) *queue {
	q := &queue{
		dir: dir, now: s.Now, senders: senders{host: s.Name, ours: map[string]bool{}, asked: map[string]bool{}},
		deferrals: deferrals{unreached: map[string]bool{}, groups: map[groupKey]*group{}},
	}
	for _, d := range s.Spec.Domains {
		q.senders.ours[d.Name] = true
	}
	for _, d := range domains {
		q.senders.ours[d.Name], q.senders.asked[d.Name] = true, true
	}
	return q
}

// message is one object of postqueue -j, without its recipients.
type message struct {
	Queue   string
	Arrival int64
	Sender  string
}

type recipient struct {
	Address string `json:"address"`
	Reason  string `json:"delay_reason"`
}

var errNotJSON = errors.New("no list of messages")

// read reads messages until the end, or until it was enough. It keeps none of them.
func (q *queue) read(r io.Reader) {
	dec := json.NewDecoder(r)
	for q.messages < queueMessages {
		switch err := q.readMessage(dec); {
		case err == io.EOF:
			return
		case err != nil:
			q.cut = true
			return
		}
	}
	q.cut = true
}

// readMessage reads one message, recipient by recipient: it may have thousands.
func (q *queue) readMessage(dec *json.Decoder) error {
	if t, err := dec.Token(); err != nil {
		return err
	} else if t != json.Delim('{') {
		return errNotJSON
	}
	var m message
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		switch key {
		case "queue_name":
			err = dec.Decode(&m.Queue)
		case "arrival_time":
			err = dec.Decode(&m.Arrival)
		case "sender":
			err = dec.Decode(&m.Sender)
		case "recipients":
			q.count(m)
			err = q.readRecipients(dec, m)
		default:
			var other json.RawMessage
			err = dec.Decode(&other)
		}
		if err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

func (q *queue) readRecipients(dec *json.Decoder, m message) error {
	if t, err := dec.Token(); err != nil {
		return err
	} else if t != json.Delim('[') {
		return errNotJSON
	}
	deferred, timeouts := false, true
	for dec.More() {
		var r recipient
		if err := dec.Decode(&r); err != nil {
			return err
		}
		if r.Reason == "" {
			continue
		}
		deferred = true
		timeouts = q.reason(m, r) && timeouts
	}
	if deferred {
		q.deferred++
		if timeouts {
			q.timeouts++
		}
	}
	_, err := dec.Token()
	return err
}

func (q *queue) count(m message) {
	q.messages++
	at := time.Unix(m.Arrival, 0)
	if m.Arrival <= 0 {
		at = q.now
	}
	age := q.now.Sub(at)
	switch {
	case m.Queue == "hold":
		q.held++
		return
	case m.Queue == "maildrop" && age >= takenAfter:
		q.unread++
		return
	}
	if q.oldest.IsZero() || at.Before(q.oldest) {
		q.oldest = at
	}
	if age >= old {
		q.old++
	}
}

// reason counts a recipient for whom the message was deferred, and reports whether no
// server took a connection.
func (q *queue) reason(m message, r recipient) (timeout bool) {
	to := r.Address[strings.LastIndexByte(r.Address, '@')+1:]
	c, ours := causeOf(r.Reason)
	if !ours {
		q.example = cmp.Or(q.example, r.Reason)
		if timeout = strings.Contains(r.Reason, "connect to ") && strings.Contains(r.Reason, ":25: Connection timed out"); timeout && len(q.unreached) < many {
			q.unreached[to] = true
		}
		return timeout
	}
	domain, known := "", true
	if c.ofSender {
		domain, known = q.senders.domain(m.Sender)
	}
	switch {
	case !known:
		c = forwarded(c)
	case domain != "" && !q.senders.asked[domain]:
		return false
	}
	key := groupKey{c.code + " " + c.about, domain}
	g := q.groups[key]
	if g == nil {
		g = &group{cause: c, domain: domain, reason: r.Reason}
		q.groups[key] = g
	}
	if g.last != q.messages {
		g.last, g.messages = q.messages, g.messages+1
	}
	if len(g.to) < maxDestinations && !slices.Contains(g.to, to) {
		g.to = append(g.to, to)
	}
	return false
}

// domain returns the domain of ours that an envelope sender belongs to, "" for the
// server itself. Mail that is forwarded has senders of others.
func (s senders) domain(address string) (domain string, ours bool) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 { // MAILER-DAEMON, the null sender
		return "", true
	}
	name := strings.ToLower(dnsname.TrimDot(address[at+1:]))
	if name == s.host {
		return "", true
	}
	for n, more := name, true; more; _, n, more = strings.Cut(n, ".") {
		if s.ours[n] {
			return n, true
		}
	}
	return "", false
}

// sorted returns the groups, those with most messages first.
func (q *queue) sorted() []*group {
	list := make([]*group, 0, len(q.groups))
	for _, g := range q.groups {
		list = append(list, g)
	}
	slices.SortFunc(list, func(a, b *group) int {
		return cmp.Or(cmp.Compare(b.messages, a.messages), cmp.Compare(a.domain, b.domain), cmp.Compare(a.cause.code+a.cause.about, b.cause.code+b.cause.about))
	})
	return list
}
