// Package livepath sends messages of this server all the way: by sendmail(1) and
// by port 25, through the milters, the queue, a content filter and the SMTP
// transports of Postfix, to a sink on this machine that judges their signatures
// as a receiver would. The way is that of package route; nothing leaves the
// machine, nobody gets a message or a bounce, and nothing stays in the queue.
package livepath

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/livepath/route"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Machine is the part of a machine that a probe needs.
type Machine interface {
	system.Reader
	system.Writer
	system.Runner
}

// Request says what to prove.
type Request struct {
	Postfix *state.Postfix
	// SMTP is where Postfix takes mail, host:port; "" for nowhere.
	SMTP string
	// Signers are senders and the signatures that their mail must carry, but for
	// those whom Postfix makes others of before signing. Mail by sendmail(1) is from
	// the first, mail by port 25 from the last.
	Signers []state.Signer
	// Letters are the messages to send, each from one of Signers; nil for those of a
	// proof: two by sendmail(1) and two by port 25.
	Letters []Letter
	// Login is for letters by submission and smtps; nil to send without one.
	Login *Login
	// Within is how long the messages have to arrive, half a minute if it is zero.
	Within time.Duration
}

// Letter is a message to send.
type Letter struct {
	Way      Way
	EightBit bool // its body has octets above 127
	Signer   state.Signer
	// At is where Postfix takes it, host:port, for Submission and SMTPS.
	At string
}

// Login is a user of Postfix, as it knows them by SASL.
type Login struct{ User, Password string }

// Auth is what became of a login.
type Auth string

// What may become of one.
const (
	AuthTaken       Auth = "taken"
	AuthDenied      Auth = "denied"      // user or password is wrong
	AuthUnavailable Auth = "unavailable" // it could not be checked now
	AuthNotOffered  Auth = "not offered" // nobody can log in with a password
	TLSNotOffered   Auth = "no TLS"      // a password is sent under TLS alone
)

// Way is how a message was handed to Postfix.
type Way string

// The ways.
const (
	Sendmail Way = "sendmail"
	Port25   Way = "port 25"
	// Submission and SMTPS are those of users, RFC 6409 and RFC 8314. SMTPS begins with
	// TLS.
	Submission Way = "submission"
	SMTPS      Way = "smtps"
	// Bounce is the report that Postfix writes of a message which the sink refused.
	Bounce Way = "bounce"
)

// Result is the outcome of a probe.
type Result struct {
	// NotSentReason says why no message was sent, "" if some were.
	NotSentReason string
	// Deliveries are those that were to be made: one for each message and transport.
	Deliveries []Delivery
	// Refused says why a way took no message, by way.
	Refused map[Way]string
}

// Delivery is a message delivered by one transport.
type Delivery struct {
	Way       Way
	Transport string
	EightBit  bool
	Signer    state.Signer
	// Missing says why it did not arrive, "" if it did. Refused: Postfix did not take it.
	// Those of a proof are in Result.Refused alone.
	Missing string
	Refused bool
	// At is where Postfix was to take it, as in Letter, and Auth what became of the login.
	At   string
	Auth Auth
	// Data is the message as it arrived.
	Data []byte
	// Signatures are those with d= of the domain.
	Signatures int
	// Broken says why none of them holds, "" if one does.
	Broken string
	// Changed names what was no longer as written when it arrived: header fields,
	// "body".
	Changed []string
}

const (
	// sendWithin bounds sendmail(1) and the dialogue on port 25, which only have to
	// queue a message; arriveWithin all deliveries together, a content filter that
	// scans them included.
	sendWithin   = 20 * time.Second
	arriveWithin = 30 * time.Second
	// maxTransports bounds the deliveries of one message.
	maxTransports = 10
)

// Probe sends the messages. An error means that the probe itself failed; its findings
// are in the result.
func Probe(ctx context.Context, m Machine, r Request) (Result, error) {
	if err := Clean(ctx, m); err != nil {
		return Result{NotSentReason: err.Error()}, nil
	}
	nonce := newNonce()
	transports := route.Transports(r.Postfix)
	p := &probe{
		m: m, postfix: r.Postfix, smtp: r.SMTP, nonce: nonce, transports: transports[:min(len(transports), maxTransports)],
		sender: returnAddress(nonce), login: r.Login, within: cmp.Or(r.Within, arriveWithin), wanted: r.Letters,
	}
	if reason := p.whyNotSent(ctx, r.Signers); reason != "" {
		return Result{NotSentReason: reason}, ctx.Err()
	}
	sink, err := listen(nonce, p.usesTLSWrapper())
	if err != nil {
		return Result{NotSentReason: err.Error()}, nil
	}
	if err := saveNonce(m, nonce); err != nil {
		sink.close()
		return Result{NotSentReason: fmt.Sprintf("what to take out of the queue afterwards could not be written down: %v", err)}, nil
	}
	res := p.send(ctx, sink)
	sink.close()
	// Whatever happened, also an interrupt: nothing of it stays.
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendWithin)
	defer cancel()
	if sink.count() == len(res.Deliveries) && len(res.Refused) == 0 {
		err = removeNonce(m) // all were taken and have arrived, so none is queued
	} else {
		err = Clean(after, m)
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return res, err
}

func newNonce() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b)
}

// returnAddress is the sender of the envelope: at the sink, which takes no bounce but that
// of a Bounce.
func returnAddress(nonce string) string { return "mailsetup-" + nonce + "@" + route.Domain }

// refusedAddress is a recipient that the sink refuses, so that Postfix writes a bounce.
func refusedAddress(nonce string) string { return "refused-" + nonce + "@" + route.Domain }

// probe is one run of Probe.
type probe struct {
	m          Machine
	postfix    *state.Postfix
	smtp       string
	nonce      string
	sender     string // of the envelope
	login      *Login
	within     time.Duration
	signers    []state.Signer
	transports []string
	wanted     []Letter // nil for those of a proof
}

// letters returns the messages to send, but for those of senders whom Postfix makes
// others of.
func (p *probe) letters() []Letter {
	if p.wanted != nil {
		return slices.DeleteFunc(slices.Clone(p.wanted), func(l Letter) bool { return !slices.Contains(p.signers, l.Signer) })
	}
	first, last := p.signers[0], p.signers[len(p.signers)-1]
	return []Letter{
		{Way: Sendmail, Signer: first},
		{Way: Sendmail, Signer: first, EightBit: true},
		{Way: Port25, Signer: last},
		{Way: Port25, Signer: last, EightBit: true},
	}
}

// usesTLSWrapper reports whether a transport begins with TLS (smtp_tls_wrappermode).
func (p *probe) usesTLSWrapper() bool {
	return slices.Contains(route.Everywhere(p.postfix, "smtp_tls_wrappermode"), "yes")
}

// send submits the messages and waits until each has arrived or certainly will not.
func (p *probe) send(ctx context.Context, sink *sink) Result {
	res := Result{Refused: map[Way]string{}}
	var sent []message
	n := 0
	for _, m := range p.submitAll(ctx) {
		if m.refused == "" {
			sent = append(sent, m.message)
			n += len(p.deliveries(m.message))
			continue
		}
		res.Refused[m.Way] = cmp.Or(res.Refused[m.Way], m.refused)
		if p.wanted != nil {
			res.Deliveries = append(res.Deliveries, Delivery{Way: m.Way, EightBit: m.EightBit, Signer: m.Signer, At: m.At, Missing: m.refused, Refused: true, Auth: m.auth})
		}
	}
	p.wait(ctx, sink, n)
	reasons := p.reasons(ctx, sink, n)
	for _, m := range sent {
		for _, to := range p.deliveries(m) {
			d := Delivery{Way: m.Way, Transport: to, EightBit: m.EightBit, Signer: m.Signer, At: m.At}
			at := to
			if m.Way == Bounce {
				at, _, _ = strings.Cut(p.sender, "@")
			}
			if data, ok := sink.received(m.tag, at); ok {
				d.inspect(m, data)
			} else {
				d.Missing = reasons.of(at)
			}
			res.Deliveries = append(res.Deliveries, d)
		}
	}
	return res
}

// deliveries returns the transports by which a message arrives, each once. A bounce takes
// the first, as all addresses at the sink that are not one of a transport.
func (p *probe) deliveries(m message) []string {
	if m.Way == Bounce {
		return p.transports[:1]
	}
	return p.transports
}

// wait returns when all messages have arrived, the time is over, or Postfix says of all
// missing ones why it delays them.
func (p *probe) wait(ctx context.Context, sink *sink, n int) {
	ctx, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	begun, look := time.Now(), 2*time.Second
	for sink.count() < n && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-sink.arrived:
		case <-time.After(100 * time.Millisecond):
		}
		if time.Since(begun) < look {
			continue
		}
		look *= 2
		if q, err := queued(ctx, p.m, p.nonce); err == nil && !slices.ContainsFunc(q, entry.isActive) {
			return
		}
	}
}

// reasons returns the reasons that the queue has for missing deliveries.
func (p *probe) reasons(ctx context.Context, sink *sink, n int) reasons {
	if sink.count() == n {
		return nil
	}
	q, err := queued(context.WithoutCancel(ctx), p.m, p.nonce)
	if err != nil {
		return reasons{"": err.Error()}
	}
	all := reasons{}
	for _, e := range q {
		for _, r := range e.Recipients {
			name, _, _ := strings.Cut(r.Address, "@")
			all[name] = e.delayReason(r.Reason)
		}
	}
	return all
}

// reasons are why mail has not arrived, by transport.
type reasons map[string]string

func (r reasons) of(transport string) string {
	for _, name := range []string{transport, ""} {
		if text := r[name]; text != "" {
			return text
		}
	}
	return "Postfix took it and did not deliver it: journalctl -t postfix/cleanup -t postfix/qmgr -t postfix/" + transport
}
