package probe

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-milter"

	"mailsetup/internal/state"
)

// loginSigner signs for users who logged in only, as {auth_authen} tells.
type loginSigner struct {
	signer
	daemon string
}

func (l *loginSigner) Connect(_, _ string, _ uint16, _ net.IP, m *milter.Modifier) (milter.Response, error) {
	l.daemon = m.Macros["{daemon_name}"]
	return milter.RespContinue, nil
}

func (l *loginSigner) MailFrom(_ string, m *milter.Modifier) (milter.Response, error) {
	l.unsigned = m.Macros["{auth_authen}"] == "" || l.daemon != "ORIGINATING"
	return milter.RespContinue, nil
}

// A milter is asked to the end of a message, as the client that it sees, and
// what it adds is told with what verifying says.
func TestSignatures(t *testing.T) {
	t.Parallel()
	key, record := newKey(t)
	records := func(name string) ([]string, error) {
		if name != "mail._domainkey.lab.example" {
			return nil, errors.New("nothing at " + name)
		}
		return []string{record}, nil
	}
	nobody := func(string) ([]string, error) { return nil, errors.New("nothing there") }
	signs := func(s signer) func() milter.Milter {
		s.key, s.domain, s.selector = key, "lab.example", "mail"
		return func() milter.Milter { own := s; return &own }
	}
	byLogin := milterServer(t, func() milter.Milter {
		return &loginSigner{signer: signer{key: key, domain: "lab.example", selector: "mail"}}
	})
	for name, tt := range map[string]struct {
		address string
		client  state.Client
		lookup  func(string) ([]string, error)
		want    []string // domain selector problem
		fails   string
	}{
		"signs":           {milterServer(t, signs(signer{})), state.Client{Kind: state.BySendmail}, records, []string{"lab.example mail "}, ""},
		"does not":        {milterServer(t, signs(signer{unsigned: true})), state.Client{Kind: state.BySMTP}, records, nil, ""},
		"without record":  {milterServer(t, signs(signer{})), state.Client{Kind: state.BySMTP}, nobody, []string{"lab.example mail nothing there"}, ""},
		"refuses":         {milterServer(t, signs(signer{refuse: milter.RespReject})), state.Client{Kind: state.BySMTP}, records, nil, "end of message: refused"},
		"no login":        {byLogin, state.Client{Kind: state.BySMTP, Daemon: "ORIGINATING"}, records, nil, ""},
		"login":           {byLogin, state.Client{Kind: state.ByLogin, Daemon: "ORIGINATING"}, records, []string{"lab.example mail "}, ""},
		"login elsewhere": {byLogin, state.Client{Kind: state.ByLogin, Daemon: "smtp"}, records, nil, ""},
		"not there":       {t.TempDir() + "/none.sock", state.Client{Kind: state.BySMTP}, records, nil, "no such file"},
	} {
		found, err := Signatures(t.Context(), tt.address, "postmaster@lab.example", tt.client, tt.lookup)
		var got []string
		for _, s := range found {
			if s.From != "postmaster@lab.example" {
				t.Errorf("%s: from %q", name, s.From)
			}
			problem := s.Problem
			if i := strings.LastIndex(problem, "nothing there"); i >= 0 {
				problem = problem[i:]
			}
			got = append(got, s.Domain+" "+s.Selector+" "+problem)
		}
		if !slices.Equal(got, tt.want) || (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// A milter that never answers costs a bounded time.
func TestSignaturesOfAMilterThatHangs(t *testing.T) {
	t.Parallel()
	deaf := silentServer(t, "unix", t.TempDir()+"/deaf.sock")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := Signatures(ctx, deaf, "postmaster@lab.example", state.Client{Kind: state.BySMTP}, nil)
	if err == nil || !strings.Contains(err.Error(), "milter "+deaf) || time.Since(began) > 30*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}

// A program that was told to stop signing does so a moment later.
func TestUnsigned(t *testing.T) {
	t.Parallel()
	key, _ := newKey(t)
	var asked atomic.Int32
	stops := milterServer(t, func() milter.Milter {
		return &signer{key: key, domain: "lab.example", selector: "mail", unsigned: asked.Add(1) > 2}
	})
	p := state.Probe{
		Kind: state.ProbeUnsigned, Address: stops, Within: 10 * time.Second,
		Signers: []state.Signer{{From: "postmaster@lab.example", Domain: "lab.example", Selector: "mail"}},
	}
	wantError(t, probe(t, NewProber(nil, nil), p), "")
	goesOn := milterServer(t, func() milter.Milter { return &signer{key: key, domain: "lab.example", selector: "mail"} })
	p.Address, p.Within = goesOn, 500*time.Millisecond
	wantError(t, probe(t, NewProber(nil, nil), p), "mail from postmaster@lab.example: still signed by mail._domainkey.lab.example")
}

// eager accepts mail at MAIL FROM, as OpenDKIM does that only verifies, and does not answer
// if it is sent more of the message.
type eager struct {
	milter.NoOpMilter
	atConnect bool
	more      *atomic.Int32
}

func (e eager) Connect(string, string, uint16, net.IP, *milter.Modifier) (milter.Response, error) {
	if e.atConnect {
		return milter.RespAccept, nil
	}
	return milter.RespContinue, nil
}

func (e eager) MailFrom(string, *milter.Modifier) (milter.Response, error) {
	if e.atConnect {
		e.more.Add(1)
	}
	return milter.RespAccept, nil
}

func (e eager) RcptTo(string, *milter.Modifier) (milter.Response, error) {
	e.more.Add(1)
	return milter.RespContinue, nil
}

// A milter that accepts before the end is sent no more of the message, which is unsigned.
func TestMilterThatAcceptsEarly(t *testing.T) {
	for _, atConnect := range []bool{false, true} {
		var more atomic.Int32
		at := milterServer(t, func() milter.Milter { return eager{atConnect: atConnect, more: &more} })
		found, err := Signatures(t.Context(), at, "ann@lab.example", state.Client{Kind: state.BySendmail}, func(string) ([]string, error) { return nil, nil })
		if err != nil || len(found) > 0 || more.Load() > 0 {
			t.Errorf("at connect %v: %v, %v, sent more: %d", atConnect, found, err, more.Load())
		}
	}
}
