package main

import (
	"strings"
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
)

// twoPlans are the plan that was shown, with placeholders, and the one that is
// applied, with the key, each changed by a test.
func twoPlans(shown, applied string) (a, b plan.Plan, w *work) {
	const public, print, pem = "MIIBIjANBgkq", "SHA256:abc", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n"
	fill := func(text, public, print, pem string) plan.Plan {
		text = strings.NewReplacer("PUBLIC", public, "PRINT", print, "PEM", pem).Replace(text)
		return plan.Plan{Stages: []plan.StageChanges{{Name: "Keys", Changes: []plan.Change{{
			Op: plan.Create, Path: "/etc/x", After: state.Object{Kind: state.Regular, Content: []byte(text)},
		}}}}}
	}
	w = &work{fresh: []freshKey{{domain: "lab.example", key: keyring.Key{Public: public, Fingerprint: print}, pem: []byte(pem)}}}
	return fill(shown, keyring.Placeholder, "", keyring.Placeholder), fill(applied, public, print, pem), w
}

// What could not be known when the plan was shown may differ, and no more.
func TestForget(t *testing.T) {
	for _, tt := range []struct {
		name, shown, applied string
		same                 bool
	}{
		{"a key and its place", "p=PUBLIC f=PRINT;", "p=PUBLIC f=PRINT;", true},
		{"the private key", "PEM", "PEM", true},
		{"one string becomes several", `TXT "v=DKIM1; p=PUBLIC"`, "TXT (\n\t\"v=DKIM1; p=MIIBIj\"\n\t\"ANBgkq\" )", true},
		{"the stamp of a fragment", "a ; mailsetup 01234567", "a ; mailsetup 89abcdef", true},
		{"another selector", "s1._domainkey p=PUBLIC", "s2._domainkey p=PUBLIC", false},
		{"something added", "p=PUBLIC", "p=PUBLIC\nevil IN A 192.0.2.66", false},
		{"a key that is not ours", "p=PUBLIC", "p=MIIBother", false},
		{"something missing", "p=PUBLIC; more", "p=PUBLIC", false},
		{"no key at all", "p=PUBLIC x", "y", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b, w := twoPlans(tt.shown, tt.applied)
			if diff := plan.Same(a, b, w.forget()); (len(diff) == 0) != tt.same {
				t.Errorf("differences: %q", diff)
			}
		})
	}
}

// Before any key is made there is nothing to forget.
func TestForgetWithoutKeys(t *testing.T) {
	w := &work{}
	if a, b := string(w.forget()([]byte("x 1"))), string(w.forget()([]byte("x 2"))); a == b {
		t.Errorf("%q and %q count as equal", a, b)
	}
}
