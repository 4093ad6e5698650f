package operation_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/operation"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

// What waits in the queue of exim4 is judged as what waits in that of Postfix.
func TestQueueOfExim(t *testing.T) {
	message := func(age, more string) string {
		return fmt.Sprintf("%4s  1.5K 1xY6yB-000000000SO-3ckm <ann@shop.example>%s\n          bob@remote.example\n        D carol@remote.example\n\n", age, more)
	}
	for _, tt := range []struct {
		name, listed string
		code         int
		want         string
	}{
		{"empty", "", 0, "ok  no mail waits"},
		{"some", message("25m", "") + message("2h", ""), 0, "ok  2 messages wait, the oldest for 2h"},
		{"bounces", message("3d", " (root)"), 0, "note  1 message waits, the oldest for 3d"},
		{"much and old", strings.Repeat(message("9h", ""), 120), 0, "warning  120 messages wait, the oldest for 9h"},
		{"frozen", message("4d", " *** frozen ***"), 0, "ok  no mail waits|note frozen 1 message is frozen: nothing is sent of it, and exim4 drops what it cannot return"},
		{"another user", "", 1, "unknown  exim: permission denied"},
	} {
		m := systemtest.NewMem()
		m.OnRun = func(c system.Command) (system.Result, error) {
			if strings.Join(c.Argv, " ") != "exim4 -bp" {
				t.Errorf("runs %v", c.Argv)
			}
			return system.Result{Stdout: []byte(tt.listed), Stderr: []byte("exim: permission denied\n"), Code: tt.code}, nil
		}
		s := subject.Server{Name: "mail.shop.example", Now: now, Facts: state.Facts{Exim: &state.Exim{}}}
		var got []string
		for _, f := range operation.Queue(context.Background(), m, s, shop).Findings {
			got = append(got, fmt.Sprintf("%s %s %s", f.Severity, f.Subject, f.Seen))
			if f.Severity != finding.OK && f.Remedy == nil {
				t.Errorf("%s: no remedy of %+v", tt.name, f)
			}
		}
		if strings.Join(got, "|") != tt.want {
			t.Errorf("%s: %q\nwant %q", tt.name, strings.Join(got, "|"), tt.want)
		}
	}
}
