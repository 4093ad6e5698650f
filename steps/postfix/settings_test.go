package postfix_test

import (
	"maps"
	"slices"
	"testing"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// What Postfix will deliver here decides who reads root's mail, so it is known before
// the package is installed.
func TestSettingsAsARunLeavesThem(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*step.Input)
		want   map[string]string
	}{
		"a Postfix that this run installs": {func(in *step.Input) { in.Facts.Postfix = nil }, map[string]string{
			"myhostname": "mail.lab.example", "myorigin": "lab.example",
			"mydestination": "mail.lab.example, lab.example, localhost.lab.example, localhost",
			"alias_maps":    "hash:/etc/aliases", "local_transport": "local:mail.lab.example",
		}},
		"for a domain that is received elsewhere": {func(in *step.Input) { in.Facts.Postfix, in.Spec.Domains[0].Receive = nil, false }, map[string]string{
			"myorigin": "mail.lab.example", "mydestination": "mail.lab.example, mail.lab.example, localhost.lab.example, localhost",
		}},
		"for a host that is named like its domain": {func(in *step.Input) {
			in.Facts.Postfix, in.Spec.Domains[0].Receive = nil, false
			in.Spec.Host.Hostname = "lab.example"
		}, map[string]string{"myhostname": "lab.example", "mydestination": "localhost"}},
		"with further domains": {func(in *step.Input) {
			in.Facts.Postfix = nil
			in.Spec.Domains = append(in.Spec.Domains, spec.Domain{Name: "shop.example", Receive: true}, spec.Domain{Name: "far.example"})
		}, map[string]string{"mydestination": "mail.lab.example, lab.example, localhost.lab.example, localhost, shop.example"}},
		"further domains, and a host that is named like its domain": {func(in *step.Input) {
			in.Facts.Postfix, in.Spec.Domains[0].Receive = nil, false
			in.Spec.Host.Hostname = "lab.example"
			in.Spec.Domains = append(in.Spec.Domains, spec.Domain{Name: "shop.example", Receive: true})
		}, map[string]string{"mydestination": "localhost, shop.example"}},
		"one that this run installed, with further domains": {func(in *step.Input) {
			in.Facts.Postfix.Fresh = true
			in.Spec.Domains = append(in.Spec.Domains, spec.Domain{Name: "shop.example", Receive: true})
		}, map[string]string{"mydestination": "mail.lab.example, lab.example, localhost.lab.example, localhost, shop.example"}},
		"one that was here before, with further domains": {func(in *step.Input) {
			in.Spec.Domains = append(in.Spec.Domains, spec.Domain{Name: "shop.example", Receive: true})
		}, map[string]string{"mydestination": "mail.lab.example, lab.example, localhost"}},
		"one that was here before": {func(in *step.Input) { in.Facts.Postfix.Value["myhostname"] = "old.lab.example" }, map[string]string{
			"myhostname": "old.lab.example", "mydestination": "mail.lab.example, lab.example, localhost", "local_transport": "",
		}},
		"one that an earlier run installed": {func(in *step.Input) {
			in.Facts.Postfix.Fresh, in.Facts.Postfix.Value["myhostname"] = true, "localhost.localdomain"
		}, map[string]string{"myhostname": "mail.lab.example", "mydestination": "mail.lab.example, lab.example, localhost, mail.lab.example"}},
	} {
		in := steptest.Installed()
		tt.change(&in)
		before := maps.Clone(map[string]string{})
		if in.Facts.Postfix != nil {
			before = maps.Clone(in.Facts.Postfix.Value)
		}
		got := postfix.Settings(in)
		for parameter, want := range tt.want {
			if got[parameter] != want {
				t.Errorf("%s: %s = %q, want %q", name, parameter, got[parameter], want)
			}
		}
		if in.Facts.Postfix != nil && !maps.Equal(before, in.Facts.Postfix.Value) {
			t.Errorf("%s: the facts have changed", name)
		}
	}
}

// Domains whose mailboxes are here and that nobody asked to sign for: a signer that
// does it must go on. Names of the host itself are none of them.
func TestOtherDomainsOfThisServer(t *testing.T) {
	in := steptest.Installed()
	in.Facts.Postfix.Value["mydestination"] = "mail.lab.example, lab.example, localhost.lab.example, localhost, Old.example, $mydomain"
	in.Facts.Postfix.Value["virtual_mailbox_domains"] = "shop.example old.example"
	in.Facts.Postfix.Value["virtual_alias_domains"] = "hash:/etc/postfix/domains, lab.example"
	if got, want := postfix.OtherDomains(in), []string{"old.example", "shop.example"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	in.Spec.Domains = append(in.Spec.Domains, spec.Domain{Name: "shop.example"})
	if got := postfix.OtherDomains(in); !slices.Equal(got, []string{"old.example"}) {
		t.Errorf("shop.example is known: %q", got)
	}
	in.Facts.Postfix = nil
	if got := postfix.OtherDomains(in); len(got) > 0 {
		t.Errorf("without Postfix: %q", got)
	}
}

// A key is taken over from the milter whose file made the signature, and the question
// says of how many domains that is true.
func TestWhoseKeysAreTakenOver(t *testing.T) {
	signs := func(domain string, key state.Path) state.Signature {
		return state.Signature{From: "postmaster@" + domain, Domain: domain, Selector: "s", Key: key}
	}
	for name, tt := range map[string]struct {
		signatures []state.Signature
		domain     string
		want       bool
	}{
		"the file is known":      {[]state.Signature{signs("lab.example", "/etc/opendkim/keys/s.private")}, "lab.example", true},
		"the file is not known":  {[]state.Signature{signs("lab.example", "")}, "lab.example", false},
		"it is of another":       {[]state.Signature{signs("shop.example", "/etc/opendkim/keys/s.private")}, "lab.example", false},
		"the second is of a key": {[]state.Signature{signs("lab.example", ""), signs("lab.example", "/k")}, "lab.example", true},
		"nobody signs":           {nil, "lab.example", false},
	} {
		got, ok := postfix.SignatureWithKey(state.Milter{Signatures: tt.signatures}, tt.domain)
		if ok != tt.want || ok && (got.Domain != tt.domain || got.Key == "") {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
}

// The run is about the whole host where OpenDKIM begins to sign.
func TestWhetherOpenDKIMBeginsToSign(t *testing.T) {
	ours, theirs := steptest.Bare().Spec, steptest.Bare().Spec
	theirs.Domains = slices.Clone(theirs.Domains)
	theirs.Domains[0].SignedBy = "inet:localhost:11332"
	keys := steptest.Bare().Ledger
	for name, tt := range map[string]struct {
		old, want spec.Spec
		keys      bool
		begins    bool
	}{
		"a domain of ours beside theirs": {theirs, ours, false, true},
		"theirs beside theirs":           {theirs, theirs, false, false},
		"it signed before":               {ours, ours, true, false},
		"it has a key in DNS still":      {theirs, ours, true, false},
	} {
		ledger := keys
		if !tt.keys {
			ledger = nil
		}
		if got := postfix.BeginsToSign(tt.old, tt.want, ledger); got != tt.begins {
			t.Errorf("%s: %v", name, got)
		}
	}
}
