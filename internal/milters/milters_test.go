package milters

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mailsetup/internal/state"
)

const queue = state.Path("/var/spool/postfix")

func ours() Milter {
	return Milter{
		Endpoint: "unix:opendkim/opendkim.sock",
		Options:  []state.Setting{{Name: "default_action", Value: "tempfail"}},
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

		// Another socket is another milter.
		"unix:/run/opendkim/opendkim.sock": "unix:/run/opendkim/opendkim.sock, " + oursText,
	} {
		got, changed, err := Merge(value, ours(), queue)
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
		got, changed, err := Merge(value, ours(), queue)
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
		if got, _, err := Merge("inet:a:1", m, queue); err == nil {
			t.Errorf("%s: merged into %q", name, got)
		}
	}
	if _, _, err := Merge("{ inet:a:1", ours(), queue); err == nil {
		t.Error("unbalanced list: no error")
	}
}

func TestHas(t *testing.T) {
	const endpoint = "unix:opendkim/opendkim.sock"
	for value, want := range map[string]string{
		"":       "",
		oursText: oursText,
		"a:b LOCAL:/var/spool/postfix/opendkim/opendkim.sock": "LOCAL:/var/spool/postfix/opendkim/opendkim.sock",
		"unix:/run/opendkim/opendkim.sock":                    "",
		"inet:opendkim/opendkim.sock":                         "",
		"{ unix:opendkim/opendkim.sock":                       "",
	} {
		got, found := Has(value, endpoint, queue)
		if found != (want != "") || got.Raw != want {
			t.Errorf("%q: %q, %v", value, got.Raw, found)
		}
	}
	if _, found := Has("inet:LocalHost:8891", "inet:localhost:8891", queue); !found {
		t.Error("host names compared by case")
	}
}

func TestRefers(t *testing.T) {
	for value, want := range map[string]bool{
		"$smtpd_milters": true, "a:b, ${smtpd_milters}": true, "$(smtpd_milters)": true,
		"$smtpd_milters_x": false, "smtpd_milters": false, "": false, "{ $smtpd_milters": false,
	} {
		if got := Refers(value, "smtpd_milters"); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}

func FuzzMerge(f *testing.F) {
	for _, seed := range []string{
		"", "$smtpd_milters", "inet:[::1]:8893, unix:a", oursText, "{ a, { b = c d } $x }",
		"{ unix:/opendkim/opendkim.sock,\n default_action=accept } x", "a{b c}d,,", "{{a}}", "{ a, {b = } }",
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
		once, _, err := Merge(value, ours(), queue)
		if err != nil {
			t.Fatalf("merge into %q: %v", value, err)
		}
		twice, changed, err := Merge(once, ours(), queue)
		if err != nil || changed || twice != once {
			t.Fatalf("merge into %q: once %q, twice %q, %v, %v", value, once, twice, changed, err)
		}
		checkForeign(t, list, once)
	})
}

// checkForeign proves that everybody else's entries survive in order, and that
// ours is there once.
func checkForeign(t *testing.T, before []Milter, merged string) {
	t.Helper()
	after, err := Parse(merged)
	if err != nil {
		t.Fatalf("read %q: %v", merged, err)
	}
	foreign := func(list []Milter) (texts []string, mine int) {
		for _, m := range list {
			if same(m.Endpoint, ours().Endpoint, queue) {
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
	if mine != 1 || !slices.Equal(got, want) {
		t.Fatalf("merged %q: ours %d times, foreign %q, want %q", merged, mine, got, want)
	}
}
