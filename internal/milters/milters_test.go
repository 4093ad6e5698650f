package milters

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mailsetup/internal/state"
)

func ours(former ...string) Ours {
	return Ours{
		Milter: Milter{
			Endpoint: "unix:opendkim/opendkim.sock",
			Options:  []state.Setting{{Name: "default_action", Value: "tempfail"}},
		},
		Former: former, Queue: "/var/spool/postfix",
	}
}

const oursText = "{ unix:opendkim/opendkim.sock, default_action=tempfail }"

func TestParse(t *testing.T) {
	tempfail := []state.Setting{{Name: "default_action", Value: "tempfail"}}
	for value, want := range map[string][]Milter{
		"":      {},
		" ,\n ": {},
		"inet:[::1]:8893,unix:/run/a.sock\n\tlocal:b/c": {
			{"inet:[::1]:8893", nil, "inet:[::1]:8893"},
			{"unix:/run/a.sock", nil, "unix:/run/a.sock"},
			{"local:b/c", nil, "local:b/c"},
		},
		"$other_milters ${x?{a b}:{c}} inet:a:1": {
			{"$other_milters", nil, "$other_milters"},
			{"${x?{a b}:{c}}", nil, "${x?{a b}:{c}}"},
			{"inet:a:1", nil, "inet:a:1"},
		},
		"{unix:a,default_action=tempfail},{ inet:h:1 }": {
			{"unix:a", tempfail, "{unix:a,default_action=tempfail}"},
			{"inet:h:1", nil, "{ inet:h:1 }"},
		},
		"{ inet:h:1, { default_action = tempfail } $more, command_timeout=5s }": {{
			"inet:h:1",
			[]state.Setting{tempfail[0], {Name: "$more"}, {Name: "command_timeout", Value: "5s"}},
			"{ inet:h:1, { default_action = tempfail } $more, command_timeout=5s }",
		}},
	} {
		got, err := Parse(value)
		if err != nil {
			t.Errorf("%q: %v", value, err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", value, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for value, want := range map[string]string{
		"inet:a:1, { unix:b":   `milter list "inet:a:1, { unix:b": "{" at 11 is not closed`,
		"inet:a:1 }":           `milter list "inet:a:1 }": "}" at 10 closes nothing`,
		"{ a }b":               `milter "{ a }b": text after "}" at 5`,
		"x, { , }":             `milter "{ , }" at 4: empty`,
		"{ a, default_action}": `milter option "default_action" at 6: not name=value`,
		"{ a, =b }":            `milter option "=b" at 6: not name=value`,
		"{ a, {b=c}d }":        `milter "{b=c}d": text after "}" at 10`,
		"a\x00b":               `milter list "a\x00b": control character at 2`,
	} {
		_, err := Parse(value)
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", value, err, want)
		}
	}
}

func TestMerge(t *testing.T) {
	for value, want := range map[string]string{
		"":                           oursText,
		" ":                          oursText,
		"inet:127.0.0.1:11332":       "inet:127.0.0.1:11332, " + oursText,
		"unix:a  unix:b,":            "unix:a  unix:b, " + oursText,
		"$spam_milters":              "$spam_milters, " + oursText,
		"unix:opendmarc/o.sock":      oursText + ", unix:opendmarc/o.sock",
		"inet:spam:1,inet:h:8893":    "inet:spam:1," + oursText + ", inet:h:8893",
		"$opendmarc":                 oursText + ", $opendmarc",
		"{ inet:[::1]:8893 },\n x:y": oursText + ", { inet:[::1]:8893 },  x:y",

		// Its own place, however it is spelled.
		"unix:opendkim/opendkim.sock":                                                       oursText,
		"local:opendkim/opendkim.sock":                                                      oursText,
		"unix:opendmarc.sock unix:/var/spool/postfix/opendkim/opendkim.sock z:z":            "unix:opendmarc.sock " + oursText + " z:z",
		"unix:/opendkim//./opendkim.sock, inet:a:1":                                         oursText + ", inet:a:1",
		"unix:$queue_directory/opendkim/opendkim.sock":                                      oursText,
		"{ unix:opendkim/opendkim.sock, default_action=accept }":                            oursText,
		"{unix:opendkim/opendkim.sock,connect_timeout=9s}":                                  "{ unix:opendkim/opendkim.sock, connect_timeout=9s, default_action=tempfail }",
		"{unix:opendkim/opendkim.sock,default_action=accept,a=1,default_action=quarantine}": "{ unix:opendkim/opendkim.sock, default_action=tempfail, a=1 }",
		oursText + ", a:a unix:/opendkim/opendkim.sock, b:b":                                oursText + ", a:a, b:b",
		"unix:$queue_directory/opendkim/opendkim.sock, ${spam}":                             oursText + ", ${spam}",

		// Another socket is another milter.
		"unix:/run/opendkim/opendkim.sock": "unix:/run/opendkim/opendkim.sock, " + oursText,
	} {
		got, changed, err := ours().Merge(value)
		if err != nil || !changed || got != want {
			t.Errorf("%q:\n got %q (%v, %v)\nwant %q", value, got, changed, err, want)
		}
	}
}

func TestMergeUnchanged(t *testing.T) {
	for _, value := range []string{
		oursText,
		"{unix:opendkim/opendkim.sock\n default_action=tempfail}",
		"  unix:opendmarc , { unix:opendkim/opendkim.sock , { default_action = tempfail } , x=1 }\n",
	} {
		got, changed, err := ours().Merge(value)
		if err != nil || changed || got != value {
			t.Errorf("%q: got %q, %v, %v", value, got, changed, err)
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	for name, m := range map[string]Milter{
		"two words": {Endpoint: "unix:a b"},
		"brace":     {Endpoint: "unix:a}"},
		"empty":     {},
		"option":    {Endpoint: "unix:a", Options: []state.Setting{{Name: "a b", Value: "c"}}},
	} {
		if got, _, err := (Ours{Milter: m}).Merge("inet:a:1"); err == nil {
			t.Errorf("%s: merged into %q", name, got)
		}
	}
	if _, _, err := ours().Merge("{ inet:a:1"); err == nil {
		t.Error("unbalanced list: no error")
	}
}

// TestMergeMoves: an entry that leads to our daemon at the place it is about to
// leave is ours, and moves with it.
func TestMergeMoves(t *testing.T) {
	for _, tt := range []struct{ socket, value, want string }{
		{"inet:8891@localhost", "inet:localhost:8891", oursText},
		{"inet:8891@localhost", "inet:127.0.0.1:8891, inet:localhost:11332", oursText + ", inet:localhost:11332"},
		{"inet:8891@127.0.0.1", "inet:spam:1 INET:LocalHost:8891", "inet:spam:1 " + oursText},
		{"inet6:8891@[::1]", "inet:[::1]:8891", oursText},
		{"inet:8891", "inet:mail.lab.example:8891", oursText},
		{"inet:8891@0.0.0.0", "inet:192.0.2.10:8891", oursText},
		{"inet:8891@192.0.2.10", "inet:192.0.2.10:8891", oursText},
		{"local:/run/opendkim/opendkim.sock", "unix:/run/opendkim/opendkim.sock", oursText},
		{"/var/run/opendkim/opendkim.sock", "local:/run/opendkim/opendkim.sock", oursText},
		{"local:/var/spool/postfix/var/run/opendkim/opendkim.sock", "unix:/var/run/opendkim/opendkim.sock", oursText},
		{"inet:8891@localhost", "inet:$dkim_host:$dkim_port", oursText},
		{"inet:8891@localhost", "{ $dkim, default_action=accept }", oursText},
		{
			"inet:8891@localhost", "{ inet:localhost:8891, connect_timeout=9s, default_action=accept }, inet:localhost:8891, unix:opendkim/opendkim.sock x:x",
			"{ unix:opendkim/opendkim.sock, connect_timeout=9s, default_action=tempfail } x:x",
		},

		// Not ours: another port, another machine, a whole list of others.
		{"inet:8891@localhost", "inet:localhost:8892", "inet:localhost:8892, " + oursText},
		{"inet:8891@localhost", "inet:192.0.2.10:8891", "inet:192.0.2.10:8891, " + oursText},
		{"inet:8891", "inet:10.0.0.1:8891", "inet:10.0.0.1:8891, " + oursText},
		{"inet:8891@localhost", "$dkim", "$dkim, " + oursText},
	} {
		o := ours(Listening(tt.socket, "mail.lab.example", "192.0.2.10")...)
		o.Value = func(name string) string {
			return map[string]string{"dkim": "inet:$dkim_host:8891", "dkim_host": "localhost", "dkim_port": "8891"}[name]
		}
		if got, _, err := o.Merge(tt.value); err != nil || got != tt.want {
			t.Errorf("OpenDKIM at %s, %q:\n got %q, %v\nwant %q", tt.socket, tt.value, got, err, tt.want)
		}
	}
}

func TestListeningElsewhere(t *testing.T) {
	for _, socket := range []string{"", "fd:3", "local:relative.sock", "inet:", "inet:@localhost"} {
		if got := Listening(socket, "mail.lab.example"); len(got) > 0 {
			t.Errorf("%q: %q", socket, got)
		}
	}
}

// TestHold: our options, wherever our daemon is asked for now.
func TestHold(t *testing.T) {
	o := ours("inet:localhost:8891")
	for value, want := range map[string]string{
		"":                    "",
		"inet:localhost:1":    "inet:localhost:1",
		"inet:127.0.0.1:8891": "{ inet:127.0.0.1:8891, default_action=tempfail }",
		"a:a,{unix:opendkim/opendkim.sock,default_action=accept} b:b": "a:a," + oursText + " b:b",
		oursText: oursText,
	} {
		got, changed, err := o.SetOptions(value)
		if err != nil || got != want || changed != (got != value) {
			t.Errorf("%q: got %q (%v, %v), want %q", value, got, changed, err, want)
		}
	}
}

func TestWithout(t *testing.T) {
	o := ours("inet:localhost:8891")
	for value, want := range map[string]string{
		"":                                "",
		"  a:a , ":                        "  a:a , ",
		oursText:                          "",
		"inet:localhost:8891 inet:h:8893": "inet:h:8893",
		"a:a,\n{ unix:opendkim/opendkim.sock, x=y },{ b:b }\tc:c":       "a:a,{ b:b }\tc:c",
		"a:a, inet:localhost:8891":                                      "a:a",
		"inet:localhost:8891, a:a\n b:b, inet:127.0.0.1:8891 ${others}": "a:a  b:b ${others}",
	} {
		got, changed, err := o.Without(value)
		if err != nil || got != want || changed != (got != value) {
			t.Errorf("%q: got %q (%v, %v), want %q", value, got, changed, err, want)
		}
	}
}

func TestMergeBehind(t *testing.T) {
	d := Ours{Milter: Milter{Endpoint: "unix:opendmarc/opendmarc.sock", Options: []state.Setting{{Name: "default_action", Value: "accept"}}}, Queue: "/var/spool/postfix"}
	const text = "{ unix:opendmarc/opendmarc.sock, default_action=accept }"
	for value, want := range map[string]string{
		"":                           "",
		"a:a":                        "a:a",
		oursText:                     oursText + ", " + text,
		"a:a " + oursText + "\n b:b": "a:a " + oursText + "  " + text + ", b:b",
		oursText + " b:b unix:/opendmarc/opendmarc.sock":                          oursText + " b:b unix:opendmarc/opendmarc.sock",
		oursText + ", { unix:opendmarc/opendmarc.sock, default_action=tempfail }": oursText + ", { unix:opendmarc/opendmarc.sock, default_action=tempfail }",
	} {
		got, changed, err := d.MergeBehind(value, ours())
		if err != nil || got != want || changed != (got != value) {
			t.Errorf("%q: got %q (%v, %v), want %q", value, got, changed, err, want)
		}
	}
	if got, _, err := d.MergeBehind(text+", "+oursText, ours()); !errors.Is(err, ErrBefore) {
		t.Errorf("in front: %q, %v", got, err)
	}
	if _, _, err := d.MergeBehind("{ a", ours()); err == nil {
		t.Error("no list: no error")
	}
}

func TestIn(t *testing.T) {
	for value, want := range map[string]string{
		"":       "",
		oursText: oursText,
		"a:b LOCAL:/var/spool/postfix/opendkim/opendkim.sock": "LOCAL:/var/spool/postfix/opendkim/opendkim.sock",
		"unix:/run/opendkim/opendkim.sock":                    "",
		"inet:opendkim/opendkim.sock":                         "",
		"{ unix:opendkim/opendkim.sock":                       "",
	} {
		got, found := ours().In(value)
		if found != (want != "") || got.Raw != want {
			t.Errorf("%q: %q, %v", value, got.Raw, found)
		}
	}
}

func TestMoves(t *testing.T) {
	o := ours("inet:localhost:8891")
	for value, want := range map[string]bool{
		"": false, oursText: false, "a:a inet:127.0.0.1:8891": true, "local:/opendkim/opendkim.sock": false,
		oursText + ", inet:localhost:8891": true, "{ unix:x": false,
	} {
		if got := o.HasFormer(value); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}

func TestReferences(t *testing.T) {
	for value, want := range map[string]string{
		"$smtpd_milters": "smtpd_milters", "a:b, ${x}, $x": "x", "$(a) $b": "a b", "{ $x, default_action=accept }": "x",
		"$a$b": "", "${x?y}": "", "smtpd_milters": "", "inet:$h:1": "", "": "", "{ $smtpd_milters": "",
	} {
		if got := strings.Join(References(value), " "); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

func FuzzMerge(f *testing.F) {
	for _, seed := range []string{
		"", "$smtpd_milters", "inet:[::1]:8893, unix:a", oursText, "{ a, { b = c d } $x }", "inet:127.0.0.1:8891",
		"{ unix:/opendkim/opendkim.sock,\n default_action=accept } x", "a{b c}d,,", "{{a}}", "{ a, {b = } }",
		"${a?{b c}:{d}} $(e)\r\n\t{ inet:localhost:8891, x=y }, unix:opendkim/opendkim.sock z",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		list, err := Parse(value)
		if err != nil {
			return
		}
		again, err := Parse(Print(list))
		if err != nil || !cmp.Equal(list, again, cmpopts.EquateEmpty()) {
			t.Fatalf("%q printed and read again: %#v, %v, want %#v", value, again, err, list)
		}
		o := ours("inet:localhost:8891", "unix:/run/opendkim/opendkim.sock")
		held := twice(t, "hold", o.SetOptions, value)
		checkForeign(t, o, list, held)
		merged := twice(t, "merge", o.Merge, held)
		if mine := checkForeign(t, o, list, merged); mine != 1 || o.HasFormer(merged) {
			t.Fatalf("%q merged: ours %d times in %q", value, mine, merged)
		}
		rest := twice(t, "without", o.Without, merged)
		if mine := checkForeign(t, o, list, rest); mine != 0 {
			t.Fatalf("%q without ours: ours %d times in %q", value, mine, rest)
		}
		if back := twice(t, "merge", o.Merge, rest); checkForeign(t, o, list, back) != 1 {
			t.Fatalf("%q merged again: %q", value, back)
		}
	})
}

// twice does what once does.
func twice(t *testing.T, name string, do func(string) (string, bool, error), value string) string {
	t.Helper()
	once, _, err := do(value)
	if err != nil {
		t.Fatalf("%s %q: %v", name, value, err)
	}
	again, changed, err := do(once)
	if err != nil || changed || again != once {
		t.Fatalf("%s %q: once %q, twice %q, %v, %v", name, value, once, again, changed, err)
	}
	return once
}

// checkForeign proves that everybody else's entries survive in order, and
// counts ours.
func checkForeign(t *testing.T, o Ours, before []Milter, text string) (mine int) {
	t.Helper()
	after, err := Parse(text)
	if err != nil {
		t.Fatalf("read %q: %v", text, err)
	}
	foreign := func(list []Milter) (texts []string, mine int) {
		for _, m := range list {
			if o.Is(m) {
				mine++
				continue
			}
			// A changed list is put on one line.
			texts = append(texts, strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ").Replace(m.Raw))
		}
		return texts, mine
	}
	want, _ := foreign(before)
	got, mine := foreign(after)
	if !slices.Equal(got, want) {
		t.Fatalf("%q: foreign %q, want %q", text, got, want)
	}
	return mine
}
