package probe

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

func TestActive(t *testing.T) {
	t.Parallel()
	up := system.UnitStatus{Load: "loaded", Active: "active", Sub: "running", Invocation: "a"}
	starting := system.UnitStatus{Load: "loaded", Active: "activating", Sub: "start"}
	looping := system.UnitStatus{Load: "loaded", Active: "activating", Sub: "auto-restart", Restarts: 3}
	failed := system.UnitStatus{Load: "loaded", Active: "failed", Sub: "failed"}
	again, restarted := up, up
	again.Invocation, restarted.Restarts = "b", 1
	for _, c := range []struct {
		name   string
		states []system.UnitStatus
		err    error
		want   string
	}{
		{"up", []system.UnitStatus{up}, nil, ""},
		{"starts first", []system.UnitStatus{starting, starting, up}, nil, ""},
		{"dies a moment later", []system.UnitStatus{up, failed}, nil, "unit opendkim.service: failed (failed)"},
		{"restart loop", []system.UnitStatus{up, looping}, nil, "auto-restart"},
		{"started by somebody again", []system.UnitStatus{up, again}, nil, "started again"},
		{"automatic restart", []system.UnitStatus{up, restarted}, nil, "1 automatic restarts"},
		{"failed", []system.UnitStatus{failed}, nil, "failed"},
		{"not there", []system.UnitStatus{{Load: "not-found", Active: "inactive"}}, nil, "not-found"},
		{"masked", []system.UnitStatus{{Load: "masked", Active: "inactive"}}, nil, "masked"},
		{"never comes up", []system.UnitStatus{starting}, nil, "activating (start), should be active"},
		{"no bus", []system.UnitStatus{{}}, errFake, "look at unit opendkim.service: fake trouble"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := NewProber(&units{states: c.states, err: c.err}, nil)
			wantError(t, probe(t, b, state.Probe{Kind: state.ProbeActive, Unit: "opendkim.service", Within: time.Second}), c.want)
		})
	}
}

func TestPostfix(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		results []system.Result
		err     error
		want    string
	}{
		{"runs", []system.Result{{Stderr: []byte("postfix/postfix-script: the Postfix mail system is running: PID: 42\n")}}, nil, ""},
		{"runs in the end", []system.Result{{Code: 1}, {Code: 1}, {}}, nil, ""},
		{"does not run", []system.Result{{Code: 1, Stderr: []byte("first\nthe Postfix mail system is not running\n")}}, nil, "postmulti -i - -p status: exit 1: the Postfix mail system is not running"},
		{"says nothing", []system.Result{{Code: 1}}, nil, "exit 1: it does not run"},
		{"is not there", []system.Result{{}}, errFake, "run postmulti -i - -p status: fake trouble"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &runner{results: c.results, err: c.err}
			wantError(t, probe(t, NewProber(nil, r), state.Probe{Kind: state.ProbePostfix, Within: time.Second}), c.want)
			if got := strings.Join(r.argv, " "); got != "postmulti -i - -p status" {
				t.Errorf("ran %q", got)
			}
		})
	}
}

func TestUnknownKind(t *testing.T) {
	wantError(t, probe(t, NewProber(nil, nil), state.Probe{Kind: "guess"}), `probe "guess": unknown kind`)
}

func TestServedIsAsked(t *testing.T) {
	t.Parallel()
	err := probe(t, NewProber(nil, nil), state.Probe{
		Kind: state.ProbeServed, Address: "127.0.0.1:1", Within: 200 * time.Millisecond,
		Records: []state.Record{{Name: "mail.example.", Type: "A", Value: "192.0.2.1"}},
	})
	wantError(t, err, "mail.example. A")
}

func TestProbesHonourTheirContext(t *testing.T) {
	t.Parallel()
	silent := silentServer(t, "tcp", "127.0.0.1:0")
	b := NewProber(&units{states: []system.UnitStatus{{Active: "activating"}}}, &runner{results: []system.Result{{Code: 1}}})
	for _, p := range []state.Probe{
		{Kind: state.ProbeActive, Unit: "x.service"},
		{Kind: state.ProbePostfix},
		{Kind: state.ProbeSMTP, Address: silent},
		{Kind: state.ProbeMilter, Address: silent},
		{Kind: state.ProbeSigns, Address: silent, Signers: []state.Signer{{From: "a@example.org"}}},
	} {
		t.Run(string(p.Kind), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			p.Within = time.Minute
			start := time.Now()
			if err := b.Probe(ctx, p); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want the context's", err)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %v after it was cancelled", took)
			}
		})
	}
}
