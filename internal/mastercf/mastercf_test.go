package mastercf

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/state"
)

// written is a master.cf as people have it.
const written = `# Postfix master process configuration file.
	 ignored unix - - y - - smtpd -o at=all

smtp      inet  n       -       y       -       -       smtpd
#smtp      inet  n       -       y       -       1       postscreen
submission inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
# -o smtpd_milters=commented
  -o smtpd_milters=first
  -o { smtpd_milters = second, x }
  -o {content_filter=a b} -o receive_override_options=no_milters

  -o
  milter_default_action=accept
127.0.0.1:10025 inet n - n - - smtpd -osmtpd_milters=
	-v -vDo smtpd_client_restrictions=permit_mynetworks,reject
[::1]:10026 inet n - n - - smtpd -o name={ a, b }
	-o { long = one,
   # in the middle
		two } -o empty= -o { hollow = }
maildrop  unix  -       n       n       -       -       pipe
  flags=DRXhu user=vmail argv={ /usr/bin/maildrop -d } ${recipient} -o not=ours
amavis/x unix - - n - 2 lmtp -o disable_dns_lookups=yes -- -o x=y
a pass - - n - - smtpd
b unix-dgram n - n - 1 postlogd
c fifo n - n 60? 1 pickup`

func TestParse(t *testing.T) {
	want := []state.Service{
		{Name: "smtp/inet", Command: "smtpd", Line: 4},
		{Name: "submission/inet", Command: "smtpd", Line: 6, Options: []state.Option{
			{Name: "syslog_name", Value: "postfix/submission", Line: 7},
			{Name: "smtpd_milters", Value: "first", Line: 9},
			{Name: "smtpd_milters", Value: "second, x", Line: 10},
			{Name: "content_filter", Value: "a b", Line: 11},
			{Name: "receive_override_options", Value: "no_milters", Line: 11},
			{Name: "milter_default_action", Value: "accept", Line: 14},
		}},
		{Name: "127.0.0.1:10025/inet", Command: "smtpd", Line: 15, Args: []string{"-v", "-vD"}, Options: []state.Option{
			{Name: "smtpd_milters", Line: 15},
			{Name: "smtpd_client_restrictions", Value: "permit_mynetworks,reject", Line: 16},
		}},
		{Name: "[::1]:10026/inet", Command: "smtpd", Line: 17, Options: []state.Option{
			{Name: "name", Value: "{ a, b }", Line: 17},
			{Name: "long", Value: "one,\t\ttwo", Line: 18},
			{Name: "empty", Line: 20},
			{Name: "hollow", Line: 20},
		}},
		{Name: "maildrop/unix", Command: "pipe", Line: 21, Args: []string{
			"flags=DRXhu", "user=vmail", "argv={ /usr/bin/maildrop -d }", "${recipient}", "-o", "not=ours",
		}},
		{Name: "amavis/x/unix", Command: "lmtp", Line: 23, Args: []string{"--", "-o", "x=y"}, Options: []state.Option{
			{Name: "disable_dns_lookups", Value: "yes", Line: 23},
		}},
		{Name: "a/pass", Command: "smtpd", Line: 24},
		{Name: "b/unix-dgram", Command: "postlogd", Line: 25},
		{Name: "c/fifo", Command: "pickup", Line: 26},
	}
	for _, end := range []string{"\n", "\r\n"} {
		got, err := Parse(strings.ReplaceAll(written, "\n", end))
		if end == "\r\n" {
			want[3].Options[1].Value = "one,\r\t\ttwo" // so does Postfix
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("lines that end with %q (-want +got):\n%s", end, diff)
		}
	}
	if got, err := Parse("\n# nothing\n"); err != nil || len(got) != 0 {
		t.Errorf("an empty file: %v, %v", got, err)
	}
	if got, err := Parse("s inet n - n - - smtpd -o m=$$m,$mm,$m_m,${m?a},$n\n"); err != nil {
		t.Errorf("no reference to itself: %v, %v", got, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"\nsmtp inet n - n - -\n":                               `line 2: "smtp" has 7 fields; a service has 8 at least: name, type, private, unpriv, chroot, wakeup, maxproc, command`,
		"#\nsmtp\n\tudp n - n - - smtpd\n":                      `line 3: "udp" is no type of a service`,
		"smtp inet n - n - - smtpd -o\n#\n":                     `line 1: smtp/inet: nothing follows -o`,
		"smtp inet n - n - - smtpd\n  -o smtpd_milters\n":       `line 2: smtp/inet: -o smtpd_milters is not name=value`,
		"smtp inet n - n - - smtpd\n  -o =x\n":                  `line 2: smtp/inet: -o =x is not name=value`,
		"smtp inet n - n - - smtpd\n  -o { a b = x }\n":         `line 2: smtp/inet: -o { a b = x } is not name=value`,
		"smtp inet n - n - - smtpd\n  -o { a = x\n":             `line 2: smtp/inet: -o { a = x is not name=value`,
		"smtp inet n - n - - smtpd\n  -o { a = x }y\n":          `line 2: smtp/inet: -o { a = x }y is not name=value`,
		"smtp inet n - n - - smtpd\n  -o{ a = x }\n":            `line 2: smtp/inet: -o { a = x } is not name=value`,
		"#\x00\nsmtp inet n - n - - smtpd\n#\n  -o a=b\x00cd\n": `line 4: a null byte, at which Postfix stops reading`,
		"s inet n - n - - smtpd\n  -o m=a,$m\n":                 `line 2: s/inet: -o m=a,$m refers to itself, which Postfix cannot expand`,
		"s inet n - n - - smtpd -o { m = ${m} }":                `line 1: s/inet: -o m=${m} refers to itself, which Postfix cannot expand`,
	} {
		got, err := Parse(text)
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, %v; want %s", text, got, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{written, strings.ReplaceAll(written, "\n", "\r\n"), "a inet - - - - - b\v -o{", "x unix - - - - - p -o \xff=\x80"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := parse(text)
		if err != nil {
			return
		}
		lines := strings.Split(text, "\n")
		last := 0
		for _, e := range entries {
			if e.service.Line <= last || !strings.HasPrefix(lines[e.service.Line-1], strings.TrimSuffix(e.service.Name, "/"+kind(e.service.Name))) {
				t.Errorf("%q: service %s is said to begin in line %d", text, e.service.Name, e.service.Line)
			}
			last = e.service.Line
			for i, o := range e.service.Options {
				if o.Line < last || !strings.Contains(lines[o.Line-1], o.Name) {
					t.Errorf("%q: option %s is said to be in line %d", text, o.Name, o.Line)
				}
				if got := e.text(e.options[i].value); got != o.Value {
					t.Errorf("%q: value %q of %s at %q", text, o.Value, o.Name, got)
				}
			}
			for i, at := range e.at {
				if text[at] != e.joined[i] {
					t.Fatalf("%q: byte %d is said to be at %d", text, i, at)
				}
			}
		}
	})
}

// kind is the part of a service's name that says its type.
func kind(service string) string { return service[strings.LastIndexByte(service, '/')+1:] }
