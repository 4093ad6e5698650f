package livepath

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"mailsetup/internal/state"
)

// destination is where Postfix delivers an address.
type destination struct{ transport, nexthop, recipient string }

// Transport asks the running Postfix by which service of master.cf(5) it would deliver an
// address.
func Transport(ctx context.Context, queue state.Path, address string) (string, error) {
	to, err := resolve(ctx, queue, "", address)
	return to.transport, err
}

// resolve asks the running trivial-rewrite(8), as the queue manager does: only it knows
// which settings it has read. The protocol is internal to Postfix: pairs of names and
// values that end in null bytes; an empty name ends a message; since 3.6 the server
// sends the protocol's name first. Anything else is an error.
func resolve(ctx context.Context, queue state.Path, sender, address string) (destination, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", string(queue.Join("private", "rewrite")))
	if err != nil {
		return destination{}, err
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(end)
	}
	answers := bufio.NewReader(io.LimitReader(conn, 1<<16))
	hello, err := readAttributes(answers)
	if err != nil || hello["protocol"] != "trivial_rewrite_protocol" {
		return destination{}, fmt.Errorf("%s/private/rewrite is not understood: %w", queue, orUnknown(err))
	}
	var question bytes.Buffer
	for _, s := range []string{"request", "resolve", "sender", sender, "address", address} {
		question.WriteString(s + "\x00")
	}
	question.WriteByte(0)
	if _, err := conn.Write(question.Bytes()); err != nil {
		return destination{}, err
	}
	answer, err := readAttributes(answers)
	if err != nil || answer["transport"] == "" {
		return destination{}, fmt.Errorf("%s/private/rewrite is not understood: %w", queue, orUnknown(err))
	}
	if strings.HasSuffix(answer["transport"], "NOT UPDATED") { // its way to say that a table failed
		return destination{}, errors.New("it could not tell, since a table failed: journalctl -n 20 -t postfix/trivial-rewrite")
	}
	return destination{answer["transport"], answer["nexthop"], answer["recipient"]}, nil
}

func orUnknown(err error) error {
	if err != nil {
		return err
	}
	return errors.New("another version of the protocol")
}

// readAttributes reads one message. Of two attributes with one name the last counts.
func readAttributes(r *bufio.Reader) (map[string]string, error) {
	all := map[string]string{}
	for len(all) < 100 {
		name, err := r.ReadString(0)
		if err != nil {
			return nil, err
		}
		if name == "\x00" {
			return all, nil
		}
		value, err := r.ReadString(0)
		if err != nil {
			return nil, err
		}
		all[name[:len(name)-1]] = value[:len(value)-1]
	}
	return nil, errors.New("it does not end")
}
