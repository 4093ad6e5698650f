package spec

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// words runs a validator over good values and their normal forms, "" for those
// that must be refused.
func words[T any](t *testing.T, parse func(string) (T, error), cases map[string]string) {
	t.Helper()
	for given, want := range cases {
		got, err := parse(given)
		if want == "" {
			if err == nil || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: accepted as %v, or not one line: %v", given, got, err)
			}
			continue
		}
		if text := fmt.Sprint(got); err != nil || text != want {
			t.Errorf("%q: %s, %v, want %s", given, text, err, want)
		}
	}
}

func TestChoices(t *testing.T) {
	words(t, KeyBits, map[string]string{"2048": "2048", " 1024 ": "1024", "3072": "3072", "4096": "4096", "512": "", "2047": "", "02048": "", "": "", "2048\n": "2048", "x": ""})
	words(t, TTL, map[string]string{"3600": "3600", " 60": "60", "604800": "604800", "59": "", "604801": "", "-1": "", "1h": "", "": "", "99999999999999999999": "", "+60": ""})
	words(t, SPFAll, map[string]string{"softfail": "softfail", "~all": "softfail", "-all": "fail", "?ALL": "neutral", "Fail": "fail", "+all": "", "pass": "", "": ""})
	words(t, DMARCPolicy, map[string]string{"none": "none", "Quarantine": "quarantine", "reject": "reject", "p=none": "", "": "", "none;": ""})
	words(t, Alignment, map[string]string{"r": "relaxed", "S": "strict", "relaxed": "relaxed", "strict": "strict", "x": "", "": ""})
	words(t, MilterAction, map[string]string{"tempfail": "tempfail", "ACCEPT": "accept", "reject": "", "quarantine": "", "": ""})
	words(t, DNS, map[string]string{"bind": "bind", " Manual": "manual", "named": "", "": ""})
	words(t, YesNo, map[string]string{"yes": "true", "Y": "true", "true": "true", "no": "false", "N": "false", "off": "false", "maybe": "", "": ""})
}

func TestSpans(t *testing.T) {
	words(t, Drain, map[string]string{
		"14d": "336h0m0s", " 36H ": "36h0m0s", "90m": "1h30m0s", "2s": "2s", "366d": "8784h0m0s",
		"": "", "d": "", "14": "", "0d": "", "-1d": "", "1.5d": "", "367d": "", "14 d": "", "999999999999d": "", "1w": "",
	})
	for d, want := range map[time.Duration]string{
		Never: "never", 0: "", 14 * 24 * time.Hour: "14d", 36 * time.Hour: "36h", 90 * time.Minute: "90m", 61 * time.Second: "61s",
	} {
		if got := Span(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestRotationSpans(t *testing.T) {
	words(t, RotateEvery, map[string]string{
		"180d": "4320h0m0s", "30D": "720h0m0s", " Never ": "-1ns", "10s": "10s", "3660d": "87840h0m0s",
		"": "", "3661d": "", "monthly": "", "0d": "", "off": "",
	})
	words(t, Revoke, map[string]string{"never": "-1ns", "30d": "720h0m0s", "": "", "367d": "", "0s": ""})
	words(t, Lag, map[string]string{"1h": "1h0m0s", "1s": "1s", "31d": "744h0m0s", "never": "", "32d": "", "": ""})
}

// A domain says only what is not as on the host.
func TestRotationOf(t *testing.T) {
	s := Spec{Host: Host{Rotation: Rotation{Lag: 2 * time.Hour}}}
	equal(t, "host's", s.RotationOf(Domain{}), Rotation{Every: 180 * 24 * time.Hour, Lag: 2 * time.Hour, Revoke: Never})
	equal(t, "drain", s.DrainOf(Domain{}), 14*24*time.Hour)
	s.Host = Host{Drain: time.Hour, Rotation: Rotation{Every: Never, Lag: time.Second, Revoke: time.Minute}}
	equal(t, "all of the host's", s.RotationOf(Domain{}), Rotation{Every: Never, Lag: time.Second, Revoke: time.Minute})
	d := Domain{Drain: time.Minute, Rotation: Rotation{Every: time.Hour, Revoke: Never}}
	equal(t, "own", s.RotationOf(d), Rotation{Every: time.Hour, Lag: time.Second, Revoke: Never})
	equal(t, "own drain", s.DrainOf(d), time.Minute)
}

func TestUpdates(t *testing.T) {
	words(t, DNS, map[string]string{"bind": "bind", "RFC2136": "rfc2136", "manual": "manual", "nsupdate": "", "": ""})
}

func TestWhatOnlyATakenOverDomainNeeds(t *testing.T) {
	h, d := someHost(), someDomain()
	h.Trusted, h.OpenDKIM = []string{"10.0.0.0/8"}, []string{"OversignHeaders", "Canonicalization simple/simple"}
	d.Also, d.Partial, d.Identities = []string{"ann@shop.example"}, true, []string{"ann@shop.example ann@shop.example"}
	got, err := Parse(MarshalHost(h), map[string][]byte{"shop.example": MarshalDomain(d)})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "spec", got, Spec{Host: h, Domains: []Domain{d}})
	text, err := SetHost(MarshalHost(someHost()), h)
	if err != nil || !strings.Contains(string(text), "opendkim = [\"OversignHeaders\", \"Canonicalization simple/simple\"]\n") {
		t.Errorf("%v\n%s", err, text)
	}
	d.Also = nil
	equal(t, "nobody", (Spec{Host: h, Domains: []Domain{d}}).Validate().Err().Error(), "shop.example: partial: leaves nobody whose mail is signed; hint: name the senders in also")
}

// repair counts for a domain as its own file says, else as host.toml does; a new
// file leaves it out.
func TestRepairs(t *testing.T) {
	for _, c := range []struct {
		host, domain string
		want         bool
	}{{"", "", true}, {"no", "", false}, {"yes", "", true}, {"no", "yes", true}, {"", "no", false}, {"yes", "no", false}} {
		s := Spec{Host: Host{Repair: c.host}}
		if got := s.Repairs(Domain{Repair: c.domain}); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	h, d := someHost(), someDomain()
	if text := string(MarshalHost(h)) + string(MarshalDomain(d)); strings.Contains(text, "repair") {
		t.Error(text)
	}
	h.Repair = "no"
	text, err := SetHost(MarshalHost(someHost()), h)
	if err != nil || !strings.Contains(string(text), "\nrepair = \"no\"\n") {
		t.Errorf("%v\n%s", err, text)
	}
	_, err = Parse([]byte(strings.Replace(string(text), `repair = "no"`, `repair = "never"`, 1)), nil)
	if err == nil || !strings.Contains(err.Error(), `repair "never" is not yes or no`) {
		t.Errorf("%v", err)
	}
}
