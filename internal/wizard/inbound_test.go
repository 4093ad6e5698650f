package wizard_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/inbound"
	"mailsetup/internal/spec"
	"mailsetup/internal/wizard"
)

func askInbound(t *testing.T, o wizard.Options, rspamd bool, script string) (spec.Answers, string) {
	t.Helper()
	var said strings.Builder
	o.In, o.Out, o.Accessible = strings.NewReader(script), &said, true
	o.Propose = func(context.Context, spec.Answers) (wizard.Proposals, error) {
		return wizard.Proposals{Incoming: wizard.Incoming{
			SPF: wizard.Proposal{Value: "mark", Why: "as it is now"}, DMARC: wizard.Proposal{Value: "off", Why: "as it is now"},
			DNSBL: wizard.Proposal{Value: "bl.example=127.0.0.2", Why: "as it is now"}, Rspamd: rspamd,
		}}, nil
	}
	got, err := wizard.Ask(t.Context(), o)
	if err != nil {
		t.Fatal(err, said.String())
	}
	return got, strings.Join(strings.Fields(said.String()), " ")
}

// A server that is set up is asked about incoming mail and nothing else, and no other
// answer comes back. What a run would refuse is not offered: quarantine and reject where
// OpenDKIM verifies.
func TestOnlyIncomingMail(t *testing.T) {
	for _, tt := range []struct {
		script string
		rspamd bool
		want   inbound.Answers
	}{
		{"\n\n\n", false, inbound.Answers{Plain: true, SPF: "mark", DMARC: "off", DNSBL: []string{"bl.example=127.0.0.2"}}},
		{"reject\nquarantine\nreject\n2\nzen\nZEN.spamhaus.org=127.0.0.[2..4;9] bl.example\n", false, inbound.Answers{Plain: true, SPF: "reject", DMARC: "off", DNSBL: []string{"zen.spamhaus.org=127.0.0.[2..4;9]", "bl.example=127.0.0.[2..11]"}}},
		{"mark\nquarantine\n\n", true, inbound.Answers{Plain: true, SPF: "mark", DMARC: "quarantine", DNSBL: []string{"bl.example=127.0.0.2"}}},
		{"mark\n3\nzen.spamhaus.org=127.0.0.2\n", true, inbound.Answers{Plain: true, SPF: "mark", DMARC: "reject", DNSBL: []string{"zen.spamhaus.org=127.0.0.2"}}},
	} {
		got, said := askInbound(t, wizard.Options{Inbound: true, Fixed: spec.Answers{Inbound: inbound.Answers{Plain: true}}}, tt.rspamd, tt.script)
		if diff := cmp.Diff(spec.Answers{Inbound: tt.want}, got); diff != "" {
			t.Errorf("answers (-want +got):\n%s\n%s", diff, said)
		}
		if strings.Contains(tt.script, "zen\n") && !strings.Contains(said, `"zen" is no zone`) {
			t.Errorf("nothing about a list without a domain: %s", said)
		}
		for _, what := range []string{"what its domain asks", " quarantine "} {
			if strings.Contains(said, what) != tt.rspamd {
				t.Errorf("rspamd judges %v, and it says %q: %s", tt.rspamd, what, said)
			}
		}
	}
}

// At init it is one of the settings of a server that receives, shown with the others and
// asked about on one page.
func TestIncomingMailAtInit(t *testing.T) {
	fixed := accepted()
	fixed.DMARC, fixed.Receive = "", "yes"
	for _, tt := range []struct {
		script string
		given  inbound.Answers // by flags
		want   inbound.Answers
		shown  string
	}{
		{"1\n", inbound.Answers{}, inbound.Answers{SPF: "mark", DMARC: "mark"}, "Incoming mail: SPF mark, DMARC mark"},
		{"change\n\n\noff\n", inbound.Answers{}, inbound.Answers{SPF: "off", DMARC: "off"}, "What do SPF and DMARC do to incoming mail?"},
		{"change\n\n\nreject\n", inbound.Answers{}, inbound.Answers{SPF: "reject", DMARC: "mark"}, "undeclared forwarders"},
		{"1\n", inbound.Answers{DMARC: "mark", DNSBL: []string{"bl.example"}}, inbound.Answers{DMARC: "mark", DNSBL: []string{"bl.example"}}, "Incoming mail: SPF off, DMARC mark, block lists bl.example"},
	} {
		fixed.Inbound = tt.given
		got, said := askInbound(t, wizard.Options{Fixed: fixed}, false, tt.script)
		if diff := cmp.Diff(tt.want, got.Inbound); diff != "" || !strings.Contains(said, tt.shown) {
			t.Errorf("%q: answers (-want +got):\n%s\n%s", tt.script, diff, said)
		}
	}
	fixed.Receive, fixed.Inbound = "no", inbound.Answers{}
	if got, said := askInbound(t, wizard.Options{Fixed: fixed}, false, "1\n"); got.Inbound.Given() || strings.Contains(said, "Incoming mail") {
		t.Errorf("one that receives nothing: %+v\n%s", got.Inbound, said)
	}
}
