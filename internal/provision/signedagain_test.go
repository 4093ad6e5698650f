package provision

import (
	"strings"
	"testing"

	"mailsetup/internal/livepath"
	"mailsetup/internal/state"
)

// A second signature is no success where a program hands mail back.
func TestSignedAgain(t *testing.T) {
	postfix := func(command string) *state.Postfix {
		return &state.Postfix{
			Raw: map[string]string{"content_filter": "scan:"}, Value: map[string]string{"content_filter": "scan:"},
			Services: []state.Service{{Name: "scan/unix", Command: command}},
		}
	}
	for _, tt := range []struct {
		command string
		n       int
		fails   bool
	}{{"pipe", 2, true}, {"pipe", 1, false}, {"smtp", 2, false}} {
		err := signedAgain([]livepath.Delivery{
			{Way: livepath.Sendmail, Signatures: 1},
			{Way: livepath.Port25, Signatures: tt.n, Signer: state.Signer{From: "ann@lab.example", Domain: "lab.example"}},
		}, postfix(tt.command))
		if (err != nil) != tt.fails || tt.fails && !strings.Contains(err.Error(), "a message from ann@lab.example, by port 25, arrived with 2 signatures of lab.example") {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}
