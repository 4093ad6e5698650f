// Package maillog reads in the log of Postfix what became of a message.
package maillog

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/postconf"
)

// Message is a message that was handed to Postfix.
type Message struct {
	ID string // Message-ID, with its angle brackets
	To string
	// Filters are the content filters that may take it, content_filter(5).
	Filters []string
}

// Attempt is what a delivery agent logs of a message and a recipient.
type Attempt struct {
	QueueID, Relay, DSN string
	Status              string // "sent", "deferred", "bounced"; "" for no attempt yet
	Reply               string
}

// Fate is what the log says of a message so far.
type Fate struct {
	Last Attempt
	// ToFilter: it was one to hand the message to a content filter.
	ToFilter bool
	// Back: a filter handed it back. Queued is the queue ID under which Postfix has it and
	// has not said anything yet, "" for none.
	Back   bool
	Queued string
}

var (
	attemptLine = regexp.MustCompile(`^([0-9A-Za-z]+): to=<([^>]*)>,(?: orig_to=<([^>]*)>,)? relay=([^,]*),.* dsn=([0-9.]+), status=(\w+) \((.*)\)$`)
	server      = regexp.MustCompile(`\[([0-9A-Fa-f:.]+)\](:[0-9]+)?$`)
)

// parse returns the queue IDs of the message in order, and of each the last attempt to
// deliver it. Others may get copies (always_bcc), and a table may rewrite its recipient.
func (m Message) parse(log string) (ids []string, attempts map[string]Attempt) {
	attempts = map[string]Attempt{}
	recipients := []string{strings.ToLower(m.To)}
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		id, rest, _ := strings.Cut(line, ": ")
		if rest == "message-id="+m.ID && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
		is := attemptLine.FindStringSubmatch(line)
		if is == nil {
			continue
		}
		to, original := strings.ToLower(is[2]), strings.ToLower(is[3])
		if slices.Contains(recipients, original) {
			recipients = append(recipients, to)
		}
		if slices.Contains(recipients, to) {
			attempts[id] = Attempt{QueueID: id, Relay: is[4], DSN: is[5], Status: is[6], Reply: is[7]}
		}
	}
	return ids, attempts
}

// Follow follows a message through the lines of a log, each without its time and program.
// A content filter takes it first, and hands it back: then it has another queue ID, and
// another server has yet to answer.
func (m Message) Follow(log string) Fate {
	var f Fate
	left, attempts := m.parse(log)
	if len(left) > 0 {
		f.Queued = left[0]
	}
	for f.Queued != "" {
		left = slices.DeleteFunc(left, func(id string) bool { return id == f.Queued })
		a, there := attempts[f.Queued]
		if !there {
			return f
		}
		delete(attempts, f.Queued) // no reply leads back
		f.Last, f.ToFilter, f.Queued = a, m.filters(a), ""
		if a.Status != "sent" || a.Elsewhere() && !f.ToFilter {
			return f
		}
		_, again, _ := strings.Cut(a.Reply, ": queued as ")
		if attempts[again].Status != "" || slices.Contains(left, again) {
			f.Queued = again // also if the filter gave it another Message-ID
		} else if i := slices.IndexFunc(left, func(id string) bool { return attempts[id].Status != "" }); i >= 0 {
			f.Queued = left[i]
		} else if len(left) > 0 {
			f.Queued = left[0]
		}
		f.Back = f.Back || f.Queued != ""
	}
	return f
}

// ToServer reports whether a server was asked, and not a program or a mailbox.
func (a Attempt) ToServer() bool { return server.MatchString(a.Relay) }

// Elsewhere reports whether a server was asked that is not at a loopback address.
func (a Attempt) Elsewhere() bool {
	m := server.FindStringSubmatch(a.Relay)
	if m == nil {
		return false
	}
	at, err := netip.ParseAddr(m[1])
	return err == nil && !at.IsLoopback()
}

// filters reports whether an attempt was to hand the message to a content filter.
func (m Message) filters(a Attempt) bool {
	return slices.ContainsFunc(m.Filters, func(value string) bool {
		transport, nexthop, _ := strings.Cut(value, ":")
		if a.Relay == transport {
			return true // a program, pipe(8)
		}
		nexthop = strings.TrimPrefix(nexthop, "inet:")
		if socket, is := strings.CutPrefix(nexthop, "unix:"); is {
			return strings.HasSuffix(a.Relay, "["+socket+"]")
		}
		i := strings.LastIndexByte(nexthop, ':')
		if i < 0 || !strings.HasSuffix(a.Relay, nexthop[i:]) {
			return false
		}
		host := strings.Trim(nexthop[:i], "[]")
		return a.ToServer() && !a.Elsewhere() && postconf.IsLoopback(host) ||
			strings.HasPrefix(a.Relay, host+"[") || strings.Contains(a.Relay, "["+host+"]")
	})
}

// grace is how long a message that stayed on this machine may take to come back from a
// filter that a table chose (FILTER, access(5)).
const grace = 5 * time.Second

// Final reports whether no more is to be expected, some time after the message was sent.
func (f Fate) Final(after time.Duration) bool {
	switch {
	case f.Queued != "" || f.Last.Status == "":
		return false
	case f.Last.Status != "sent":
		return true
	case f.ToFilter:
		return false
	}
	return f.Last.Elsewhere() || after > grace
}
