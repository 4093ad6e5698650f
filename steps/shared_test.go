package steps

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// remove-domain has no --dns: the way out is in the domain's file.
func TestARemovedDomainWhoseZoneIsUnfit(t *testing.T) {
	in := without(served(t), false)
	z := &in.Facts.Zones[1]
	z.Problem, z.Hint = "it takes dynamic updates", "rndc freeze shop.example; or --dns manual"
	_, err := Build(in)
	refused, ok := errors.AsType[*Refusal](err)
	if !ok {
		t.Fatalf("error %v", err)
	}
	if refused.What != "zone shop.example.: it takes dynamic updates" ||
		refused.Hint != `mend that, or set dns = "manual" in /etc/mailsetup/domains.d/shop.example.toml; then run it again` || len(refused.Then) > 0 {
		t.Errorf("%s\nhint: %s\nthen: %q", refused.What, refused.Hint, refused.Then)
	}
	in.Removed[0].DNS = spec.DNSManual
	if _, err := Build(in); err != nil {
		t.Errorf("after that: %v", err)
	}
}

// shared is two domains in one zone here, whose records are served.
func shared(t *testing.T) Input {
	t.Helper()
	in := served(t)
	in.Spec.Domains[1].Name = "shop.lab.example"
	in.Keys["shop.lab.example"] = in.Keys["shop.example"]
	delete(in.Keys, "shop.example")
	in.Facts.Zones = in.Facts.Zones[:1]
	in.Facts.Zones[0].Ours = slices.Concat(records(in, in.Spec.Domains[0]), records(in, in.Spec.Domains[1]))
	return in
}

// What a domain has in a zone stays there when it is published in another way:
// it signs, and the new place may not have its key yet.
func TestADomainThatIsPublishedElsewhereStaysInTheSharedZone(t *testing.T) {
	for _, mode := range []spec.DNSMode{spec.DNSManual, spec.DNSUpdate} {
		in := shared(t)
		before := fragmentOf(t, in, "lab.example")
		in.Spec.Domains[1].DNS = mode
		in.Facts.Updated = []state.Zone{{Origin: "shop.lab.example.", Update: &state.Updater{Server: "192.0.2.53:53"}}}
		st, notes, err := files(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := fragmentOf(t, in, "lab.example"); got != before || strings.Count(got, "shop.lab.example.") != 3 {
			t.Errorf("%s: the fragment was\n%s\nis\n%s", mode, before, got)
		}
		if gone := st.Units[0].Settled[1].Gone; len(gone) > 0 {
			t.Errorf("%s: gone %q", mode, lines(gone))
		}
		want := state.Note{
			Topic: "dns",
			Text:  "the zone lab.example of this machine's BIND still has 3 records of shop.lab.example that are no longer kept up to date",
			Do:    "once the records are elsewhere: take them out of /etc/bind/mailsetup/lab.example.zone, raise the serial of /etc/bind/db.lab.example, rndc reload",
		}
		if !slices.Contains(notes, want) {
			t.Errorf("%s: notes %+v", mode, notes)
		}
	}
}
