package wizard_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/spec"
	"mailsetup/internal/wizard"
)

// What a record says already is proposed, with the reason, and taken with the
// settings as they are shown.
func TestSettingsOfExistingRecords(t *testing.T) {
	var said strings.Builder
	fixed := accepted()
	fixed.SPFAll, fixed.SPFInclude, fixed.DMARC = "", nil, ""
	got, err := wizard.Ask(t.Context(), wizard.Options{
		In: strings.NewReader("1\n"), Out: &said, Accessible: true, Fixed: fixed,
		Propose: func(context.Context, spec.Answers) (wizard.Proposals, error) {
			return wizard.Proposals{
				SPFAll:     wizard.Proposal{Value: "fail", Why: "your zone says so"},
				SPFInclude: wizard.Proposal{Value: "_spf.news.example _spf.tickets.example", Why: "your zone says so"},
				DMARC:      wizard.Proposal{Value: "reject", Why: "DNS says so"},
			}, nil
		},
	})
	if err != nil {
		t.Fatal(err, said.String())
	}
	want := accepted()
	want.SPFAll, want.SPFInclude, want.DMARC = "fail", []string{"_spf.news.example", "_spf.tickets.example"}, "reject"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	for _, text := range []string{"_spf.tickets.example may send too, your zone says so", "p=reject, DNS says so"} {
		if !strings.Contains(strings.ReplaceAll(said.String(), "\n", " "), text) {
			t.Errorf("nothing about %q:\n%s", text, said.String())
		}
	}
}

// Where another domain's SPF record decides, nothing is asked about one of the
// domain's own, and nothing answered.
func TestSPFOfAnotherDomain(t *testing.T) {
	for name, script := range map[string]string{
		"as shown": "1\n", "one by one": lines("2", "", "", "", ""),
	} {
		var said strings.Builder
		fixed := spec.Answers{
			Domain: "shop.example", Hostname: "mail.lab.example", Addresses: []string{"192.0.2.10"}, RootAlias: "ann",
			DNS: "manual", Receive: "no", Notify: "none",
		}
		got, err := wizard.Ask(t.Context(), wizard.Options{
			In: strings.NewReader(script), Out: &said, Accessible: true, Fixed: fixed,
			Propose: func(context.Context, spec.Answers) (wizard.Proposals, error) {
				return wizard.Proposals{
					Selector:    wizard.Proposal{Value: "mail"},
					SPFRedirect: wizard.Proposal{Value: "_spf.relay.example", Why: "the default in host.toml"},
				}, nil
			},
		})
		if err != nil {
			t.Fatal(name, err, said.String())
		}
		want := fixed
		want.Selector, want.KeyBits, want.DMARC, want.MilterDefaultAction = "mail", "2048", "none", "tempfail"
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: answers (-want +got):\n%s", name, diff)
		}
		text := strings.Join(strings.Fields(said.String()), " ")
		if !strings.Contains(text, "SPF: the record of _spf.relay.example decides (the default in host.toml)") || strings.Contains(text, "softfail") {
			t.Errorf("%s: said:\n%s", name, said.String())
		}
	}
}
