package signer

import (
	"errors"
	"slices"
	"strings"

	"mailsetup/internal/opendkim"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// checkOpenNetworks refuses networks by which anybody could have mail signed in our
// name: such a signature is worse than none. Those of Postfix and of the spec count
// together, since one table has both.
func checkOpenNetworks(in step.Input) error {
	var nets []string
	if p := in.Facts.Postfix; p != nil {
		for _, n := range p.Networks {
			nets = append(nets, n.String())
		}
	}
	bad := opendkim.OpenNetworks(slices.Concat(nets, in.Spec.Host.Trusted))
	if len(bad) == 0 {
		return nil
	}
	var where, hints []string
	from := func(list []string, place, hint string) {
		if here := slices.DeleteFunc(slices.Clone(bad), func(n string) bool { return !slices.Contains(list, n) }); len(here) > 0 {
			where, hints = append(where, step.EnumerateUpTo(here, 4)+" ("+place+")"), append(hints, hint)
		}
	}
	from(in.Spec.Host.Trusted, "trusted of "+string(spec.HostFile), "name the networks of your own senders alone in trusted of "+string(spec.HostFile))
	from(nets, "mynetworks of Postfix", "name the networks of your own senders alone in mynetworks of main.cf: Postfix relays for all in it, too")
	return step.Refuse(strings.Join(hints, "; "), "mail from anywhere that says it is yours would be signed: %s is trusted", step.Enumerate(where))
}

// trustNote returns a note about them if the run leaves TrustedHosts as it is: a
// compromised key must not go on signing because mynetworks is too wide.
func trustNote(err error) state.Note {
	n := state.Note{Topic: "trusted", Text: err.Error() + "; " + string(TrustedHosts) + " stays as it is"}
	if r := (*step.Refusal)(nil); errors.As(err, &r) {
		n.Action = r.Hint
	}
	return n
}
