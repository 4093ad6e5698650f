package spec

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/spec/syntax"
)

// withDefaults is host.toml of someHost with what its new domains begin with.
func withDefaults() string {
	return "key_bits = 3072 # ours\nselector = 'mail'\nttl = 600\n" + string(MarshalHost(someHost())) +
		"\n[spf]\nall = '-all' # we list every sender\ninclude = ['_spf.relay.example']\n\n[dmarc]\npolicy = 'quarantine'\nadkim = 's'\nrua = ['dmarc@shop.example']\n"
}

// New domains begin with what host.toml says, and flags win; those that are
// there have files of their own.
func TestNewDomainsBeginAsTheHostSays(t *testing.T) {
	old, err := Parse([]byte(withDefaults()), map[string][]byte{"shop.example": MarshalDomain(someDomain())})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "of the first domain", old.Domains, []Domain{someDomain()})
	usual := Domain{
		Name: "a.example", Selector: "mail", KeyBits: 3072, TTL: 600,
		SPF:   SPF{All: "fail", Include: []string{"_spf.relay.example"}},
		DMARC: DMARC{Policy: "quarantine", ADKIM: "strict", RUA: []string{"mailto:dmarc@shop.example"}},
	}
	own := Domain{
		Name: "a.example", Selector: "other", KeyBits: 2048, TTL: 3600,
		SPF: SPF{All: "neutral"}, DMARC: DMARC{Policy: "none", ADKIM: "relaxed"},
	}
	leaning := usual
	leaning.SPF = SPF{All: "fail", Redirect: "shop.example"}
	for name, test := range map[string]struct {
		a    Answers
		want Domain
	}{
		"no flags":     {Answers{}, usual},
		"all flags":    {Answers{Selector: "other", KeyBits: "2048", TTL: "3600", SPFAll: "?all", SPFInclude: []string{"none"}, DMARC: "none", ADKIM: "r", RUA: []string{"none"}}, own},
		"another's":    {Answers{SPFRedirect: "yes"}, leaning},
		"the same way": {Answers{DNS: "bind"}, usual},
	} {
		test.a.Domain = "a.example"
		more, findings := old.WithDomains([]Answers{test.a}, november())
		if findings != nil {
			t.Errorf("%s: %v", name, findings)
		}
		equal(t, "add-domain, "+name, more.Domains, []Domain{test.want, someDomain()})
		equal(t, "init, "+name, build(t, test.a, &old).Domains, []Domain{test.want, someDomain()})
		text, err := SetHost([]byte(withDefaults()), more.Host)
		equal(t, "host.toml, "+name, string(text), withDefaults())
		if err != nil {
			t.Error(err)
		}
	}
	// A file that is made says them as well.
	again, findings := parseHost(MarshalHost(old.Host))
	equal(t, "host", again, old.Host)
	equal(t, "findings", findings, syntax.Findings(nil))
}

// A redirect that new domains begin with gives way to each answer about a record
// of their own, and is no loop of the domain that it names.
func TestNewDomainsLeanOnAnotherAsTheHostSays(t *testing.T) {
	text := string(MarshalHost(someHost())) + "[spf]\nredirect = 'relay.example'\n"
	old, err := Parse([]byte(text), map[string][]byte{"shop.example": MarshalDomain(someDomain())})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		a    Answers
		want SPF
	}{
		"no flags":         {Answers{}, SPF{All: "softfail", Redirect: "relay.example"}},
		"--spf-redirect":   {Answers{SPFRedirect: "yes"}, SPF{All: "softfail", Redirect: "shop.example"}},
		"--spf-redirect=n": {Answers{SPFRedirect: "no"}, SPF{All: "softfail"}},
		"--spf-all":        {Answers{SPFAll: "fail"}, SPF{All: "fail"}},
		"--spf-include":    {Answers{SPFInclude: []string{"b.example"}}, SPF{All: "softfail", Include: []string{"b.example"}}},
		"itself":           {Answers{Domain: "relay.example"}, SPF{All: "softfail"}},
	} {
		if test.a.Domain == "" {
			test.a.Domain = "a.example"
		}
		more, findings := old.WithDomains([]Answers{test.a}, november())
		if findings != nil {
			t.Errorf("%s: %v", name, findings)
			continue
		}
		i := slices.IndexFunc(more.Domains, func(d Domain) bool { return d.Name == test.a.Domain })
		equal(t, name, more.Domains[i].SPF, test.want)
	}
	_, err = Parse([]byte(text+"include = ['b.example']\n"), map[string][]byte{"shop.example": MarshalDomain(someDomain())})
	if err == nil || err.Error() != "host: spf.include: does not count beside a redirect to relay.example; hint: include them there, or leave the redirect out" {
		t.Error(err)
	}
}

func TestDefaultsThatNoDomainCouldHave(t *testing.T) {
	text := string(MarshalHost(someHost())) + "[spf]\ninclude = ['" + strings.Join(strings.Fields(
		"a.example b.example c.example d.example e.example f.example g.example h.example i.example j.example k.example"), "', '") + "']\n"
	_, err := Parse([]byte(text), map[string][]byte{"shop.example": MarshalDomain(someDomain())})
	if err == nil || err.Error() != "host: spf.include: makes 11 DNS lookups, receivers stop at 10 (RFC 7208 section 4.6.4); hint: include fewer senders" {
		t.Error(err)
	}
}
