package steps_test

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/records"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

func TestTheHostHasOneSPFRecordWhateverTheDomains(t *testing.T) {
	for _, in := range []step.Input{steptest.Two("mail.lab.example", "shop.example"), steptest.Two("shop.example", "shop.example")} {
		host := in.Spec.Host.Hostname + "."
		for _, mode := range []spec.DNSMode{spec.DNSBind, spec.DNSManual} {
			in.Spec.Host.DNS = mode
			want := steptest.Build(t, in)
			text := ""
			for _, f := range steptest.Stage(t, want, "Zone").Files {
				text += string(f.Content)
			}
			for _, n := range want.Notes {
				if mode == spec.DNSManual && n.Topic == "dns" {
					text += n.Do
				}
			}
			spf, addresses := 0, 0
			for line := range strings.Lines(text) {
				if !strings.Contains(line, " IN ") {
					continue // of the lines for a web form
				}
				if strings.HasPrefix(line, host) && strings.Contains(line, "v=spf1") {
					spf++
				}
				if strings.HasPrefix(line, host) && strings.Contains(line, "192.0.2.10") && !strings.Contains(line, "spf1") {
					addresses++
				}
			}
			if spf != 1 || addresses != 1 {
				t.Errorf("%s with %s: %d SPF records and %d addresses:\n%s", host, mode, spf, addresses, text)
			}
		}
	}
}

func TestAHostNamedLikeASecondDomainSignsWithItsKey(t *testing.T) {
	in := steptest.Two("shop.example", "shop.example")
	for _, p := range steptest.Stage(t, steptest.Build(t, in), "OpenDKIM").Units[0].Settled {
		for _, s := range p.Signers {
			if strings.HasSuffix(s.From, "@shop.example") && s.Domain != "shop.example" {
				t.Errorf("%s is expected to be signed by %s", s.From, s.Domain)
			}
		}
	}
}

func TestTheHostInAZoneThatCannotBeEditedIsOnlyMentioned(t *testing.T) {
	in := steptest.Bare()
	in.Spec.Host.Hostname = "mail.shop.example"
	in.Facts.Zones = append(in.Facts.Zones, state.Zone{Origin: "shop.example.", Kind: "secondary", Problem: "it is a secondary zone here"})
	if notes := steptest.Build(t, in).Notes; !slices.ContainsFunc(notes, func(n state.Note) bool { return strings.Contains(n.Text, "holds mail.shop.example") }) {
		t.Errorf("nobody speaks of mail.shop.example: %v", notes)
	}
}

func TestAFragmentThatTheZoneNoLongerNeedsIsEmptied(t *testing.T) {
	in := steptest.Bare()
	z := &in.Facts.Zones[0]
	z.Records = append(z.Records, records.ForDomain(in.Spec.Host, in.Spec.Domains[0], in.Keys["lab.example"])...)
	if st := steptest.Stage(t, steptest.Build(t, in), "Zone"); len(st.Files) != 0 {
		t.Errorf("the zone has everything, and gets %v", st.Files)
	}
	z.Content = []byte("$INCLUDE \"/etc/bind/mailsetup/lab.example.zone\" lab.example. ; mailsetup 01234567\n")
	text := steptest.Content(t, steptest.Stage(t, steptest.Build(t, in), "Zone"), "/etc/bind/mailsetup/lab.example.zone")
	if rows := steptest.TableRows(strings.ReplaceAll(text, ";", "#")); len(rows) != 0 {
		t.Errorf("the fragment repeats what the zone has: %q", rows)
	}
}

func TestAFragmentIsNotForgottenWhenTheRecordsMoveAway(t *testing.T) {
	speaks := func(in step.Input) bool {
		return slices.ContainsFunc(steptest.Build(t, in).Notes, func(n state.Note) bool {
			return strings.Contains(n.Text, "/etc/bind/mailsetup/lab.example.zone") && strings.Contains(n.Do, "/etc/bind/db.lab.example")
		})
	}
	in := steptest.Bare()
	in.Spec.Host.DNS = spec.DNSManual
	if speaks(in) {
		t.Error("a fragment that never was is spoken of")
	}
	in.Facts.Zones[0].Content = []byte("$INCLUDE \"/etc/bind/mailsetup/lab.example.zone\" lab.example.\n")
	if !speaks(in) {
		t.Error("nobody says that the zone still takes in the fragment")
	}
}

func TestAFreshHostNamedLikeItsDomainDoesNotSwallowTheDomainsMail(t *testing.T) {
	in := steptest.Bare()
	in.Spec.Host.Hostname, in.Spec.Domains[0].Receive = "lab.example", false
	set := func() map[string]string {
		m := map[string]string{}
		for _, s := range steptest.Stage(t, steptest.Build(t, in), "Postfix").Edits[0].(state.PostfixEdit).Set {
			m[s.Name] = s.Value
		}
		return m
	}
	if got := set()["mydestination"]; got != "localhost" {
		t.Errorf("mydestination is %q", got)
	}
	in.Facts.Postfix = steptest.Installed().Facts.Postfix
	if got, ok := set()["mydestination"]; ok {
		t.Errorf("an existing mydestination is set to %q", got)
	}
}

func TestNetworksThatTrustedHostsCannotSayAreNamed(t *testing.T) {
	in := steptest.Installed()
	in.Facts.Postfix.OtherNetworks = []string{"hash:/etc/postfix/nets", "!10.0.0.1"}
	if notes := steptest.Build(t, in).Notes; !slices.ContainsFunc(notes, func(n state.Note) bool {
		return n.Topic == "mynetworks" && strings.Contains(n.Text, "hash:/etc/postfix/nets !10.0.0.1")
	}) {
		t.Errorf("nobody speaks of them: %v", notes)
	}
}

// A flag without --domain means the primary domain: what a note says to type
// must be about the domain it names.
func TestTheNoteOnReportsNamesItsDomain(t *testing.T) {
	in := steptest.Two("mail.lab.example", "shop.example")
	for i := range in.Spec.Domains {
		in.Spec.Domains[i].DMARC.RUA = nil
	}
	var got []string
	for _, n := range steps.Advice(in) {
		if n.Topic == "dmarc" {
			got = append(got, n.Do)
		}
	}
	want := []string{
		"mailsetup init --rua ADDRESS",
		"mailsetup init --domain shop.example --rua ADDRESS",
	}
	if !slices.Equal(got, want) {
		t.Errorf("notes say\n%q, want\n%q", got, want)
	}
}

// The host's name may be below a domain of this server and be signed by
// another one all the same.
func TestAlignmentIsWithTheDomainThatSigns(t *testing.T) {
	for _, tt := range []struct{ hostname, primary, do string }{
		{"mail.lab.example", "lab.example", ""},
		{"mail.shop.example", "lab.example", `set domain = "shop.example" in /etc/mailsetup/host.toml, then run mailsetup init again`},
		{"shop.example", "lab.example", ""}, // has a key of its own
	} {
		in := steptest.Two(tt.hostname, "shop.example")
		in.Spec.Host.Domain = tt.primary
		in.Facts.Postfix.Value["myhostname"], in.Facts.Postfix.Value["myorigin"] = tt.hostname, tt.hostname
		do := ""
		for _, n := range steptest.Build(t, in).Notes {
			if n.Topic == "alignment" {
				do = n.Do
			}
		}
		if do != tt.do {
			t.Errorf("%s signed by %s: the note says %q, want %q", tt.hostname, tt.primary, do, tt.do)
		}
	}
}

func TestASignerThatLostItsSocketIsRestarted(t *testing.T) {
	in := steptest.Installed()
	in.Facts.Files = map[state.Path][]byte{}
	in.Facts.Files[signer.ConfFile] = []byte(steptest.Content(t, steptest.Stage(t, steptest.Build(t, in), "OpenDKIM"), signer.ConfFile))
	in.Facts.OpenDKIM.Deaf = true
	if got := steptest.Stage(t, steptest.Build(t, in), "OpenDKIM").Units[0].Action; got != state.Restart {
		t.Errorf("%s, want restart: a reload makes no socket", got)
	}
}

func TestNotesOnWhatMailWouldMiss(t *testing.T) {
	for _, c := range []struct {
		name, topic string
		spoil       func(in *step.Input)
		want        bool
	}{
		{"on every address", "inet_interfaces", listens("all"), false},
		{"on the loopback only", "inet_interfaces", listens("loopback-only"), true},
		{"on localhost", "inet_interfaces", listens("localhost"), true},
		{"on an address as well", "inet_interfaces", listens("192.0.2.10, localhost"), false},
		{"where nothing is received", "inet_interfaces", func(in *step.Input) {
			listens("loopback-only")(in)
			in.Spec.Domains[0].Receive = false
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := steptest.Installed()
			c.spoil(&in)
			notes := steptest.Build(t, in).Notes
			got := slices.ContainsFunc(notes, func(n state.Note) bool { return n.Topic == c.topic })
			if got != c.want {
				t.Errorf("a note on %s: %v, want %v: %+v", c.topic, got, c.want, notes)
			}
		})
	}
}

func listens(on string) func(in *step.Input) {
	return func(in *step.Input) { in.Facts.Postfix.Value["inet_interfaces"] = on }
}

// A ledger that says the right thing already is not written again. One that
// does not is, and so is one of which nobody knows what it says.
func TestLedgersThatAreRightAreLeftOut(t *testing.T) {
	in := steptest.Two("mail.lab.example", "shop.example")
	active := []keyring.Key{in.Keys["lab.example"][0].At(keyring.Active, steptest.Now)}
	active[0].Seen = steptest.Now
	first := []keyring.Key{{Selector: "s2", Public: "MIIC", File: "/etc/dkimkeys/shop.example/s2.private", Stage: keyring.Publishing}}
	file := map[string]string{"lab.example": "/var/lib/mailsetup/keyring/lab.example.json", "shop.example": "/var/lib/mailsetup/keyring/shop.example.json"}
	for _, tt := range []struct {
		name          string
		keys, written keyring.Ledger
		want          []string
	}{
		{"nothing known", keyring.Ledger{"lab.example": active, "shop.example": active}, nil, []string{"lab.example", "shop.example"}},
		{"all right", keyring.Ledger{"lab.example": active, "shop.example": active}, keyring.Ledger{"lab.example": active, "shop.example": active}, nil},
		{"a new key", keyring.Ledger{"lab.example": active, "shop.example": first}, keyring.Ledger{"lab.example": active}, []string{"shop.example"}},
		{"a key that does not sign yet", keyring.Ledger{"lab.example": active, "shop.example": first}, keyring.Ledger{"lab.example": active, "shop.example": first}, []string{"shop.example"}},
	} {
		in.Keys, in.Written = tt.keys, tt.written
		want := steptest.Build(t, in)
		var got []string
		for _, d := range []string{"lab.example", "shop.example"} {
			if slices.ContainsFunc(steptest.Stage(t, want, "Ledger").Files, func(f state.File) bool { return string(f.Path) == file[d] }) {
				got = append(got, d)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: written for %v, want %v", tt.name, got, tt.want)
		}
	}
}
