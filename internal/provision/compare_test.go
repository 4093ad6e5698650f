package provision_test

import (
	"strings"
	"testing"
	"time"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/plan"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// public is a public key of 2048 bits in length, 392 characters of base64.
var public = "MIIBIjANBgkq" + strings.Repeat("abcdefgh/+", 38)

func newKey(public string) dkimkeys.Pair {
	n := dkimkeys.NewPair(spec.Domain{Name: "lab.example", KeyBits: 2048}, "s1", time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))
	n.Key.Public, n.Key.Fingerprint, n.PEM = public, "SHA256:abc", []byte("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n")
	return n
}

// What could not be known when the plan was shown may differ, and not one octet
// more: white space, quotes and parentheses have a meaning in every file.
func TestDifferences(t *testing.T) {
	const fragment, zone = "/etc/bind/mailsetup/lab.example.zone", "/etc/bind/db.lab.example"
	plans := func(texts ...string) plan.Plan {
		var changes []plan.Change
		for i := 0; i < len(texts); i += 2 {
			changes = append(changes, plan.Change{
				Op: plan.Create, Path: state.Path(texts[i]), After: state.Object{Kind: state.Regular, Content: []byte(texts[i+1])},
			})
		}
		return plan.Plan{Stages: []plan.StageChanges{{Name: "Keys", Changes: changes}}}
	}
	const held = "(public key, made after you confirm)"
	long := "s1._domainkey.lab.example. 3600 IN TXT (\n\t\"v=DKIM1; h=sha256; k=rsa; p=" + public[:227] + "\"\n\t\"" + public[227:] + "\" )\n"
	short := "s1._domainkey.lab.example. 3600 IN TXT (\n\t\"v=DKIM1; h=sha256; k=rsa; p=" + held + "\" )\n"
	for _, tt := range []struct {
		name           string
		shown, applied plan.Plan
		same           bool
	}{
		{"a key and its fingerprint", plans("/etc/x", "p="+held+" f=;"), plans("/etc/x", "p="+public+" f=SHA256:abc;"), true},
		{"one string becomes two", plans(fragment, short), plans(fragment, long), true},
		{
			"the stamp of a fragment with the key",
			// printf "s1._domainkey…" | sha256sum, for each of the two.
			plans(fragment, "p="+held+"\n", zone, "$INCLUDE \"x\" lab.example. ; mailsetup --9477f1\n"),
			plans(fragment, "p="+public+"\n", zone, "$INCLUDE \"x\" lab.example. ; mailsetup b0425681\n"), true,
		},
		{"the stamp of something else", plans(zone, "; mailsetup 01234567"), plans(zone, "; mailsetup 89abcdef"), false},
		{"white space", plans("/etc/x", "10.0.0.0/8 192.168.0.0/16"), plans("/etc/x", "10.0.0.0/8192.168.0.0/16"), false},
		{"quotes", plans("/etc/x", `a "b c"`), plans("/etc/x", `a b c`), false},
		{"parentheses", plans("/etc/x", "a (b)"), plans("/etc/x", "a b"), false},
		{"a final newline", plans("/etc/x", "a\n"), plans("/etc/x", "a"), false},
		{"a record broken elsewhere", plans(fragment, short), plans(fragment, strings.Replace(long, "\n\t", " ", 1)), false},
		{"another selector", plans("/etc/x", "s1._domainkey p="+held), plans("/etc/x", "s2._domainkey p="+public), false},
		{"something added", plans("/etc/x", "p="+held), plans("/etc/x", "p="+public+"\nevil IN A 192.0.2.66"), false},
		{"a key that is not ours", plans("/etc/x", "p="+held), plans("/etc/x", "p=MIIBother"), false},
		{"something missing", plans("/etc/x", "p="+held+"; more"), plans("/etc/x", "p="+public), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := provision.Differences(tt.shown, tt.applied, []dkimkeys.Pair{newKey(public)}); (len(diff) == 0) != tt.same {
				t.Errorf("differences: %q", diff)
			}
		})
	}
	if diff := provision.Differences(plans("/etc/x", "x 1"), plans("/etc/x", "x 2"), nil); len(diff) != 1 {
		t.Errorf("without new keys: %q, want one difference", diff)
	}
}
