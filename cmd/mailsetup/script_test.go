package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"mailsetup/internal/jsondoc/jsondoctest"
	"mailsetup/internal/text"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mailsetup": main})
}

// TestScript runs the program, one behaviour a script. Most scripts work below
// a root of their own, so that they need neither root nor systemd.
func TestScript(t *testing.T) {
	program := forEverybody(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Vars = append(e.Vars, "TERM=dumb", "GORACE=atexit_sleep_ms=0", "EVIL=lab.example\nIP=192.0.2.66")
			return os.MkdirAll(filepath.Join(e.WorkDir, "tree"), 0o755)
		},
		Condition: condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"nobody":    nobody(program),
			"labinit":   labInit,
			"snapshot":  snapshot,
			"columns":   columns,
			"set":       setLine,
			"typing":    typing,
			"unfinish":  unfinish,
			"typed":     typed,
			"first":     first,
			"damage":    damage,
			"jsonvalid": jsonValid,
		},
	})
}

func condition(name string) (bool, error) {
	if name == "root" {
		return os.Geteuid() == 0, nil
	}
	if name == "systemd" {
		_, err := os.Stat("/run/systemd/system")
		return err == nil, nil
	}
	return false, fmt.Errorf("no condition %q", name)
}

// exits runs the program and wants an exit code: exits CODE ARGUMENT...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits CODE [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	wantCode(ts, ts.Exec("mailsetup", args[1:]...), want)
	isDocument(ts, args[1:])
}

// isDocument wants a run that was asked for data to have printed one document of the contract.
func isDocument(ts *testscript.TestScript, args []string) {
	if text.AsksForJSON(args) && !slices.Contains(args, "--help") {
		jsonValid(ts, false, nil)
	}
}

// jsonValid wants the last output to be one document of the contract.
func jsonValid(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(jsondoctest.Validate(ts.ReadFile("stdout")))
}

// forEverybody returns the path of the program where every user can run it.
func forEverybody(t *testing.T) string {
	dir := t.TempDir()
	self, err := os.Executable()
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755))
	}
	program := filepath.Join(dir, "mailsetup")
	if err == nil && os.Link(self, program) != nil { // on another file system
		var text []byte
		if text, err = os.ReadFile(self); err == nil {
			err = os.WriteFile(program, text, 0o755)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// nobody is exits for somebody who is not root: nobody CODE ARGUMENT...
func nobody(program string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 1 {
			ts.Fatalf("usage: nobody CODE [ARGUMENT...]")
		}
		want, err := strconv.Atoi(args[0])
		ts.Check(err)
		argv := append([]string{program}, args[1:]...)
		if os.Geteuid() == 0 {
			argv = append([]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}, argv...)
		}
		wantCode(ts, ts.Exec(argv[0], argv[1:]...), want)
		isDocument(ts, args[1:])
	}
}

func wantCode(ts *testscript.TestScript, err error, want int) {
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// labInit is init for the domain of the scripts: labinit CODE ARGUMENT...
func labInit(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 1 {
		ts.Fatalf("usage: labinit CODE [ARGUMENT...]")
	}
	exits(ts, neg, slices.Concat(args[:1], []string{
		"init", "--domain", "lab.example", "--hostname", "mail.lab.example", "--ip", "192.0.2.10", "--dns", "manual",
	}, args[1:]))
}

// snapshot writes what a tree holds (path, mode, content, and who should own
// it) into a file: snapshot FILE DIR. The journal is left out: it grows.
func snapshot(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: snapshot FILE DIR")
	}
	var b bytes.Buffer
	dir := ts.MkAbs(args[1])
	ts.Check(filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() == "journal" {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil || d.IsDir() {
			fmt.Fprintf(&b, "%s %v\n", strings.TrimPrefix(p, dir), info.Mode())
			return err
		}
		text, err := os.ReadFile(p)
		if d.Name() == "owners.json" {
			text, err = owners(text)
		}
		fmt.Fprintf(&b, "%s %v\n%s\n", strings.TrimPrefix(p, dir), info.Mode(), text)
		return err
	}))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o600))
}

// owners are the lines of a manifest without the journal's.
func owners(manifest []byte) ([]byte, error) {
	var list []struct{ Path, User, Group, Mode string }
	err := json.Unmarshal(manifest, &list)
	var b bytes.Buffer
	for _, e := range list {
		if !strings.Contains(e.Path, "/journal") {
			fmt.Fprintln(&b, e.Path, e.User, e.Group, e.Mode)
		}
	}
	return b.Bytes(), err
}

// columns wants no line of the last output to be wider: columns N.
func columns(ts *testscript.TestScript, _ bool, args []string) {
	most, err := strconv.Atoi(args[0])
	ts.Check(err)
	for _, stream := range []string{"stdout", "stderr"} {
		for line := range strings.Lines(ts.ReadFile(stream)) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > most {
				ts.Fatalf("%d columns, more than %d: %s", n, most, line)
			}
		}
	}
}

// setLine replaces the one line of a file that begins so: set FILE BEGIN LINE.
func setLine(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: set FILE BEGIN LINE")
	}
	lines := strings.Split(ts.ReadFile(args[0]), "\n")
	found := 0
	for i, l := range lines {
		if strings.HasPrefix(l, args[1]) {
			lines[i] = args[2]
			found++
		}
	}
	if found != 1 {
		ts.Fatalf("%d lines of %s begin with %q", found, args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(lines, "\n")), 0o644))
}

// typing runs the program on a terminal and types the lines of a file:
// typing FILE CODE ARGUMENT... What the terminal showed is in the file screen.
func typing(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: typing FILE CODE [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	self, err := os.Executable()
	ts.Check(err)
	term, user, err := openTerminal()
	ts.Check(err)
	defer term.Close()
	cmd := &exec.Cmd{
		Path: self, Args: append([]string{"mailsetup"}, args[2:]...), Dir: ts.MkAbs("."),
		Env:   []string{"TERM=" + ts.Getenv("TERM"), "PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME")},
		Stdin: user, Stdout: user, Stderr: user, SysProcAttr: onTerminal(),
	}
	ts.Check(cmd.Start())
	ts.Check(user.Close())
	stuck := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer stuck.Stop()
	begun, screen := make(chan struct{}), make(chan string)
	go func() { screen <- follow(term, begun) }()
	<-begun
	_, err = term.WriteString(ts.ReadFile(args[0]))
	ts.Check(err)
	err = cmd.Wait()
	shown := <-screen
	ts.Check(os.WriteFile(ts.MkAbs("screen"), []byte(shown), 0o600))
	ts.Logf("[screen]\n%s", shown)
	wantCode(ts, err, want)
}

// typed types a command that the last output shows, as a shell takes it, with what its
// reader adds: typed PATTERN [MORE]. The group of the pattern is the command.
func typed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: typed PATTERN [MORE]")
	}
	m := regexp.MustCompile("(?m)" + args[0]).FindStringSubmatch(ts.ReadFile("stdout") + ts.ReadFile("stderr"))
	if m == nil {
		ts.Fatalf("no output like %s", args[0])
	}
	ts.Check(ts.Exec("sh", "-ec", strings.Join(append(m[1:2], args[1:]...), " ")))
}

// first puts the ID of the last run but one below a root into FIRST.
func first(ts *testscript.TestScript, _ bool, args []string) {
	runs, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "var/lib/mailsetup/journal/*/run.jsonl"))
	ts.Check(err)
	slices.SortFunc(runs, func(a, b string) int { return modified(ts, a).Compare(modified(ts, b)) })
	if len(runs) < 2 {
		ts.Fatalf("%d runs below %s", len(runs), args[0])
	}
	ts.Setenv("FIRST", filepath.Base(filepath.Dir(runs[len(runs)-2])))
}

// damage spoils the second line of what the journal below a root has of its last run.
func damage(ts *testscript.TestScript, _ bool, args []string) {
	last := lastRun(ts, args[0])
	lines := strings.SplitAfter(ts.ReadFile(last), "\n")
	lines[1] = "x\n"
	ts.Check(os.WriteFile(last, []byte(strings.Join(lines, "")), 0o600))
}

func lastRun(ts *testscript.TestScript, root string) string {
	runs, err := filepath.Glob(filepath.Join(ts.MkAbs(root), "var/lib/mailsetup/journal/*/run.jsonl"))
	ts.Check(err)
	if len(runs) == 0 {
		ts.Fatalf("no run below %s", root)
	}
	return slices.MaxFunc(runs, func(a, b string) int { return modified(ts, a).Compare(modified(ts, b)) })
}

// unfinish makes the last run below a root look killed before its last word.
func unfinish(ts *testscript.TestScript, _ bool, args []string) {
	last := lastRun(ts, args[0])
	lines := strings.SplitAfter(strings.TrimSuffix(ts.ReadFile(last), "\n"), "\n")
	ts.Check(os.WriteFile(last, []byte(strings.Join(lines[:len(lines)-1], "")), 0o600))
}

func modified(ts *testscript.TestScript, file string) time.Time {
	fi, err := os.Stat(file)
	ts.Check(err)
	return fi.ModTime()
}

// follow reads a terminal until the program on it has ended. It closes begun
// at the first line: from then on the program catches Ctrl-C.
func follow(term *os.File, begun chan<- struct{}) string {
	var b strings.Builder
	r := bufio.NewReader(term)
	for first := true; ; first = false {
		line, err := r.ReadString('\n')
		if first {
			close(begun)
		}
		b.WriteString(strings.ReplaceAll(line, "\r", ""))
		if err != nil {
			return b.String()
		}
	}
}
