package dns_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/dns"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// dnsNotes are what a plan says about DNS.
func dnsNotes(t *testing.T, in step.Input) []state.Note {
	t.Helper()
	var list []state.Note
	for _, n := range steptest.Build(t, in).Notes {
		if n.Topic == "dns" {
			list = append(list, n)
		}
	}
	return list
}

// Each record is printed once, and where to find the other form is said.
func TestRecordsInTheFormOfTheNameServer(t *testing.T) {
	const web = "publish these records of lab.example (TTL 3600; as web forms take them; what is known of the form of your provider: mailsetup dns lab.example --format paste; for a zone file: mailsetup dns lab.example)"
	for server, want := range map[state.DNSServer][2]string{
		state.NoDNSServer: {web, "name               type  priority  value\nmail               A               192.0.2.10\n"},
		state.BIND:        {web, "name               type  priority  value\nmail               A               192.0.2.10\n"},
		state.NSD:         {"NSD answers DNS here and is left alone: publish these records of lab.example in its zone file (raise the serial, then nsd-control reload lab.example); for the web form", "; Mail records of lab.example\n\n; Addresses"},
		state.Dnsmasq:     {"dnsmasq answers DNS here and is left alone", "\nmx-host=lab.example,mail.lab.example,10\n"},
		state.Unbound:     {"Unbound answers DNS here and is left alone", "server:\n    local-zone: \"lab.example.\" typetransparent\n"},
		state.PowerDNS:    {"PowerDNS answers DNS here and is left alone", "\npdnsutil add-record lab.example _dmarc TXT 3600 '\"v=DMARC1; "},
	} {
		in := steptest.Manual()
		in.Facts.DNS, in.Facts.Zones = server, nil
		notes := dnsNotes(t, in)
		if len(notes) != 2 || notes[1].Action != "mailsetup dns --wait" {
			t.Fatalf("%s: notes %+v", server, notes)
		}
		if n := notes[0]; !strings.Contains(n.Text, want[0]) || !strings.Contains(n.Action, want[1]) || strings.Count(n.Action, "192.0.2.10 mx ~all") != 1 {
			t.Errorf("%s: %s\n%s", server, n.Text, n.Action)
		}
	}
}

// What name servers have is not printed again: what is new, what takes the place of
// something else, with that, and what is right already; nothing is left once all are.
func TestWhatIsLeftToPublish(t *testing.T) {
	in := steptest.Manual()
	in.Facts.DNS, in.Facts.Zones = state.NoDNSServer, nil
	all := dns.RecordsByHand(in, in.Spec.Domains[0])
	if len(all) != 6 {
		t.Fatalf("records %v", all)
	}
	at := func(r state.Record, value string) state.Record {
		r.Value = value
		return r
	}
	in.Facts.ByHand = map[state.Record]state.Served{
		all[0]: {Everywhere: true}, all[1]: {Everywhere: true},
		all[2]: {Instead: []state.Record{at(all[2], "v=spf1 -all")}},
		all[3]: {},
		all[4]: {Everywhere: true},
	}
	var got []string
	for _, n := range dnsNotes(t, in) {
		got = append(got, n.Text+"\n"+n.Action)
	}
	want := []string{
		"publish these records of lab.example (TTL 3600; as web forms take them; what is known of the form of your provider: mailsetup dns lab.example --format paste; for a zone file: mailsetup dns lab.example)\n" +
			"name    type  value\nmail    TXT   v=spf1 ip4:192.0.2.10 ~all\n_dmarc  TXT   v=DMARC1; p=none; rua=mailto:ops@lab.example\n",
		"replace these records of lab.example (TTL 3600; as web forms take them; what is known of the form of your provider: mailsetup dns lab.example --format paste; for a zone file: mailsetup dns lab.example); what DNS has now stands below them\n" +
			"name  type  value\n@     TXT   v=spf1 ip4:192.0.2.10 mx ~all\n\nin the place of\n\nname  type  value\n@     TXT   v=spf1 -all",
		"right already at lab.example: mail A, @ MX, 202611._domainkey TXT\n",
		"once the records are in DNS, see whether every name server has them, and what is wrong where one does not; the records of later keys are yours to publish as well, and nobody is mailed then without init --notify ADDRESS\nmailsetup dns --wait",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	in.Spec.Host.Notify = "ops@lab.example"
	notes := dnsNotes(t, in)
	if last := notes[len(notes)-1]; last.Text != "once the records are in DNS, see whether every name server has them, and what is wrong where one does not" {
		t.Errorf("where somebody is mailed: %s", last.Text)
	}
	for _, r := range all {
		in.Facts.ByHand[r] = state.Served{Everywhere: true}
	}
	notes = dnsNotes(t, in)
	if len(notes) != 1 || !notes[0].Informational || notes[0].Text != "the name servers that answered have the 6 records of lab.example as they should be" {
		t.Errorf("once all are there: %+v", notes)
	}
	in.Facts.ByHand = nil
	in.Facts.Live = map[string]state.LiveDNS{"_dmarc.lab.example": {Asked: true, TXT: []string{all[5].Value}}}
	if notes = dnsNotes(t, in); len(notes) != 3 || notes[1].Text != "right already at lab.example: _dmarc TXT" {
		t.Errorf("a policy that resolvers find, of servers that could not be asked: %+v", notes)
	}
}

func TestWhyTheRecordsArePrinted(t *testing.T) {
	in := steptest.Manual()
	in.Facts.Zones[0].Problem = "BIND is a secondary server for it here"
	notes := dnsNotes(t, in)
	if len(notes) != 3 || notes[0].Text != "zone lab.example: BIND is a secondary server for it here" {
		t.Errorf("notes %+v", notes)
	}
}

func TestNoBINDBesideAnotherNameServer(t *testing.T) {
	in := steptest.Bare()
	in.Facts.DNS = state.Unbound
	_, err := steps.Build(steps.All(), in)
	if err == nil || !strings.Contains(err.Error(), "Unbound answers DNS here, not BIND") {
		t.Errorf("error %v", err)
	}
}

// Keys that get older than half a year, or never get successors, are told of;
// and those that leave DNS before queues are empty.
func TestLives(t *testing.T) {
	s := steptest.Two("mail.lab.example", "shop.example").Spec
	all := func(string) bool { return true }
	told := func(about func(string) bool) (texts []string) {
		for _, n := range steps.LifetimeWarnings(s, about) {
			texts = append(texts, n.Text+" "+n.Action)
		}
		return texts
	}
	if got := told(all); len(got) > 0 {
		t.Errorf("the default is told of: %q", got)
	}
	s.Host.Every, s.Host.Drain = 184*24*time.Hour, 5*24*time.Hour
	if got := told(all); len(got) > 0 {
		t.Errorf("six months and five days are told of: %q", got)
	}
	s.Host.Every, s.Domains[1].Every, s.Domains[1].Drain = 185*24*time.Hour, spec.Never, 4*24*time.Hour
	if got, want := told(all), []string{
		`the keys of shop.example never get successors; six months are advised (rotate_every) rotate_every = "180d" in /etc/mailsetup/host.toml, or in the domain's own file`,
		`the keys of lab.example get successors after 185d; six months are advised (rotate_every) rotate_every = "180d" in /etc/mailsetup/host.toml, or in the domain's own file`,
		`the keys of shop.example leave DNS after 4d, and mail may wait in queues for 5d (drain) drain = "14d" in /etc/mailsetup/host.toml, or in the domain's own file`,
	}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	if got := told(func(domain string) bool { return domain == "lab.example" }); len(got) != 1 {
		t.Errorf("of lab.example alone: %q", got)
	}
}

// What others publish beside texts that DNS has may be too much for one answer,
// unless it takes their place.
func TestLargeTextsOfOthers(t *testing.T) {
	in := steptest.Bare()
	in.Spec.Host.DNS, in.Facts.Zones = spec.DNSManual, nil
	said := func(texts ...string) string {
		in.Facts.Live = map[string]state.LiveDNS{"lab.example": {Asked: true, TXT: texts}}
		_, notes := dns.RecordsToPrint(in, in.Spec.Domains[0])
		var all []string
		for _, n := range notes {
			if strings.Contains(n.Text, "1232 are sure") {
				all = append(all, n.Text)
			}
		}
		return strings.Join(all, "\n")
	}
	// 40 octets of header, question and EDNS; 13 and 29 of our SPF record, 17 and 1150.
	if got := said(strings.Repeat("x", 1150)); !strings.HasPrefix(got, "the TXT records of lab.example make an answer of 1249 octets") {
		t.Errorf("said %q", got)
	}
	if got := said(strings.Repeat("x", 1100)); got != "" {
		t.Errorf("of few: said %q", got)
	}
	if got := said("v=spf1 " + strings.Repeat("ip4:198.51.100.7 ", 40) + "~all"); got != "" {
		t.Errorf("of one that is replaced: said %q", got)
	}
}
