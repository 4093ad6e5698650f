package facts_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/facts"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
	"mailsetup/steps/step"
)

// mailHost is a machine with a Postfix whose only table has the users of this
// server: ann. It notes what it was asked.
type mailHost struct {
	*systemtest.Mem
	asked *[]string
}

func (h mailHost) Run(_ context.Context, c system.Command) (system.Result, error) {
	*h.asked = append(*h.asked, strings.Join(c.Argv, " "))
	switch {
	case slices.Equal(c.Argv, []string{"getent", "passwd", "ann"}):
		return system.Result{Stdout: []byte("ann:x:1000:1000::/home/ann:/bin/sh\n")}, nil
	case slices.Equal(c.Argv, []string{"postmap", "-q", "ann", "hash:/users"}):
		return system.Result{Stdout: []byte("x\n")}, nil
	case slices.Equal(c.Argv, []string{"postmap", "-q", "root", "hash:/etc/aliases"}):
		return system.Result{Stdout: []byte("gone@lab.example\n")}, nil
	case c.Argv[0] == "getent":
		return system.Result{Code: 2}, nil
	}
	return system.Result{Code: 1}, nil
}

func host() mailHost { return mailHost{systemtest.NewMem(), new([]string)} }

// rootReadBy is a server whose root alias is an address of its own.
func rootReadBy(address string) step.Input {
	in := step.Input{Spec: spec.Spec{Host: spec.Host{Hostname: "mail.lab.example", RootAlias: address, MilterDefaultAction: "tempfail"}}}
	in.Facts.Postfix = &state.Postfix{Value: map[string]string{
		"myhostname": "mail.lab.example", "myorigin": "lab.example", "mydestination": "lab.example", "local_recipient_maps": "hash:/users",
		"alias_maps": "hash:/etc/aliases", "alias_database": "hash:/etc/aliases", "local_transport": "local:$myhostname", "default_transport": "smtp",
	}}
	return in
}

func TestRecipients(t *testing.T) {
	for address, want := range map[string]state.RecipientEnd{"ann@lab.example": state.EndMailbox, "gone@lab.example": state.EndNobody} {
		if got := facts.Recipients(t.Context(), host(), rootReadBy(address))["root"]; got.End != want {
			t.Errorf("%s: %+v, want %s", address, got, want)
		}
	}
	in := rootReadBy("gone@lab.example")
	in.Scope = step.Only("lab.example")
	if got := facts.Recipients(t.Context(), host(), in); got != nil {
		t.Errorf("without an address: %v", got)
	}
	// Settings that an earlier installation left say nothing of the Postfix that comes.
	in = rootReadBy("gone@lab.example")
	in.Facts.Postfix = nil
	left := host()
	left.PutFile("/etc/postfix/main.cf", "myhostname = old.example\n")
	if got := facts.Recipients(t.Context(), left, in); got != nil {
		t.Errorf("of settings that are left: %v", got)
	}
	if got := facts.Recipients(t.Context(), host(), in); len(got) != 1 {
		t.Errorf("of a Postfix that is to be installed: %v", got)
	}
}

// Each question to a table is a program: the entry that leads probes, which has no
// other mail, is not asked.
func TestRecipientsAskNoTableOfOurs(t *testing.T) {
	in, h := rootReadBy("ann@lab.example"), host()
	in.Facts.Postfix.Value["transport_maps"] = "inline:{[127.83.77.1]=smtp:[127.83.77.1]:24}, hash:/transport"
	if got := facts.Recipients(t.Context(), h, in)["root"]; got.End != state.EndMailbox {
		t.Errorf("%+v", got)
	}
	ours := func(line string) bool { return strings.Contains(line, "inline:") }
	if slices.ContainsFunc(*h.asked, ours) || !slices.Contains(*h.asked, "postmap -q ann@lab.example hash:/transport") {
		t.Errorf("asked %q", *h.asked)
	}
}

// An address that nobody has is refused, unless it was so before.
func TestCheckRecipients(t *testing.T) {
	got, err := facts.CheckRecipients(t.Context(), host(), rootReadBy("ann@lab.example"), nil)
	if err != nil || got["root"].End != state.EndMailbox {
		t.Errorf("%v, %v", got, err)
	}
	in := rootReadBy("gone@lab.example")
	old, fresh := in.Spec, rootReadBy("ann@lab.example").Spec
	refusal, ok := errors.AsType[*step.Refusal](second(facts.CheckRecipients(t.Context(), host(), in, nil)))
	if !ok || refusal.Hint == "" {
		t.Errorf("%v", refusal)
	}
	if err := second(facts.CheckRecipients(t.Context(), host(), in, &fresh)); err == nil {
		t.Error("an address that is new is taken")
	}
	in.Facts.Files = map[state.Path][]byte{"/etc/aliases": []byte("postmaster: root\nroot: gone@lab.example\n")}
	got, err = facts.CheckRecipients(t.Context(), host(), in, &old)
	if err != nil || got["root"].End != state.EndNobody {
		t.Errorf("as it was before: %v, %v", got, err)
	}
}

func second[T any](_ T, err error) error { return err }
