// Package postmap asks Postfix's tables by postmap(1), and the users of this
// machine by getent(1).
package postmap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"mailsetup/internal/recipient"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// tableTimeout bounds a look-up: postmap(1) waits many seconds for a server that is
// down, and for a proxymap(8) that does not run without end.
const tableTimeout = 5 * time.Second

// keyTimeout is what each of many keys adds to that.
const keyTimeout = 2 * time.Millisecond

// Tables implements recipient.Tables, with a cache.
type Tables struct {
	Run  system.Runner
	Read func(state.Path) ([]byte, error) // the content of a file, nil for none

	mu      sync.Mutex
	answers map[[2]string]answer
	failed  map[string]error // tables that could not be asked
}

type answer struct {
	value string
	found bool
	err   error
}

var _ recipient.Tables = (*Tables)(nil)

// Lookup implements recipient.Tables. It drops "proxy:" in front of a table: the
// program may read the table itself.
func (t *Tables) Lookup(ctx context.Context, table, key string) (string, bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	table = strings.TrimPrefix(table, "proxy:")
	if a, known := t.answers[[2]string{table, key}]; known {
		return a.value, a.found, a.err
	}
	if err := t.failed[table]; err != nil {
		return "", false, err
	}
	if t.answers == nil {
		t.answers, t.failed = map[[2]string]answer{}, map[string]error{}
	}
	var a answer
	if table == recipient.Users {
		a = t.user(ctx, key)
	} else {
		a = t.query(ctx, table, key)
	}
	if a.err != nil {
		t.failed[table] = a.err
	}
	t.answers[[2]string{table, key}] = a
	return a.value, a.found, a.err
}

func (t *Tables) query(ctx context.Context, table, key string) answer {
	res, err := t.run(ctx, "postmap", "-q", key, table)
	switch said := Failure(res.Stderr); {
	case err != nil:
		return answer{err: fmt.Errorf("ask table %s: %w", table, err)}
	case res.Code == 0:
		return answer{value: strings.TrimRight(string(res.Stdout), "\n"), found: true}
	case said != "": // "not there" is exit 1 as well, without a word
		return answer{err: fmt.Errorf("ask table %s: %s", table, said)}
	}
	return answer{}
}

// Prefetch asks a table about many keys with one program. What it did not answer is
// asked key by key.
func (t *Tables) Prefetch(ctx context.Context, table string, keys []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	table = strings.TrimPrefix(table, "proxy:")
	res, err := t.runWith(ctx, []byte(strings.Join(keys, "\n")+"\n"), "postmap", "-q", "-", table)
	if err != nil || res.Code != 0 && Failure(res.Stderr) != "" {
		return
	}
	if t.answers == nil {
		t.answers, t.failed = map[[2]string]answer{}, map[string]error{}
	}
	for _, key := range keys {
		t.answers[[2]string{table, key}] = answer{}
	}
	for line := range strings.Lines(string(res.Stdout)) {
		if key, value, ok := strings.Cut(strings.TrimRight(line, "\n"), "\t"); ok {
			t.answers[[2]string{table, key}] = answer{value: value, found: true}
		}
	}
}

// Row is a row of a table.
type Row struct{ Key, Value string }

// Keys returns the keys of a table, as far as its type can list them.
func (t *Tables) Keys(ctx context.Context, table string) ([]string, error) {
	rows, err := t.Rows(ctx, table)
	keys := make([]string, len(rows))
	for i, r := range rows {
		keys[i] = r.Key
	}
	return keys, err
}

// Rows returns the rows of a table, as far as its type can list them.
func (t *Tables) Rows(ctx context.Context, table string) ([]Row, error) {
	table = strings.TrimPrefix(table, "proxy:")
	kind, rest, _ := strings.Cut(table, ":")
	switch kind {
	case "hash", "btree", "lmdb", "cdb", "dbm", "sdbm", "texthash":
	case "inline":
		var rows []Row
		for _, r := range recipient.InlineRows(rest) {
			rows = append(rows, Row{r[0], r[1]})
		}
		return rows, nil
	default:
		return nil, fmt.Errorf("list table %s: a table of type %s cannot be listed", table, kind)
	}
	res, err := t.run(ctx, "postmap", "-s", table)
	if err == nil && res.Code != 0 && Failure(res.Stderr) != "" {
		err = errors.New(Failure(res.Stderr))
	}
	if err != nil {
		return nil, fmt.Errorf("list table %s: %w", table, err)
	}
	var rows []Row
	for line := range strings.Lines(string(res.Stdout)) {
		if key, value, ok := strings.Cut(line, "\t"); ok {
			rows = append(rows, Row{key, strings.TrimRight(value, "\n")})
		}
	}
	return rows, nil
}

// user looks up a user as the table unix:passwd.byname does, whose keys are in lower
// case; getent(1) takes a number for a uid.
func (t *Tables) user(ctx context.Context, name string) answer {
	name = strings.ToLower(name)
	if name == "" || strings.Contains(name, "@") || strings.HasPrefix(name, "-") {
		return answer{}
	}
	res, err := t.run(ctx, "getent", "passwd", name)
	line := strings.TrimSpace(string(res.Stdout))
	switch is, _, _ := strings.Cut(line, ":"); {
	case err != nil:
		return answer{err: fmt.Errorf("ask for user %s: %w", name, err)}
	case res.Code == 0 && is == name:
		return answer{value: line, found: true}
	case res.Code == 0, res.Code == 2:
		return answer{}
	}
	return answer{err: fmt.Errorf("ask for user %s: getent: exit status %d: %s", name, res.Code, lastLine(res.Stderr))}
}

func (t *Tables) run(ctx context.Context, argv ...string) (system.Result, error) {
	return t.runWith(ctx, nil, argv...)
}

func (t *Tables) runWith(ctx context.Context, stdin []byte, argv ...string) (system.Result, error) {
	within := tableTimeout + time.Duration(bytes.Count(stdin, []byte("\n")))*keyTimeout
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	res, err := t.Run.Run(limited, system.Command{Argv: argv, Stdin: stdin})
	if limited.Err() != nil && ctx.Err() == nil {
		return res, fmt.Errorf("no answer within %v", within)
	}
	return res, err
}

// Names implements recipient.Tables.
func (t *Tables) Names(_ context.Context, path string) ([]string, error) {
	p, err := state.ParsePath(path)
	if err != nil {
		return nil, err
	}
	text, err := t.Read(p)
	if err != nil {
		return nil, err
	}
	if text == nil {
		return nil, fmt.Errorf("read %s: there is no such file", p)
	}
	var lines []string
	for line := range bytes.Lines(text) {
		if word := strings.TrimSpace(string(line)); word != "" && !strings.HasPrefix(word, "#") {
			lines = append(lines, word)
		}
	}
	return lines, nil
}

// Failure returns why postmap(1) could not ask a table, "" where it only said nothing
// of a key: the exit status is 1 for both. What Postfix's programs warn of in main.cf
// (a parameter that is set twice) is no failure, nor is what they warn of each table of
// Berkeley DB since Postfix 3.11.
func Failure(stderr []byte) string {
	var lines [][]byte
	for line := range bytes.Lines(stderr) {
		if !slices.ContainsFunc(harmless, func(words string) bool { return bytes.Contains(line, []byte(words)) }) {
			lines = append(lines, line)
		}
	}
	return lastLine(bytes.Join(lines, nil))
}

// harmless are words of warnings that do not keep a program from answering.
var harmless = []string{
	": warning: /etc/postfix/main.cf, line ",
	": hash/btree support is deprecated.",
	": warning: See /usr/share/doc/postfix/NON_BERKELEYDB_README.gz",
}

// lastLine returns why a program ended; of a table that could not be asked the
// warning before says it.
func lastLine(said []byte) string {
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	last := lines[len(lines)-1]
	if strings.Contains(last, "query error") && len(lines) > 1 {
		last = lines[len(lines)-2]
	}
	for _, head := range []string{"postmap: ", "fatal: ", "warning: "} {
		last = strings.TrimPrefix(last, head)
	}
	return last
}
