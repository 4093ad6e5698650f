package spec_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
)

// wrongForms are values of a wrong kind, and such that are no TOML.
var wrongForms = []string{`5`, `"5"`, `yes`, `["5"]`, `05`, `5.0`, `{ x = 1 }`, `soon`, ``, `"open`, `“5”`}

// Who writes a value in a form that a key does not take reads the line's number, one
// line, and a hint; and who then writes what the hint says is not told of its form again.
func TestHintsCanBeFollowed(t *testing.T) {
	keys := strings.Fields("ttl key_bits receive new_zone subdomains partial ns keep also identities wildcard_records signed_by dns drain rotate_every lag revoke repair " +
		"spf.all spf.include spf.redirect dmarc.policy dmarc.subdomain_policy dmarc.adkim dmarc.aspf dmarc.rua dmarc.ruf rfc2136.server rfc2136.key_file")
	followed := 0
	for _, key := range keys {
		for _, value := range wrongForms {
			first := func(line string) (syntax.Finding, bool) {
				_, err := parse("", line+"\n")
				f, _ := err.(syntax.Findings)
				if len(f) == 0 || !strings.Contains(f[0].Field, ".toml:") { // right, or wrong beside others
					return syntax.Finding{}, false
				}
				return f[0], true
			}
			f, wrong := first(key + " = " + value)
			if !wrong {
				continue
			}
			if !strings.HasPrefix(f.Field, "/etc/mailsetup/domains.d/shop.example.toml:3") || f.Hint == "" || strings.Contains(f.String(), "\n") || strings.Contains(f.String(), "map[") {
				t.Errorf("%s = %s: %s", key, value, f)
			}
			line, is := strings.CutPrefix(f.Hint, "write: ")
			if !is {
				continue
			}
			followed++
			if again, wrong := first(line); wrong && (strings.HasPrefix(again.Hint, "write: ") || strings.Contains(again.Text, "takes ")) {
				t.Errorf("%s = %s: the hint says %q, and that is answered by %s", key, value, line, again)
			}
		}
	}
	if followed < 120 {
		t.Errorf("only %d hints were followed", followed)
	}
}

// A key that is nearly right is told with its line, in whichever table it stands, and
// nothing is taken from it.
func TestNearlyRightKeysAreTold(t *testing.T) {
	for _, key := range strings.Fields("domian ttls TTL Ttl key-bits keybits recieve new_zones rotate-every spf_all spf.ALL spf.includes Spf.all dmarc.p dmarc.sp rfc2136.servers rfc2136.key addresses hostname version trusted") {
		_, err := parse("", key+" = \"x\"\n")
		f, _ := err.(syntax.Findings)
		if len(f) == 0 || f[len(f)-1].Text != "is no key of this file" || !strings.HasPrefix(f[len(f)-1].Field, "/etc/mailsetup/domains.d/shop.example.toml:3: "+key) {
			t.Errorf("%s: %v", key, err)
		}
	}
	for _, key := range strings.Fields("Hostname host ip spf.redirects rotate leave_service signed_by receive new_zone also partial identities") {
		_, err := parse(key+" = \"x\"\n", "")
		f, _ := err.(syntax.Findings)
		if len(f) != 1 || f[0].Text != "is no key of this file" || f[0].Field != "/etc/mailsetup/host.toml:5: "+key && !strings.HasPrefix(f[0].Field, "/etc/mailsetup/host.toml:5: "+key[:3]) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// A change of answers about the host edits the lines of those answers in host.toml.
// Every remark stays; what is read says what was wanted; again, it changes nothing.
func TestHostEditsTouchOnlyTheirLines(t *testing.T) {
	edited := 0
	for seed := range uint64(50) {
		c := chooser{rand.New(rand.NewPCG(seed, 952))}
		before, after := c.host(), c.host()
		if after.Defaults.KeyBits == 0 {
			after.Defaults = before.Defaults // answers never take one back
		}
		after.Addresses = []netip.Addr{netip.MustParseAddr("203.0.113.9")}
		old := remarked(c, spec.MarshalHost(before))
		got, err := spec.SetHost([]byte(old), after)
		if err != nil {
			t.Fatalf("seed %d: %v in\n%s", seed, err, old)
		}
		checkEdit(t, seed, old, string(got))
		read, err := spec.Parse(got, map[string][]byte{"lab.example": shortFile("lab.example")})
		if err != nil {
			t.Fatalf("seed %d: %v in\n%s", seed, err, got)
		}
		if d := sameSpec(after, read.Host); d != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, d)
		}
		again, err := spec.SetHost(got, after)
		if err != nil || string(again) != string(got) {
			t.Errorf("seed %d: done again, it changes the file (%v)", seed, err)
		}
		same, err := spec.SetHost([]byte(old), before)
		if err != nil || string(same) != old {
			t.Errorf("seed %d: what it says already changes the file (%v)", seed, err)
		}
		if kept := slices.Collect(strings.Lines(old)); string(got) != old && len(kept) > 10 {
			edited++
		}
	}
	if edited < 45 {
		t.Errorf("only %d files were changed", edited)
	}
}
