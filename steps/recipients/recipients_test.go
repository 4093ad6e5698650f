package recipients_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
	"mailsetup/steps/recipients"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

func TestMailRoutes(t *testing.T) {
	mx := func(name, value string) state.Record {
		return state.Record{Name: name + ".", Type: "MX", TTL: 300, Value: value}
	}
	for name, c := range map[string]struct {
		domain string
		change func(*step.Input)
		want   state.MailRoute
	}{
		"its MX is planned":             {"lab.example", nil, state.RouteHere},
		"the host's address is planned": {"mail.lab.example", nil, state.RouteHere},
		"send-only, and nothing else":   {"lab.example", func(in *step.Input) { in.Spec.Domains[0].Receive = false }, state.RouteNone},
		"send-only, with an address": {"lab.example", func(in *step.Input) {
			in.Spec.Domains[0].Receive = false
			in.Facts.Zones[0].Records = []state.Record{{Name: "lab.example.", Type: "A", Value: "192.0.2.80"}}
		}, state.RouteElsewhere},
		"send-only, and the address is ours": {"lab.example", func(in *step.Input) {
			in.Spec.Domains[0].Receive = false
			in.Facts.Zones[0].Records = []state.Record{{Name: "lab.example.", Type: "A", Value: "192.0.2.10"}}
		}, state.RouteHere},
		"the zone's MX stays": {"lab.example", func(in *step.Input) {
			in.Facts.Zones[0].Records = []state.Record{mx("lab.example", "20 mail.lab.example."), mx("lab.example", "5 mx.far.example.")}
		}, state.RouteElsewhere},
		"we come first": {"lab.example", func(in *step.Input) {
			in.Facts.Zones[0].Records = []state.Record{mx("lab.example", "10 mx.far.example."), mx("lab.example", "5 Mail.lab.example.")}
		}, state.RouteHere},
		"a null MX":               {"lab.example", func(in *step.Input) { in.Facts.Zones[0].Records = []state.Record{mx("lab.example", "0 .")} }, state.RouteNull},
		"a name that nothing has": {"new.lab.example", nil, state.RouteNone},
		"a name of a wildcard": {"new.lab.example", func(in *step.Input) {
			in.Facts.Zones[0].Records = []state.Record{mx("*.lab.example", "5 mx.far.example.")}
		}, state.RouteUnknown},
		"others' zone, not asked":   {"far.example", nil, state.RouteUnknown},
		"others' zone, unreachable": {"far.example", func(in *step.Input) { in.Facts.Live = map[string]state.LiveDNS{"far.example": {}} }, state.RouteUnknown},
		"others' zone, with MX": {"far.example", func(in *step.Input) {
			in.Facts.Live = map[string]state.LiveDNS{"far.example": {Asked: true, MX: []string{"mx.far.example"}}}
		}, state.RouteElsewhere},
		"others' zone, MX is us": {"far.example", func(in *step.Input) {
			in.Facts.Live = map[string]state.LiveDNS{"far.example": {Asked: true, MX: []string{"mail.lab.example"}}}
		}, state.RouteHere},
		"others' zone, has neither": {"far.example", func(in *step.Input) { in.Facts.Live = map[string]state.LiveDNS{"far.example": {Asked: true}} }, state.RouteNone},
		"others' zone, address ours": {"far.example", func(in *step.Input) {
			in.Facts.Live = map[string]state.LiveDNS{"far.example": {Asked: true, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")}}}
		}, state.RouteHere},
		"a zone to be made": {"fresh.example", func(in *step.Input) {
			in.Spec.Domains = append(in.Spec.Domains, spec.Domain{Name: "fresh.example", NewZone: true})
		}, state.RouteNone},
	} {
		in := steptest.Bare()
		if c.change != nil {
			c.change(&in)
		}
		if got := recipients.MailRoutes(in)(c.domain); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestAnAddressThatNobodyHasIsRefused(t *testing.T) {
	none := state.Recipient{End: state.EndNobody, Class: state.ClassLocal, Address: "wile@lab.example", Why: "there is no user or alias wile here"}
	for name, c := range map[string]struct {
		change     func(*step.Input)
		what, hint string
	}{
		"somebody has it":  {func(in *step.Input) { in.Facts.Recipients["root"] = state.Recipient{End: state.EndMailbox} }, "", ""},
		"nobody was asked": {func(in *step.Input) { in.Facts.Recipients = nil }, "", ""},
		"root": {
			func(in *step.Input) { in.Facts.Recipients["root"] = none },
			"--root-alias wile@lab.example: root's mail would be lost: there is no user or alias wile here",
			"make that user first: adduser wile; or name an address that somebody reads: --root-alias ADDRESS",
		},
		"a run about another domain": {func(in *step.Input) {
			in.Facts.Recipients["root"], in.Scope = none, step.Only("shop.example")
		}, "", ""},
		"reports": {
			func(in *step.Input) { in.Facts.Recipients["ops@lab.example"] = none },
			"--rua ops@lab.example: the reports about lab.example would reach nobody: there is no user or alias wile here",
			"make that user first: adduser wile; or name an address that somebody reads: --rua ADDRESS",
		},
		"reports that others cannot deliver": {
			func(in *step.Input) {
				in.Facts.Recipients["ops@lab.example"] = state.Recipient{End: state.EndMailbox, Class: state.ClassLocal, Address: "ops@lab.example", Refused: true}
			},
			"--rua ops@lab.example: the reports about lab.example would reach nobody: Postfix takes no mail for it from others",
			"name an address that somebody reads: --rua ADDRESS",
		},
		"reports that go there already": {func(in *step.Input) {
			in.Facts.Recipients["ops@lab.example"] = none
			in.Facts.Zones[0].OurRecords = []state.Record{{Name: "_dmarc.lab.example.", Type: "TXT", Value: "v=DMARC1; p=none; rua=mailto:ops@lab.example"}}
		}, "", ""},
		"root itself is elsewhere": {
			func(in *step.Input) {
				in.Facts.Recipients["root"] = state.Recipient{End: state.EndNobody, Class: state.ClassDefault, Address: "root@new.lab.example", Why: "new.lab.example has neither a mail exchanger nor an address in DNS"}
			},
			"--root-alias wile@lab.example: root's mail would be lost: new.lab.example has neither a mail exchanger nor an address in DNS",
			"mail for root is mail for root@new.lab.example (myorigin): let Postfix take mail for new.lab.example, or set myorigin to a name that is in mydestination",
		},
		"a virtual domain": {
			func(in *step.Input) {
				in.Facts.Recipients["root"] = state.Recipient{End: state.EndNobody, Class: state.ClassVirtualMailbox, Address: "wile@shop.example", Why: "virtual_mailbox_maps has no wile@shop.example"}
			},
			"--root-alias wile@lab.example: root's mail would be lost: virtual_mailbox_maps has no wile@shop.example",
			"give wile@shop.example a mailbox in virtual_mailbox_maps; or name an address that somebody reads: --root-alias ADDRESS",
		},
	} {
		in := steptest.Bare()
		in.Spec.Host.RootAlias, in.Facts.Recipients = "wile@lab.example", map[string]state.Recipient{}
		c.change(&in)
		what, hint := "", ""
		if refusal, ok := errors.AsType[*step.Refusal](recipients.CheckReaders(in)); ok {
			what, hint = refusal.What, refusal.Hint
		}
		if what != c.what || hint != c.hint {
			t.Errorf("%s:\n%s\nhint: %s\nwant\n%s\nhint: %s", name, what, hint, c.what, c.hint)
		}
	}
}

// The settings of a Postfix that is still to be installed are those that Debian's
// package makes, with our names; on one that is there its own count.
func TestTheNamesThatDecideWhatIsLocal(t *testing.T) {
	in := steptest.Bare()
	if got := postfix.Settings(in)["mydestination"]; got != "mail.lab.example, lab.example, localhost.lab.example, localhost" {
		t.Errorf("to be installed: %s", got)
	}
	in.Spec.Host.Hostname, in.Spec.Domains[0].Receive = "lab.example", false
	if got := postfix.Settings(in)["mydestination"]; got != "localhost" {
		t.Errorf("to be installed, and received elsewhere: %s", got)
	}
	in = steptest.Installed()
	in.Facts.Postfix.Value["mydestination"] = "localhost"
	if got := postfix.Settings(in)["mydestination"]; got != "localhost" {
		t.Errorf("there: %s", got)
	}
}

// What is asked in the end is asked of agents that deliver here.
func TestTheProbeOfRootsMail(t *testing.T) {
	in := steptest.Installed()
	in.Spec.Host.RootAlias, in.Facts.SMTPAddress = "ann@lab.example", "127.0.0.1:25"
	probe := func() string {
		stage, _, err := recipients.Aliases(in)
		if err != nil || len(stage.Probes) > 1 {
			t.Fatalf("%+v, %v", stage, err)
		}
		if len(stage.Probes) == 0 {
			return "none"
		}
		p := stage.Probes[0]
		return strings.TrimSpace(p.Address + " " + strings.Join(p.Recipients, ",") + " deliver:" + p.Deliver)
	}
	for _, c := range []struct {
		root state.Recipient
		bcc  string
		want string
	}{
		{state.Recipient{End: state.EndMailbox, Agent: "local"}, "", "127.0.0.1:25 root deliver:root"},
		{state.Recipient{End: state.EndElsewhere, Agent: "smtp"}, "", "127.0.0.1:25 root deliver:"},
		{state.Recipient{End: state.EndMailbox, Agent: "local"}, "archive@far.example", "127.0.0.1:25 root deliver:"},
		{state.Recipient{End: state.EndMailbox, Agent: "local", Refused: true}, "", "deliver:root"},
	} {
		in.Facts.Recipients = map[string]state.Recipient{"root": c.root}
		in.Facts.Postfix.Value["always_bcc"] = c.bcc
		if got := probe(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.root, got, c.want)
		}
	}
	in.Facts.Recipients = nil
	if got := probe(); got != "none" {
		t.Errorf("of a tree: %s", got)
	}
	in.Facts.Recipients = map[string]state.Recipient{"root": {End: state.EndElsewhere, Agent: "smtp"}}
	for unit, want := range map[string]string{
		"opendkim.service": "none", "postfix.service": "none", // which takes no mail then
		"named.service": "127.0.0.1:25 root deliver:",
	} {
		in.Facts.Daemons = map[string]state.Daemon{unit: {Stopped: true}}
		if got := probe(); got != want {
			t.Errorf("%s was stopped: %s, want %s", unit, got, want)
		}
	}
}

// An alias that Postfix does not look at is told of.
func TestAnAliasThatIsNotLookedAt(t *testing.T) {
	in := steptest.Installed()
	in.Spec.Host.RootAlias = "ann@lab.example"
	said := func() string {
		var all []string
		for _, n := range recipients.Notes(in) {
			all = append(all, n.Text+" -> "+n.Action)
		}
		return strings.Join(all, "; ")
	}
	in.Facts.Postfix.Value["alias_maps"] = "hash:/etc/aliases"
	in.Facts.Recipients = map[string]state.Recipient{"root": {End: state.EndMailbox, Agent: "local", Address: "ann@lab.example"}}
	if got := said(); got != "" {
		t.Error(got)
	}
	in.Facts.Postfix.Value["alias_maps"] = ""
	const unread = "alias_maps is empty: Postfix does not read /etc/aliases, and no alias there sends root's mail to ann@lab.example -> "
	const commands = "postalias hash:/etc/aliases && postconf -e 'alias_maps = hash:/etc/aliases' && postfix reload && mailsetup init --yes"
	if got := said(); got != unread+"touch /etc/aliases && "+commands {
		t.Error(got)
	}
	in.Facts.Files = map[state.Path][]byte{"/etc/aliases": []byte("postmaster: root\n")}
	if got := said(); got != unread+commands {
		t.Error(got)
	}
	in.Facts.Recipients["root"] = state.Recipient{End: state.EndMailbox, Agent: "virtual", Class: state.ClassVirtualMailbox, Address: "info@lab.example"}
	if got := said(); got != unread+"give root@lab.example an alias for it in a table of virtual_alias_maps" {
		t.Error(got)
	}
	in.Facts.Recipients["root"] = state.Recipient{End: state.EndElsewhere, Agent: "smtp", Address: "root@far.example"}
	if got, want := said(), "mail for root is mail for root@far.example (myorigin), which another host gets: the alias for ann@lab.example is not looked at -> "+
		"set myorigin to a name that is in mydestination, if root's mail is to be read there"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	in.Facts.Postfix.Value["alias_maps"] = "hash:/etc/aliases"
	in.Facts.Recipients["root"] = state.Recipient{End: state.EndUnknown, Why: "fallback_transport decides"}
	if got, want := said(), "could not find out whether somebody has ann@lab.example: fallback_transport decides -> "+
		"send a message to root, and see whether it arrives"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// An alias of root's that leads nowhere, and did so before the run, keeps nobody from
// what else the run is about; one that is new, or newly lost, is refused.
func TestAnAliasThatLedNowhereBefore(t *testing.T) {
	lost := state.Recipient{End: state.EndNobody, Class: state.ClassLocal, Address: "wile@lab.example", Why: "there is no user or alias wile here"}
	for name, c := range map[string]struct {
		aliases string
		was     state.Recipient
		alias   string
		refused bool
	}{
		"as before":               {"root: wile@lab.example\n", lost, "wile@lab.example", false},
		"it had a reader":         {"root: wile@lab.example\n", state.Recipient{End: state.EndMailbox}, "wile@lab.example", true},
		"another one":             {"root: wile@lab.example\n", lost, "nemo@lab.example", true},
		"not in /etc/aliases yet": {"root: ann@lab.example\n", lost, "wile@lab.example", true},
	} {
		in := steptest.Installed()
		in.Facts.Files = map[state.Path][]byte{"/etc/aliases": []byte("postmaster: root\n" + c.aliases)}
		in.Spec.Host.RootAlias = "wile@lab.example"
		was := in
		was.Facts.Recipients = map[string]state.Recipient{"root": c.was}
		in.Spec.Host.RootAlias = c.alias
		in.Facts.Recipients = map[string]state.Recipient{"root": lost}
		if err := recipients.CheckReadersSince(was, in); (err != nil) != c.refused {
			t.Errorf("%s: %v", name, err)
		}
		if len(recipients.Notes(in)) == 0 {
			t.Errorf("%s: nobody is told", name)
		}
	}
}
