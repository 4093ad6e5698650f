package signer_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

func TestStrangersAreNotSigned(t *testing.T) {
	for _, c := range []struct {
		trusted, networks string
		want, hint        string // "" for none
	}{
		{"0.0.0.0/0", "127.0.0.0/8", "0.0.0.0/0 (trusted of /etc/mailsetup/host.toml) is trusted", "in trusted of /etc/mailsetup/host.toml"},
		{"0.0.0.0/1", "127.0.0.0/8 128.0.0.0/1", "0.0.0.0/1 (trusted of /etc/mailsetup/host.toml) and 128.0.0.0/1 (mynetworks of Postfix) is trusted", "mynetworks of main.cf"},
		{"", "0.0.0.0/0 ::/0", "0.0.0.0/0 and ::/0 (mynetworks of Postfix) is trusted", "Postfix relays for all in it"},
		{"10.0.0.0/8 .example.org 192.0.2.0/24", "127.0.0.0/8 198.51.100.0/24", "", ""},
	} {
		in := steptest.Installed()
		in.Facts.Postfix.Networks = steptest.Networks(strings.Fields(c.networks)...)
		in.Spec.Host.Trusted = strings.Fields(c.trusted)
		_, _, err := signer.Configure(in)
		var refusal *step.Refusal
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s and %s: %v", c.trusted, c.networks, err)
		case c.want != "" && (!errors.As(err, &refusal) || !strings.Contains(refusal.What, c.want) || !strings.Contains(refusal.Hint, c.hint)):
			t.Errorf("%s and %s: %+v, want %s", c.trusted, c.networks, err, c.want)
		}
	}
}

// Networks that are too wide hold no key back that has to be switched, and no domain
// that is to go: whose mail is signed stays as it is, and somebody is told.
func TestStrangersHoldNoKeyBack(t *testing.T) {
	in := steptest.WithCopies(t) // lab.example and shop.lab.example
	in.Facts.Postfix.Networks = steptest.Networks("127.0.0.0/8", "0.0.0.0/0")
	removed, rotation := in, in
	rotation.KeysOnly = true
	removed.Scope = step.Only("shop.lab.example")
	removed.Removed = []spec.Domain{in.Spec.Domains[1]}
	removed.Spec = in.Spec.Without("shop.lab.example")
	for name, run := range map[string]struct {
		list []step.Step
		in   step.Input
	}{
		"a switch of keys":      {steps.Rotation([]keyring.Transition{{Action: keyring.Activate}}), rotation},
		"a switch in emergency": {steps.Rotation([]keyring.Transition{{Action: keyring.Activate}, {Action: keyring.Revoke}}), rotation},
		"a domain that goes":    {steps.All(), removed},
	} {
		want, err := steps.Build(run.list, run.in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var files []string
		for _, f := range steptest.Stage(t, want, "OpenDKIM").Files {
			files = append(files, string(f.Path))
		}
		if got := strings.Join(files, " "); !strings.Contains(got, "/etc/opendkim/KeyTable") || strings.Contains(got, "TrustedHosts") {
			t.Errorf("%s: %s", name, got)
		}
		if !slices.ContainsFunc(want.Notes, func(n state.Note) bool {
			return strings.HasPrefix(n.Text, "mail from anywhere that says it is yours would be signed: 0.0.0.0/0 (mynetworks of Postfix) is trusted; /etc/opendkim/TrustedHosts stays") &&
				strings.Contains(n.Action, "mynetworks of main.cf")
		}) {
			t.Errorf("%s: nobody is told: %+v", name, want.Notes)
		}
	}
	in.Scope = step.Only("shop.lab.example")
	if _, err := steps.Build(steps.All(), in); err == nil {
		t.Error("a domain more is signed for, from anywhere")
	}
}
