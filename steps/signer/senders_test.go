package signer_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

func froms(list []state.Signer) string {
	var all []string
	for _, s := range list {
		all = append(all, s.From+" by "+s.Domain)
	}
	return strings.Join(all, ", ")
}

// A message is sent of the host and of its domain, or of a domain that the run is
// about: of one that has a key.
func TestWhoseMailProvesThatItLeavesSigned(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*step.Input)
		want   string
	}{
		"the whole host":           {func(*step.Input) {}, "root@mail.lab.example by lab.example, postmaster@lab.example by lab.example"},
		"a domain of the run":      {func(in *step.Input) { in.Scope = step.Only("shop.example") }, "postmaster@shop.example by shop.example"},
		"one that signs no longer": {func(in *step.Input) { in.Scope = step.Only("gone.example") }, "root@mail.lab.example by lab.example, postmaster@lab.example by lab.example"},
		"one without a key":        {func(in *step.Input) { in.Scope = step.Only("shop.example"); delete(in.Ledger, "shop.example") }, "root@mail.lab.example by lab.example, postmaster@lab.example by lab.example"},
		"the host's has no key":    {func(in *step.Input) { delete(in.Ledger, "lab.example") }, "postmaster@shop.example by shop.example"},
		"nobody has a key":         {func(in *step.Input) { in.Ledger = keyring.Ledger{} }, ""},
		"the host is a domain":     {func(in *step.Input) { in.Spec.Host.Hostname = "shop.example" }, "postmaster@lab.example by lab.example"},
		"others sign as postmaster": {func(in *step.Input) {
			in.Scope = step.Only("shop.example")
			in.Spec.Domains[0].Also = []string{"postmaster@shop.example"}
		}, "mailsetup@shop.example by shop.example"},
	} {
		in := steptest.Two("mail.lab.example", "shop.example")
		tt.change(&in)
		if got := froms(signer.Senders(in)); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// To see whether the signer runs with what it was given, one signature is enough.
func TestProofOfOneSignature(t *testing.T) {
	in := steptest.Two("mail.lab.example", "shop.example")
	probe, ok := signer.Proof(in)
	if !ok || probe.Kind != state.ProbeSigns || froms(probe.Signers) != "root@mail.lab.example by lab.example" || probe.Within != 5*time.Second {
		t.Errorf("%v, %+v", ok, probe)
	}
	in.Ledger = keyring.Ledger{}
	if probe, ok := signer.Proof(in); ok {
		t.Errorf("no key signs, and yet %+v", probe)
	}
}

func TestTheMailNameOfAFreshPostfix(t *testing.T) {
	in := steptest.Two("mail.lab.example", "shop.example")
	if got := signer.Mailname(in); got != "lab.example" {
		t.Errorf("received here: %s", got)
	}
	in.Spec.Domains[0].Receive, in.Spec.Domains[1].Receive = false, true
	if got := signer.Mailname(in); got != "mail.lab.example" {
		t.Errorf("received elsewhere: %s", got)
	}
}

// A set-up by hand is compared with what the spec would say by itself.
func TestDefaultsOfAMachine(t *testing.T) {
	f := state.Facts{Addresses: steptest.Addrs("10.1.2.3"), Postfix: &state.Postfix{Networks: steptest.Networks("127.0.0.0/8", "10.1.0.0/16")}}
	var nets []string
	for _, n := range signer.TrustedNetworks(f) {
		nets = append(nets, n.String())
	}
	if got, want := nets, []string{"127.0.0.0/8", "::1/128", "10.1.2.3/32", "127.0.0.0/8", "10.1.0.0/16"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, rspamd := range []bool{false, true} {
		f.Rspamd = rspamd
		conf, err := signer.DefaultConf(f)
		if err != nil {
			t.Fatal(err)
		}
		mode := map[bool]string{false: "sv", true: "s"}[rspamd] // rspamd verifies already
		if text := strings.Join(strings.Fields(string(conf)), " "); !strings.Contains(text, " Mode "+mode+" ") {
			t.Errorf("rspamd %v: no Mode %s in\n%s", rspamd, mode, conf)
		}
	}
	if got := signer.KeyFile("lab.example", "s1"); got != "/etc/dkimkeys/lab.example/s1.private" {
		t.Errorf("the file of a key is %s", got)
	}
}

// Addresses that the spec names and the machine has count once each, and so do hosts
// that somebody trusts.
func TestTrustedHostsOfTheSpec(t *testing.T) {
	in := steptest.Installed()
	in.Spec.Host.Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10")}
	in.Facts.Addresses = in.Spec.Host.Addresses[:1]
	in.Spec.Host.Trusted = []string{"10.20.0.0/16", ".lab.example"}
	rows := steptest.TableRows(steptest.Content(t, steptest.Stage(t, steptest.Build(t, in), "OpenDKIM"), signer.TrustedHosts))
	for _, want := range []string{"127.0.0.1", "192.0.2.10", "2001:db8::10", "10.20.0.0/16", ".lab.example"} {
		if n := len(slices.DeleteFunc(slices.Clone(rows), func(r string) bool { return r != want })); n != 1 {
			t.Errorf("%s stands there %d times: %q", want, n, rows)
		}
	}
}

// The words of the spec that take the place of a line of ours.
func TestLinesOfTheSpecInTheConfiguration(t *testing.T) {
	in := steptest.Installed()
	in.Spec.Host.OpenDKIM = []string{"Canonicalization simple/simple", "SignHeaders From,Subject"}
	conf, err := signer.RenderConf(in)
	if err != nil {
		t.Fatal(err)
	}
	text := string(conf)
	if strings.Count(text, "\nCanonicalization") != 1 || !strings.Contains(text, "simple/simple") || !strings.Contains(text, "From,Subject") {
		t.Errorf("the configuration is\n%s", text)
	}
}
