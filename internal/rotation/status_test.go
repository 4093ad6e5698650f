package rotation_test

import (
	"testing"

	"mailsetup/internal/inbound"
)

// What incoming mail meets is told of a server, and not of one of its domains.
func TestStatusTellsOfIncomingMail(t *testing.T) {
	s := threeServed(t)
	told := func(domains ...string) string {
		st, err := s.rotator().Status(domains)
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, n := range st.Notes {
			if n.Topic == "inbound" {
				text += n.Text + " -> " + n.Action
			}
		}
		return text
	}
	if got := told(); got != "" {
		t.Errorf("nothing is checked: %q", got)
	}
	s.sp.Host.Inbound = inbound.Policy{SPF: "mark", DNSBL: []string{"bl.example=127.0.0.2"}, Allow: []string{"192.0.2.7"}}
	if got := told(); got != "incoming mail: SPF mark, DMARC off, 1 block list, 1 let past -> mailsetup inbound" {
		t.Errorf("told %q", got)
	}
	if got := told("a.example"); got != "" {
		t.Errorf("of a domain: %q", got)
	}
}
