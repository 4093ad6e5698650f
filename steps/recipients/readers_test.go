package recipients_test

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/steps/recipients"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

var (
	somebody = state.Recipient{End: state.EndMailbox, Class: state.ClassLocal}
	nobody   = state.Recipient{End: state.EndNobody, Class: state.ClassLocal, Why: "there is no user or alias here"}
)

// Which addresses are looked at: those of the host in a run about all, and those of
// the domains in the scope. Reports to a web address go to no mailbox.
func TestAddressesThatSomebodyIsToRead(t *testing.T) {
	in := steptest.Two("mail.lab.example", "shop.example")
	in.Spec.Host.RootAlias, in.Spec.Host.Notify = "wile@lab.example", "ops@vendor.example"
	in.Spec.Domains[1].DMARC.RUA = []string{"https://vendor.example/in", "mailto:shop@lab.example"}
	in.Spec.Domains[1].DMARC.RUF = []string{"mailto:shop@shop.example"}
	for name, tt := range map[string]struct {
		scope step.Scope
		want  string
	}{
		"all":           {step.Scope{}, "--root-alias root, --notify ops@vendor.example, --rua ops@lab.example, --rua shop@lab.example, --ruf shop@shop.example"},
		"one domain":    {step.Only("shop.example"), "--rua shop@lab.example, --ruf shop@shop.example"},
		"none":          {step.Only(), ""},
		"all unchanged": {step.Scope{}.Skip(map[string]bool{"lab.example": true, "shop.example": true}), "--root-alias root, --notify ops@vendor.example"},
	} {
		in.Scope = tt.scope
		var got []string
		for _, a := range recipients.Addressees(in) {
			got = append(got, a.Flag+" "+a.Address)
		}
		if text := strings.Join(got, ", "); text != tt.want {
			t.Errorf("%s: %s, want %s", name, text, tt.want)
		}
	}
}

// An address that a new domain gets by default and nobody has is left out; one that
// somebody chose, that has a reader, or that DNS has already, stays.
func TestDefaultAddressesWithoutAReader(t *testing.T) {
	in := steptest.Two("mail.lab.example", "shop.example")
	in.Spec.Domains[1].DMARC.RUA = []string{"mailto:postmaster@shop.example", "mailto:ops@lab.example"}
	in.Facts.Recipients = map[string]state.Recipient{"postmaster@shop.example": nobody, "ops@lab.example": somebody}
	before := slices.Clone(in.Spec.Domains[1].DMARC.RUA)
	rua := func() string {
		return strings.Join(recipients.WithoutUnread(in).Domains[1].DMARC.RUA, " ")
	}
	in.Scope = step.Only("shop.example")
	if got := rua(); got != "mailto:ops@lab.example" {
		t.Errorf("proposed: %s", got)
	}
	if !slices.Equal(in.Spec.Domains[1].DMARC.RUA, before) {
		t.Errorf("the spec of the input has changed: %q", in.Spec.Domains[1].DMARC.RUA)
	}
	in.Scope = step.Only("lab.example")
	if got := rua(); got != strings.Join(before, " ") {
		t.Errorf("chosen: %s", got)
	}
	in.Scope = step.Only("shop.example")
	in.Facts.Live = map[string]state.LiveDNS{"_dmarc.shop.example": {TXT: []string{"v=DMARC1; p=none; rua=mailto:Postmaster@shop.example!10m"}}}
	if got := rua(); got != strings.Join(before, " ") {
		t.Errorf("in DNS already: %s", got)
	}
}

func TestWhoIsProposedForReports(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*step.Input)
		want   string
	}{
		"the host's own":   {func(in *step.Input) {}, "ops@lab.example"},
		"it has no reader": {func(in *step.Input) { in.Facts.Recipients = map[string]state.Recipient{"ops@lab.example": nobody} }, "wile@lab.example"},
		"others cannot send there": {func(in *step.Input) {
			r := somebody
			r.Refused = true
			in.Facts.Recipients = map[string]state.Recipient{"ops@lab.example": r}
		}, "wile@lab.example"},
		"there is none":                {func(in *step.Input) { in.Spec.Domains[0].DMARC.RUA = nil }, "wile@lab.example"},
		"and nobody reads root's mail": {func(in *step.Input) { in.Spec.Domains[0].DMARC.RUA, in.Spec.Host.RootAlias = nil, "" }, "ADDRESS"},
	} {
		in := steptest.Two("mail.lab.example", "shop.example")
		in.Spec.Host.RootAlias = "wile@lab.example"
		tt.change(&in)
		if got := recipients.SuggestReader(in); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
