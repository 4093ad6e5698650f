package system

import (
	"context"
	"errors"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/state"
)

// postconf stands in for Postfix's where that is not installed: it replaces the
// lines that set parameters, and appends those of others, the last one first: any
// order is that of a hash table.
const postconf = `#!/bin/sh
dir=$2
shift 3
new=
for set; do
	name=${set%% = *}
	if grep -q "^$name *=" "$dir/main.cf"; then
		awk -v n="$name" -v l="$set" '$0 ~ "^" n " *=" {print l; skip=1; next} skip && /^[ \t]+[^# \t]/ {next} !/^[ \t]*(#|$)/ {skip=0} {print}' "$dir/main.cf" >"$dir/t"
		cat "$dir/t" >"$dir/main.cf"
	else
		new="$set
$new"
	fi
done
printf '%s' "$new" >>"$dir/main.cf"
`

// postconfHost is a machine with the real postconf, or else with the given
// script in its place.
func postconfHost(t *testing.T, script string) *Host {
	t.Helper()
	opts := Options{Scratch: t.TempDir()}
	t.Cleanup(func() {
		if left, err := os.ReadDir(opts.Scratch); len(left) != 0 || err != nil {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
	if _, err := os.Stat("/usr/sbin/postconf"); err != nil || script != postconf && script != masterPostconf {
		bin := t.TempDir()
		write(t, bin+"/postconf", script, 0o755)
		opts.Programs = append([]string{bin}, programs()...)
	}
	return NewHost(opts)
}

func set(pairs ...string) state.PostfixEdit {
	e := state.PostfixEdit{Path: "/etc/postfix/main.cf"}
	for i := 0; i < len(pairs); i += 2 {
		e.Set = append(e.Set, state.Setting{Name: pairs[i], Value: pairs[i+1]})
	}
	return e
}

func TestPostfixEdit(t *testing.T) {
	h := postconfHost(t, postconf)
	for name, c := range map[string]struct {
		edit      state.PostfixEdit
		was, want string
	}{
		"new at the end, in order": {
			set("smtpd_milters", "{ unix:opendkim/opendkim.sock, default_action=tempfail }, inet:localhost:11332", "milter_default_action", "tempfail", "x_dir", "$config_directory/y"),
			"# Debian\nmyhostname = mail.example\n\n",
			"# Debian\nmyhostname = mail.example\n\nsmtpd_milters = { unix:opendkim/opendkim.sock, default_action=tempfail }, inet:localhost:11332\nmilter_default_action = tempfail\nx_dir = $config_directory/y\n",
		},
		"in place, comments kept": {
			set("mynetworks", "127.0.0.0/8"),
			"mynetworks = 127.0.0.0/8,\n  # kept\n  [::1]/128\nlast=1\n",
			"mynetworks = 127.0.0.0/8\n  # kept\nlast=1\n",
		},
		"no final newline": {set("a", "2"), "b = 1", "b = 1\na = 2\n"},
		"nothing to do":    {set("a", "x, y", "b", ""), "a=x,\n\ty\r\nb =", "a=x,\n\ty\r\nb ="},
		"last of two holds": {
			set("a", "2"), "a = 1\na = 2\n", "a = 1\na = 2\n",
		},
		"empty file": {set("a", "1"), "", "a = 1\n"},
		"what looks like it": {
			set("a", "2"), "# a = 0\n#a=0\n  a = 0\n# if\n#  a = 0\nb = 1\n  a = 0\nab = a = 0 # kept\nba=\n",
			"# a = 0\n#a=0\n  a = 0\n# if\n#  a = 0\nb = 1\n  a = 0\nab = a = 0 # kept\nba=\na = 2\n",
		},
		"empty, then set": {set("a", "2"), "a=\nb=\n", "a = 2\nb=\n"},
		"a name that begins like it, other bytes": {
			set("a", "$config_directory/x"), "# \xe9\xff\na_b = \xfc\na = 1\n", "# \xe9\xff\na_b = \xfc\na = $config_directory/x\n",
		},
	} {
		got, err := h.Evaluate(context.Background(), c.edit, regular(c.was, 0o644))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v", name, got, err)
			continue
		}
		again, err := h.Evaluate(context.Background(), c.edit, regular(c.want, 0o644))
		if err != nil || string(again) != c.want {
			t.Errorf("%s, again: %q, %v", name, again, err)
		}
	}
}

// counting counts the programs that it runs.
type counting struct {
	Runner
	n int
}

func (c *counting) Run(ctx context.Context, cmd Command) (Result, error) {
	c.n++
	return c.Runner.Run(ctx, cmd)
}

func TestPostfixEditRunsOneProgram(t *testing.T) {
	h := postconfHost(t, postconf)
	run := &counting{Runner: h.runner}
	got, err := editor{files: &h.files, run: run, scratch: h.scratch}.evaluate(t.Context(),
		set("d", "4", "a", "1", "c", "3", "b", "2"), regular("c = 0\nx = y\n", 0o644))
	if want := "c = 3\nx = y\nd = 4\na = 1\nb = 2\n"; err != nil || string(got) != want || run.n != 1 {
		t.Errorf("%q, %v, by %d programs", got, err, run.n)
	}
}

func TestPostfixEditRefused(t *testing.T) {
	h := postconfHost(t, postconf)
	for name, c := range map[string]struct {
		edit    state.PostfixEdit
		was     state.Object
		message string
	}{
		"absent":  {set("a", "9"), state.Object{}, "edit /etc/postfix/main.cf: it does not exist; is postfix installed?"},
		"symlink": {set("a", "9"), state.Object{Kind: state.Symlink}, "edit /etc/postfix/main.cf: is a symlink, not a file"},
		"newline": {set("a", "9\nb = 1"), regular("", 0o644), "edit /etc/postfix/main.cf: a: the value has more than one line"},
		"option":  {set("-a", "9"), regular("", 0o644), `edit /etc/postfix/main.cf: "-a" is no parameter name`},
	} {
		got, err := h.Evaluate(context.Background(), c.edit, c.was)
		if err == nil || err.Error() != c.message {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// What somebody wrote may be unfit for an edit: they are told the line and
// what to do, and it counts as bad input.
func TestMainFileUnusable(t *testing.T) {
	h := postconfHost(t, postconf)
	for name, c := range map[string]struct{ was, message, hint string }{
		"set twice": {
			"a = 1\nb = 2\na = 3\n", "/etc/postfix/main.cf:3: a is set a second time, after line 1",
			"keep one of them; it is the last that counts: postconf a",
		},
		"CRLF": {
			"b = 1\na = 1\r\n", "/etc/postfix/main.cf:2: the line ends with a carriage return (CRLF)",
			`convert the file: sed -i 's/\r$//' /etc/postfix/main.cf`,
		},
		"no equals sign": {
			"b = 1\njunk\n", "/etc/postfix/main.cf:2: this is neither a comment nor a setting (name = value)",
			"correct line 2 of /etc/postfix/main.cf, then look at the file with postconf -n",
		},
		"no name":   {"= 3\n", "/etc/postfix/main.cf:1: this is neither a comment nor a setting (name = value)", "correct"},
		"two names": {"b c = 3\n", "/etc/postfix/main.cf:1: this is neither a comment nor a setting (name = value)", "correct"},
		"a space that is none": {
			"b\u00a0c = 3\n\u00a0\n", "/etc/postfix/main.cf:2: this is neither a comment nor a setting (name = value)", "correct",
		},
		"null byte": {
			"# x\x00\n", "/etc/postfix/main.cf:1: a null byte, at which Postfix stops reading the line",
			`take it out: sed -i 's/\x00//g' /etc/postfix/main.cf`,
		},
		"remark in the middle of a line": {
			"b = 1 # theirs\na = 1,\n\t2 # mine\n", `/etc/postfix/main.cf:3: a: "#" in the middle of a line begins no comment, but is part of the value`,
			"put the remark on a line of its own",
		},
	} {
		got, err := h.Evaluate(context.Background(), set("a", "9"), regular(c.was, 0o644))
		var unusable *UnusableError
		if !errors.As(err, &unusable) || err.Error() != c.message || !strings.HasPrefix(unusable.Hint, c.hint) {
			t.Errorf("%s: %q, %v, hint %q", name, got, err, unusable.Hint)
		}
	}
}

func TestPostfixEditDistrustsPostconf(t *testing.T) {
	for name, c := range map[string]struct{ script, message string }{
		"changes another line": {"#!/bin/sh\nprintf 'b = 2\\na = 9\\n' >$2/main.cf\n", `postconf would change a line that is not ours: "b = 1" became "b = 2"`},
		"drops a line":         {"#!/bin/sh\nprintf 'a = 9\\n' >$2/main.cf\n", "postconf would change lines that are not ours: 1 of them became 0"},
		"does nothing":         {"#!/bin/sh\n", `postconf did not set [{"a" "9"}]`},
		"fails":                {"#!/bin/sh\necho postconf: fatal: $2/main.cf, line 7: junk >&2\nexit 1\n", "postconf: exit status 1: postconf: fatal: /etc/postfix/main.cf, line 7: junk"},
	} {
		h := postconfHost(t, c.script)
		got, err := h.Evaluate(context.Background(), set("a", "9"), regular("b = 1\n", 0o644))
		if err == nil || err.Error() != "edit /etc/postfix/main.cf: "+c.message {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	h := NewHost(Options{Programs: []string{t.TempDir()}, Scratch: t.TempDir()})
	_, err := h.Evaluate(context.Background(), set("a", "9"), regular("", 0o644))
	if err == nil || !strings.Contains(err.Error(), "postconf (of the package postfix) is needed") {
		t.Errorf("without postconf: %v", err)
	}
}

// Postfix takes a file that is younger than two seconds for one that is being written.
func TestMainFileIsOldEnoughForPostfix(t *testing.T) {
	dir := state.Path(t.TempDir())
	h := NewHost(Options{})
	for _, name := range []string{"main.cf", "other.cf"} {
		if err := h.Create(dir.Join("staged~"), regular("a = 1\n", 0o644)); err != nil {
			t.Fatal(err)
		}
		if err := h.Rename(dir.Join("staged~"), dir.Join(name)); err != nil {
			t.Fatal(err)
		}
		fi, err := os.Stat(string(dir.Join(name)))
		if err != nil {
			t.Fatal(err)
		}
		if age := time.Since(fi.ModTime()); (age > 2*time.Second) != (name == "main.cf") || age > time.Minute {
			t.Errorf("%s is %v old", name, age)
		}
	}
}

func FuzzReadMain(f *testing.F) {
	f.Add("# c\nmynetworks = 127.0.0.0/8,\n  # in between\n  [::1]/128\n\nlast=1")
	f.Add(" lead\n=\r\na=b=c\n")
	f.Add("\u00a0a = 1\n\u0085 b # c\n\v#\n\x00")
	f.Fuzz(func(t *testing.T, text string) {
		lines := otherLines([]byte(text), nil)
		if got := strings.Join(lines, "\n"); got != strings.TrimSuffix(text, "\n") {
			t.Errorf("%q became %q", text, got)
		}
		for name, at := range scanMain([]byte(text)).lines {
			if rest := otherLines([]byte(text), map[string]bool{name: true}); name != "" && len(rest)+len(at) > len(lines) {
				t.Errorf("%q: %d lines without the %d of %q, of %d", text, len(rest), len(at), name, len(lines))
			}
		}
	})
}

func TestParameterLines(t *testing.T) {
	got := ParameterLines([]byte("# a = 0\na = 1\n\n  x = 2\nb=\n#\n  y\na = 3"))
	if want := map[string]int{"a": 8, "b": 5}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
