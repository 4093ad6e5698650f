package spec_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode"

	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
)

// parsers are all that read one value, as text.
func parsers() map[string]func(string) (string, error) {
	all := map[string]func(string) (string, error){
		"domain": syntax.DomainName, "hostname": syntax.Hostname, "selector": syntax.Selector, "include": syntax.SPFInclude, "all": spec.SPFAll,
		"dmarc": spec.DMARCPolicy, "alignment": spec.Alignment, "action": spec.MilterAction, "address": syntax.MailAddress, "report": syntax.Report,
		"server": syntax.UpdateServer, "key": syntax.UpdateKey, "sender": syntax.Sender, "identity": syntax.Identity, "trusted": syntax.Trusted,
		"opendkim": syntax.OpenDKIMLine, "service": spec.Service, "milter": spec.NonsigningMilter, "block list": spec.BlockList, "kept": spec.Kept, "repair": spec.Repair,
		"bounces": spec.SignBounces, "wildcard": spec.WildcardRecords, "signed by": spec.SignedBy,
		"dns": func(s string) (string, error) { m, err := spec.DNS(s); return string(m), err },
		"ip":  func(s string) (string, error) { a, err := syntax.Address(s); return a.String(), err },
		"ttl": func(s string) (string, error) { n, err := spec.TTL(s); return fmt.Sprint(n), err },
		"bits": func(s string) (string, error) {
			n, err := spec.KeyBits(s)
			return fmt.Sprint(n), err
		},
	}
	for name, parse := range map[string]func(string) (time.Duration, error){"drain": spec.Drain, "every": spec.RotateEvery, "lag": spec.Lag, "revoke": spec.Revoke} {
		all[name] = func(s string) (string, error) { d, err := parse(s); return spec.Span(d), err }
	}
	return all
}

// typed draws what people type and paste, right and wrong.
func (c chooser) typed() string {
	parts := []string{
		"lab.example", "mail", ".", "..", "-", "_spf", "_domainkey", "@", "ann", "Ann.O'Hara", "mailto:", "https://", "192.0.2.1", "2001:db8::1", "::", ":53", "/24", "/inet", "submission",
		"inet:", "unix:", " ", "\t", "\n", "\r", "\x00", "\x1b[2J", "\u202e", "\u00a0", "#", ";", "\"", "'", "\\", "$(id)", "`id`", "%", "*", "!", ",", "=", "{", "}",
		"münchen", "ß", "xn--mnchen-3ya", "xn--", "１", "。", "K", "\xff", "14", "d", "h", "never", "none", "yes", "no", "other", "softfail", "-all", "~all", "relaxed", "r", "2048", "3600", "-1", "1e9", "99999999999",
		"ann@lab.example", "mailto:ann@lab.example", "14d", "1h", "tempfail", "spf", "copy", "bind", "rfc2136", "/etc/mailsetup/tsig.key", "../x", "Canonicalization simple/simple", "On-BadSignature", "Socket", strings.Repeat("a", 64), strings.Repeat("a.", 130),
	}
	var b strings.Builder
	for range 1 + c.IntN(4) {
		b.WriteString(parts[c.IntN(len(parts))])
	}
	return b.String()
}

// Whatever is typed: a value that is accepted is in its final form, holds nothing that
// ends a line, a string or a field of any file it gets into, and does not begin as an
// option does; one that is refused is told in one line, with nothing in it that a
// terminal obeys, and not at great length.
func TestValuesAreSafeOrRefused(t *testing.T) {
	accepted, refused := map[string]int{}, 0
	c := chooser{rand.New(rand.NewPCG(1, 822))}
	all := parsers()
	for range 1_200 {
		given := c.typed()
		for name, parse := range all {
			got, err := parse(given)
			if err != nil {
				refused++
				bad := (*syntax.BadValue)(nil)
				text := err.Error()
				if !errors.As(err, &bad) || bad.Why == "" || len(text) > 2_000 || strings.ContainsFunc(text, unicode.IsControl) {
					t.Fatalf("%s %q is refused as %T: %q", name, given, err, text)
				}
				continue
			}
			accepted[name]++
			if again, err := parse(got); err != nil || again != got {
				t.Fatalf("%s %q is accepted as %q, and that as %q, %v", name, given, got, again, err)
			}
			if strings.ContainsFunc(got, func(r rune) bool { return unicode.IsControl(r) || r > '~' && name != "key" }) || strings.TrimSpace(got) != got || got == "" {
				t.Fatalf("%s %q is accepted as %q", name, given, got)
			}
			if name != "opendkim" && name != "key" && name != "milter" && strings.ContainsAny(got, "#") || name != "trusted" && name != "all" && strings.HasPrefix(got, "-") && name != "opendkim" {
				t.Fatalf("%s %q is accepted as %q", name, given, got)
			}
		}
	}
	for name := range all {
		if accepted[name] == 0 {
			t.Errorf("no %s was accepted: what was typed proves little", name)
		}
	}
	if refused < 10_000 {
		t.Errorf("only %d were refused", refused)
	}
}

// A value of a span is what it says, in whatever unit, and writing it loses nothing.
func TestSpansSayWhatTheyMean(t *testing.T) {
	units := map[string]time.Duration{"d": 24 * time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second}
	r := rand.New(rand.NewPCG(1, 1))
	for range 3_000 {
		unit := []string{"d", "h", "m", "s"}[r.IntN(4)]
		n := 1 + r.IntN([]int{30, 4_000, 90_000}[r.IntN(3)])
		want := time.Duration(n) * units[unit]
		for name, limit := range map[string]time.Duration{"drain": 366 * 24 * time.Hour, "every": 3660 * 24 * time.Hour, "lag": 31 * 24 * time.Hour, "revoke": 366 * 24 * time.Hour} {
			text, err := parsers()[name](fmt.Sprintf(" %d%s ", n, strings.ToUpper(unit)))
			if (err != nil) != (want > limit) {
				t.Fatalf("%s of %d%s: %q, %v", name, n, unit, text, err)
			}
			if err != nil {
				continue
			}
			var m int
			var u string
			if _, err := fmt.Sscanf(text, "%d%s", &m, &u); err != nil || time.Duration(m)*units[u] != want {
				t.Fatalf("%s of %d%s is written %q", name, n, unit, text)
			}
		}
	}
}

// A sender that two domains sign for is told with both files; one of one domain never is.
func TestNoSenderOfTwoDomains(t *testing.T) {
	shared := 0
	for seed := range uint64(400) {
		c := chooser{rand.New(rand.NewPCG(seed, 5321))}
		texts, of, twice := map[string][]byte{}, map[string]int{}, map[string]bool{}
		note := func(sender string) {
			if of[sender]++; of[sender] > 1 {
				twice[sender] = true
			}
		}
		for _, name := range []string{"shop.example", "a.example", "b.example"} {
			text := string(shortFile(name))
			note(name)
			if c.IntN(2) == 0 {
				text += "subdomains = true\n"
				note("." + name)
			}
			if also := c.some("c.example", ".a.example", "b.example", "ann@c.example", "x@*"); len(also) > 0 {
				text += "also = [\"" + strings.Join(also, "\", \"") + "\"]\n"
				for _, s := range also {
					note(s)
				}
			}
			texts[name] = []byte(text)
		}
		_, err := spec.Parse([]byte(hostText), texts)
		if (err != nil) != (len(twice) > 0) {
			t.Fatalf("seed %d: %v are senders of two: %v", seed, twice, err)
		}
		f, _ := err.(syntax.Findings)
		for _, one := range f {
			sender := strings.Split(one.Text, `"`)[1]
			if shared++; !twice[sender] || !strings.Contains(one.Text, " is a sender of /etc/mailsetup/domains.d/") || !strings.Contains(one.Hint, "take \""+sender+"\" out of also in /etc/mailsetup/domains.d/") {
				t.Errorf("seed %d: %v", seed, one)
			}
		}
	}
	if shared < 300 {
		t.Errorf("only %d shared senders", shared)
	}
}
