package postmap

import (
	"context"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// programs answer by their command lines, as those of Debian 13 do, and count.
type programs struct {
	say   map[string]system.Result
	asked []string
}

func (p *programs) Run(ctx context.Context, c system.Command) (system.Result, error) {
	line := strings.Join(c.Argv, " ")
	p.asked = append(p.asked, line)
	if strings.Contains(line, "tcp:") {
		<-ctx.Done()
		return system.Result{}, ctx.Err()
	}
	return p.say[line], nil
}

func TestTables(t *testing.T) {
	out := func(code int, stdout, stderr string) system.Result {
		return system.Result{Code: code, Stdout: []byte(stdout), Stderr: []byte(stderr)}
	}
	p := &programs{say: map[string]system.Result{
		"postmap -q root hash:/etc/aliases":   out(0, "ann@lab.example\n", ""),
		"postmap -q nobody hash:/etc/aliases": out(1, "", ""),
		"postmap -q twice hash:/etc/aliases":  out(1, "", "postmap: warning: /etc/postfix/main.cf, line 78: overriding earlier entry: alias_maps=hash:/etc/aliases\n"),
		// As Postfix 3.11.7 of Debian 14 says it.
		"postmap -q old hash:/etc/old":            out(1, "", "postmap: warning: /etc/old: hash/btree support is deprecated.  Please switch to cdb or lmdb.\npostmap: warning: See /usr/share/doc/postfix/NON_BERKELEYDB_README.gz for more info.\n"),
		"postmap -q gone btree:/etc/gone":         out(1, "", "postmap: warning: /etc/gone: hash/btree support is deprecated.  Please switch to cdb or lmdb.\npostmap: warning: See /usr/share/doc/postfix/NON_BERKELEYDB_README.gz for more info.\npostmap: fatal: open database /etc/gone.db: No such file or directory\n"),
		"postmap -q root mysql:/etc/postfix/a.cf": out(1, "", "postmap: warning: unsupported dictionary type: mysql. Is the postfix-mysql package installed?\npostmap: fatal: unsupported dictionary type: mysql\n"),
		"getent passwd ann":                       out(0, "ann:x:1000:1000::/home/ann:/bin/sh\n", ""),
		"getent passwd 1000":                      out(0, "ann:x:1000:1000::/home/ann:/bin/sh\n", ""),
		"getent passwd wile":                      out(2, "", ""),
		"getent passwd far":                       out(1, "", "getent: directory unreachable\n"),
	}}
	tables := &Tables{Run: p}
	for _, c := range []struct {
		table, key, value string
		found             bool
		err               string
	}{
		{"hash:/etc/aliases", "root", "ann@lab.example", true, ""},
		{"proxy:hash:/etc/aliases", "root", "ann@lab.example", true, ""}, // and asked once
		{"hash:/etc/aliases", "nobody", "", false, ""},
		{"hash:/etc/aliases", "twice", "", false, ""},
		{"hash:/etc/old", "old", "", false, ""},
		{"btree:/etc/gone", "gone", "", false, "ask table btree:/etc/gone: open database /etc/gone.db: No such file or directory"},
		{"mysql:/etc/postfix/a.cf", "root", "", false, "ask table mysql:/etc/postfix/a.cf: unsupported dictionary type: mysql"},
		{"mysql:/etc/postfix/a.cf", "ann", "", false, "ask table mysql:/etc/postfix/a.cf: unsupported dictionary type: mysql"}, // not asked again
		{"unix:passwd.byname", "Ann", "ann:x:1000:1000::/home/ann:/bin/sh", true, ""},
		{"unix:passwd.byname", "1000", "", false, ""}, // the number of a user, and no name
		{"unix:passwd.byname", "wile", "", false, ""},
		{"unix:passwd.byname", "far", "", false, "ask for user far: getent: exit status 1: getent: directory unreachable"},
	} {
		value, found, err := tables.Lookup(t.Context(), c.table, c.key)
		said := ""
		if err != nil {
			said = err.Error()
		}
		if value != c.value || found != c.found || said != c.err {
			t.Errorf("%s in %s: %q %v %s", c.key, c.table, value, found, said)
		}
	}
	if n := len(p.asked); n != 10 {
		t.Errorf("%d programs were run: %q", n, p.asked)
	}
}

// One program answers for many keys, and lists all of them where the type can.
func TestManyKeys(t *testing.T) {
	p := &programs{say: map[string]system.Result{
		"postmap -q - hash:/vd":         {Stdout: []byte("a.example\tx\nb.example\ty\n")},
		"postmap -q - mysql:/v":         {Code: 1, Stderr: []byte("postmap: warning: connect to mysql server db: refused\npostmap: fatal: table mysql:/v: query error: Success\n")},
		"postmap -q a.example mysql:/v": {Code: 1, Stderr: []byte("postmap: warning: connect to mysql server db: refused\npostmap: fatal: table mysql:/v: query error: Success\n")},
		"postmap -s lmdb:/vd":           {Stdout: []byte("a.example\tx\nann@b.example\ty z\n")},
		"postmap -s hash:/gone":         {Code: 1, Stderr: []byte("postmap: fatal: open database /gone.db: No such file or directory\n")},
	}}
	tables := &Tables{Run: p}
	tables.Prefetch(t.Context(), "proxy:hash:/vd", []string{"a.example", "b.example", "c.example"})
	tables.Prefetch(t.Context(), "mysql:/v", []string{"a.example", "b.example"})
	for key, want := range map[string]bool{"a.example": true, "b.example": true, "c.example": false} {
		if _, found, err := tables.Lookup(t.Context(), "hash:/vd", key); found != want || err != nil {
			t.Errorf("%s: %v, %v", key, found, err)
		}
	}
	if n := len(p.asked); n != 2 {
		t.Errorf("%d programs were run: %q", n, p.asked)
	}
	if _, _, err := tables.Lookup(t.Context(), "mysql:/v", "a.example"); err == nil || err.Error() != "ask table mysql:/v: connect to mysql server db: refused" {
		t.Errorf("a server that is down: %v", err)
	}
	for table, want := range map[string]string{
		"proxy:lmdb:/vd":            "a.example ann@b.example",
		"inline:{ {a.example = x}}": "a.example",
		"hash:/gone":                "list table hash:/gone: open database /gone.db: No such file or directory",
		"pcre:/x":                   "list table pcre:/x: a table of type pcre cannot be listed",
		"mysql:/v":                  "list table mysql:/v: a table of type mysql cannot be listed",
	} {
		keys, err := tables.Keys(t.Context(), table)
		got := strings.Join(keys, " ")
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", table, got, want)
		}
	}
}

// A server of tables that does not answer ends no run.
func TestATableThatDoesNotAnswer(t *testing.T) {
	began := time.Now()
	_, found, err := (&Tables{Run: &programs{}}).Lookup(t.Context(), "tcp:127.0.0.1:999", "root")
	if found || err == nil || err.Error() != "ask table tcp:127.0.0.1:999: no answer within 5s" {
		t.Errorf("%v, %v", found, err)
	}
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("after %v", d)
	}
}

func TestNames(t *testing.T) {
	tables := &Tables{Read: func(p state.Path) ([]byte, error) {
		if p == "/etc/names" {
			return []byte("# ours\n\nlab.example\n !old.lab.example\n"), nil
		}
		return nil, nil
	}}
	names, err := tables.Names(t.Context(), "/etc/names")
	if got := strings.Join(names, " "); err != nil || got != "lab.example !old.lab.example" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := tables.Names(t.Context(), "/etc/none"); err == nil || err.Error() != "read /etc/none: there is no such file" {
		t.Errorf("none: %v", err)
	}
}
