package steps

import (
	"errors"
	"testing"

	"mailsetup/internal/spec"
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
