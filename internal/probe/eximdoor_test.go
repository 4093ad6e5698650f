package probe

import (
	"context"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// What exim4 4.96 and 4.98 print with -bh: the replies to standard output, what they do to the
// other one.
func TestEximDecides(t *testing.T) {
	session := func(reply, debug string) system.Result {
		return system.Result{
			Stdout: []byte("220 mail.lab.example ESMTP Exim 4.96\r\n250-mail.lab.example Hello mailsetup.invalid [192.0.2.1]\r\n250 HELP\r\n250 OK\r\n" + reply + "\r\n221 mail.lab.example closing connection\r\n"),
			Stderr: []byte(debug),
		}
	}
	const (
		here  = ">>> processing \"accept\" (/etc/exim4/mailsetup.rcpt 3)\n"
		asked = here + ">>> check dnslists = bl.example=127.0.0.2\n"
	)
	denied := session("550-5.7.1 Service unavailable; client [127.0.0.2] is blocked using\r\n550 5.7.1 bl.example", asked+"LOG: blocked using")
	denied.Stderr = append(denied.Stderr, "message: client is blocked using bl.example\n"...)
	for name, tt := range map[string]struct {
		unknown, listed system.Result
		want            string // a part of the error, "" for none
	}{
		"as it should be":       {session("250 Accepted", asked), denied, ""},
		"a list in trouble":     {session("250 Accepted", asked), session("250 Accepted", asked), ""},
		"nobody is known here":  {session("550 relay not permitted", ""), session("550 relay not permitted", ""), ""},
		"an alias and no DNS":   {session("451 Could not complete recipient verify callout", ""), session("451 x", ""), ""},
		"a broken expansion":    {session("451 Temporary local problem - please try later", here), denied, "RCPT TO:<root@mail.lab.example>: 451 Temporary local problem"},
		"an edited file":        {session("250 Accepted", here), session("250 Accepted", here), "bl.example is not asked"},
		"a list of everybody":   {denied, denied, "somebody whom nobody knows"},
		"it does not even read": {system.Result{Code: 1, Stderr: []byte("Exim configuration error in line 3\n")}, denied, "configuration error in line 3"},
	} {
		b := NewProber(nil, &runner{results: []system.Result{tt.unknown, tt.listed, tt.unknown, tt.listed, tt.unknown, tt.listed}})
		err := b.Probe(context.Background(), state.Probe{
			Kind: state.ProbeEximDoor, File: "/etc/exim4/mailsetup.rcpt", Name: "bl.example", Recipients: []string{"root@mail.lab.example"}, Within: 50 * time.Millisecond,
		})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
