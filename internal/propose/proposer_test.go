package propose_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/hint"
	"mailsetup/internal/inbound"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/propose"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
	"mailsetup/internal/wizard"
	"mailsetup/keygen"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// server is a machine whose facts do not depend on who asks. It notes what it was
// asked.
type server struct {
	*systemtest.Mem
	facts      state.Facts
	recipients map[string]state.Recipient
	gathered   []string // the domains of each spec
	ledgers    []keyring.Ledger
	refreshed  []string
	scope      step.Scope

	secondaries []inbound.Secondary // what DNS says
	silent      bool                // it does not answer
}

func (s *server) Gather(_ context.Context, want *spec.Spec, ledger keyring.Ledger, scope step.Scope) (state.Facts, step.Scope, error) {
	s.gathered, s.ledgers = append(s.gathered, namesIn(want)), append(s.ledgers, ledger)
	s.scope = scope
	return s.facts, scope, nil
}

func (s *server) Refresh(_ context.Context, want *spec.Spec, ledger keyring.Ledger, scope step.Scope) (state.Facts, step.Scope, error) {
	s.refreshed, s.ledgers = append(s.refreshed, namesIn(want)), append(s.ledgers, ledger)
	s.scope = scope
	return s.facts, scope, nil
}

func namesIn(want *spec.Spec) string {
	names := []string{want.Host.Domain}
	for _, d := range want.Domains {
		names = append(names, d.Name)
	}
	return strings.Join(names, " ")
}

func (s *server) Recipients(context.Context, step.Input) map[string]state.Recipient {
	return s.recipients
}

func (s *server) Secondaries(context.Context, spec.Spec, state.Facts) ([]inbound.Secondary, bool) {
	return s.secondaries, !s.silent
}

func (s *server) Selectors(ledger keyring.Ledger, zones []state.Zone) dkimkeys.Selectors {
	return dkimkeys.Selectors{
		Ledger: ledger, Files: s.Mem, Zones: zones, Now: november, Random: func(n int) string { return "abcdefgh"[:n] },
	}
}

func machine(facts state.Facts) *server { return &server{Mem: systemtest.NewMem(), facts: facts} }

func (s *server) proposer(old *spec.Spec) *propose.Proposer {
	return &propose.Proposer{
		Server:   propose.Server{Spec: old, Ledger: keyring.Ledger{}, Hashes: plan.FileHashes{}, Files: s},
		Gatherer: s, Now: november,
	}
}

// given are answers that make a spec.
func (s *server) given() spec.Answers {
	return spec.Answers{Domain: "lab.example", Hostname: "mail.lab.example", Addresses: []string{"192.0.2.10"}, RootAlias: "ops@far.example"}
}

// What a person did not say follows from what is there.
func TestInit(t *testing.T) {
	s := machine(served(
		txt("lab.example.", "v=spf1 mx -all"), state.Record{Name: "lab.example.", Type: "MX", Value: "10 mail.lab.example."},
	))
	r, err := s.proposer(nil).Init(t.Context(), s.given())
	if err != nil {
		t.Fatal(err)
	}
	d := r.Want.Domains[0]
	if d.Name != "lab.example" || d.Selector != "202611" || !d.Receive || d.SPF.All != "fail" || r.Want.Host.DNS != spec.DNSBind {
		t.Errorf("%+v", r.Want)
	}
	if r.Facts.FQDN != "mail.lab.example" || !r.Scope.WholeHost() || r.Adopted != nil {
		t.Errorf("%+v", r)
	}
	if got := strings.Join(s.gathered, ", ") + ", then " + strings.Join(s.refreshed, ", "); got != "lab.example, then lab.example lab.example" {
		t.Errorf("looked at %s", got)
	}
}

// A spec that says all already needs no second look at the machine.
func TestInitAgainLooksOnce(t *testing.T) {
	s := machine(served())
	r, err := s.proposer(nil).Init(t.Context(), s.given())
	if err != nil {
		t.Fatal(err)
	}
	s.gathered = nil
	if _, err := s.proposer(&r.Want).Init(t.Context(), spec.Answers{}); err != nil || len(s.gathered) != 1 {
		t.Errorf("looked at %q, %v", s.gathered, err)
	}
}

func TestInitNamesTheFlagsThatAreMissing(t *testing.T) {
	s := machine(state.Facts{Hostname: "mail", Live: map[string]state.LiveDNS{
		"mail.lab.example": {Asked: true, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.5")}},
	}})
	p := s.proposer(nil)
	p.NeedsYes = true
	_, err := p.Init(t.Context(), spec.Answers{})
	if err == nil || !hint.IsUsage(err) || err.Error() != "needed without a terminal and not given: --domain, --hostname, --ip, --yes" {
		t.Fatalf("%v", err)
	}
	hints := hint.Of(err)
	if len(hints) != 3 || hints[0] != "run mailsetup init in a terminal to be asked instead" || !strings.HasPrefix(hints[1], `this machine calls itself "mail"`) {
		t.Errorf("hints %q", hints)
	}
	p.NeedsYes = false
	_, err = p.Init(t.Context(), spec.Answers{Domain: "lab.example", Hostname: "mail.lab.example"})
	if err == nil || !strings.Contains(strings.Join(hint.Of(err), "\n"), "DNS has only 10.0.0.5 for mail.lab.example, which nobody outside can reach") {
		t.Errorf("%v: %q", err, hint.Of(err))
	}
	p.Root = "/image" // whose machine has another name and other addresses
	if _, err = p.Init(t.Context(), spec.Answers{}); len(hint.Of(err)) != 1 {
		t.Errorf("of a tree: %v, %q", err, hint.Of(err))
	}
	if _, err = p.Init(t.Context(), spec.Answers{Domain: "lab", Hostname: "mail.lab.example", Addresses: []string{"192.0.2.1"}}); err == nil {
		t.Error("an answer that makes no sense is taken")
	}
}

// The person at the wizard decides what is looked at, and the run goes on with the
// facts of the last look.
func TestInitAsks(t *testing.T) {
	s := machine(served(txt("202611._domainkey.lab.example.", "v=DKIM1; p=AAAA")))
	s.recipients = map[string]state.Recipient{"root": {End: state.EndNobody, Class: state.ClassLocal, Address: "nobody@lab.example", Why: "no such user"}}
	p := s.proposer(nil)
	p.Ask = func(ctx context.Context, o wizard.Options) (spec.Answers, error) {
		if o.Fixed.Domain != "" || o.Fixed.Hostname != "mail.lab.example" {
			t.Errorf("fixed %+v", o.Fixed)
		}
		before, err := o.Propose(ctx, o.Fixed)
		if err != nil || before.Domain.Value != "lab.example" || before.Selector.Value != "" {
			t.Errorf("at the start %+v, %v", before, err)
		}
		a := s.given()
		s.facts.Live = map[string]state.LiveDNS{"lab.example": {Asked: true, MX: []string{"mx.far.example."}}}
		then, err := o.Propose(ctx, a)
		if err != nil || then.Receive.Value != "no" || then.Selector.Value != "202611-abcd" || then.Selector.Why != "nobody uses it yet" {
			t.Errorf("for the domain %+v, %v", then, err)
		}
		a.RootAlias = "nobody@lab.example"
		var bad *syntax.BadValue
		if err := o.WhyUnread(ctx, a); !errors.As(err, &bad) || bad.Value != "nobody@lab.example" || !strings.HasPrefix(bad.Why, "would not do: ") {
			t.Errorf("an address that nobody has: %v", err)
		}
		a.RootAlias = "root@mail.lab.example"
		if err := o.WhyUnread(ctx, a); err == nil {
			t.Error("a loop is taken")
		}
		s.recipients = map[string]state.Recipient{"gone@lab.example": {End: state.EndNobody, Class: state.ClassLocal, Address: "gone@lab.example", Why: "no such user"}}
		a.RootAlias, a.Notify = "ops@far.example", "gone@lab.example"
		if err := o.WhyUnread(ctx, a); !errors.As(err, &bad) || bad.Value != "gone@lab.example" || bad.Why != "would not do: what is mailed there would be lost: no such user" || strings.Contains(bad.Hint, "--") {
			t.Errorf("an address for notices that nobody has: %v", err)
		}
		s.recipients, a.Notify = nil, ""
		if err := o.WhyUnread(ctx, a); err != nil {
			t.Errorf("an address that somebody has: %v", err)
		}
		return a, nil
	}
	r, err := p.Init(t.Context(), spec.Answers{Hostname: "mail.lab.example"})
	if err != nil {
		t.Fatal(err)
	}
	if d := r.Want.Domains[0]; d.Receive || d.Selector != "202611-abcd" || r.Want.Host.RootAlias != "ops@far.example" {
		t.Errorf("%+v", r.Want)
	}
	if got := s.gathered[2]; got != "lab.example" {
		t.Errorf("looked at %q", s.gathered)
	}
	if got := s.gathered[3]; got != "lab.example lab.example" || s.refreshed != nil {
		t.Errorf("after the answers looked at %q, and only at DNS for %q", got, s.refreshed)
	}
	p.Ask = func(context.Context, wizard.Options) (spec.Answers, error) { return spec.Answers{}, wizard.ErrAborted }
	if _, err := p.Init(t.Context(), spec.Answers{}); !errors.Is(err, wizard.ErrAborted) {
		t.Errorf("interrupted: %v", err)
	}
}

// proposals returns what the wizard is offered for answers beside a spec.
func (s *server) proposals(t *testing.T, a spec.Answers, old *spec.Spec) wizard.Proposals {
	t.Helper()
	var list wizard.Proposals
	p := s.proposer(old)
	p.Ask = func(ctx context.Context, o wizard.Options) (_ spec.Answers, err error) {
		list, err = o.Propose(ctx, o.Fixed)
		return spec.Answers{}, cmpErr(err, wizard.ErrAborted)
	}
	if _, err := p.Init(t.Context(), a); !errors.Is(err, wizard.ErrAborted) {
		t.Fatalf("%v", err)
	}
	return list
}

func cmpErr(errs ...error) error {
	i := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	return errs[i]
}

// At the first init incoming mail is asked about, and nothing begins with an answer that
// nobody gave; a server that is set up is left as it is.
func TestIncomingMailIsProposedOnce(t *testing.T) {
	host := &spec.Spec{Host: spec.Host{Hostname: "mail.lab.example", Domain: "lab.example"}}
	for name, test := range map[string]struct {
		facts state.Facts
		old   *spec.Spec
		want  string
	}{
		"a bare machine": {want: "off off"},
		"a server":       {old: host, want: " "},
	} {
		list := machine(test.facts).proposals(t, spec.Answers{Domain: "shop.example"}, test.old)
		if got := list.Incoming.SPF.Value + " " + list.Incoming.DMARC.Value; got != test.want || list.Incoming.DNSBL.Value != "" {
			t.Errorf("%s: proposed %q, %+v", name, got, list.Incoming)
		}
	}
}

// A redirect of host.toml is for those who have no SPF record and asked for none.
func TestWhoseSPFRecordDecides(t *testing.T) {
	host := &spec.Spec{Host: spec.Host{Domain: "lab.example", Defaults: spec.Defaults{SPF: spec.SPF{Redirect: "relay.example"}}}}
	for name, test := range map[string]struct {
		a     spec.Answers
		found string // the SPF record that is there
		old   *spec.Spec
		want  string
	}{
		"nothing said":     {spec.Answers{Domain: "shop.example"}, "", host, "relay.example"},
		"a record":         {spec.Answers{Domain: "shop.example"}, "v=spf1 -all", host, ""},
		"--spf-all":        {spec.Answers{Domain: "shop.example", SPFAll: "fail"}, "", host, ""},
		"--spf-include":    {spec.Answers{Domain: "shop.example", SPFInclude: []string{"a.example"}}, "", host, ""},
		"--spf-redirect":   {spec.Answers{Domain: "shop.example", SPFRedirect: "yes"}, "v=spf1 -all", host, "lab.example"},
		"--spf-redirect=n": {spec.Answers{Domain: "shop.example", SPFRedirect: "no"}, "", host, ""},
		"itself":           {spec.Answers{Domain: "Relay.example."}, "", host, ""},
		"the first":        {spec.Answers{Domain: "lab.example"}, "", nil, ""},
	} {
		s := machine(state.Facts{Live: map[string]state.LiveDNS{}})
		if test.found != "" {
			s.facts.Live["shop.example"] = state.LiveDNS{TXT: []string{test.found}}
		}
		if got := s.proposals(t, test.a, test.old).SPFRedirect.Value; got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// Defaults in host.toml are for what neither a record nor anybody says.
func TestDefaultsOfTheHost(t *testing.T) {
	old := &spec.Spec{Host: spec.Host{Domain: "first.example", Defaults: spec.Defaults{
		Selector: "mail", KeyBits: 3072, SPF: spec.SPF{All: "neutral", Include: []string{"_spf.relay.example"}}, DMARC: spec.DMARC{Policy: "quarantine"},
	}}}
	s := machine(served(txt("lab.example.", "v=spf1 mx include:_spf.news.example -all")))
	p := s.proposals(t, spec.Answers{Domain: "lab.example"}, old)
	for _, tt := range []struct {
		what      string
		got       wizard.Proposal
		want, why string
	}{
		{"selector", p.Selector, "mail", "nobody uses it yet"},
		{"bits", p.KeyBits, "3072", "the default in host.toml"},
		{"SPF", p.SPFAll, "fail", "the SPF record of lab.example says so"},
		{"includes", p.SPFInclude, "_spf.news.example _spf.relay.example", "the SPF record of lab.example says so"},
		{"DMARC", p.DMARC, "quarantine", "the default in host.toml"},
	} {
		if tt.got.Value != tt.want || tt.got.Why != tt.why {
			t.Errorf("%s: %+v, want %q (%s)", tt.what, tt.got, tt.want, tt.why)
		}
	}
}

func TestSelector(t *testing.T) {
	zone := func() state.Facts {
		return served(
			txt("DNS._domainkey.lab.example.", "v=DKIM1; p=AAAA"),
			state.Record{Name: "Vendor._domainkey.lab.example.", Type: "CNAME", Value: "key.vendor.example."},
		)
	}
	key, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		asked, usual string
		want         string // or the error
	}{
		"none":                  {"", "", "202611"},
		"one that is free":      {"fresh", "mail", "fresh"},
		"the usual one":         {"", "mail", "mail"},
		"the usual one, in use": {"", "old", "old-202611"},
		"in the ledger":         {"old", "", "selector old of lab.example is in use already; a selector is never used twice"},
		"on the disk":           {"disk", "", "selector disk of lab.example is in use already; a selector is never used twice"},
		"in the zone":           {"dns", "", "selector dns of lab.example is in use already; a selector is never used twice"},
		"an alias":              {"vendor", "", "selector vendor of lab.example is a CNAME of key.vendor.example in DNS: no key can stand beside it"},
	} {
		s := machine(zone())
		s.PutFile(signer.KeyFile("lab.example", "disk"), "key")
		first := s.given()
		first.Domain = "first.example"
		r, err := s.proposer(nil).Init(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		old := &r.Want
		old.Host.Defaults.Selector = tt.usual
		p := s.proposer(old)
		p.Ledger = keyring.Ledger{"lab.example": {{Selector: "old", Stage: keyring.Gone}}}
		r, err = p.AddDomains(t.Context(), []string{"lab.example"}, spec.Answers{Selector: tt.asked})
		switch {
		case err != nil:
			if err.Error() != tt.want || !hint.IsUsage(err) || hint.Of(err)[0] != "leave --selector out to get one that is free" {
				t.Errorf("%s: %v", name, err)
			}
		case r.Want.Domains[1].Selector != tt.want:
			t.Errorf("%s: %s, want %s", name, r.Want.Domains[1].Selector, tt.want)
		}
	}
	// A domain that comes back signs with the key that it had.
	s := machine(zone())
	file := signer.KeyFile("lab.example", "mine")
	s.Put(file, state.Object{Kind: state.Regular, Mode: 0o600, Owner: signer.KeyOwner, Content: key.PEM()})
	p := s.proposer(nil)
	p.Ledger = keyring.Ledger{"lab.example": {{Selector: "mine", Stage: keyring.Draining, Public: key.Public(), File: string(file)}}}
	for _, asked := range []string{"", "MINE"} {
		a := s.given()
		a.Selector = asked
		if r, err := p.Init(t.Context(), a); err != nil || r.Want.Domains[0].Selector != "mine" {
			t.Errorf("%q: %+v, %v", asked, r.Want.Domains, err)
		}
	}
}

// hosting is the spec of a server whose BIND publishes, and its facts.
func hosting(t *testing.T) (*server, *spec.Spec) {
	t.Helper()
	s := machine(served())
	r, err := s.proposer(nil).Init(t.Context(), s.given())
	if err != nil {
		t.Fatal(err)
	}
	s.gathered, s.refreshed = nil, nil
	s.facts.Zones = state.SortZones(append(s.facts.Zones,
		state.Zone{Origin: "here.example.", Kind: "primary"}, state.Zone{Origin: "broken.example.", Kind: "primary", Problem: "it is signed by hand"},
		state.Zone{Origin: "second.example.", Kind: "secondary", Problem: "BIND is a secondary server for it here"}))
	return s, &r.Want
}

func TestNewDomains(t *testing.T) {
	_, old := hosting(t)
	fresh, there := propose.NewDomains(*old, []string{"b.example", "lab.example", "a.example"})
	if !slices.Equal(fresh, []string{"b.example", "a.example"}) || !slices.Equal(there, []string{"lab.example"}) {
		t.Errorf("%q are new, %q are there", fresh, there)
	}
}

// A domain whose zone is elsewhere gets its records printed, whatever the host does;
// one whose zone is here and cannot be worked with does not: the plan says why.
func TestAddDomains(t *testing.T) {
	s, old := hosting(t)
	names := []string{"broken.example", "far.example", "here.example", "second.example"}
	r, err := s.proposer(old).AddDomains(t.Context(), names, spec.Answers{})
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]spec.DNSMode{}
	for _, d := range r.Want.Domains {
		modes[d.Name] = r.Want.DNSOf(d)
		if d.Selector != "202611" {
			t.Errorf("%+v", d)
		}
	}
	for name, want := range map[string]spec.DNSMode{
		"broken.example": spec.DNSBind, "far.example": spec.DNSManual, "here.example": spec.DNSBind, "second.example": spec.DNSManual, "lab.example": spec.DNSBind,
	} {
		if modes[name] != want {
			t.Errorf("%s: %s, want %s", name, modes[name], want)
		}
	}
	if r.Scope.WholeHost() || r.Scope.Includes("lab.example") || !r.Scope.Includes("far.example") || len(s.refreshed) != 1 {
		t.Errorf("scope %v, refreshed %q", r.Scope.Selection(), s.refreshed)
	}
	if got := s.gathered[0]; got != "lab.example lab.example broken.example far.example here.example second.example" {
		t.Errorf("looked at %s", got)
	}
	r, err = s.proposer(old).AddDomains(t.Context(), []string{"far.example"}, spec.Answers{DNS: "bind"})
	if err != nil || r.Want.DNSOf(r.Want.Domains[0]) != spec.DNSBind {
		t.Errorf("a flag does not win: %v", err)
	}
}

// Where OpenDKIM has signed nothing yet, Postfix does not ask it: such a run is about
// the host.
func TestAddDomainsToAServerThatDoesNotSign(t *testing.T) {
	s, old := hosting(t)
	old.Domains[0].SignedBy = spec.ByOther
	r, err := s.proposer(old).AddDomains(t.Context(), []string{"here.example"}, spec.Answers{})
	if err != nil || !r.Scope.WholeHost() || !s.scope.WholeHost() || len(s.refreshed) != 1 {
		t.Errorf("scope %v, looked at %q, %v", r.Scope, s.refreshed, err)
	}
}

// Reports are not proposed to an address that nobody has, and stay where somebody
// asked for them.
func TestReportAddressesThatNobodyReads(t *testing.T) {
	s, old := hosting(t)
	if len(old.Domains[0].DMARC.RUA) == 0 {
		t.Fatalf("no report address: %+v", old.Domains[0].DMARC)
	}
	s.recipients = map[string]state.Recipient{}
	r, err := s.proposer(old).AddDomains(t.Context(), []string{"here.example"}, spec.Answers{})
	if err != nil {
		t.Fatal(err)
	}
	here := r.Want.Domains[0]
	address := strings.TrimPrefix(here.DMARC.RUA[0], "mailto:")
	s.recipients[address] = state.Recipient{End: state.EndNobody}
	for asked, want := range map[string]int{"": 0, "mailto:" + address: 1} {
		var a spec.Answers
		if asked != "" {
			a.RUA = []string{asked}
		}
		r, err := s.proposer(old).AddDomains(t.Context(), []string{"here.example"}, a)
		if err != nil || len(r.Want.Domains[0].DMARC.RUA) != want || len(r.Want.Domains[1].DMARC.RUA) != 1 {
			t.Errorf("asked for %q: %v, %v", asked, r.Want.Domains, err)
		}
	}
}

// byHand puts an OpenDKIM that somebody set up on the server, for domains.
func (s *server) byHand(t *testing.T, domains ...string) *keygen.Key {
	t.Helper()
	key, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	owner := state.Owner{User: "opendkim", Group: "opendkim"}
	var keys, rows string
	for _, d := range domains {
		keys += d + " " + d + ":hand:/etc/dkimkeys/hand.private\n"
		rows += "*@" + d + " " + d + "\n"
	}
	s.PutFile("/etc/opendkim.conf", "UserID opendkim\nKeyTable file:/k\nSigningTable refile:/s\n")
	s.PutFile("/k", keys)
	s.PutFile("/s", rows)
	s.PutFile("/etc/passwd", "opendkim:x:110:115::/run/opendkim:/usr/sbin/nologin\n")
	s.PutFile("/etc/group", "opendkim:x:115:\n")
	for dir, o := range map[state.Path]state.Owner{"/": state.Root, "/etc": state.Root, "/etc/dkimkeys": owner} {
		s.Put(dir, state.Object{Kind: state.Directory, Mode: 0o755, Owner: o})
	}
	s.Put("/etc/dkimkeys/hand.private", state.Object{Kind: state.Regular, Mode: 0o600, Owner: owner, Content: key.PEM()})
	conf, _ := s.Read("/etc/opendkim.conf")
	s.facts.OpenDKIM, s.facts.Files = &state.OpenDKIM{}, map[state.Path][]byte{"/etc/opendkim.conf": conf.Content}
	return key
}

// What OpenDKIM signs for already comes along with its keys, and each of its domains
// with what its own records say.
func TestInitTakesOver(t *testing.T) {
	s := machine(served(txt("_dmarc.lab.example.", "v=DMARC1; p=reject")))
	key := s.byHand(t, "lab.example", "news.example")
	s.facts.Live = map[string]state.LiveDNS{"news.example": {Asked: true, MX: []string{"mail.lab.example."}}}
	a := s.given()
	a.Domain = ""
	r, err := s.proposer(nil).Init(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	lab, news := r.Want.Domains[0], r.Want.Domains[1]
	if lab.Name != "lab.example" || lab.Selector != "hand" || lab.KeyBits != 1024 || lab.Receive || lab.DMARC.Policy != "reject" || r.Want.DNSOf(lab) != spec.DNSBind {
		t.Errorf("%+v", lab)
	}
	if news.Name != "news.example" || !news.Receive || r.Want.DNSOf(news) != spec.DNSManual || r.Want.Host.Domain != "lab.example" {
		t.Errorf("%+v", news)
	}
	for _, d := range r.Adopted.Names() {
		if k, ok := r.Ledger.Signing(d); !ok || k.Public != key.Public() || !k.Adopted {
			t.Errorf("%s: %+v", d, r.Ledger[d])
		}
	}
	if r.Hashes["/etc/opendkim.conf"] == "" || r.Hashes["/k"] != "" {
		t.Errorf("hashes %v", r.Hashes)
	}
	if last := s.ledgers[len(s.ledgers)-1]; len(last) != 2 || len(s.ledgers[0]) != 0 {
		t.Errorf("looked with the ledgers %v", s.ledgers)
	}

	if want := []string{
		"taken over", "taken over", "new: mail of @mail.lab.example, as root, cron and bounces have it, gets signed, too, with the key of lab.example",
		"new: DNS gets the records that it does not have: SPF of lab.example, SPF of mail.lab.example",
	}; !beginWith(r.Notes, want) {
		t.Errorf("notes %+v", r.Notes)
	}

	p := s.proposer(nil)
	p.ReplaceForeign = true
	r, err = p.Init(t.Context(), s.given())
	if err != nil || r.Adopted != nil || r.Want.Domains[0].Selector != "202611" || len(r.Notes) != 0 {
		t.Errorf("replaced: %+v, %v", r.Want.Domains, err)
	}
}

// Once the package was purged, what mailsetup made for a domain is all that tells what
// was asked for.
func TestAdoptTakesOverWhatAPurgeLeft(t *testing.T) {
	facts := served()
	ours := func(name, value string) state.Record {
		r := txt(name, value)
		r.TTL = 60
		return r
	}
	facts.Zones[0].OurRecords = []state.Record{
		ours("lab.example.", "v=spf1 ip4:192.0.2.10 include:_spf.news.example -all"), ours("mail.lab.example.", "v=spf1 ip4:192.0.2.10 -all"),
		ours("_dmarc.lab.example.", "v=DMARC1; p=quarantine; rua=mailto:ops@lab.example"),
	}
	s := machine(facts)
	s.byHand(t, "lab.example")
	r, err := s.proposer(nil).Init(t.Context(), spec.Answers{Addresses: []string{"192.0.2.10"}, RootAlias: "ops@lab.example"})
	if err != nil {
		t.Fatal(err)
	}
	d := r.Want.Domains[0]
	if d.TTL != 60 || d.SPF.All != "fail" || !slices.Equal(d.SPF.Include, []string{"_spf.news.example"}) || d.DMARC.Policy != "quarantine" || !slices.Equal(d.DMARC.RUA, []string{"mailto:ops@lab.example"}) {
		t.Errorf("%+v", d)
	}
	for _, n := range r.Notes {
		if strings.Contains(n.Text, "DNS gets the records") {
			t.Errorf("%s", n.Text)
		}
	}
	if zone := s.facts.Zones[0]; len(zone.Records) != 1 {
		t.Errorf("the facts were changed: %+v", zone.Records)
	}
}

// beginWith reports whether there is a note for each text, with its topic in front,
// that begins with it.
func beginWith(notes []state.Note, want []string) bool {
	return slices.EqualFunc(notes, want, func(n state.Note, text string) bool { return strings.HasPrefix(n.Topic+": "+n.Text, text) })
}

// Of an OpenDKIM that signs nothing the settings come along; it is no drift, and there
// is nothing to adopt.
func TestInitLetsAnIdleOpenDKIMSign(t *testing.T) {
	s := machine(served())
	s.byHand(t)
	const conf = "Mode v\nAuthservID mx.lab.example\nNameservers 127.0.0.1\nTrustAnchorFile /usr/share/dns/root.key\n"
	s.PutFile("/etc/opendkim.conf", conf)
	r, err := s.proposer(nil).Init(t.Context(), s.given())
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Want.Host.OpenDKIM; !slices.Equal(got, []string{"AuthservID mx.lab.example", "Nameservers 127.0.0.1"}) || len(r.Want.Domains) != 1 {
		t.Errorf("%+v", r.Want)
	}
	if r.Hashes["/etc/opendkim.conf"] != plan.Hash([]byte(conf)) || !beginWith(r.Notes, []string{"taken over: /etc/opendkim.conf was set up by hand and signs nothing (Mode v). "}) {
		t.Errorf("%q, %+v", r.Hashes, r.Notes)
	}

	p := s.proposer(nil)
	p.ReplaceForeign = true
	r, err = p.Init(t.Context(), s.given())
	if err != nil || r.Want.Host.OpenDKIM != nil || !beginWith(r.Notes, []string{"opendkim: these settings of /etc/opendkim.conf go"}) {
		t.Errorf("replaced: %+v, %+v, %v", r.Want.Host, r.Notes, err)
	}

	p = s.proposer(nil)
	p.AdoptOnly = true
	if _, err := p.Init(t.Context(), s.given()); err == nil || !hint.IsUsage(err) ||
		err.Error() != "/etc/opendkim.conf was set up by hand and signs nothing: there is no key to take over" ||
		hint.Of(err)[0] != "mailsetup init lets it sign, and keeps its settings" {
		t.Errorf("adopted: %v", err)
	}

	first, err := s.proposer(nil).Init(t.Context(), s.given())
	if err != nil {
		t.Fatal(err)
	}
	old := first.Want
	old.Host.OpenDKIM, old.Domains[0].SignedBy = nil, spec.ByOther
	r, err = s.proposer(&old).Init(t.Context(), spec.Answers{})
	if err != nil || r.Want.Host.OpenDKIM != nil || len(r.Notes) != 0 {
		t.Errorf("left to another signer: %+v, %+v, %v", r.Want.Host, r.Notes, err)
	}
}

// A person who is asked sees what is taken over, and may add a domain beside it.
func TestInitAsksBesideWhatIsTakenOver(t *testing.T) {
	s := machine(served())
	s.byHand(t, "a.example", "b.example", "c.example", "d.example")
	p := s.proposer(nil)
	p.Ask = func(ctx context.Context, o wizard.Options) (spec.Answers, error) {
		list, err := o.Propose(ctx, o.Fixed)
		if err != nil || !slices.Contains(list.Found, "OpenDKIM signs for a.example, b.example, c.example, 1 more: taken over as it is, keys and all") {
			t.Errorf("%q, %v", list.Found, err)
		}
		return s.given(), nil
	}
	a := s.given()
	r, err := p.Init(t.Context(), spec.Answers{Domain: "lab.example", Hostname: a.Hostname})
	if err != nil || len(r.Want.Domains) != 5 {
		t.Fatalf("%+v, %v", r.Want.Domains, err)
	}
	if got := s.gathered[len(s.gathered)-2]; got != "lab.example lab.example a.example b.example c.example d.example" {
		t.Errorf("looked at %q", s.gathered)
	}
}

// An exim4 whose keys are taken over stays: a person is not asked which mail server signs.
func TestInitTakesOverExim(t *testing.T) {
	key, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	exim := func() *server {
		s := machine(served())
		s.facts.Exim = &state.Exim{Type: "internet", Signs: []string{"m:1"}, Hand: &state.EximDKIM{Domain: "lab.example", Selector: "hand", Key: "/etc/exim4/dkim.key", At: "m:1"}}
		s.Put("/etc/exim4/dkim.key", state.Object{Kind: state.Regular, Mode: 0o600, Owner: signer.EximOwner, Content: key.PEM()})
		s.PutFile("/etc/passwd", "Debian-exim:x:105:109::/var/spool/exim4:/usr/sbin/nologin\n")
		s.PutFile("/etc/group", "Debian-exim:x:109:\n")
		return s
	}
	p := exim().proposer(nil)
	p.Ask = func(_ context.Context, o wizard.Options) (spec.Answers, error) {
		a := o.Fixed
		if a.MTA == "" {
			a.MTA = "postfix"
		}
		return a, nil
	}
	r, err := p.Init(t.Context(), exim().given())
	if k, _ := r.Ledger.Signing("lab.example"); err != nil || r.Want.Host.MTA != spec.Exim || k.Selector != "hand" {
		t.Errorf("%v: %+v, %+v", err, r.Want.Host, k)
	}
	p = exim().proposer(nil)
	p.AdoptOnly = true
	a := exim().given()
	a.Domain = "far.example"
	if _, err := p.Init(t.Context(), a); err == nil || err.Error() != "exim4 does not sign for far.example here" {
		t.Errorf("%v", err)
	}
}

// To adopt is about what is there, and nothing else.
func TestAdoptOnly(t *testing.T) {
	adopt := func(s *server, old *spec.Spec, domain string) error {
		p := s.proposer(old)
		p.AdoptOnly = true
		a := s.given()
		a.Domain = domain
		_, err := p.Init(t.Context(), a)
		return err
	}
	s := machine(served())
	s.byHand(t, "lab.example")
	for _, domain := range []string{"", "LAB.example"} {
		if err := adopt(s, nil, domain); err != nil {
			t.Errorf("%q: %v", domain, err)
		}
	}
	err := adopt(s, nil, "far.example")
	if err == nil || !hint.IsUsage(err) || err.Error() != "OpenDKIM does not sign for far.example here" ||
		hint.Of(err)[0] != "mailsetup init --domain far.example adds it, and takes over what is here" {
		t.Errorf("%v", err)
	}
	s = machine(served())
	if err := adopt(s, nil, ""); err == nil || err.Error() != "there is no OpenDKIM here that was set up by hand and signs mail" {
		t.Errorf("%v", err)
	}
	s, old := hosting(t)
	s.facts.OpenDKIM = &state.OpenDKIM{}
	if err := adopt(s, old, ""); !errors.Is(err, propose.ErrAlreadyManaged) {
		t.Errorf("%v", err)
	}
}

// Of a server that is set up, only what incoming mail meets is asked and changed.
func TestInboundOnly(t *testing.T) {
	old := &spec.Spec{
		Host: spec.Host{
			Version: 1, Hostname: "mail.lab.example", Domain: "lab.example", DNS: spec.DNSBind, MilterDefaultAction: "accept",
			Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")},
			Drain:     spec.DefaultDrain, Inbound: inbound.Policy{SPF: "reject", Allow: []string{"192.0.2.7"}},
		},
		Domains: []spec.Domain{{Name: "lab.example", Selector: "s1", KeyBits: 2048, TTL: 3600, Receive: true, SPF: spec.SPF{All: "fail"}, DMARC: spec.DMARC{Policy: "none"}}},
	}
	s := machine(state.Facts{})
	p := s.proposer(old)
	p.InboundOnly = true
	asked := 0
	p.Ask = func(ctx context.Context, o wizard.Options) (spec.Answers, error) {
		asked++
		offered, err := o.Propose(ctx, o.Fixed)
		if !o.Inbound || err != nil || offered.Incoming.SPF.Value != "reject" || offered.Incoming.DMARC.Value != "off" || offered.Incoming.DNSBL.Value != "" {
			t.Errorf("asked with %+v, offered %+v, %v", o, offered.Incoming, err)
		}
		a := o.Fixed
		a.Inbound.SPF, a.Inbound.DMARC = "mark", "mark"
		return a, nil
	}
	r, err := p.Init(t.Context(), spec.Answers{})
	want := old.Without()
	want.Host.Inbound = inbound.Policy{SPF: "mark", DMARC: "mark", Allow: []string{"192.0.2.7"}}
	if d := cmp.Diff(want, r.Want, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); d != "" || err != nil || r.Asked == nil {
		t.Errorf("%v\n%s", err, d)
	}
	if !r.Scope.IsHostOnly() {
		t.Error("the run is about domains, too")
	}
	r, err = p.Init(t.Context(), spec.Answers{Inbound: inbound.Answers{Plain: true, SPF: "off"}})
	if err != nil || asked != 1 || r.Want.Host.Inbound.SPF != inbound.Off || r.Asked != nil {
		t.Errorf("with an answer: asked %d times, %+v, %v", asked, r.Want.Host.Inbound, err)
	}
	p.Spec = nil
	if _, err := p.Init(t.Context(), spec.Answers{}); !hint.IsUsage(err) || err.Error() != "this server is not set up yet" || !slices.Equal(hint.Of(err), []string{"mailsetup init"}) {
		t.Errorf("a server that is not set up: %v", err)
	}
}

// Other MX hosts of domains here are written down as soon as DNS names them, also of a
// domain that is added, and stay while it is silent.
func TestOtherMXHosts(t *testing.T) {
	const mx2 = "mx2.lab.example 198.51.100.20"
	seen := []inbound.Secondary{{Host: "mx2.lab.example", Address: netip.MustParseAddr("198.51.100.20")}}
	for _, tt := range []struct {
		name    string
		policy  inbound.Policy
		seen    []inbound.Secondary
		silent  bool
		want    string
		says    string // a note
		another string // a domain that is added
	}{
		{"new", inbound.Policy{SPF: "mark"}, seen, false, "[" + mx2 + "]", "mx2.lab.example (198.51.100.20) is another MX", ""},
		{"of a new domain", inbound.Policy{SPF: "mark"}, seen, false, "[" + mx2 + "]", "mx2.lab.example (198.51.100.20) is another MX", "shop.example"},
		{"known", inbound.Policy{SPF: "mark", MX: []string{mx2}}, seen, false, "[" + mx2 + "]", "", ""},
		{"silent", inbound.Policy{SPF: "mark", MX: []string{mx2}}, nil, true, "[" + mx2 + "]", "", ""},
		{"missing", inbound.Policy{SPF: "mark", MX: []string{mx2}}, nil, false, "[" + mx2 + " missing 2026-11-22]", "", ""},
		{"gone", inbound.Policy{SPF: "mark", MX: []string{mx2 + " missing 2026-11-21"}}, nil, false, "[]", "is no MX of domains here any more", ""},
		{"nothing is checked", inbound.Policy{}, seen, false, "[]", "", ""},
	} {
		s := machine(served())
		s.secondaries, s.silent = tt.seen, tt.silent
		first, err := s.proposer(nil).Init(t.Context(), s.given())
		if err != nil {
			t.Fatal(err)
		}
		old := first.Want
		old.Host.Inbound = tt.policy
		p, a := s.proposer(&old), s.given()
		var r propose.Result
		if tt.another != "" {
			r, err = p.AddDomains(t.Context(), []string{tt.another}, spec.Answers{})
		} else {
			r, err = p.Init(t.Context(), a)
		}
		var notes strings.Builder
		for _, n := range r.Notes {
			notes.WriteString(n.Text + "\n")
		}
		if got := fmt.Sprint(r.Want.Host.Inbound.MX); err != nil || got != tt.want || !strings.Contains(notes.String(), tt.says) || tt.says == "" && notes.Len() > 0 {
			t.Errorf("%s: %s, %v\n%s", tt.name, got, err, notes.String())
		}
	}
}

// Where OpenDKIM verifies, what a run would refuse is not proposed, even if host.toml asks
// for it.
func TestIncomingProposals(t *testing.T) {
	for _, tt := range []struct {
		policy inbound.Policy
		rspamd bool
		mta    string
		want   string
	}{
		{inbound.Policy{}, false, "", "mark"},
		{inbound.Policy{DMARC: "reject"}, false, "", "mark"},
		{inbound.Policy{DMARC: "quarantine"}, false, "", "mark"},
		{inbound.Policy{SPF: "mark"}, false, "", "off"},
		{inbound.Policy{DMARC: "reject"}, true, "", "reject"},
		{inbound.Policy{}, false, "exim4", ""},
	} {
		s := machine(state.Facts{Rspamd: tt.rspamd})
		p := s.proposer(&spec.Spec{Host: spec.Host{Version: 1, Hostname: "mail.lab.example", Domain: "lab.example", MTA: tt.mta, Inbound: tt.policy}})
		p.InboundOnly = true
		var got wizard.Incoming
		p.Ask = func(ctx context.Context, o wizard.Options) (spec.Answers, error) {
			offered, err := o.Propose(ctx, o.Fixed)
			got = offered.Incoming
			return o.Fixed, err
		}
		_, _ = p.Init(t.Context(), spec.Answers{})
		if got.DMARC.Value != tt.want || got.Rspamd != tt.rspamd || got.NoDMARC != (tt.mta == "exim4") {
			t.Errorf("%+v, rspamd %v: proposed %+v", tt.policy, tt.rspamd, got)
		}
	}
}
