package termsvg_test

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"mailsetup/internal/e2e/termsvg"
)

func TestRender(t *testing.T) {
	got := string(termsvg.Render("a < b", "\x1b[1mProblems\x1b[0m  \n\n  Seen \x1b[31m<none>\x1b[39m & so\x1b[7m on \x1b[0m\n\n\n", 40))
	for _, want := range []string{
		`width="368" height="104"`,
		`>a &lt; b</text>`,
		`<text x="16.0" y="48" textLength="67.2" xml:space="preserve" font-weight="bold">Problems</text>`,
		`<text x="16.0" y="84" textLength="58.8" xml:space="preserve">  Seen </text>`,
		`<text x="74.8" y="84" textLength="50.4" xml:space="preserve" style="fill:#e06c75">&lt;none&gt;</text>`,
		`<text x="125.2" y="84" textLength="42.0" xml:space="preserve"> &amp; so</text>`,
		`<rect x="167.2" y="70" width="33.6" height="18" fill="#d8dee9"/>`,
		`<text x="167.2" y="84" textLength="33.6" xml:space="preserve" style="fill:#1d232c"> on </text>`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %s\n%s", want, got)
		}
	}
	valid(t, got)
}

func TestColours(t *testing.T) {
	for sgr, want := range map[string]string{
		"92": "#b5e890", "38;5;9": "#ff7b86", "38;5;196": "#ff0000", "38;5;244": "#808080", "38;2;1;2;255": "#0102ff", "38:5:16": "#000000",
	} {
		if got := string(termsvg.Render("", "\x1b["+sgr+"mx", 1)); !strings.Contains(got, `style="fill:`+want+`">x</text>`) {
			t.Errorf("%s: no %s\n%s", sgr, want, got)
		}
	}
}

// Whatever a terminal shows, the picture is XML.
func TestOddScreens(t *testing.T) {
	for _, screen := range []string{"", "\x1b[", "\x1b[38;5m", "\x1b[38;2;1mx", "\x1b[999;;7mx", "\x1b[2Kx", "\x1bx", "] ]]> &amp; \"'"} {
		valid(t, string(termsvg.Render(screen, screen, 80)))
	}
}

func valid(t *testing.T, svg string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("%v\n%s", err, svg)
		}
	}
}
