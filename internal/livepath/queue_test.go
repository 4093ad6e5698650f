package livepath

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

// postfix is a machine with programs that answer as told.
type postfix struct {
	*systemtest.Mem
	answer func(argv []string, in string) (out string, code int, stderr string)
	ran    []string
}

func (p *postfix) Run(_ context.Context, c system.Command) (system.Result, error) {
	p.ran = append(p.ran, strings.Join(c.Argv, " ")+" <"+strings.ReplaceAll(string(c.Stdin), "\n", "|"))
	if slow := c.Argv[0] == "postqueue" || c.Argv[0] == "postsuper"; slow && c.Within < 10*time.Minute {
		return system.Result{}, fmt.Errorf("%s: %v are too few for a long queue", c.Argv[0], c.Within)
	}
	out, code, stderr := p.answer(c.Argv, string(c.Stdin))
	return system.Result{Stdout: []byte(out), Stderr: []byte(stderr), Code: code}, nil
}

// As Postfix 3.10 prints them.
const queueLines = `{"queue_name": "deferred", "queue_id": "AAAAAA1", "arrival_time": 1795986610, "message_size": 500, "forced_expire": false, "sender": "mailsetup-0123456789abcdef@[127.83.77.1]", "recipients": [{"address": "smtp@[127.83.77.1]", "delay_reason": "connect to 127.83.77.1[127.83.77.1]:24: Connection refused"}]}
{"queue_name": "deferred", "queue_id": "BBBBBB2", "arrival_time": 1795986610, "message_size": 500, "forced_expire": false, "sender": "ann@lab.example", "recipients": [{"address": "bob@remote.example"}]}
{"queue_name": "active", "queue_id": "CCCCCC3", "arrival_time": 1795986610, "message_size": 500, "forced_expire": false, "sender": "boss@lab.example", "recipients": [{"address": "relay@[127.83.77.1]"}]}
{"queue_name": "deferred", "queue_id": "DDDDDD4", "arrival_time": 1795986610, "message_size": 500, "forced_expire": false, "sender": "mailsetup-0123456789abcdef@[127.83.77.1]", "recipients": [{"address": "smtp@[127.83.77.1]"}, {"address": "bob@remote.example"}]}
{"queue_name": "deferred", "queue_id": "EEEEEE5", "arrival_time": 1795986610, "message_size": 500, "forced_expire": false, "sender": "mailsetup-fedcba9876543210@[127.83.77.1]", "recipients": [{"address": "smtp@[127.83.77.1]"}]}
`

// What a killed probe left is deleted by queue ID: what is addressed to the sink
// alone and has the nonce, in the sender or, where that was changed, in the header.
func TestCleanTakesWhatIsOfTheProbe(t *testing.T) {
	gone := false
	m := &postfix{Mem: systemtest.NewMem(), answer: func(argv []string, _ string) (string, int, string) {
		switch argv[0] {
		case "postqueue":
			if gone {
				return strings.Split(queueLines, "\n")[1] + "\n", 0, ""
			}
			return queueLines, 0, ""
		case "postcat":
			if argv[2] == "CCCCCC3" {
				return "Message-ID: <mailsetup-0123456789abcdef-1@lab.example>\n", 0, ""
			}
			return "Message-ID: <x@y>\n", 0, ""
		case "postsuper":
			gone = true
		}
		return "", 0, ""
	}}
	if err := Clean(t.Context(), m); err != nil || len(m.ran) > 0 {
		t.Fatalf("without a marker: %v, ran %q", err, m.ran)
	}
	m.Put(nonceFile, state.Object{Kind: state.Regular, Mode: 0o600, Content: []byte("0123456789abcdef\n")})
	if err := Clean(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	deleted := slices.DeleteFunc(m.ran, func(s string) bool { return !strings.HasPrefix(s, "postsuper") })
	if want := []string{"postsuper -d - <AAAAAA1|CCCCCC3|"}; !slices.Equal(deleted, want) {
		t.Errorf("ran %q, want %q", deleted, want)
	}
	if o, err := m.Read(nonceFile); err != nil || o.Kind != state.Absent {
		t.Errorf("the marker is still there: %v, %v", o.Kind, err)
	}
}

func TestCleanLeavesWhatIsNoMarker(t *testing.T) {
	m := &postfix{Mem: systemtest.NewMem()}
	m.Put(nonceFile, state.Object{Kind: state.Regular, Mode: 0o600, Content: []byte("ALL\n")})
	if err := Clean(t.Context(), m); err == nil || len(m.ran) > 0 {
		t.Errorf("%v, ran %q", err, m.ran)
	}
}
