//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// lastCheck is what `mailsetup dns --wait` left behind.
type lastCheck struct {
	At    time.Time
	OK    bool
	Found string
	Seen  map[string]time.Time
}

func checked(t *testing.T, b *lab.Box) lastCheck {
	t.Helper()
	var c lastCheck
	if err := json.Unmarshal([]byte(b.Read(t, "/var/lib/mailsetup/dns-checks/lab.example.json")), &c); err != nil {
		t.Fatal(err)
	}
	if mode := b.Run(t, "stat", "-c", "%a %U", "/var/lib/mailsetup/dns-checks", "/var/lib/mailsetup/dns-checks/lab.example.json"); mode != "700 root\n600 root\n" {
		t.Errorf("modes %q", mode)
	}
	return c
}

// TestWaitForDNS: one of two name servers keeps an old copy of the zone, and
// --wait names it and says why; once it is let, it catches up while --wait
// waits. A server that is down, and one that does not know the zone, are told
// apart. What was seen is remembered.
func TestWaitForDNS(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		p := newPair(t, release)
		p.follows(t, "lab.example", 0)
		p.lets(t, "none")
		product(t, p.Box, 0, initArgs()...)

		start := time.Now()
		out, said := product(t, p.Box, 3, "dns", "--wait", "--timeout", "3s")
		if took := time.Since(start); took < 3*time.Second || took > 30*time.Second {
			t.Errorf("--timeout 3s took %v", took)
		}
		flat := strings.Join(strings.Fields(out), " ")
		says(t, flat, "lab.example: ", "_dmarc.lab.example TXT at ns2.lab.example (192.0.2.53): an old copy of the zone: its serial is 2026010101, and mail.lab.example has 20",
			"-> see why the transfer fails; there, with BIND: rndc retransfer lab.example")
		saysNot(t, flat, "at mail.lab.example (")
		says(t, strings.Join(strings.Fields(said), " "), "mail.lab.example (192.0.2.10) has what it should", "ns2.lab.example (192.0.2.53) has ", "(old copy)")
		if c := checked(t, p.Box); c.OK || len(c.Seen) != 0 || !strings.Contains(c.Found, "ns2.lab.example (192.0.2.53): an old copy of the zone") || time.Since(c.At) > 5*time.Minute {
			t.Errorf("remembered %+v", c)
		}
		l := lists(t, p.Box, "lab.example", "active - bind bad \\dm")
		if !l.Primary || l.DNS != "bind" || l.Keys[0].Stage != "active" || time.Since(l.Keys[0].Seen) > 5*time.Minute || l.Checked == nil || l.Checked.OK ||
			!strings.Contains(l.Checked.Found, "ns2.lab.example (192.0.2.53): an old copy of the zone") || time.Since(l.Checked.At) > 5*time.Minute {
			t.Errorf("listed: %+v, checked %+v", l, l.Checked)
		}
		_, said, code := p.Exec(t.Context(), nil, "timeout", "--preserve-status", "-s", "INT", "3", "mailsetup", "dns", "--wait")
		if code != 130 || !strings.HasSuffix(said, "mailsetup: interrupted\n") {
			t.Errorf("Ctrl-C: exit %d\n%s", code, said)
		}
		p.catchesUp(t)

		p.ns2.Sh(t, "systemctl stop named")
		out, _ = product(t, p.Box, 3, "dns", "--wait", "--timeout", "0")
		says(t, strings.Join(strings.Fields(out), " "), "lab.example: 1 problem ns2.lab.example (192.0.2.53): it does not answer: nothing listens there -> see that it runs")
		p.ns2.Sh(t, "sed -i /lab.example/d /etc/bind/named.conf.local; systemctl start named")
		var data struct {
			Domains []struct {
				Checked struct {
					OK      bool
					Servers []struct {
						Name, Status, Remedy string
						OK                   bool
						Records              []struct{ Name, Status, Value string }
					}
				}
			}
		}
		out, _ = product(t, p.Box, 3, "dns", "lab.example", "--wait", "--timeout", "0", "--json")
		if err := json.Unmarshal([]byte(out), &data); err != nil || len(data.Domains) != 1 || data.Domains[0].Checked.OK || len(data.Domains[0].Checked.Servers) != 2 {
			t.Fatalf("%v\n%s", err, out)
		}
		here, there := data.Domains[0].Checked.Servers[0], data.Domains[0].Checked.Servers[1]
		if here.Name != "mail.lab.example" || !here.OK || len(here.Records) < 4 || there.Name != "ns2.lab.example" || there.Status != "refuses" {
			t.Errorf("%+v\n%+v", here, there)
		}
		if c := checked(t, p.Box); c.OK || len(c.Seen) != 1 {
			t.Errorf("what was seen once is forgotten: %+v", c)
		}
	})
}

// lets says who may transfer zones from here.
func (p pair) lets(t *testing.T, who string) {
	t.Helper()
	p.Sh(t, "sed -i 's/allow-transfer { [^}]*}/allow-transfer { "+who+"; }/' /etc/bind/named.conf.options; rndc reconfig")
}

// catchesUp waits for both while the second gets the zone.
func (p pair) catchesUp(t *testing.T) {
	t.Helper()
	type end struct {
		out, said string
		code      int
	}
	done := make(chan end, 1)
	go func() {
		out, said, code := p.Exec(t.Context(), nil, "mailsetup", "dns", "--wait", "--timeout", "2m")
		done <- end{out, said, code}
	}()
	time.Sleep(4 * time.Second)
	p.lets(t, secondary)
	p.ns2.Sh(t, "rndc retransfer lab.example")
	e := <-done
	if e.code != 0 {
		t.Fatalf("exit %d\n%s%s", e.code, e.out, e.said)
	}
	says(t, e.out, "lab.example: all 6 records at 2 name servers\n", "All is well: nothing is left to publish.\n")
	says(t, strings.Join(strings.Fields(e.said), " "), "ns2.lab.example (192.0.2.53) has what it should")
	l := lists(t, p.Box, "lab.example", "active - bind ok \\dm")
	if l.Keys[0].Stage != "active" || time.Since(l.Keys[0].Seen) > 5*time.Minute || l.Checked == nil || !l.Checked.OK ||
		l.Checked.Found != "all 6 records at 2 name servers" || time.Since(l.Checked.At) > 5*time.Minute {
		t.Errorf("listed: %+v, checked %+v", l, l.Checked)
	}
	if c := checked(t, p.Box); !c.OK || len(c.Seen) != 1 || c.Found != "all 6 records at 2 name servers" {
		t.Errorf("remembered %+v", c)
	}
}

// wrongRecord is a mistake as people make it, in zone text.
type wrongRecord struct {
	name  string
	zone  []string // in place of the right lines of that name
	found string   // what is said, white space aside
}

// TestPastedWrong: each mistake on the way of the records into DNS is found on
// a real BIND and explained in the words of the one who made it.
func TestPastedWrong(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b := server(t, release, lab.Mail)
		product(t, b, 0, initArgs("--dns", "manual", "--receive", "no")...)
		right := recordsAsData(t, b)
		product(t, b, 3, "dns", "--wait", "--timeout", "0")
		if l := lists(t, b, "lab.example", "active - manual bad \\dm"); l.Keys[0].Stage != "active" || !l.Keys[0].Seen.IsZero() {
			t.Errorf("listed before its record was published: %+v", l)
		}
		var selector, key string
		for name, value := range right {
			if s, ok := strings.CutSuffix(name, "._domainkey.lab.example."); ok {
				selector, key = s, value
			}
		}
		for _, w := range mistakes(selector, key) {
			t.Run(w.name, func(t *testing.T) {
				var lines []string
				for name, value := range right {
					if !strings.Contains(strings.Join(w.zone, "\n"), "; for "+name) {
						lines = append(lines, name+" IN TXT "+stringsOf(value))
					}
				}
				b.Sh(t, "systemctl reset-failed named") // which is started often here
				b.Named(t, "lab.example", append(lines, w.zone...)...)
				code := 3
				if w.found == "" {
					code = 0
				}
				out, said := product(t, b, code, "dns", "--wait", "--timeout", "0")
				flat := strings.Join(strings.Fields(out), " ")
				says(t, flat, w.found)
				if code == 3 && !strings.Contains(flat, "lab.example: 1 problem ") {
					t.Errorf("want one problem:\n%s%s", out, said)
				}
			})
		}
		if l := lists(t, b, "lab.example", "active - manual bad \\dm"); l.Keys[0].Seen.IsZero() {
			t.Errorf("listed after its record was seen once: %+v", l)
		}
	})
}

// recordsAsData are the TXT records that are printed.
func recordsAsData(t *testing.T, b *lab.Box) map[string]string {
	t.Helper()
	out, _ := product(t, b, 0, "dns", "--json")
	var data struct {
		Domains []struct {
			Records []struct{ Name, Type, Value string }
		}
	}
	if err := json.Unmarshal([]byte(out), &data); err != nil || len(data.Domains) != 1 {
		t.Fatalf("%v\n%s", err, out)
	}
	texts := map[string]string{}
	for _, r := range data.Domains[0].Records {
		if r.Type == "TXT" {
			texts[r.Name] = r.Value
		}
	}
	if len(texts) != 4 {
		t.Fatalf("want four texts: %q", texts)
	}
	return texts
}

// stringsOf is a value as a zone file has it.
func stringsOf(value string) string {
	if len(value) <= 255 {
		return `"` + value + `"`
	}
	return `"` + value[:255] + `" "` + value[255:] + `"`
}

func mistakes(selector, key string) []wrongRecord {
	name := selector + "._domainkey.lab.example."
	short := strings.TrimSuffix(name, ".")
	at := func(what string) []string { return []string{name + " IN TXT " + what + " ; for " + name} }
	const plain = " -> enter the bare value: mailsetup dns lab.example --format plain"
	half, p := len(key)-255, len("v=DKIM1; h=sha256; k=rsa; p=")
	quoted := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }
	return []wrongRecord{
		{"right", nil, ""},
		{"missing", []string{"; for " + name}, short + " TXT at mail.lab.example (192.0.2.10): missing -> publish it: mailsetup dns lab.example"},
		{"cut", at(quoted(key[:255])), fmt.Sprintf("the value is cut after 255 of %d octets -> enter all of it", len(key))},
		{"the rest alone", at(quoted(key[255:])), fmt.Sprintf("only the last %d of %d octets", half, len(key))},
		{"quotes", at(quoted(`"`+key[:253]) + " " + quoted(key[253:]+`"`)), "quotation marks are in the value" + plain},
		{"parentheses", at(quoted(`( "`+key[:200]) + " " + quoted(`" "`+key[200:]+`" )`)), "the parentheses of a zone file are in the value" + plain},
		{"backslashes", at(stringsOf(strings.ReplaceAll(key, ";", `\\;`)[:250]) + " " + stringsOf(strings.ReplaceAll(key, ";", `\\;`)[250:])), "backslashes are in the value" + plain},
		{"a space", at(quoted(key[:255]) + " " + quoted(" "+key[255:])), fmt.Sprintf("white space is in the key, after %d of its %d characters", 255-p, len(key)-p) + plain},
		{"no quotes", []string{"; for " + name, name + " IN TXT v=DKIM1; h=sha256; k=rsa; p=x"}, "the value ends at its first semicolon, where a comment begins in a zone file -> in a zone file the value stands in quotes"},
		{"SPF without quotes", []string{"; for lab.example.", "lab.example. IN TXT v=spf1 ip4:192.0.2.10 ~all"}, "lab.example TXT at mail.lab.example (192.0.2.10): the spaces of the value are gone"},
		{"a doubled name", []string{name + "lab.example. IN TXT " + stringsOf(key) + " ; for " + name}, short + ".lab.example has it: the domain was added to a name that had it already -> enter the name as " + selector + "._domainkey"},
		{"another selector", []string{"mail._domainkey IN TXT " + stringsOf(key) + " ; for " + name}, "nothing there, but mail._domainkey.lab.example has it -> rename that record to " + selector + "._domainkey"},
		{"another key", at(`"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC7"`), "another key is there, so no signature of this server verifies"},
		{"small letters", at(stringsOf(strings.ToLower(key))), "capitals became small letters"},
		{"a second record", append(at(stringsOf(key)), name+` IN TXT "v=DKIM1; p="`), `a second record beside ours, and receivers then see none: "v=DKIM1; p=" -> take the other one out`},
		{"two records of strings", append(at(quoted(key[:255])), name+" IN TXT "+quoted(key[255:])), "the value is spread over two records instead of two strings of one"},
		{"an alias", []string{name + " IN CNAME key.vendor.example. ; for " + name}, "the name is an alias (CNAME) of key.vendor.example, which has no such record -> take the CNAME at " + short + " out"},
		{"two SPF records", []string{`lab.example. IN TXT "v=spf1 -all"`}, `a second record beside ours, and receivers take two for an error: "v=spf1 -all" -> take the other one out`},
		{"no underscore", []string{`dmarc.lab.example. IN TXT "v=DMARC1; p=none; rua=mailto:ann@mail.lab.example" ; for _dmarc.lab.example.`}, "nothing there, but dmarc.lab.example has it -> rename that record to _dmarc (in full: _dmarc.lab.example)"},
	}
}
