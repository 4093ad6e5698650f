package spec_test

import (
	"strings"
	"testing"
	"time"

	"mailsetup/internal/spec"
)

const roleHost = "version = 1\nhostname = \"mail.lab.example\"\naddresses = [\"192.0.2.10\"]\ndomain = \"lab.example\"\n"

// parseRoles parses a host with the first domain, and lines of a second one.
func parseRoles(host, lines string) (spec.Spec, error) {
	return spec.Parse([]byte(roleHost+host), map[string][]byte{
		"lab.example":  []byte("domain = \"lab.example\"\nselector = \"s1\"\nreceive = true\n"),
		"shop.example": []byte("domain = \"shop.example\"\nselector = \"s1\"\n" + lines),
	})
}

func TestRoles(t *testing.T) {
	for lines, want := range map[string]string{
		"":                                      "sends",
		"role = \"send-only\"":                  "send-only sends",
		"role = \"Parked\"":                     "parked",
		"role = \"receive-only\"\nreceive=true": "receive-only",
	} {
		s, err := parseRoles("", lines)
		if err != nil {
			t.Fatalf("%s: %v", lines, err)
		}
		d := s.Domains[1]
		got := d.Role
		if d.Sends() {
			got = strings.TrimSpace(got + " sends")
		}
		if got != want {
			t.Errorf("%s: %q, want %q", lines, got, want)
		}
	}
	for lines, want := range map[string]string{
		`role = "mailing"`:                                  `/etc/mailsetup/domains.d/shop.example.toml:3: role "mailing" is not send-only, receive-only or parked; hint: leave it out for a domain that sends, and receives as receive says`,
		`role = "receive-only"`:                             `shop.example: role "receive-only" receives nothing with receive = false; hint: write receive = true, or role = "parked"`,
		"role = \"parked\"\nreceive=true":                   `shop.example: role "parked" does not receive, and receive = true; hint: write receive = false, or leave role out`,
		"role=\"send-only\"\nreceive=true":                  `shop.example: role "send-only" does not receive, and receive = true; hint: write receive = false, or leave role out`,
		"role=\"parked\"\n[spf]\ninclude = [\"x.example\"]": `shop.example: role "parked" sends nothing, and [spf] has senders; hint: empty include and redirect, or leave role out`,
	} {
		if _, err := parseRoles("", lines); err == nil || err.Error() != want {
			t.Errorf("%s:\n%v\nwant\n%s", lines, err, want)
		}
	}
	_, err := spec.Parse([]byte(roleHost), map[string][]byte{"lab.example": []byte("domain = \"lab.example\"\nselector = \"s1\"\nrole = \"parked\"\n")})
	want := `lab.example: role "parked" cannot be that of a domain as which the host itself sends mail; hint: leave role out of /etc/mailsetup/domains.d/lab.example.toml`
	if err == nil || err.Error() != want {
		t.Errorf("the first domain: %v", err)
	}
}

// A server that only sends receives no domain.
func TestSendOnlyHost(t *testing.T) {
	_, err := parseRoles("send_only = true\n", "receive = true\n")
	want := "lab.example: receive: is true, and by send_only of the host nothing is received; hint: mailsetup init --domain lab.example --receive no, or --send-only=false\n" +
		"shop.example: receive: is true, and by send_only of the host nothing is received; hint: mailsetup init --domain shop.example --receive no, or --send-only=false"
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant\n%s", err, want)
	}
	a := spec.Answers{Domain: "lab.example", Hostname: "mail.lab.example", Addresses: []string{"192.0.2.10"}, SendOnly: "yes"}
	if missing := a.Missing(nil); strings.Join(missing, " ") != "--root-alias" {
		t.Errorf("missing %v", missing)
	}
	a.RootAlias = "ops@elsewhere.example"
	s, findings := a.Spec(nil, time.Now())
	if err := findings.Err(); err != nil || !s.Host.SendOnly || len(a.Missing(&s)) > 0 {
		t.Errorf("%v %+v", err, s.Host)
	}
	again, _ := spec.Answers{SendOnly: "no"}.Spec(&s, time.Now())
	if again.Host.SendOnly {
		t.Error("it cannot be taken back")
	}
}

// What a person wrote of ignored findings stays as it is, octet by octet, when another
// key changes.
func TestIgnoredFindings(t *testing.T) {
	const lines = "ignore = [ # known\n  {id = \"mx\", reason = \"moves\", until = 2027-01-31}, # soon\n]\n"
	s, err := parseRoles(lines, lines)
	if err != nil {
		t.Fatal(err)
	}
	h, d := s.Host, s.Domains[1]
	for _, rules := range [][]string{{h.Ignore[0].ID, h.Ignore[0].Reason}, {d.Ignore[0].ID, d.Ignore[0].Reason}} {
		if strings.Join(rules, " ") != "mx moves" {
			t.Errorf("read as %q", rules)
		}
	}
	h.Notify, d.TTL = "ann@lab.example", 600
	host, err := spec.SetHost([]byte(roleHost+lines), h)
	if err != nil || string(host) != roleHost+lines+"notify = \"ann@lab.example\"\n" {
		t.Errorf("%v:\n%s", err, host)
	}
	file, err := spec.SetDomain([]byte("domain = \"shop.example\"\nselector = \"s1\"\n"+lines), d)
	if err != nil || string(file) != "domain = \"shop.example\"\nselector = \"s1\"\n"+lines+"ttl = 600\n" {
		t.Errorf("%v:\n%s", err, file)
	}
	for _, text := range [][]byte{spec.MarshalDomain(d), spec.MarshalBrief(d)} {
		if !strings.Contains(string(text), "\nignore = [{id = \"mx\", reason = \"moves\", until = 2027-01-31}]\n") {
			t.Errorf("a new file has no such line:\n%s", text)
		}
	}
	for _, bad := range []struct{ host, domain, want string }{
		{"ignore = [{id = \"mx\"}]\n", "", `/etc/mailsetup/host.toml:5: ignore: has no reason for mx; hint: say why, for those who read it later: reason = "text"`},
		{"", "[[ignore]]\nreason = \"x\"\n", `/etc/mailsetup/domains.d/shop.example.toml:3: ignore: has an entry without an id; hint: name what to ignore, as in id = "spf.all"; mailsetup check shows the IDs`},
	} {
		if _, err := parseRoles(bad.host, bad.domain); err == nil || err.Error() != bad.want {
			t.Errorf("%v\nwant %s", err, bad.want)
		}
	}
}

// Files of those who use neither stay as they were.
func TestNoRoleInNewFiles(t *testing.T) {
	s, err := parseRoles("", "")
	if err != nil {
		t.Fatal(err)
	}
	if text := string(spec.MarshalHost(s.Host)) + string(spec.MarshalDomain(s.Domains[1])); strings.Contains(text, "role") || strings.Contains(text, "ignore") {
		t.Errorf("a new file has\n%s", text)
	}
}
