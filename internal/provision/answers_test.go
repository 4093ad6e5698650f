package provision_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/hint"
	"mailsetup/internal/inbound"
	"mailsetup/internal/spec"
	"mailsetup/steps/step"
)

// Who is to agree reads what was answered, in six lines.
func TestAnswersOfAPlan(t *testing.T) {
	one := lab(t)
	one.Host.RootAlias, one.Host.DNS = "ann@far.example", spec.DNSBind
	two := lab(t)
	two.Host.Notify, two.Host.DNS = "ops@far.example", spec.DNSManual
	shop := two.Domains[0]
	shop.Name, shop.Receive, shop.SPF.Redirect = "shop.example", true, "lab.example"
	two.Domains = append(two.Domains, shop)
	update := lab(t)
	update.Host.DNS, update.Domains[0].SignedBy = spec.DNSUpdate, spec.ByOther
	update.Domains[0].SPF = spec.SPF{All: "fail", Include: []string{"a.example", "b.example", "c.example"}}
	door := lab(t)
	door.Host.Inbound = inbound.Policy{SPF: "mark", Allow: []string{"192.0.2.7"}}
	before := lab(t)
	for _, tt := range []struct {
		name string
		want spec.Spec
		have *spec.Spec
		says string
	}{
		{"what incoming mail meets alone", door, &before, "Incoming: SPF mark, DMARC off, 1 let past\n"},
		{"what it no longer meets", before, &door, "Incoming: not checked for SPF, DMARC or block lists\n"},
		{"what it meets from the beginning", door, nil, `Domain: lab.example
Server: mail.lab.example, 192.0.2.10
Incoming: not received here; SPF mark, DMARC off, 1 let past
Records: printed in the end, for you to publish
Policies: DKIM 1024 bits, SPF ~all, DMARC none
Root: its mail stays as it is
`},
		{"a first domain", one, nil, `Domain: lab.example
Server: mail.lab.example, 192.0.2.10
Incoming: not received here
Records: in the zone that this machine's BIND serves
Policies: DKIM 1024 bits, SPF ~all, DMARC none
Root: its mail goes to ann@far.example
`},
		{"two that differ", two, nil, `Domains: lab.example, shop.example
Server: mail.lab.example, 192.0.2.10
Incoming: differs from domain to domain
Records: printed in the end, for you to publish
Policies: differs from domain to domain
Root: its mail stays as it is; records to publish go to ops@far.example
`},
		{"a further one", two, &spec.Spec{Host: two.Host, Domains: two.Domains[:1]}, `Domain: shop.example
Server: mail.lab.example, 192.0.2.10
Incoming: received here, by an MX record
Records: printed in the end, for you to publish
Policies: DKIM 1024 bits, SPF as lab.example, DMARC none
Root: its mail stays as it is; records to publish go to ops@far.example
`},
		{"updates, and another signer", update, nil, `Domain: lab.example
Server: mail.lab.example, 192.0.2.10
Incoming: not received here
Records: sent to the zone's primary as dynamic updates
Policies: DKIM by another signer, SPF -all with a.example, b.example and 1 more, DMARC none
Root: its mail stays as it is
`},
		{"nothing new", one, &one, ""},
	} {
		w := newWorld(t, "")
		r := w.request(tt.want, files("x", "/etc/x"))
		r.Have = tt.have
		d, err := w.plan(r)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, a := range d.Plan.Answers {
			got.WriteString(a.Name + ": " + a.Text + "\n")
		}
		if diff := cmp.Diff(tt.says, got.String()); diff != "" {
			t.Errorf("%s:\n%s", tt.name, diff)
		}
	}
}

// After a no, or Ctrl-C, the command is printed that comes back to the question with
// what was answered until then.
func TestTheSameCommandAgain(t *testing.T) {
	command := []string{"mailsetup", "init", "--domain", "lab.example", "--root-alias", "ann o'hara@far.example"}
	interrupted := errors.New("interrupted")
	for _, tt := range []struct {
		name    string
		say     func(*world)
		steps   []step.Step
		command []string
		want    []string
	}{
		{
			"a no", func(w *world) { w.answers["Do this?"] = false }, nil, command,
			[]string{`mailsetup init --domain lab.example --root-alias 'ann o'\''hara@far.example'`},
		},
		{
			"Ctrl-C", func(w *world) { w.leaves = interrupted }, nil, command[:4],
			[]string{"mailsetup init --domain lab.example"},
		},
		{"nobody was asked", func(w *world) { w.answers["Do this?"] = false }, nil, nil, nil},
		{
			"after questions", func(w *world) {
				w.answers["Do this?"], w.answers[askSubmission.ID] = false, true
			},
			[]step.Step{asking(askSubmission, askBounces)},
			command[:4],
			[]string{"mailsetup init --domain lab.example --service-milters merge --sign-bounces no"},
		},
		{
			"a no to what cannot stay", func(w *world) { w.answers[askBounces.ID] = true },
			[]step.Step{asking(askBounces, askOverride)},
			command[:4],
			[]string{"mailsetup init --domain lab.example --sign-bounces yes"},
		},
		{
			"answers that no flag has", func(w *world) { w.answers["Do this?"], w.answers[askSPF.ID] = false, true },
			[]step.Step{asking(askSPF, askDMARC)},
			command[:4],
			[]string{"mailsetup init --domain lab.example"},
		},
	} {
		w := newWorld(t, "")
		tt.say(w)
		r := w.request(lab(t), append(tt.steps, files("x", "/etc/x"))...)
		r.Command = tt.command
		_, err := w.run(r)
		if err == nil || !slices.Equal(hint.Of(err), tt.want) {
			t.Errorf("%s: %v, hints %q", tt.name, err, hint.Of(err))
		}
		if tt.name == "Ctrl-C" && !errors.Is(err, interrupted) {
			t.Errorf("%v", err)
		}
	}
}
