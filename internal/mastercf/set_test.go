package mastercf

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/state"
)

func setting(service, name, value string) state.ServiceSetting {
	return state.ServiceSetting{Service: service, Setting: state.Setting{Name: name, Value: value}}
}

const long = "inet:127.0.0.1:11332, { unix:opendkim/opendkim.sock, default_action=tempfail }"

func TestSet(t *testing.T) {
	for name, c := range map[string]struct {
		was, service, parameter, value, want string
	}{
		"a new line in the entry's own indentation": {
			"submission inet n - y - - smtpd\n\t-o syslog_name=x\n# -o smtpd_milters=\n\nsmtps inet n - y - - smtpd\n",
			"submission/inet", "smtpd_milters", "unix:a",
			"submission inet n - y - - smtpd\n\t-o syslog_name=x\n\t-o smtpd_milters=unix:a\n# -o smtpd_milters=\n\nsmtps inet n - y - - smtpd\n",
		},
		"a value with spaces, in a service without options": {
			"smtp inet n - y - - smtpd\nx unix - - - - - y\n", "smtp/inet", "smtpd_milters", long,
			"smtp inet n - y - - smtpd\n  -o { smtpd_milters = " + long + " }\nx unix - - - - - y\n",
		},
		"CRLF": {
			"smtp inet n - y - - smtpd\r\n -o a=b \r\nx unix - - - - - y\r\n", "smtp/inet", "c", "d",
			"smtp inet n - y - - smtpd\r\n -o a=b \r\n -o c=d\r\nx unix - - - - - y\r\n",
		},
		"no final newline":           {"smtp inet n - y - - smtpd", "smtp/inet", "c", "d", "smtp inet n - y - - smtpd\n  -o c=d"},
		"no final newline, and CRLF": {"smtp inet n - y - - smtpd\r\n    -v", "smtp/inet", "c", "d", "smtp inet n - y - - smtpd\r\n    -v\r\n    -o c=d"},
		"before other arguments": {
			"m unix - n n - - pipe\n    flags=DR user=v\n  argv=/bin/x\n", "m/unix", "c", "d",
			"m unix - n n - - pipe\n    -o c=d\n    flags=DR user=v\n  argv=/bin/x\n",
		},
		"before other arguments of the same line": {
			"m unix - n n - - pipe -v flags=DR\n", "m/unix", "c", "d", "m unix - n n - - pipe -v -o c=d flags=DR\n",
		},
		"a number sign is an argument": {
			"m unix - n n - - pipe # x\n", "m/unix", "c", "d", "m unix - n n - - pipe -o c=d # x\n",
		},
		"in place": {
			"s inet n - y - - smtpd\n  -o  smtpd_milters=unix:a -o x=y\n", "s/inet", "smtpd_milters", "unix:b",
			"s inet n - y - - smtpd\n  -o  smtpd_milters=unix:b -o x=y\n",
		},
		"in place, nothing there": {
			"s inet n - y - - smtpd -o smtpd_milters=\n  -o x=y\n", "s/inet", "smtpd_milters", "unix:b",
			"s inet n - y - - smtpd -o smtpd_milters=unix:b\n  -o x=y\n",
		},
		"in place, nothing in braces": {
			"s inet n - y - - smtpd -o { smtpd_milters = }\n", "s/inet", "smtpd_milters", "unix:b c",
			"s inet n - y - - smtpd -o { smtpd_milters = unix:b c }\n",
		},
		"in place, nothing in tight braces": {
			"s inet n - y - - smtpd -o {smtpd_milters=}\n", "s/inet", "smtpd_milters", "unix:b c",
			"s inet n - y - - smtpd -o {smtpd_milters=unix:b c}\n",
		},
		"emptied":           {"s inet n - y - - smtpd -o a=b\n", "s/inet", "a", "", "s inet n - y - - smtpd -o a=\n"},
		"emptied in braces": {"s inet n - y - - smtpd -o { a = b c }\n", "s/inet", "a", "", "s inet n - y - - smtpd -o { a =  }\n"},
		"braces where there were none": {
			"s inet n - y - - smtpd\n  -osmtpd_milters=unix:a # x\n", "s/inet", "smtpd_milters", "unix:a, b",
			"s inet n - y - - smtpd\n  -o { smtpd_milters = unix:a, b } # x\n",
		},
		"spaces inside the value's own braces": {
			"s inet n - y - - smtpd -o m={ a, x=y }\n", "s/inet", "m", "{ b, x=z }", "s inet n - y - - smtpd -o m={ b, x=z }\n",
		},
		"the last of two counts": {
			"s inet n - y - - smtpd -o m=1\n -o m=2\n", "s/inet", "m", "3", "s inet n - y - - smtpd -o m=1\n -o m=3\n",
		},
		"comments inside the old value": {
			"s inet n - y - - smtpd\n  -o { m = a,\n    b, # not a comment\n# a comment\n\n\tc } -v\n  -o x=y\n", "s/inet", "m", "d",
			"s inet n - y - - smtpd\n  -o { m = d\n# a comment\n\n\t } -v\n  -o x=y\n",
		},
		"other bytes": {
			"# \xe9\xff\ns inet n - y - - smtpd -o \xe9=\xff\n  -o m=\xfc\n", "s/inet", "m", "d", "# \xe9\xff\ns inet n - y - - smtpd -o \xe9=\xff\n  -o m=d\n",
		},
		"another type of the same name": {
			"s unix n - y - - x\ns inet n - y - - x\n", "s/inet", "m", "d", "s unix n - y - - x\ns inet n - y - - x\n  -o m=d\n",
		},
		"nothing to do": {
			"s inet n - y - - smtpd -o { m = a,\n  b }", "s/inet", "m", "a, b", "s inet n - y - - smtpd -o { m = a,\n  b }",
		},
	} {
		set := []state.ServiceSetting{setting(c.service, c.parameter, c.value)}
		got, err := Set(c.was, set)
		if err != nil || got != c.want {
			t.Errorf("%s:\n got %q, %v\nwant %q", name, got, err, c.want)
			continue
		}
		if again, err := Set(got, set); err != nil || again != got {
			t.Errorf("%s, a second time: %q, %v", name, again, err)
		}
	}
}

func TestSetSeveral(t *testing.T) {
	got, err := Set("a inet n - y - - smtpd\nb inet n - y - - smtpd\n", []state.ServiceSetting{
		setting("b/inet", "x", "1"), setting("a/inet", "x", "2"), setting("b/inet", "y", "3 4"),
	})
	const want = "a inet n - y - - smtpd\n  -o x=2\nb inet n - y - - smtpd\n  -o x=1\n  -o { y = 3 4 }\n"
	if err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
}

func TestSetRefuses(t *testing.T) {
	const text = "a inet n - y - - smtpd\nb inet n - y - - smtpd\na unix n - y - - x\na inet n - y - - smtpd\n"
	for _, c := range []struct {
		set  state.ServiceSetting
		want string
	}{
		{setting("smtps/inet", "x", "1"), "there is no service smtps/inet"},
		{setting("b/unix", "x", "1"), "there is no service b/unix"},
		{setting("a/inet", "x", "1"), "line 4: service a/inet stands here a second time, after line 1: remove one of them"},
		{setting("b/inet", "", "1"), `b/inet: "" is no parameter name`},
		{setting("b/inet", "x y", "1"), `b/inet: "x y" is no parameter name`},
		{setting("b/inet", "-x", "1"), `b/inet: "-x" is no parameter name`},
		{setting("b/inet", "x", "1\n2"), `b/inet: x: the value "1\n2" has control characters`},
		{setting("b/inet", "x", "1\t2"), `b/inet: x: the value "1\t2" has control characters`},
		{setting("b/inet", "x", " 1"), `b/inet: x: the value " 1" begins or ends with a space`},
		{setting("b/inet", "x", "{ a"), `b/inet: x: the braces of the value "{ a" do not match`},
		{setting("b/inet", "x", "} a {"), `b/inet: x: the braces of the value "} a {" do not match`},
		{setting("b/inet", "x", "a, $x"), `b/inet: x: the value "a, $x" refers to itself, which Postfix cannot expand`},
		{setting("b/inet", "x", "${x}y"), `b/inet: x: the value "${x}y" refers to itself, which Postfix cannot expand`},
	} {
		got, err := Set(text, []state.ServiceSetting{c.set})
		if err == nil || err.Error() != c.want {
			t.Errorf("%v: %q, %v; want %s", c.set, got, err, c.want)
		}
	}
	_, err := Set("a inet n - y - - smtpd{\n", []state.ServiceSetting{setting("a/inet", "x", "1")})
	if err == nil || err.Error() != "line 1: a/inet: x cannot be set in this entry; is a brace not closed?" {
		t.Errorf("behind an open brace: %v", err)
	}
	if _, err := Set("a inet\n", []state.ServiceSetting{setting("a/inet", "x", "1")}); err == nil {
		t.Error("set in a file that Postfix does not read")
	}
	if got, err := Set(text, []state.ServiceSetting{setting("b/inet", "x", "$x_more $(xy) x")}); err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func FuzzSet(f *testing.F) {
	for _, seed := range []string{written, strings.ReplaceAll(written, "\n", "\r\n")} {
		f.Add(seed, uint(1), "smtpd_milters", long)
		f.Add(seed, uint(3), "long", "x")
		f.Add(seed, uint(4), "new", "{ a b }")
	}
	f.Add("a inet - - - - - b\v -o c=d", uint(0), "c", "")
	f.Fuzz(func(t *testing.T, text string, which uint, parameter, value string) {
		before, err := Parse(text)
		if err != nil || len(before) == 0 {
			return
		}
		at := int(which % uint(len(before)))
		s := setting(before[at].Name, parameter, value)
		once, err := Set(text, []state.ServiceSetting{s})
		if err != nil {
			return
		}
		twice, err := Set(once, []state.ServiceSetting{s})
		if err != nil || twice != once {
			t.Fatalf("%q: once %q, twice %q, %v", text, once, twice, err)
		}
		after, err := Parse(once)
		if err != nil {
			t.Fatalf("%q became %q: %v", text, once, err)
		}
		if diff := cmp.Diff(wanted(before, at, s.Setting), plain(after)); diff != "" {
			t.Fatalf("%q became %q (-want +got):\n%s", text, once, diff)
		}
		othersStay(t, text, once, before[at].Name)
	})
}

// wanted is what should be there afterwards, said independently of the text.
func wanted(before []state.Service, at int, s state.Setting) []state.Service {
	want := plain(before)
	options := want[at].Options
	i := slices.IndexFunc(options, func(o state.Option) bool { return o.Name == s.Name })
	for j := i + 1; i >= 0 && j < len(options); j++ {
		if options[j].Name == s.Name {
			i = j
		}
	}
	o := state.Option{Name: s.Name, Value: squeeze(s.Value)}
	if i >= 0 {
		options[i] = o
	} else {
		want[at].Options = append(options, o)
	}
	return want
}

// plain leaves out what may differ: lines and the amount of white space.
func plain(services []state.Service) []state.Service {
	out := slices.Clone(services)
	for i, s := range out {
		out[i].Line, out[i].Options = 0, nil
		for _, o := range s.Options {
			out[i].Options = append(out[i].Options, state.Option{Name: o.Name, Value: squeeze(o.Value)})
		}
	}
	return out
}

// othersStay insists that all lines but those of one entry are the same bytes
// in the same order.
func othersStay(t *testing.T, before, after, service string) {
	t.Helper()
	if was, is := without(before, service), without(after, service); was != is {
		t.Fatalf("lines that are not ours: %q became %q", was, is)
	}
}

// without drops the lines that a service's entry stands on; comments stay.
func without(text, service string) string {
	var out []string
	inside := false
	for line := range strings.SplitSeq(text, "\n") {
		content := !empty(line) && !comment(line)
		if content && !space(line[0]) {
			words := strings.FieldsFunc(line, func(r rune) bool { return r < 0x80 && separator(byte(r)) })
			name, kind := service[:strings.LastIndexByte(service, '/')], service[strings.LastIndexByte(service, '/')+1:]
			// The type may stand on the next line; then the name decides.
			inside = words[0] == name && (len(words) == 1 || words[1] == kind)
		}
		if !content || !inside {
			out = append(out, strings.TrimSuffix(line, "\r"))
		}
	}
	return strings.Join(slices.DeleteFunc(out, func(s string) bool { return s == "" }), "\n")
}
