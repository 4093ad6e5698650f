package wizard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/spec"
)

// buildAsk builds the program of testdata/ask, which asks and prints the
// answers.
func buildAsk(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "ask")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./testdata/ask").CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

// terminal is a shell in a tmux of its own, 80 by 24.
type terminal struct {
	t      *testing.T
	socket string
}

func openTerminal(t *testing.T) *terminal {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed: the full-screen form is not driven")
	}
	dir, err := os.MkdirTemp("", "ask") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t, filepath.Join(dir, "tmux")}
	t.Cleanup(func() {
		// The context of the test is over by now.
		_ = term.command(context.Background(), "kill-server").Run()
		_ = os.RemoveAll(dir)
	})
	term.tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "env -u CI PS1='ready ' LC_ALL=C sh")
	term.sees("ready")
	return term
}

func (term *terminal) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "tmux", append([]string{"-S", term.socket}, args...)...)
}

func (term *terminal) tmux(args ...string) string {
	term.t.Helper()
	out, err := term.command(term.t.Context(), args...).CombinedOutput()
	if err != nil {
		term.t.Fatalf("tmux %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// types sends keys, in tmux's names for them.
func (term *terminal) types(keys ...string) {
	term.t.Helper()
	term.tmux(append([]string{"send-keys"}, keys...)...)
}

func (term *terminal) screen() string {
	term.t.Helper()
	return term.tmux("capture-pane", "-p", "-J")
}

// sees waits until all of the texts are on screen.
func (term *terminal) sees(texts ...string) string {
	term.t.Helper()
	var screen string
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		screen = term.screen()
		missing := false
		for _, text := range texts {
			missing = missing || !strings.Contains(screen, text)
		}
		if !missing {
			return screen
		}
	}
	term.t.Fatalf("never saw %q:\n%s", texts, screen)
	return ""
}

// answers reads the JSON the program printed.
func (term *terminal) answers() spec.Answers {
	term.t.Helper()
	_, text, _ := strings.Cut(term.sees("answers: ", "}"), "answers: ")
	var a spec.Answers
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&a); err != nil {
		term.t.Fatalf("%v in %q", err, text)
	}
	return a
}

func TestScreen(t *testing.T) {
	bin := buildAsk(t)
	t.Run("answers, wrong ones and the way back", func(t *testing.T) { walkThrough(t, bin) })
	t.Run("keys typed without waiting", func(t *testing.T) { typeAhead(t, bin) })
	t.Run("Ctrl-C", func(t *testing.T) { interrupt(t, bin) })
	t.Run("a small terminal", func(t *testing.T) { shrink(t, bin) })
	t.Run("what is proposed, and typed", func(t *testing.T) { overwrite(t, bin) })
	t.Run("confirm", func(t *testing.T) { confirmations(t, bin) })
	t.Run("plain prompts", func(t *testing.T) { plainPrompts(t, bin) })
}

func walkThrough(t *testing.T, bin string) {
	term := openTerminal(t)
	term.types(bin, "Enter")
	term.sees("question 1 of 7", "Postfix 3.10 is installed", "> example.org", "ctrl+c stop")
	term.types("local host", "Enter") // in the place of what is proposed
	term.sees(`"local host"`, "hint:", "question 1 of 7")
	term.types("C-u", "example.net", "Enter")
	term.sees("question 2 of 7", "> mail.example.org", "type to replace")
	term.types("BSpace", "BSpace", "BSpace", "net", "Enter") // what is proposed, edited
	term.sees("question 3 of 7", "mail.example.net has no address in DNS yet")
	term.types("Enter")
	term.sees("is no IP address")
	term.types("192.0.2.1, 2001:DB8::1", "Enter")
	term.sees("question 4 of 7", "> no ")
	term.types("Up", "Enter")
	term.sees("question 5 of 8", "does not serve the zone", "> manual")

	// Back to the first question, across the look-up, and forward again.
	for _, kept := range []string{"> yes", "> 192.0.2.1 2001:db8::1", "> mail.example.net", "> example.net"} {
		term.types("BTab")
		term.sees(kept)
	}
	term.types("C-u", "example.org", "Enter")
	term.sees("> mail.example.net")
	term.types("Enter")
	term.sees("> 192.0.2.1 2001:db8::1")
	term.types("Enter")
	term.sees("> yes")
	term.types("Enter")
	term.sees("primary server of the zone", "> bind")
	term.types("Enter")
	term.sees("question 6 of 7")
	term.types("ops@example.org", "Enter")
	term.sees("question 7 of 7", "p=none", "~all", "2048 bits, selector 202611")
	term.types("Enter")

	want := spec.Answers{
		Domain: "example.org", Hostname: "mail.example.net",
		Addresses: []string{"192.0.2.1", "2001:db8::1"},
		Receive:   "yes", DNS: "bind", RootAlias: "ops@example.org",
		Selector: "202611", KeyBits: "2048", SPFAll: "softfail", DMARC: "none",
		MilterDefaultAction: "tempfail",
	}
	if diff := cmp.Diff(want, term.answers()); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if screen := term.screen(); strings.Contains(screen, "question") {
		t.Errorf("the form is still on screen:\n%s", screen)
	}
}

// overwrite types into fields with a proposal: it goes, unless somebody edits it or
// adds to a list.
func overwrite(t *testing.T, bin string) {
	term := openTerminal(t)
	term.types(bin, "Enter")
	term.sees("question 1 of 7", "> example.org", "enter keep | type to replace")
	term.types("b")
	if screen := term.sees("> b", "enter next"); strings.Contains(screen, "example.orgb") || strings.Contains(screen, "type to replace") {
		t.Errorf("appended:\n%s", screen)
	}
	term.types("C-u", "example.org", "Enter")
	term.sees("question 2 of 7")
	term.types("Home", "a", "Enter") // amail.example.org
	term.sees("question 3 of 7", "> 192.0.2.25 2001:db8::25")
	term.types(",", "192.0.2.26")
	term.sees("> 192.0.2.25 2001:db8::25,192.0.2.26")
	term.types("BTab")
	term.sees("> amail.example.org", "type to replace")
	term.types("mx.example.org", "Enter")
	term.sees("> 192.0.2.25 2001:db8::25,192.0.2.26", "type to replace")
	term.types("192.0.2.27")
	term.sees("> 192.0.2.27")
	term.types("C-c")
}

// typeAhead sends all keys at once, so that most arrive while the form is
// between two fields or DNS is asked. None may land in the wrong field.
func typeAhead(t *testing.T, bin string) {
	term := openTerminal(t)
	term.types(bin, "Enter")
	term.sees("question 1 of 7")
	term.types("example.org", "Enter", "mx.example.org", "Enter",
		"192.0.2.9", "Enter", "Up", "Enter", "Down", "Enter", "ops@example.org", "Enter", "Enter", "Enter")
	want := spec.Answers{
		Domain: "example.org", Hostname: "mx.example.org", Addresses: []string{"192.0.2.9"},
		Receive: "yes", DNS: "manual", RootAlias: "ops@example.org", Notify: "ops@example.org",
		Selector: "202611", KeyBits: "2048", SPFAll: "softfail", DMARC: "none",
		MilterDefaultAction: "tempfail",
	}
	if diff := cmp.Diff(want, term.answers()); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

// interrupt leaves at a question and during a look-up, and looks at what is
// left of the terminal.
func interrupt(t *testing.T, bin string) {
	term := openTerminal(t)
	term.types("stty -a >"+bin+".before", "Enter")
	for _, at := range []string{"question 1 of 7", "Looking at"} {
		term.types("clear; "+bin+" -slow; echo exit=$?", "Enter")
		term.sees("question 1 of 7")
		if at != "question 1 of 7" {
			term.types("Enter")
			term.sees("question 2 of 7")
			term.types("Enter")
			term.sees(at)
		}
		term.types("C-c")
		screen := term.sees("error: questions: interrupted", "exit=1", "ready")
		if strings.Contains(screen, "question ") || strings.Contains(screen, "Looking") {
			t.Errorf("left behind:\n%s", screen)
		}
	}
	term.types("clear; stty -a >"+bin+".after; echo compared", "Enter")
	term.sees("compared\nready")
	before, after := content(t, bin+".before"), content(t, bin+".after")
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("terminal settings (-before +after):\n%s", diff)
	}
	if cursor := term.tmux("display-message", "-p", "#{cursor_flag}#{alternate_on}#{mouse_any_flag}"); cursor != "100\n" {
		t.Errorf("cursor, alternate screen, mouse: %q, want 1, 0 and 0", cursor)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func shrink(t *testing.T, bin string) {
	term := openTerminal(t)
	term.types(bin, "Enter")
	term.sees("question 1 of 7", "The part after the @")
	term.types("example.net")
	term.sees("> example.net")
	term.tmux("resize-window", "-x", "60", "-y", "10")
	for deadline := time.Now().Add(5 * time.Second); strings.Contains(term.screen(), "The part after"); {
		if time.Now().After(deadline) {
			t.Fatalf("the explanation takes the room of the question:\n%s", term.screen())
		}
		time.Sleep(20 * time.Millisecond)
	}
	term.sees("question 1 of 7", "Which domain", "> example.net", "ctrl+c")
}

func confirmations(t *testing.T, bin string) {
	for _, tt := range []struct{ keys, want string }{
		{"Enter", "confirmed: false, error: <nil>"},
		{"n", "confirmed: false, error: <nil>"},
		{"y", "confirmed: true, error: <nil>"},
		{"Left Enter", "confirmed: true, error: <nil>"},
		{"Left Left Enter", "confirmed: true, error: <nil>"},
		{"Right Enter", "confirmed: false, error: <nil>"}, // No is chosen, and to the right of it is nothing
		{"Left Right Right Enter", "confirmed: false, error: <nil>"},
		{"n y Enter", "confirmed: false, error: <nil>"},
		{"a y", "confirmed: true, error: <nil>"}, // after a look at all of it
		{"C-c", "confirmed: false, error: questions: interrupted"},
	} {
		t.Run(tt.keys, func(t *testing.T) {
			if _, err := exec.LookPath("less"); err != nil && strings.HasPrefix(tt.keys, "a") {
				t.Skip("less is not installed")
			}
			term := openTerminal(t)
			term.types("PAGER=less "+bin+" -confirm", "Enter")
			term.sees("Apply these changes?", "n no", "a see all of it")
			for _, key := range strings.Fields(tt.keys) {
				if term.types(key); key == "a" {
					term.sees("a file changes", "\nspace next page, q back to the question")
					term.types("q")
					term.sees("Apply these changes?", "n no")
				}
			}
			term.sees(tt.want)
		})
	}
}

func plainPrompts(t *testing.T, bin string) {
	term := openTerminal(t)
	term.types(bin+" -accessible", "Enter")
	term.sees("Domain [example.org]:")
	term.types("Enter")
	term.sees("Host name [mail.example.org]:")
	term.types("<", "Enter")
	term.sees("Domain [example.org]: \n", "Question 2 of 7", "Host name [mail.example.org]: <")
	term.types("C-d")
	term.sees("error: questions: interrupted", "ready")
}

// TestQuiet: starting sends nothing to the terminal and does not wait for it.
// script(1) is a terminal that answers no questions.
func TestQuiet(t *testing.T) {
	if _, err := exec.LookPath("script"); err != nil {
		t.Skip("script is not installed")
	}
	cmd := exec.CommandContext(t.Context(), "script", "-qec", buildAsk(t)+" -h", os.DevNull)
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "CI=") && !strings.HasPrefix(e, "TERM=") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, "TERM=xterm")
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !bytes.HasPrefix(out, []byte("Usage")) {
		t.Errorf("before the usage: %q", out)
	}
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("took %v", took)
	}
}
