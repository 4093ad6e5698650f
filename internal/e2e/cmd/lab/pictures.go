package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"mailsetup/internal/e2e/lab"
	"mailsetup/internal/e2e/termsvg"
)

// parentZone delegates the domain of the pictures, so that nothing is unknown there.
const parentZone = `$TTL 300
@ IN SOA mail.acme hostmaster.acme 1 3600 900 604800 60
@ IN NS mail.acme
acme IN NS mail.acme
mail.acme IN A 192.0.2.10
`

// pictures draws what mailsetup shows on a bare server into a directory: the plan and
// the result of init, a check that finds something, and the page of that.
func pictures(t *terminal, release, dir string) {
	dir, err := filepath.Abs(dir) // a browser wants it so
	if err != nil {
		t.Fatalf("%v", err)
	}
	b := lab.Boot(t, lab.Options{Release: release, Image: lab.Bare, Hostname: demoHost})
	b.Named(t, demoDomain)
	b.Zone(t, "example", `zone "example" { type primary; file "/etc/bind/db.example"; };`, parentZone)
	b.Install(t)
	b.Run(t, "useradd", "-m", "wile")
	s := openScreen(t, b)
	s.types("mailsetup init", "Enter")
	for !strings.Contains(s.sees("ctrl+c"), "Do this?") {
		if strings.Contains(s.text(), "question 6 of 7") {
			s.types(demoFrom)
		}
		s.types("Enter")
		time.Sleep(300 * time.Millisecond)
	}
	s.save(filepath.Join(dir, "plan.svg"), "mailsetup init", "# mailsetup")
	s.types("y")
	s.sees("To take it back")
	s.save(filepath.Join(dir, "done.svg"), "mailsetup init", "making a key")
	b.Sh(t, "systemctl stop opendkim")
	s.clear()
	s.types("mailsetup check --html check.html", "Enter")
	s.sees("Score")
	s.save(filepath.Join(dir, "check.svg"), "mailsetup check", "# mailsetup")
	page := filepath.Join(dir, "check.html")
	if err := os.WriteFile(page, []byte(b.Read(t, "/root/check.html")), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	defer os.Remove(page)
	photograph(t, page, filepath.Join(dir, "report.png"))
}

// photograph has a browser draw a page.
func photograph(t *terminal, page, to string) {
	for _, name := range []string{"chromium-headless-shell", "chromium"} {
		if browser, err := exec.LookPath(name); err == nil {
			cmd := exec.CommandContext(t.Context(), browser, "--headless", "--no-sandbox", "--hide-scrollbars",
				"--window-size=820,590", "--screenshot="+to, "file://"+page)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, out)
			}
			return
		}
	}
	t.Fatalf("no browser to draw %s", page)
}

// screen is a shell in a box, in a terminal of 80 columns that is higher than what is shown.
type screen struct {
	t      *terminal
	socket string
}

func openScreen(t *terminal, b *lab.Box) *screen {
	dir, err := os.MkdirTemp("", "tmux")
	if err != nil {
		t.Fatalf("%v", err)
	}
	s := &screen{t, filepath.Join(dir, "s")}
	t.Cleanup(func() {
		_ = exec.CommandContext(context.Background(), "tmux", "-S", s.socket, "kill-server").Run()
		_ = os.RemoveAll(dir)
	})
	s.tmux(append([]string{"-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "60"}, b.Enter("env", "TERM=screen-256color", "PS1=# ", "sh")...)...)
	s.sees("#")
	return s
}

func (s *screen) tmux(args ...string) string {
	out, err := exec.CommandContext(s.t.Context(), "tmux", append([]string{"-S", s.socket}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// types sends keys, in tmux's names for them.
func (s *screen) types(keys ...string) { s.tmux(append([]string{"send-keys"}, keys...)...) }

// clear empties the screen, and waits for the prompt: what is typed before it would stay
// above.
func (s *screen) clear() {
	s.tmux("send-keys", "-R")
	s.types("Enter")
	s.sees("#")
}

func (s *screen) text() string { return s.tmux("capture-pane", "-p") }

// sees waits until a text is on the screen, and returns all of that.
func (s *screen) sees(text string) string {
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if shown := s.text(); strings.Contains(shown, text) {
			return shown
		}
	}
	s.t.Fatalf("never saw %q:\n%s", text, s.text())
	return ""
}

// save draws what is on the screen, from the line with a text on, without the prompt
// below it.
func (s *screen) save(file, title, from string) {
	time.Sleep(time.Second) // for what is still being drawn
	shown := strings.TrimSuffix(strings.TrimRight(s.tmux("capture-pane", "-e", "-p"), " \n"), "\n#")
	if n := strings.Index(shown, from); n >= 0 {
		shown = shown[n:]
	}
	if err := os.WriteFile(file, termsvg.Render(title, shown, 80), 0o644); err != nil {
		s.t.Fatalf("%v", err)
	}
	s.t.Logf("drew %s", file)
}
