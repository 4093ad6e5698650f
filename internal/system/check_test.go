package system

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/state"
)

// look is a validator that shows what it finds in the scratch tree.
func look(script string, needs ...state.Path) state.Validator {
	return state.Validator{Name: "looker", Needs: needs, Argv: func(scratch func(state.Path) string) []string {
		return []string{"sh", "-c", script, "sh", scratch("/")}
	}}
}

// scripted is a Runner that answers by the first word.
type scripted map[string]Result

func (s scripted) Run(_ context.Context, c Command) (Result, error) {
	if c.Argv[0] == "journalctl" && len(c.Argv) > 2 && strings.Join(c.Argv[1:3], " ") != "-t postfix/postfix-script" {
		return Result{Code: 1}, nil
	}
	return s[c.Argv[0]], nil
}

// A checker that tells the system log alone what is wrong is quoted from there.
func TestACheckerThatLogs(t *testing.T) {
	said := Result{Stdout: []byte("fatal: unable to create missing queue directories\n")}
	for tag, want := range map[string]string{
		"postfix/postfix-script": "check checker: exit status 1:\nfatal: unable to create missing queue directories",
		"":                       "check checker: exit status 1",
	} {
		c := checker{files: &files{}, run: scripted{"checker": {Code: 1}, "journalctl": said}, dir: t.TempDir(), passed: map[string]bool{}}
		v := state.Validator{Name: "checker", LogTag: tag, Argv: func(func(state.Path) string) []string { return []string{"checker"} }}
		if err := c.check(t.Context(), []state.Validator{v}, nil); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", tag, err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	scratch := t.TempDir()
	h := NewHost(Options{Scratch: scratch})
	need := state.Path(t.TempDir()).Join("master.cf")
	write(t, string(need), "see /etc/x/conf\n", 0o644)
	staged := map[state.Path]state.Object{
		"/etc/x/conf":   regular("table /etc/x/table key /etc/x/key\n", 0o640),
		"/etc/x/table":  regular("t\n", 0o644),
		"/etc/x/key":    {Kind: state.Regular, Mode: 0o600, Content: []byte("PRIVATE"), Secret: true},
		"/etc/x/absent": {},
	}
	err := h.Check(context.Background(), []state.Validator{
		look("exit 0"),
		look(`cd "$1"; stat -c %a .; find . -type f | sort; cat etc/x/conf; cat .`+string(need)+`; grep -r PRIVATE .; exit 7`, need, "/no/such/file"),
	}, staged)
	want := strings.Join([]string{
		"check looker: exit status 7:", "700", "./etc/x/conf", "./etc/x/table", "." + string(need),
		"table /etc/x/table key /etc/x/key", "see /etc/x/conf",
	}, "\n")
	var rejected *RejectedError
	if !errors.As(err, &rejected) || rejected.Code != 7 || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
	if left, rerr := os.ReadDir(scratch); len(left) != 0 || rerr != nil {
		t.Errorf("left behind: %v, %v", left, rerr)
	}
	must(t, h.Check(context.Background(), []state.Validator{look(`grep -q "table $1/*etc/x/table" "$1/etc/x/conf"`)}, staged))
}

// Validators work side by side; what is told is the error of the first in the list.
func TestCheckSideBySide(t *testing.T) {
	both := state.Path(t.TempDir())
	meet := func(own, other, then string) state.Validator {
		return look("touch " + string(both.Join(own)) + "; for i in $(seq 100); do test -e " + string(both.Join(other)) + " && " + then + "; sleep 0.1; done; exit 9")
	}
	h := NewHost(Options{Scratch: t.TempDir()})
	err := h.Check(t.Context(), []state.Validator{meet("a", "b", "sleep 0.1 && exit 3"), meet("b", "a", "exit 4")}, nil)
	if rejected, is := errors.AsType[*RejectedError](err); !is || rejected.Code != 3 {
		t.Errorf("error %v, want exit status 3", err)
	}
}

// What passed before anything was touched is not asked for again with the same
// contents; a rejection is.
func TestCheckRemembersEarlyPasses(t *testing.T) {
	h := NewHost(Options{Scratch: t.TempDir()})
	runs := state.Path(t.TempDir()).Join("runs")
	check := func(early bool, exit string, content string) error {
		return h.Check(t.Context(), []state.Validator{{Name: "x", Early: early, Argv: func(p func(state.Path) string) []string {
			return []string{"sh", "-c", "echo >>" + string(runs) + "; grep -q good $0 && exit " + exit, p("/etc/x/conf")}
		}}}, map[state.Path]state.Object{"/etc/x/conf": regular(content, 0o644)})
	}
	for i, c := range []struct {
		early         bool
		exit, content string
		fails         bool
		runs          int
	}{
		{true, "0", "good", false, 1},
		{true, "0", "good", false, 1},
		{true, "0", "good too", false, 2},
		{true, "0", "bad", true, 3},
		{true, "0", "bad", true, 4},
		{false, "00", "good", false, 5}, // another command
		{false, "00", "good", false, 6},
	} {
		err := check(c.early, c.exit, c.content)
		text, _ := os.ReadFile(string(runs))
		if (err != nil) != c.fails || len(text) != c.runs {
			t.Errorf("%d: %v, run %d times", i, err, len(text))
		}
	}
}

// One program that looks at everything is enough where it accepts. Where it does not, those
// that it stands for decide, and say what is wrong.
func TestOneCheckerForMany(t *testing.T) {
	h := NewHost(Options{Scratch: t.TempDir()})
	input := map[state.Path][]byte{"/etc/x/list": []byte("/etc/x/a /etc/x/b\n")}
	check := func(all, b string) (string, error) {
		runs := state.Path(t.TempDir()).Join("runs")
		one := func(name, script string) state.Validator {
			return state.Validator{Name: name, Argv: func(p func(state.Path) string) []string {
				return []string{"sh", "-c", "echo " + name + " >>" + string(runs) + ";" + script, p("/etc/x/list"), p("/etc/x/a")}
			}}
		}
		v := one("all", `grep -q "^$1 " "$0" || exit 9;`+all)
		v.Input, v.Each = input, []state.Validator{one("a", "true"), one("b", b)}
		err := h.Check(t.Context(), []state.Validator{v}, map[state.Path]state.Object{"/etc/x/a": regular("", 0o644)})
		text, _ := os.ReadFile(string(runs))
		words := strings.Fields(string(text))
		slices.Sort(words)
		return strings.Join(words, " "), err
	}
	if runs, err := check("true", "false"); runs != "all" || err != nil {
		t.Errorf("it accepts: ran %q, %v", runs, err)
	}
	if runs, err := check("false", "true"); runs != "a all b" || err != nil {
		t.Errorf("it alone does not: ran %q, %v", runs, err)
	}
	if runs, err := check("false", "echo line 3; false"); runs != "a all b" || err == nil || err.Error() != "check b: exit status 1:\nline 3" {
		t.Errorf("one of them does not either: ran %q, %v", runs, err)
	}
}

func TestCheckLeavesNothingAfterPanic(t *testing.T) {
	scratch := t.TempDir()
	h := NewHost(Options{Scratch: scratch})
	v := state.Validator{Name: "x", Argv: func(func(state.Path) string) []string { panic("argv") }}
	func() {
		defer func() { _ = recover() }()
		_ = h.Check(context.Background(), []state.Validator{v}, nil)
	}()
	if left, err := os.ReadDir(scratch); len(left) != 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
