package livepath

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"mailsetup/internal/livepath/route"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// nonceFile keeps the nonce of a probe while it runs, so that the run after a killed
// one can delete its messages from the queue.
const nonceFile = state.ProbeFile

var nonces = regexp.MustCompile(`^[0-9a-f]{16}$`)

func saveNonce(m Machine, nonce string) error {
	err := m.Create(nonceFile, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: []byte(nonce + "\n")})
	if err != nil {
		return err
	}
	return m.Sync(nonceFile)
}

func removeNonce(m Machine) error { return m.Remove(nonceFile) }

// Clean deletes the messages of a killed probe from the queue. Where there was none, it
// looks at one file.
func Clean(ctx context.Context, m Machine) error {
	o, err := m.Read(nonceFile)
	if err != nil || o.Kind == state.Absent {
		return err
	}
	nonce := strings.TrimSpace(string(o.Content))
	if o.Kind != state.Regular || !nonces.MatchString(nonce) && nonce != "" {
		return fmt.Errorf("%s: not written by a probe", nonceFile)
	}
	if nonce != "" { // it may have been killed while writing
		if err := remove(ctx, m, nonce); err != nil {
			return fmt.Errorf("take the messages of a probe out of the queue: %w", err)
		}
	}
	return removeNonce(m)
}

// remove deletes the messages of a probe by queue ID. A message is between two queue
// files for an instant, so it repeats until there is none.
func remove(ctx context.Context, m Machine, nonce string) error {
	for range 20 {
		found, err := queued(ctx, m, nonce)
		if err != nil || len(found) == 0 {
			return err
		}
		var ids bytes.Buffer
		for _, e := range found {
			ids.WriteString(e.ID + "\n")
		}
		res, err := m.Run(ctx, system.Command{Argv: []string{"postsuper", "-d", "-"}, Stdin: ids.Bytes(), Within: system.LongWithin})
		if err == nil && res.Code != 0 {
			err = fmt.Errorf("postsuper: exit status %d: %s", res.Code, lastLine(res.Stderr))
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return errors.New("it does not get empty: postqueue -j shows what is left")
}

// entry is a message in the queue, as postqueue(1) -j prints it.
type entry struct {
	Queue      string `json:"queue_name"`
	ID         string `json:"queue_id"`
	Sender     string `json:"sender"`
	Recipients []struct {
		Address string `json:"address"`
		Reason  string `json:"delay_reason"`
	} `json:"recipients"`
}

var queueIDs = regexp.MustCompile(`^[0-9A-Za-z]{6,}$`)

// isActive reports whether Postfix is working on the message.
func (e entry) isActive() bool {
	return e.Queue != "deferred" && e.Queue != "hold" && e.Queue != "corrupt"
}

// delayReason returns why the message is delayed.
func (e entry) delayReason(reason string) string {
	switch {
	case reason != "":
		return reason
	case e.Queue == "hold":
		return "Postfix put it on hold"
	}
	return fmt.Sprintf("it was still in Postfix's queue (%s) after %v", e.Queue, arriveWithin)
}

// queued returns the messages of a probe in Postfix's queue: all recipients are at the
// sink, and the nonce is in the sender, in a recipient (of a bounce) or, if a canonical map
// changes that, in the header.
func queued(ctx context.Context, m Machine, nonce string) ([]entry, error) {
	res, err := m.Run(ctx, system.Command{Argv: []string{"postqueue", "-j"}, Within: system.LongWithin})
	if err == nil && res.Code != 0 {
		err = fmt.Errorf("postqueue: exit status %d: %s", res.Code, lastLine(res.Stderr))
	}
	if err != nil {
		return nil, err
	}
	var found []entry
	for line := range bytes.Lines(res.Stdout) {
		var e entry
		if !bytes.Contains(line, []byte(route.Domain)) || json.Unmarshal(line, &e) != nil || !e.atSink() {
			continue
		}
		ours := strings.Contains(e.Sender, nonce) || strings.Contains(e.Recipients[0].Address, nonce)
		if !ours {
			head, err := m.Run(ctx, system.Command{Argv: []string{"postcat", "-qh", e.ID}})
			ours = err == nil && bytes.Contains(head.Stdout, []byte(nonce))
		}
		if ours {
			found = append(found, e)
		}
	}
	return found, nil
}

func (e entry) atSink() bool {
	for _, r := range e.Recipients {
		if !strings.HasSuffix(r.Address, "@"+route.Domain) {
			return false
		}
	}
	return len(e.Recipients) > 0 && queueIDs.MatchString(e.ID)
}

// lastLine returns the last line of an output.
func lastLine(out []byte) string {
	out = bytes.TrimSpace(out)
	return string(out[bytes.LastIndexByte(out, '\n')+1:])
}
