package dns_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/dns"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// fragmentText is what our fragment of lab.example says after a step, on single
// lines and without comments.
func fragmentText(t *testing.T, st state.Stage) string {
	t.Helper()
	var text string
	for _, f := range st.Files {
		if f.Path == "/etc/bind/mailsetup/lab.example.zone" {
			text = string(f.Content)
		}
	}
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.Join(strings.Fields(line), " "); line != "" && line[0] != ';' {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// A further domain takes the addresses and the mail of its name and of all names
// below it, which needs a consent of its own.
func TestNewNameUnderWildcard(t *testing.T) {
	in := steptest.BelowLab(t, steptest.Covering)
	st, notes, err := dns.Publish(in)
	if err != nil || len(st.Questions) != 1 || len(notes) != 0 {
		t.Fatalf("%v, notes %v, questions %+v", err, notes, st.Questions)
	}
	q := st.Questions[0]
	if q.Kind != state.AskWildcard || q.Domain != "shop.lab.example" || q.Declined == "" {
		t.Errorf("%+v", q)
	}
	for _, want := range []string{"*.lab.example ", "shop.lab.example (A, MX)", "names below shop.lab.example (A, MX)"} {
		if !strings.Contains(q.Text, want) {
			t.Errorf("%q is not in %s", want, q.Text)
		}
	}
	if want := "shop.lab.example. 600 IN A 192.0.2.80\nshop.lab.example. 600 IN MX 10 mx.example.org.\n*.shop.lab.example. 600 IN A 192.0.2.80\n*.shop.lab.example. 600 IN MX 10 mx.example.org."; q.After != want {
		t.Errorf("a yes publishes\n%s\nwant\n%s", q.After, want)
	}
	if text := fragmentText(t, st); !strings.HasSuffix(text, "\n"+steptest.ShopCopies) {
		t.Errorf("the plan to be agreed to:\n%s", text)
	}

	copied, _, err := dns.Publish(steptest.Answered(in, "shop.lab.example", spec.Copy))
	if err != nil || len(copied.Questions) != 0 {
		t.Fatalf("%v, %+v", err, copied.Questions)
	}
	if text := fragmentText(t, copied); !strings.HasSuffix(text, "\n"+steptest.ShopCopies) {
		t.Errorf("with copies:\n%s", text)
	}
	probe := copied.Units[0].Probes[0]
	if !slices.ContainsFunc(probe.Records, func(r state.Record) bool { return r.Name == "*.shop.lab.example." && r.Type == "MX" }) {
		t.Errorf("nobody sees whether the copies are served: %v", probe.Records)
	}

	dropped, notes, err := dns.Publish(steptest.Answered(in, "shop.lab.example", spec.Drop))
	if err != nil || len(dropped.Questions) != 0 || len(notes) != 1 || !notes[0].Informational || !strings.Contains(notes[0].Text, "shop.lab.example (A, MX)") {
		t.Fatalf("%v, questions %+v, notes %+v", err, dropped.Questions, notes)
	}
	if text := fragmentText(t, dropped); strings.Contains(text, " A ") || strings.Contains(text, " MX ") {
		t.Errorf("without copies:\n%s", text)
	}
}

// Where nobody loses what anybody asks for, nothing is asked.
func TestWildcardsThatNobodyMisses(t *testing.T) {
	for name, tc := range map[string]struct {
		lines  string
		change func(*step.Input)
	}{
		"the host has a name of its own": {steptest.Covering, func(in *step.Input) {
			in.Scope = step.Scope{}
			in.Spec.Domains = in.Spec.Domains[:1]
		}},
		"the name exists":                 {steptest.Covering + "shop IN A 192.0.2.5\n", nil},
		"a name below it exists":          {steptest.Covering + "www.shop IN A 192.0.2.5\n", nil},
		"only texts":                      {`* IN TXT "v=spf1 -all"` + "\n", nil},
		"an alias of what has no key":     {"* IN CNAME mail\n", func(in *step.Input) { in.Scope = step.Scope{}; in.Spec.Domains = in.Spec.Domains[:1] }},
		"keys of another domain":          {"*._domainkey.other IN TXT \"v=DKIM1; p=MIIB\"\n", nil},
		"a run about keys":                {steptest.Covering, func(in *step.Input) { in.KeysOnly = true }},
		"a key beside others by wildcard": {"*._domainkey IN TXT \"v=DKIM1; p=MIIB\"\n", func(in *step.Input) { in.Scope = step.Scope{}; in.Spec.Domains = in.Spec.Domains[:1] }},
	} {
		in := steptest.BelowLab(t, tc.lines)
		if tc.change != nil {
			tc.change(&in)
		}
		st, notes, err := dns.Publish(in)
		if err != nil || len(st.Questions) > 0 || len(notes) > 0 {
			t.Errorf("%s: %v, questions %+v, notes %+v", name, err, st.Questions, notes)
		}
	}
}

// questionAfter is what a yes to the only question publishes.
func questionAfter(t *testing.T, in step.Input) string {
	t.Helper()
	st, _, err := dns.Publish(in)
	if err != nil || len(st.Questions) != 1 {
		t.Fatalf("%v, %+v", err, st.Questions)
	}
	return st.Questions[0].After
}

func TestWildcardsOfOtherKinds(t *testing.T) {
	alone := func(in *step.Input) { in.Scope = step.Scope{}; in.Spec.Domains = in.Spec.Domains[:1] }
	for name, tc := range map[string]struct {
		lines, want string
		change      func(*step.Input)
	}{
		"a host name that only a wildcard covered": {
			"* IN A 192.0.2.80\n* IN AAAA 2001:db8::80\n",
			"smtp.lab.example. 300 IN AAAA 2001:db8::80\n*.smtp.lab.example. 300 IN A 192.0.2.80\n*.smtp.lab.example. 300 IN AAAA 2001:db8::80",
			func(in *step.Input) { alone(in); in.Spec.Host.Hostname = "smtp.lab.example" },
		},
		"a name in between": {
			"* IN A 192.0.2.80\n",
			"dc1.lab.example. 300 IN A 192.0.2.80\n*.dc1.lab.example. 300 IN A 192.0.2.80\n*.smtp.dc1.lab.example. 300 IN A 192.0.2.80",
			func(in *step.Input) { alone(in); in.Spec.Host.Hostname = "smtp.dc1.lab.example" },
		},
		"an alias, whose addresses take its place beside our records": {
			"* IN CNAME www\nwww 60 IN A 192.0.2.80\nwww 60 IN TXT \"hello\"\n",
			"shop.lab.example. 60 IN A 192.0.2.80\n*.shop.lab.example. 300 IN CNAME www.lab.example.", nil,
		},
		"an alias where only names below it have records": {
			"* IN CNAME www\nwww 60 IN A 192.0.2.80\n",
			"dc1.lab.example. 300 IN CNAME www.lab.example.\n*.dc1.lab.example. 300 IN CNAME www.lab.example.\n*.smtp.dc1.lab.example. 300 IN CNAME www.lab.example.",
			func(in *step.Input) { alone(in); in.Spec.Host.Hostname = "smtp.dc1.lab.example" },
		},
		"an alias of what another wildcard covers": {
			"*.dc1 IN CNAME web\n* 60 IN A 192.0.2.80\n",
			"smtp.dc1.lab.example. 60 IN A 192.0.2.80\n*.smtp.dc1.lab.example. 300 IN CNAME web.lab.example.",
			func(in *step.Input) {
				alone(in)
				in.Spec.Host.Hostname = "smtp.dc1.lab.example"
				in.Spec.Host.Addresses = steptest.Addrs("2001:db8::1")
			},
		},
		"a policy that a wildcard gave": {
			"* IN TXT \"v=DMARC1; p=reject\"\n",
			"*._dmarc.lab.example. 300 IN TXT \"v=DMARC1; p=reject\"", alone,
		},
		"a key that a wildcard gave": {
			"* IN TXT \"v=DKIM1; p=MIIB\"\n",
			"*._domainkey.lab.example. 300 IN TXT \"v=DKIM1; p=MIIB\"", alone,
		},
		"keys elsewhere": {
			"* IN CNAME s1._domainkey.vendor.example.\nshop IN A 192.0.2.5\n",
			"*._dmarc.lab.example. 300 IN CNAME s1._domainkey.vendor.example.\n_domainkey.lab.example. 300 IN CNAME s1._domainkey.vendor.example.\n*._domainkey.lab.example. 300 IN CNAME s1._domainkey.vendor.example.", alone,
		},
	} {
		in := steptest.BelowLab(t, tc.lines)
		if tc.change != nil {
			tc.change(&in)
		}
		if got := questionAfter(t, in); got != tc.want {
			t.Errorf("%s: a yes publishes\n%s\nwant\n%s", name, got, tc.want)
		}
	}
}

// A copy of an alias to somebody else's zone can stand nowhere: the run ends,
// unless the administrator goes on without.
func TestWildcardAliasToElsewhere(t *testing.T) {
	in := steptest.BelowLab(t, "* IN CNAME shops.vendor.example.\n")
	for _, word := range []string{"", spec.Copy} {
		_, _, err := dns.Publish(steptest.Answered(in, "shop.lab.example", word))
		var refusal *step.Refusal
		if !errors.As(err, &refusal) || refusal.Keep == nil || refusal.Keep.Kind != state.AskWildcard {
			t.Fatalf("%q: %v", word, err)
		}
		if !strings.Contains(refusal.What, "only shops.vendor.example knows its addresses") || refusal.Hint != "give shop.lab.example addresses of its own in /etc/bind/db.lab.example first" {
			t.Errorf("%s\n%s", refusal.What, refusal.Hint)
		}
	}
	st, notes, err := dns.Publish(steptest.Answered(in, "shop.lab.example", spec.Drop))
	if err != nil || len(st.Questions) > 0 || len(notes) != 1 {
		t.Errorf("%v, %+v, %+v", err, st.Questions, notes)
	}
}

// The copies stay for as long as our records make the name exist, and no longer.
func TestCopiesLeaveWithTheName(t *testing.T) {
	has := func(what string, st state.Stage, want bool) {
		t.Helper()
		if text := fragmentText(t, st); strings.Contains(text, steptest.ShopCopies) != want || !want && strings.Contains(text, "192.0.2.80") {
			t.Errorf("%s: copies should be there: %v:\n%s", what, want, text)
		}
	}
	in := steptest.WithCopies(t)
	probes := func(st state.Stage) []state.Probe { return append(st.Units[0].Probes, st.Units[0].UndoProbes...) }
	st, _, err := dns.Publish(in)
	if err != nil || len(st.Questions) > 0 {
		t.Fatal(err, st.Questions)
	}
	has("the same again", st, true)

	other := in
	other.Scope = step.Only("lab.example")
	st, _, err = dns.Publish(other)
	if err != nil {
		t.Fatal(err)
	}
	has("a run about another domain", st, true)

	rotating := in
	rotating.KeysOnly = true
	if st, _, err = dns.Publish(rotating); err != nil {
		t.Fatal(err)
	}
	has("another key of the domain", st, true)

	lost := steptest.Answered(in, "shop.lab.example", spec.Drop)
	if st, _, err = dns.Publish(lost); err != nil {
		t.Fatal(err)
	}
	has("another answer", st, false)

	removed := in
	removed.Removed = []spec.Domain{in.Spec.Domains[1]}
	removed.Spec = in.Spec.Without("shop.lab.example")
	if st, _, err = dns.Publish(removed); err != nil {
		t.Fatal(err)
	}
	has("removed, and its key drains", st, true)
	if text := fragmentText(t, st); strings.Contains(text, "_dmarc.shop") || strings.Contains(text, "\"v=spf1 ip4:192.0.2.10 -all\"") {
		t.Errorf("the policies stay:\n%s", text)
	}

	draining := removed
	draining.Removed, draining.Scope = nil, step.Scope{}
	draining.Facts.Zones = slices.Clone(in.Facts.Zones)
	z := &draining.Facts.Zones[0]
	z.OurRecords = slices.DeleteFunc(slices.Clone(z.OurRecords), func(r state.Record) bool {
		return r.Type == "TXT" && strings.HasSuffix(r.Name, "shop.lab.example.") && !strings.Contains(r.Name, "._domainkey.")
	})
	draining.Ledger = keyring.Ledger{"lab.example": in.Ledger["lab.example"], "shop.lab.example": keyring.Drain(in.Ledger["shop.lab.example"], steptest.Now)}
	if st, _, err = dns.Publish(draining); err != nil {
		t.Fatal(err)
	}
	has("init meanwhile", st, true)

	gone := draining
	gone.Scope = step.Only()
	gone.Keys.Withdraw = map[string][]string{"shop.lab.example": {"202611"}}
	if st, _, err = dns.WithdrawAlone(gone); err != nil {
		t.Fatal(err)
	}
	has("the last key goes", st, false)
	for _, p := range probes(st) {
		if slices.ContainsFunc(p.Gone, func(r state.Record) bool { return r.Value == "192.0.2.80" }) {
			t.Errorf("the wildcard answers again, and nobody may wait for that to end: %v", p.Gone)
		}
	}

	purged := removed
	purged.Keys.Withdraw = gone.Keys.Withdraw
	if st, _, err = dns.Withdraw(purged); err != nil {
		t.Fatal(err)
	}
	if text := fragmentText(t, st); strings.Contains(text, "shop.") {
		t.Errorf("purged, and yet:\n%s", text)
	}
}

// What was published before anybody asked is not asked about in every run.
func TestLossesOfLongAgo(t *testing.T) {
	in := steptest.Answered(steptest.WithCopies(t), "shop.lab.example", "")
	z := &in.Facts.Zones[0]
	z.OurRecords = slices.DeleteFunc(z.OurRecords, func(r state.Record) bool { return slices.Contains(z.Copies, r) })
	z.Copies = nil
	st, notes, err := dns.Publish(in)
	if err != nil || len(st.Questions) > 0 || len(notes) > 0 {
		t.Errorf("%v, %+v, %+v", err, st.Questions, notes)
	}
}

// The answer is the domain's own; a name that two domains make exist has copies
// if one of them wants them.
func TestCopiesForTwoDomains(t *testing.T) {
	in := steptest.BelowLab(t, steptest.Covering)
	in.Spec.Domains[1].Name = "a.b.lab.example"
	third := in.Spec.Domains[1]
	third.Name = "c.b.lab.example"
	in.Spec.Domains[1].WildcardRecords, third.WildcardRecords = spec.Drop, spec.Copy
	in.Spec.Domains = []spec.Domain{in.Spec.Domains[1], third, in.Spec.Domains[0]}
	in.Scope = step.Only("a.b.lab.example", "c.b.lab.example")
	st, notes, err := dns.Publish(in)
	if err != nil || len(st.Questions) > 0 || len(notes) != 1 {
		t.Fatalf("%v, %+v, %+v", err, st.Questions, notes)
	}
	text := fragmentText(t, st)
	for want, n := range map[string]int{
		"\nb.lab.example. 600 IN A 192.0.2.80": 1, "\n*.c.b.lab.example. 600 IN A": 1, "\nc.b.lab.example. 600 IN MX": 1, "\na.b.lab.example. 600 IN A": 0, "\n*.a.b.": 0,
	} {
		if got := strings.Count("\n"+text, want); got != n {
			t.Errorf("%d of %q, want %d:\n%s", got, want, n, text)
		}
	}
}

// Name servers are expected to have each copy once.
func TestExpectedCopies(t *testing.T) {
	in := steptest.WithCopies(t)
	for _, d := range in.Spec.Domains {
		all, copies := dns.ExpectedRecords(in, d)
		if (len(copies) > 0) != (d.Name == "shop.lab.example") {
			t.Errorf("%s: copies %v", d.Name, copies)
		}
		for r, wildcard := range copies {
			times := len(slices.DeleteFunc(slices.Clone(all), func(x state.Record) bool { return x != r }))
			if times != 1 || wildcard != "*.lab.example." {
				t.Errorf("%s: %+v is expected %d times, for %s", d.Name, r, times, wildcard)
			}
		}
		d.WildcardRecords = spec.Drop
		if _, copies = dns.ExpectedRecords(in, d); len(copies) > 0 {
			t.Errorf("%s: copies that nobody wants: %v", d.Name, copies)
		}
	}
}
