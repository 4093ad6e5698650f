package page_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	_ "image/png"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "embed"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/page"
	"mailsetup/internal/check/report"
)

//go:embed testdata/look.js
var look string

// browser is a Chromium that is driven over two pipes, by the DevTools protocol.
type browser struct {
	t       *testing.T
	in      *os.File
	out     chan message
	id      int
	session string
	events  []message // that came while an answer was awaited
}

type message struct {
	ID        int             `json:"id,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Method    string          `json:"method,omitempty"`
	Params    any             `json:"params,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     json.RawMessage `json:"error,omitempty"`
}

// newBrowser starts a Chromium, or skips the test where there is none.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	var program string
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && program == "" {
			program = found
		}
	}
	if program == "" {
		t.Skip("NOBODY LOOKED AT THE PAGE: there is no Chromium here (apt-get install chromium-headless-shell)")
	}
	profile, err := os.MkdirTemp("", "mailsetup-page-test-")
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs, err := pipes()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--remote-debugging-pipe", "--no-first-run", "--user-data-dir="+profile, "about:blank")
	cmd.ExtraFiles = theirs[:] // 3 and 4
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, in: ours[1], out: make(chan message)}
	for _, f := range theirs {
		_ = f.Close()
	}
	ended := make(chan struct{})
	go func() {
		defer close(b.out)
		for r := bufio.NewReaderSize(ours[0], 1<<20); ; {
			text, err := r.ReadBytes(0)
			if err != nil {
				return
			}
			var m message
			if json.Unmarshal(bytes.TrimRight(text, "\x00"), &m) == nil {
				select {
				case b.out <- m:
				case <-ended:
				}
			}
		}
	}()
	t.Cleanup(func() {
		close(ended)
		_ = ours[1].Close() // a browser whose pipe closes ends
		_ = cmd.Wait()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its children may write into the profile still
		_ = ours[0].Close()
		for range 50 {
			if os.RemoveAll(profile) == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	var target struct{ TargetID, SessionID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	b.session = target.SessionID
	for _, domain := range []string{"Page", "Network", "Log", "Runtime"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

// pipes returns two pipes: [0] is read and [1] is written, by each side.
func pipes() (ours, theirs [2]*os.File, err error) {
	if theirs[0], ours[1], err = os.Pipe(); err == nil {
		ours[0], theirs[1], err = os.Pipe()
	}
	return ours, theirs, err
}

// next returns the next message, at most two minutes later.
func (b *browser) next() message {
	b.t.Helper()
	select {
	case m, open := <-b.out:
		if !open {
			b.t.Fatal("the browser ended")
		}
		return m
	case <-time.After(2 * time.Minute):
		b.t.Fatal("the browser does not answer")
	}
	return message{}
}

func (b *browser) call(method string, params, result any) {
	b.t.Helper()
	b.id++
	text, _ := json.Marshal(message{ID: b.id, SessionID: b.session, Method: method, Params: params})
	if _, err := b.in.Write(append(text, 0)); err != nil {
		b.t.Fatal(err)
	}
	for {
		m := b.next()
		switch {
		case m.ID != b.id:
			b.events = append(b.events, m)
			continue
		case m.Error != nil:
			b.t.Fatalf("%s: %s", method, m.Error)
		case result != nil:
			if err := json.Unmarshal(m.Result, result); err != nil {
				b.t.Fatalf("%s: %v", method, err)
			}
		}
		return
	}
}

// open loads a file and returns the addresses of all that was asked for, and what the
// browser complained about.
func (b *browser) open(file string) (asked, complaints []string) {
	b.t.Helper()
	b.events = nil
	b.call("Page.navigate", map[string]any{"url": (&url.URL{Scheme: "file", Path: file}).String()}, nil)
	loaded := func(m message) bool { return m.Method == "Page.loadEventFired" }
	for !slices.ContainsFunc(b.events, loaded) {
		b.events = append(b.events, b.next())
	}
	for _, m := range b.events {
		text, _ := json.Marshal(m.Params)
		switch m.Method {
		case "Network.requestWillBeSent":
			var p struct{ Request struct{ URL string } }
			_ = json.Unmarshal(text, &p)
			asked = append(asked, p.Request.URL)
		case "Log.entryAdded", "Runtime.exceptionThrown":
			complaints = append(complaints, string(text))
		}
	}
	return asked, complaints
}

// eval runs a script and unmarshals its result.
func (b *browser) eval(script string, result any) {
	b.t.Helper()
	var answer struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true}, &answer)
	if answer.ExceptionDetails != nil {
		b.t.Fatalf("%s", answer.ExceptionDetails)
	}
	if err := json.Unmarshal(answer.Result.Value, result); err != nil {
		b.t.Fatal(err)
	}
}

// screenshot returns a picture of the whole page.
func (b *browser) screenshot() []byte {
	b.t.Helper()
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	return png
}

// A page is looked at in a browser, on a phone and on a desktop, in the light and in the
// dark: nothing is cut off or fetched, and who sees little or nothing can read it.
func TestInABrowser(t *testing.T) {
	b := newBrowser(t)
	file := filepath.Join(t.TempDir(), "check.html")
	if err := page.Save(file, example(), page.Options{Version: "1.0"}); err != nil {
		t.Fatal(err)
	}
	dir := os.Getenv("MAILSETUP_SCREENSHOTS") // where they are kept
	for _, width := range []int{360, 1280} {
		for _, scheme := range []string{"light", "dark", "print"} {
			name := fmt.Sprintf("%s-%d", scheme, width)
			t.Run(name, func(t *testing.T) {
				b.t = t
				b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}, nil)
				media := map[string]any{"media": "screen", "features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}
				if scheme == "print" {
					media = map[string]any{"media": "print", "features": []map[string]string{{"name": "prefers-color-scheme", "value": "dark"}}}
				}
				b.call("Emulation.setEmulatedMedia", media, nil)
				asked, complaints := b.open(file)
				if len(asked) != 1 || len(complaints) > 0 {
					t.Errorf("it asks for %q; %q", asked, complaints)
				}
				var seen struct {
					Faults          []string
					Texts, Pictures int
				}
				b.eval(look, &seen)
				if len(seen.Faults) > 0 {
					t.Errorf("%s", strings.Join(seen.Faults, "\n"))
				}
				if seen.Texts < 100 || seen.Pictures != 6 {
					t.Errorf("%d texts and %d pictures were looked at", seen.Texts, seen.Pictures)
				}
				png := b.screenshot()
				if dir != "" {
					if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				shot, _, err := image.Decode(bytes.NewReader(png))
				if err != nil || shot.Bounds().Dx() != width || shot.Bounds().Dy() < 800 || colours(shot) < 20 {
					t.Errorf("the screenshot: %v, %v, %d colours", shot.Bounds(), err, colours(shot))
				}
			})
		}
	}
	b.t = t
}

// Long and hostile texts, and a page on which all is right, fit on a phone as well.
func TestOtherPagesInABrowser(t *testing.T) {
	b := newBrowser(t)
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": true}, nil)
	var long finding.Result
	for i, name := range []string{strings.Repeat("x", 63), strings.Repeat("very.long.name.", 16) + "example", strings.Repeat("\u6587", 60), strings.Repeat("W", 200)} {
		long.Findings = append(long.Findings, finding.Finding{ID: "spf.pass", Severity: finding.Severities()[i], Domain: name, Subject: name, Seen: name, Remedy: finding.Command("mailsetup %s", name)})
		long.Messages = append(long.Messages, finding.Message{Domain: name, Way: name, Stations: []finding.Station{{Name: name, Severity: finding.OK, Text: name}}})
		deep := finding.SPFNode{Name: name, Lookups: 12345, Problem: name}
		for range 12 {
			deep = finding.SPFNode{Name: name, Term: "include:" + name, Lookups: 3, Children: []finding.SPFNode{deep}}
		}
		long.SPF = append(long.SPF, finding.SPFTree{Domain: name, SPFNode: deep})
		long.Keys = append(long.Keys, finding.KeyLife{Domain: name, Selector: name, Stage: "active", Bits: 2048, Made: now.AddDate(-20, 0, 0), Active: now, Next: now.AddDate(9, 0, 0)})
	}
	right := finding.Result{Findings: []finding.Finding{{ID: "spf.pass", Severity: finding.OK}}}
	for name, r := range map[string]report.Report{
		"hostile": hostile(), "long": report.New(long, report.Asked{Server: strings.Repeat("w", 250), Time: now}),
		"right": report.New(right, report.Asked{Server: "mail.lab.example", Time: now}), "empty": report.New(finding.Result{}, report.Asked{}),
	} {
		file := filepath.Join(t.TempDir(), "check.html")
		if err := page.Save(file, r, page.Options{}); err != nil {
			t.Fatal(err)
		}
		asked, complaints := b.open(file)
		var seen struct{ Faults []string }
		b.eval(look, &seen)
		if len(asked) != 1 || len(complaints) > 0 || len(seen.Faults) > 0 {
			t.Errorf("%s: it asks for %q; %q\n%s", name, asked, complaints, strings.Join(seen.Faults, "\n"))
		}
		if dir := os.Getenv("MAILSETUP_SCREENSHOTS"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, name+".png"), b.screenshot(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// bad has one of each fault that look.js finds.
const bad = `<!DOCTYPE html><html lang="en"><title>bad</title><body style="margin:0"><header></header><footer></footer>
<h1>One</h1><h3>three</h3>
<p style="color:#999">pale</p><p style="font-size:9px">small</p>
<div style="width:120vw">wide</div><div style="width:4em;overflow:auto;white-space:nowrap">scrolled scrolled scrolled</div>
<svg width="100" height="20"><text x="2" y="15">nameless</text></svg>
<svg role="img" aria-label="a long name" width="50" height="40"><text y="15">leaves its picture</text></svg>
<svg role="img" aria-label="a long name" width="200" height="40"><text y="15">this</text><text y="18">that</text></svg>
<table><tr><td>cell</td></tr></table><a href="#x">link</a><p id="x">x</p><p id="x">x</p>`

// What is wrong with a page is seen.
func TestTheBrowserSeesFaults(t *testing.T) {
	b := newBrowser(t)
	file := filepath.Join(t.TempDir(), "bad.html")
	if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": false}, nil)
	b.open(file)
	var seen struct{ Faults []string }
	b.eval(look, &seen)
	all := strings.Join(seen.Faults, "\n")
	for _, want := range []string{
		"a heading of level 3 below level 1: three", "no main", "contrast 2.85 of 4.5: pale", "letters of 9.0 px: small", "the page is 432 wide on 360",
		"beyond the screen: wide", "has to be scrolled: scrolled", "a picture without a text: nameless", "cut off in its picture: leaves",
		"texts on each other: this and: that", "a table without headings: cell", "not self-contained: link", "id twice: x",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
}

// colours counts those of an image, up to a hundred.
func colours(m image.Image) int {
	seen := map[[3]uint32]bool{}
	for y := m.Bounds().Min.Y; y < m.Bounds().Max.Y && len(seen) < 100; y += 3 {
		for x := m.Bounds().Min.X; x < m.Bounds().Max.X; x += 3 {
			r, g, b, _ := m.At(x, y).RGBA()
			seen[[3]uint32{r, g, b}] = true
		}
	}
	return len(seen)
}
