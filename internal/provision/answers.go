package provision

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"mailsetup/internal/hint"
	"mailsetup/internal/inbound"
	"mailsetup/internal/plan"
	"mailsetup/internal/same"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
)

// answers returns what a run that changes the spec goes by, in six lines for whoever
// is to agree; nil for any other run.
func (d *Draft) answers() []plan.Answer {
	want := d.Input.Spec
	if d.KeysOnly || len(d.Removed) > 0 {
		return nil
	}
	sameDomains := d.Have != nil && same.Lists(d.Have.Domains, want.Domains)
	if sameDomains && reflect.DeepEqual(d.Have.Host, want.Host) {
		return nil
	}
	if sameDomains && !reflect.DeepEqual(d.Have.Host.Inbound, want.Host.Inbound) {
		return []plan.Answer{{Name: "Incoming", Text: want.Host.Inbound.Summary()}}
	}
	domains := d.newDomains(want)
	if len(domains) == 0 {
		return nil
	}
	var addresses []string
	for _, a := range want.Host.Addresses {
		addresses = append(addresses, a.String())
	}
	var names []string
	for _, x := range domains {
		names = append(names, x.Name)
	}
	heading := "Domain"
	if len(names) > 1 {
		heading = "Domains"
	}
	return []plan.Answer{
		{Name: heading, Text: text.List(names, 3)},
		{Name: "Server", Text: want.Host.Hostname + ", " + strings.Join(addresses, ", ")},
		{Name: "Incoming", Text: common(domains, incoming) + met(want.Host.Inbound)},
		{Name: "Records", Text: common(domains, func(x spec.Domain) string { return publication(want, x) })},
		{Name: "Policies", Text: common(domains, policies)},
		{Name: "Root", Text: readers(want.Host)},
	}
}

// newDomains returns the domains whose answers are new, or all where the host's are. Both
// specs are sorted.
func (d *Draft) newDomains(want spec.Spec) []spec.Domain {
	if d.Have == nil {
		return want.Domains
	}
	var changed []spec.Domain
	before := d.Have.Domains
	for _, x := range want.Domains {
		if !d.Scope.WholeHost() && !d.Scope.Selects(x.Name) {
			continue
		}
		for len(before) > 0 && before[0].Name < x.Name {
			before = before[1:]
		}
		if len(before) == 0 || !reflect.DeepEqual(before[0], x) {
			changed = append(changed, x)
		}
	}
	if len(changed) == 0 {
		return want.Domains
	}
	return changed
}

// common says of domains what is so of each, or that they differ.
func common(domains []spec.Domain, say func(spec.Domain) string) string {
	first := say(domains[0])
	for _, x := range domains[1:] {
		if say(x) != first {
			return "differs from domain to domain"
		}
	}
	return first
}

// met says what incoming mail meets, where it meets anything.
func met(p inbound.Policy) string {
	if !p.On() {
		return ""
	}
	return "; " + p.Summary()
}

func incoming(x spec.Domain) string {
	if x.Receive {
		return "received here, by an MX record"
	}
	return "not received here"
}

func publication(want spec.Spec, x spec.Domain) string {
	switch mode := want.DNSOf(x); {
	case x.NewZone:
		return "in a new zone of this machine's BIND"
	case mode == spec.DNSSlots:
		return "its keys in slots of " + want.Host.Slots.Zone + ", and the rest printed in the end, for you to publish"
	case mode == spec.DNSDelegate:
		return "its keys in a zone of their own in this machine's BIND, and the rest printed in the end, for you to publish"
	case mode == spec.DNSBind:
		return "in the zone that this machine's BIND serves"
	case mode == spec.DNSHook:
		return "changed by " + want.UpdateOf(x).Hook
	case mode == spec.DNSUpdate && want.UpdateOf(x).Server != "":
		return "sent to " + want.UpdateOf(x).Server + " as dynamic updates"
	case mode == spec.DNSUpdate:
		return "sent to the zone's primary as dynamic updates"
	}
	return "printed in the end, for you to publish"
}

func policies(x spec.Domain) string {
	dkim := "DKIM"
	if x.KeyBits > 0 {
		dkim = fmt.Sprintf("DKIM %d bits", x.KeyBits)
	}
	if x.SignedBy != "" {
		dkim = "DKIM by another signer"
	}
	spf := "SPF ~all"
	switch {
	case x.SPF.Redirect != "":
		spf = "SPF as " + x.SPF.Redirect
	case x.SPF.All == "fail":
		spf = "SPF -all"
	case x.SPF.All == "neutral":
		spf = "SPF ?all"
	}
	if len(x.SPF.Include) > 0 && x.SPF.Redirect == "" {
		spf += " with " + text.List(x.SPF.Include, 2)
	}
	return dkim + ", " + spf + ", DMARC " + x.DMARC.Policy
}

// readers says who gets the mail of root, and notices.
func readers(h spec.Host) string {
	root := "its mail stays as it is"
	if h.RootAlias != "" {
		root = "its mail goes to " + h.RootAlias
	}
	if h.Notify != "" {
		return root + "; records to publish go to " + h.Notify
	}
	return root
}

// consent is an answer to a question of one kind.
type consent struct {
	kind state.QuestionKind
	yes  bool
}

// again returns the command that asks for the same, with the answers that were given to
// questions; "" where the command line that was typed says it all.
func (d *Draft) again() string {
	if d.Command == nil {
		return ""
	}
	command := slices.Clone(d.Command)
	for _, c := range d.consents {
		flag, no := plan.ConsentFlags(c.kind)
		if !c.yes {
			flag = no
		}
		words := strings.Fields(flag)
		switch {
		case slices.Contains(d.consents, consent{c.kind, !c.yes}): // no flag says both
		case len(words) > 0 && !slices.Contains(command, words[0]):
			command = append(command, words...)
		}
	}
	return hint.Quote(command...)
}
