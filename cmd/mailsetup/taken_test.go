package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/internal/opendkim"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

func someTaken(names ...string) *taken {
	t := &taken{keys: map[string]keyring.Key{}}
	for _, n := range names {
		t.Domains = append(t.Domains, spec.Domain{Name: n, Selector: "s1", KeyBits: 1024})
		t.keys[n] = keyring.Key{Selector: "S1"}
	}
	return t
}

// TestWhatCannotBeTakenOver: every line is told, with exit code 2, and no error
// of another kind hides behind.
func TestWhatCannotBeTakenOver(t *testing.T) {
	at := func(line int) error {
		return &opendkim.Error{Place: opendkim.Place{File: "/s", Line: line}, What: "is odd", Hint: "correct it"}
	}
	var said bytes.Buffer
	c := console{err: &said}
	if code := c.finish(notTaken(errors.Join(errors.Join(at(1), nil), at(7)))); code != exitUsage {
		t.Errorf("exit %d", code)
	}
	want := "mailsetup: /s:1: is odd\nhint: correct it\nmailsetup: /s:7: is odd\nhint: correct it\n"
	if said.String() != want {
		t.Errorf("got\n%s\nwant\n%s", said.String(), want)
	}
	other := errors.New("read /s: input/output error")
	if err := notTaken(errors.Join(at(1), other)); err != other {
		t.Errorf("%v", err)
	}
}

func TestPrimaryOfWhatIsTakenOver(t *testing.T) {
	found := someTaken("b.example", "lab.example", "mail.lab.example")
	for host, want := range map[string]string{
		"mail.lab.example": "mail.lab.example", "mx1.eu.lab.example": "lab.example", "mx.other.example": "b.example", "": "b.example",
	} {
		if got := found.primary(host); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
	for _, c := range []struct {
		host, domain string
		old          *spec.Spec
		want         string
	}{
		{"mail.lab.example", "new.example", nil, "mail.lab.example"},
		{"mx.lab.example", "new.example", nil, "lab.example"},
		{"mx.new.example", "new.example", nil, "new.example"},
		{"mx.lab.example", "new.example", &spec.Spec{}, "new.example"},
		{"mx.other.example", "new.example", nil, "new.example"},
	} {
		if got := found.ownMail(spec.Host{Hostname: c.host, Domain: c.domain}, c.old); got != c.want {
			t.Errorf("%s, asked for %s: %s, want %s", c.host, c.domain, got, c.want)
		}
	}
	a, err := found.answer(spec.Answers{}, "mail.lab.example")
	if err != nil || a.Domain != "mail.lab.example" || a.Selector != "s1" || a.KeyBits != "1024" {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := found.answer(spec.Answers{Domain: "new.example"}, ""); err != nil || a.Selector != "" {
		t.Errorf("%+v, %v", a, err)
	}
	found.Domains[1].Also = []string{"ann@new.example", "shop.example"}
	_, err = found.answer(spec.Answers{Domain: "shop.example"}, "")
	if err == nil || !strings.Contains(err.Error(), "mail of shop.example is signed with the key of lab.example already") {
		t.Errorf("%v", err)
	}
	_, err = found.answer(spec.Answers{Domain: "LAB.example", Selector: "2026"}, "")
	if err == nil || !strings.Contains(err.Error(), "lab.example signs with selector S1 already") {
		t.Errorf("%v", err)
	}
}

func TestConfigurationOfAProcess(t *testing.T) {
	for args, want := range map[string]string{
		"": "/etc/opendkim.conf", "opendkim -P /run/x": "/etc/opendkim.conf",
		"opendkim -x /etc/mail/dkim.conf -P /x": "/etc/mail/dkim.conf", "opendkim -x/etc/a/../b.conf": "/etc/b.conf",
	} {
		if got := signerConf(strings.Fields(args)); got != want {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
}

// A unit may name another configuration than the one that is ours, or as
// shipped: what that says is what signs.
func TestByHandIsWhatOpenDKIMReads(t *testing.T) {
	for _, c := range []struct {
		name, args string
		record     bool
		want       bool
	}{
		{"ours or as shipped", "opendkim", true, false},
		{"named as well", "opendkim -x /etc/opendkim.conf", true, false},
		{"edited", "opendkim", false, true},
		{"another one", "opendkim -x /etc/opendkim/my.conf", true, true},
		{"another one, beside an edited one", "opendkim -x /etc/opendkim/my.conf", false, true},
	} {
		s, _, _, _ := bareSession(t)
		s.facts.Files = map[state.Path][]byte{"/etc/opendkim.conf": []byte("Syslog yes\n")}
		s.facts.OpenDKIM = &state.OpenDKIM{Args: strings.Fields(c.args)}
		if c.record {
			s.record["/etc/opendkim.conf"] = "a digest"
		}
		if got := s.byHand(); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestDataBesideAPlan(t *testing.T) {
	found := someTaken("lab.example")
	found.Signers = []opendkim.Signer{{Domain: "lab.example", Selector: "S1", KeyFile: "/k", Rows: []opendkim.Row{
		{Written: "*@lab.example", Identity: "@lab.example", Place: opendkim.Place{File: "/s", Line: 3}},
	}}}
	b, err := beside([]byte("{\n  \"stages\": [],\n  \"notes\": []\n}\n"), "adopted", found.data())
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Stages, Notes []any
		Adopted       []adopted
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil || got.Stages == nil || got.Notes == nil {
		t.Fatalf("%v\n%s", err, b)
	}
	want := adopted{Domain: "lab.example", Selector: "S1", KeyFile: "/k", Rows: []adoptedRow{{"*@lab.example", "@lab.example", "/s:3"}}}
	if len(got.Adopted) != 1 || got.Adopted[0].Rows[0] != want.Rows[0] || got.Adopted[0].Domain != want.Domain || got.Adopted[0].KeyFile != want.KeyFile {
		t.Errorf("%s", b)
	}
	if (*taken)(nil).data() != nil {
		t.Error("data without anything taken over")
	}
}
