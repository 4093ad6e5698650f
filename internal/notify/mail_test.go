package notify_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/notify"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

var message = notify.Message{
	Hostname: "mail.lab.example", To: "ops@lab.example", Subject: "publish a DKIM record", Body: "Publish what follows.\n\n\x1b[2J\n\n\n",
	Date: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
}

func TestBytes(t *testing.T) {
	const want = `From: mailsetup <root@mail.lab.example>
To: <ops@lab.example>
Subject: mail.lab.example: publish a DKIM record
Date: Sun, 22 Nov 2026 10:00:00 +0000
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Publish what follows.

\x1b[2J
`
	if got := string(message.Bytes()); got != want {
		t.Errorf("the message is\n%s\nwant\n%s", got, want)
	}
}

func TestSend(t *testing.T) {
	mem := systemtest.NewMem()
	for _, tt := range []struct {
		res  system.Result
		err  error
		want string
	}{
		{system.Result{}, nil, ""},
		{
			system.Result{Code: 75, Stderr: []byte("sendmail: fatal: queue file write error\n")},
			nil,
			"run sendmail: exit status 75: sendmail: fatal: queue file write error",
		},
		{system.Result{}, errors.New("no such file"), "no such file"},
	} {
		mem.OnRun = func(c system.Command) (system.Result, error) {
			if got := strings.Join(c.Argv, " "); got != "sendmail -t -i" || string(c.Stdin) != string(message.Bytes()) {
				t.Errorf("ran %s with\n%s", got, c.Stdin)
			}
			return tt.res, tt.err
		}
		got := ""
		if err := notify.Send(t.Context(), mem, message); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// A sendmail that hangs does not keep the run.
func TestSendIsBounded(t *testing.T) {
	err := notify.Send(t.Context(), runner(func(ctx context.Context) error {
		if end, ok := ctx.Deadline(); !ok || time.Until(end) > 2*time.Minute {
			t.Error("sendmail may take for ever")
		}
		return context.DeadlineExceeded
	}), message)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

type runner func(ctx context.Context) error

func (r runner) Run(ctx context.Context, _ system.Command) (system.Result, error) {
	return system.Result{}, r(ctx)
}

// Root gets it whoever else is told.
func TestToRoot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "root")
	for range 2 {
		if err := notify.ToRoot(t.Context(), file, message); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil || strings.Count(string(text), "\nTo: <root@mail.lab.example>\nSubject: mail.lab.example: publish a DKIM record\n") != 2 {
		t.Errorf("%v: the mailbox is\n%s", err, text)
	}
	if err := notify.ToRoot(t.Context(), filepath.Join(t.TempDir(), "none", "root"), message); err == nil {
		t.Error("no error for a mailbox that cannot be made")
	}
}
