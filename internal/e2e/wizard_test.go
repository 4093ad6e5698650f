//go:build e2e

package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// terminal is a shell in the box, in a tmux of its own, 80 by 24.
type terminal struct{ socket string }

func openTerminal(t *testing.T, b *lab.Box) *terminal {
	t.Helper()
	dir, err := os.MkdirTemp("", "tmux") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{filepath.Join(dir, "s")}
	t.Cleanup(func() {
		// The context of the test is over by now.
		_ = term.command(context.Background(), "kill-server").Run()
		_ = os.RemoveAll(dir)
	})
	shell := b.Enter("env", "TERM=screen", "PS1=ready ", "sh")
	term.tmux(t, append([]string{"-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24"}, shell...)...)
	term.sees(t, "ready")
	return term
}

func (term *terminal) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "tmux", append([]string{"-S", term.socket}, args...)...)
}

func (term *terminal) tmux(t *testing.T, args ...string) string {
	t.Helper()
	out, err := term.command(t.Context(), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("tmux %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// types sends keys, in tmux's names for them.
func (term *terminal) types(t *testing.T, keys ...string) {
	t.Helper()
	term.tmux(t, append([]string{"send-keys"}, keys...)...)
}

// begins clears the screen and starts a command.
func (term *terminal) begins(t *testing.T, command string) {
	t.Helper()
	term.types(t, "clear; "+command+"; echo exit=$?", "Enter")
}

// sees waits until all of the texts are on the screen, for as long as an
// installation may take.
func (term *terminal) sees(t *testing.T, texts ...string) string {
	t.Helper()
	var screen string
	for end := time.Now().Add(4 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		screen = term.tmux(t, "capture-pane", "-p", "-J")
		missing := false
		for _, text := range texts {
			missing = missing || !strings.Contains(screen, text)
		}
		if !missing {
			return screen
		}
	}
	t.Fatalf("never saw %q:\n%s", texts, screen)
	return ""
}

// scrolled is everything the terminal has shown.
func (term *terminal) scrolled(t *testing.T) string {
	t.Helper()
	return term.tmux(t, "capture-pane", "-p", "-J", "-S", "-")
}

// scrolls waits until the terminal has shown all of the texts.
func (term *terminal) scrolls(t *testing.T, texts ...string) {
	t.Helper()
	missing := func(text string) bool { return !strings.Contains(term.scrolled(t), text) }
	for end := time.Now().Add(time.Minute); slices.ContainsFunc(texts, missing); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never saw all of %q:\n%s", texts, term.scrolled(t))
		}
	}
}

const confirmQuestion = "Do this?"

// TestWizard goes from the first question to signed mail in a real terminal,
// after it was left in every way that must leave nothing behind.
func TestWizard(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		image := map[string]lab.Image{"bookworm": lab.Bare, "trixie": lab.Mail}[release]
		b := server(t, release, image)
		sink := b.Sink(t)
		term := openTerminal(t, b)
		before := treeOf(t, b)
		leaveTerminal(t, term)
		plainTerminal(t, term)
		same(t, before, treeOf(t, b))
		if t.Failed() {
			return
		}
		walkThrough(t, term)
		mails(t, b, sink)
		for name, want := range map[string]string{
			"lab.example": "v=spf1 ip4:192.0.2.10 mx -all", "_dmarc.lab.example": "p=quarantine", "mail.lab.example": "v=spf1",
		} {
			says(t, b.Run(t, "dig", "+short", "@127.0.0.1", "TXT", name), want)
		}
		nothingChanges(t, b, initArgs()...)
	})
}

// leaveTerminal says no, and stops, where the plan is on the screen.
func leaveTerminal(t *testing.T, term *terminal) {
	t.Helper()
	const run = "mailsetup init --domain lab.example --ip 192.0.2.10"
	for _, c := range []struct {
		keys string
		want []string
	}{
		{"Enter", []string{"nothing was changed", "exit=1\n"}}, // No is the default
		{"n", []string{"nothing was changed", "exit=1\n"}},
		{"C-c", []string{"exit=130\n"}},
	} {
		term.begins(t, run)
		for !strings.Contains(term.sees(t, "ctrl+c"), confirmQuestion) {
			term.types(t, "Enter")
			time.Sleep(100 * time.Millisecond)
		}
		term.types(t, c.keys)
		term.sees(t, c.want...)
	}
	// What was answered is not lost: the command that is printed asks the last question only.
	_, again, _ := strings.Cut(term.sees(t, "hint: mailsetup init --domain lab.example --hostname mail.lab.example --ip 192.0.2.10 "), "hint: ")
	again, _, _ = strings.Cut(again, "\n")
	term.begins(t, again)
	if screen := term.sees(t, confirmQuestion, "ctrl+c"); strings.Contains(screen, "question ") {
		t.Errorf("asks again:\n%s", screen)
	}
	term.types(t, "n")
	term.sees(t, "exit=1\n")
	term.begins(t, "mailsetup init")
	term.sees(t, "question 1 of 7")
	term.types(t, "C-c")
	term.sees(t, "exit=130\n")
}

// plainTerminal answers in lines, as a screen reader or a dumb terminal needs
// it, and says no in the end.
func plainTerminal(t *testing.T, term *terminal) {
	t.Helper()
	for _, run := range []string{"TERM=dumb mailsetup init", "mailsetup init --accessible"} {
		term.begins(t, run)
		term.sees(t, "Domain [lab.example]:")
		term.types(t, "Enter")
		term.sees(t, "Host name [mail.lab.example]:")
		term.types(t, "<", "Enter")
		term.sees(t, "Question 1 of 7: Which domain sends mail from this server?")
		for n := 0; !strings.Contains(term.sees(t, ":"), confirmQuestion); n++ {
			if n > 200 {
				t.Fatalf("no end of questions:\n%s", term.scrolled(t))
			}
			term.types(t, "Enter")
			time.Sleep(100 * time.Millisecond)
		}
		term.types(t, "n", "Enter")
		screen := term.sees(t, "nothing was changed", "exit=1\n")
		if strings.Contains(screen, "\x1b") {
			t.Errorf("escape sequences: %q", screen)
		}
	}
}

// walkThrough answers every question, goes back once, and confirms.
func walkThrough(t *testing.T, term *terminal) {
	t.Helper()
	term.begins(t, "PAGER=cat mailsetup init")
	term.sees(t, "question 1 of 7", "> lab.example")
	term.types(t, "wrong domain", "Enter") // takes the place of what is proposed
	term.sees(t, `"wrong domain"`, "hint:", "question 1 of 7")
	term.types(t, "C-u", "LAB.example.", "Enter")
	term.sees(t, "question 2 of 7", "> mail.lab.example")
	term.types(t, "Enter")
	term.sees(t, "question 3 of 7", "> 192.0.2.10")
	term.types(t, "BTab")
	term.sees(t, "question 2 of 7", "> mail.lab.example")
	term.types(t, "Enter")
	term.sees(t, "question 3 of 7", "> 192.0.2.10")
	term.types(t, "Enter")
	term.sees(t, "question 4 of 7", "receive the mail", "> yes")
	term.types(t, "Enter")
	term.sees(t, "question 5 of 7", "primary server of the zone", "> bind")
	term.types(t, "Enter")
	term.sees(t, "question 6 of 7")
	term.types(t, "ann@mail.lab.example", "Enter")
	term.sees(t, "question 7 of 7", "p=none", "~all", "tempfail", "Incoming mail: SPF off, DMARC off")
	term.types(t, "Down", "Enter")
	for _, setting := range []struct{ title, key string }{
		{"DKIM selector", ""},
		{"How long is the DKIM key", ""},
		{"How does the SPF record end", "Down"},
		{"a service also send mail", ""},
		{"fails DMARC", "Down"},
		{"while the signer does not answer", ""},
		{"SPF and DMARC do to incoming mail", ""},
	} {
		term.sees(t, setting.title)
		if setting.key != "" {
			term.types(t, setting.key)
		}
		term.types(t, "Enter")
	}
	summary := term.sees(t, "Domain    lab.example\n", "Server    mail.lab.example, 192.0.2.10\n", "Records   in the zone that this machine's BIND serves\n",
		"DKIM 2048 bits, SPF -all, DMARC quarantine", "Root      its mail goes to ann@mail.lab.example\n", "change /etc/postfix/main.cf", confirmQuestion, "a see all of it")
	if lines := strings.Count(strings.TrimSpace(summary), "\n") + 1; lines > 24 {
		t.Errorf("the summary takes %d lines:\n%s", lines, summary)
	}
	term.types(t, "a")
	term.scrolls(t, "smtpd_milters = ", "+ /etc/opendkim/KeyTable\n", "v=DMARC1; p=quarantine")
	term.sees(t, confirmQuestion, "ctrl+c")
	term.types(t, "y")
	term.sees(t, "exit=0\n")
	says(t, term.scrolled(t), "Mail of this server leaves signed", "mailsetup rollback")
	saysNot(t, term.scrolled(t), "PRIVATE KEY")
}
