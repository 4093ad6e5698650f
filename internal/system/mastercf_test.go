package system

import (
	"context"
	"errors"
	"testing"

	"mailsetup/internal/state"
)

// masterPostconf stands in for postconf -M and -P where Postfix is not
// installed. It understands -o name=value and -o { name = value }.
const masterPostconf = `#!/bin/sh
case $3 in
-M) cat "$2/master.cf" ;;
-P) awk '/^[ \t]*(#|$)/ {next}
	/^[^ \t]/ {service = $1 "/" $2}
	{for (i = 1; i < NF; i++) if ($i == "-o") {
		line = $(i+1)
		if (line == "{") {line = ""; for (j = i+2; !($j == "}" && j == NF); j++) line = line $j " "; sub(/ $/, "", line)}
		name = line; sub(/ *=.*/, "", name); sub(/[^=]*= */, "", line)
		print service "/" name " = " line}}' "$2/master.cf" ;;
esac
`

func setService(service string, pairs ...string) state.MasterEdit {
	e := state.MasterEdit{Path: "/etc/postfix/master.cf"}
	for i := 0; i < len(pairs); i += 2 {
		e.Set = append(e.Set, state.ServiceSetting{Service: service, Setting: state.Setting{Name: pairs[i], Value: pairs[i+1]}})
	}
	return e
}

const submission = `# Debian
smtp      inet  n       -       y       -       -       smtpd
submission inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_milters=
# the end
`

func TestMasterEdit(t *testing.T) {
	h := postconfHost(t, masterPostconf)
	const value = "inet:127.0.0.1:11332, { unix:opendkim/opendkim.sock, default_action=tempfail }"
	edit := setService("submission/inet", "smtpd_milters", value, "milter_default_action", "accept")
	const want = `# Debian
smtp      inet  n       -       y       -       -       smtpd
submission inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
  -o { smtpd_milters = ` + value + ` }
  -o milter_default_action=accept
# the end
`
	got, err := h.Evaluate(context.Background(), edit, regular(submission, 0o644))
	if err != nil || string(got) != want {
		t.Fatalf("%q, %v", got, err)
	}
	again, err := h.Evaluate(context.Background(), edit, regular(want, 0o644))
	if err != nil || string(again) != want {
		t.Errorf("again: %q, %v", again, err)
	}
}

func TestMasterEditRefused(t *testing.T) {
	h := postconfHost(t, masterPostconf)
	for name, c := range map[string]struct {
		edit    state.MasterEdit
		was     state.Object
		message string
		bad     bool // input of the administrator's
	}{
		"absent":       {setService("smtp/inet", "a", "b"), state.Object{}, "edit /etc/postfix/master.cf: it does not exist; is postfix installed?", false},
		"symlink":      {setService("smtp/inet", "a", "b"), state.Object{Kind: state.Symlink}, "edit /etc/postfix/master.cf: is a symlink, not a file", false},
		"no service":   {setService("smtps/inet", "a", "b"), regular(submission, 0o644), "edit /etc/postfix/master.cf: there is no service smtps/inet", false},
		"no parameter": {setService("smtp/inet", "a b", "b"), regular(submission, 0o644), `edit /etc/postfix/master.cf: smtp/inet: "a b" is no parameter name`, false},
		"twice": {
			setService("smtp/inet", "a", "b"), regular(submission+"smtp inet n - y - - smtpd\n", 0o644),
			"/etc/postfix/master.cf:7: service smtp/inet stands here a second time, after line 2: remove one of them", true,
		},
	} {
		got, err := h.Evaluate(context.Background(), c.edit, c.was)
		var unusable *UnusableError
		if err == nil || err.Error() != c.message || errors.As(err, &unusable) != c.bad {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// What Postfix says it reads decides, not what we think we wrote.
func TestMasterEditDistrustsItself(t *testing.T) {
	for name, c := range map[string]struct{ script, message string }{
		"another entry": {
			"#!/bin/sh\n[ $3 = -P ] || { grep -v '^ ' $2/master.cf; grep -q a=b $2/master.cf && echo x unix - - - - - y; true; }\n",
			"postconf -M would show more than our settings changed, in entry 1: smtp/inet",
		},
		"another option": {
			"#!/bin/sh\ncase $3 in -M) cat $2/master.cf;; -P) grep -q a=b $2/master.cf && printf 'smtp/inet/a = b\\nsmtp/inet/c = d\\n'; true;; esac\n",
			"postconf -P would show more than our settings changed",
		},
		"fails": {"#!/bin/sh\necho postconf: fatal: $2/master.cf, line 7: junk >&2\nexit 1\n", "postconf: exit status 1: postconf: fatal: /etc/postfix/master.cf, line 7: junk"},
	} {
		h := postconfHost(t, c.script)
		got, err := h.Evaluate(context.Background(), setService("smtp/inet", "a", "b"), regular(submission, 0o644))
		if err == nil || err.Error() != "edit /etc/postfix/master.cf: "+c.message {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
