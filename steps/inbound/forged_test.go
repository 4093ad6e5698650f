package inbound_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mailsetup/internal/edits"
	policy "mailsetup/internal/inbound"
	"mailsetup/internal/state"
	"mailsetup/steps/inbound"
)

// textEdits evaluates the edits of main.cf that are about its text.
func textEdits(t *testing.T, stage state.Stage, text string) string {
	t.Helper()
	for _, e := range stage.Edits {
		if e.Target() == "/etc/postfix/main.cf" {
			out, _, err := edits.Evaluate(e, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			text = string(out)
		}
	}
	return text
}

func TestForgedResultsAreTakenOut(t *testing.T) {
	const ours = "regexp:/etc/postfix/mailsetup_header_checks"
	for before, after := range map[string]string{
		"a = b\n": "a = b\n# mailsetup: DMARC\nheader_checks = " + ours + "\nmime_header_checks =\nnested_header_checks =\n# mailsetup: end of DMARC f1e0db79\n",
		"header_checks = pcre:/etc/postfix/h\n": "header_checks = pcre:/etc/postfix/h " + ours +
			"\n# mailsetup: DMARC\nmime_header_checks = pcre:/etc/postfix/h\nnested_header_checks = pcre:/etc/postfix/h\n# mailsetup: end of DMARC e2e618f0\n",
		"header_checks = pcre:/a,\n  regexp:/b\nnested_header_checks =\n": "header_checks = pcre:/a,\n  regexp:/b\n  " + ours +
			"\nnested_header_checks =\n# mailsetup: DMARC\nmime_header_checks = pcre:/a, regexp:/b\n# mailsetup: end of DMARC c90ccc84\n",
	} {
		in := marking(debianConf)
		in.Facts.Files["/etc/postfix/main.cf"] = []byte(before)
		stage, _, err := inbound.DMARC(in)
		if err != nil || len(stage.Files) != 2 {
			t.Fatalf("%+v, %v", stage, err)
		}
		got := textEdits(t, stage, before)
		if got != after {
			t.Errorf("%q\n got %q\nwant %q", before, got, after)
		}
		in.Facts.Files["/etc/postfix/main.cf"] = []byte(got)
		again, _, err := inbound.DMARC(in)
		if twice := textEdits(t, again, got); err != nil || twice != got {
			t.Errorf("twice: %q, %v", twice, err)
		}
		in.Spec.Host.Inbound.DMARC = policy.Off
		off, _, err := inbound.Retire(in)
		if back := textEdits(t, off, got); err != nil || back != before {
			t.Errorf("%q came back as %q, %v", before, back, err)
		}
	}
}

func TestForgedResultsThatMayStay(t *testing.T) {
	in := marking(debianConf)
	in.Facts.Postfix.Raw["content_filter"] = "scan:[127.0.0.1]:10024"
	stage, notes, err := inbound.DMARC(in)
	if err != nil || len(stage.Files) > 1 || !strings.Contains(notesText(notes), "mail that a content filter hands back would lose its own as well") {
		t.Errorf("%+v, %v, %v", stage.Files, notes, err)
	}
	in = marking(debianConf)
	in.Facts.Files["/etc/postfix/main.cf"] = []byte("header_checks = regexp:{ {/^X:/ IGNORE} }\n")
	stage, notes, err = inbound.DMARC(in)
	if err != nil || len(stage.Files) > 1 || !strings.Contains(notesText(notes), "header_checks of main.cf stays as it is") {
		t.Errorf("%+v, %v, %v", stage.Files, notes, err)
	}
}

func notesText(notes []state.Note) string {
	var all []string
	for _, n := range notes {
		all = append(all, n.Text)
	}
	return strings.Join(all, "\n")
}

// TestTheTableOfForgedResults asks postmap(1), which looks up as cleanup(8) does.
func TestTheTableOfForgedResults(t *testing.T) {
	postmap, err := exec.LookPath("postmap")
	if err != nil {
		t.Skip("SKIPPED: postmap is missing, install Debian package postfix")
	}
	stage, _, err := inbound.DMARC(marking(debianConf))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "checks")
	for path, text := range map[string]string{file: string(stage.Files[1].Content), filepath.Join(dir, "main.cf"): ""} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for header, goes := range map[string]bool{
		"Authentication-Results: mail.lab.example; dkim=pass header.d=a.example":   true,
		"authentication-results:\tMail.LAB.example ;dkim=pass":                     true,
		"Authentication-Results: mail.lab.example":                                 true,
		"Authentication-Results: (a; b) mail.lab.example; dkim=pass":               true,
		`Authentication-Results: "mail.lab.example"; dkim=pass`:                    true,
		"Authentication-Results: mx.example.org; dkim=pass (mail.lab.example)":     false,
		"Authentication-Results: xmail.lab.example; dkim=pass":                     false,
		"Authentication-Results: mail.lab.example.org; dkim=pass":                  false,
		"Authentication-Results: mailxlab.example; dkim=pass":                      false,
		"Authentication-Results: spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=": false,
		"ARC-Authentication-Results: i=1; mail.lab.example; dkim=pass":             false,
		"X-Authentication-Results: mail.lab.example; dkim=pass":                    false,
		"Subject: Authentication-Results: mail.lab.example;":                       false,
	} {
		cmd := exec.Command(postmap, "-c", dir, "-q", "-", "regexp:"+file)
		cmd.Stdin = strings.NewReader(header + "\n")
		out, _ := cmd.Output()
		if strings.Contains(string(out), "IGNORE") != goes {
			t.Errorf("%s: %q", header, out)
		}
	}
}
