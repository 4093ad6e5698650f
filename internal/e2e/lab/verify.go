package lab

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Verification is what go-msgauth makes of one DKIM-Signature.
type Verification struct {
	Domain     string   // d=
	Selector   string   // s=
	HeaderKeys []string // h=
	// Err is empty when the signature is valid.
	Err string
}

// VerifyDKIM checks every signature of a message with go-msgauth, against the
// records that the box's own name server gives. An unsigned message has none.
func VerifyDKIM(t T, b *Box, msg []byte) []Verification {
	t.Helper()
	b.probe(t)
	var found []Verification
	b.answer(t, msg, &found, "verify")
	return found
}

// VerifyPython checks the first signature of a message with Debian's
// python3-dkim in the box. It returns the program's verdict and its words.
func VerifyPython(t T, b *Box, msg []byte) (ok bool, said string) {
	t.Helper()
	stdout, stderr, code := b.Exec(t.Context(), bytes.NewReader(msg), "dkimverify")
	if code != 0 && code != 1 {
		t.Fatalf("dkimverify: exit status %d\n%s%s", code, stdout, stderr)
	}
	said = strings.TrimSpace(stdout + stderr)
	return code == 0 && strings.Contains(stdout, "signature ok"), said
}

// SPFResult is the outcome of RFC 7208, section 2.6: pass, fail, softfail, ...
type SPFResult struct{ Result, Err string }

// SPF evaluates the policy that the box's name server gives for a sender.
func SPF(t T, b *Box, ip, helo, sender string) SPFResult {
	t.Helper()
	b.probe(t)
	var r SPFResult
	b.answer(t, nil, &r, "spf", "-ip", ip, "-helo", helo, "-from", sender)
	return r
}

// ProductSPF says of each domain whether the product takes it that mail from the
// address passes its SPF record.
func ProductSPF(t T, b *Box, ip string, domains ...string) map[string]string {
	t.Helper()
	b.probe(t)
	var said map[string]string
	b.answer(t, nil, &said, append([]string{"spf", "-product", "-ip", ip}, domains...)...)
	return said
}

// PythonSPF says the same by Debian's python3-spf, on which policyd-spf stands. It
// has to be installed.
func PythonSPF(t T, b *Box, ip string, domains ...string) map[string]string {
	t.Helper()
	const script = `import json, spf, sys
said = {}
for d in sys.argv[2:]:
    result = spf.check2(i=sys.argv[1], s="postmaster@" + d, h=d)[0]
    said[d] = "pass" if result == "pass" else "no pass"
print(json.dumps(said))`
	var said map[string]string
	stdout := b.Run(t, append([]string{"python3", "-c", script, ip}, domains...)...)
	if err := json.Unmarshal([]byte(stdout), &said); err != nil {
		t.Fatalf("python3-spf: %v\n%s", err, stdout)
	}
	return said
}

// answer runs the probe and decodes the JSON it prints.
func (b *Box) answer(t T, stdin []byte, into any, args ...string) {
	t.Helper()
	stdout, stderr, code := b.Exec(t.Context(), bytes.NewReader(stdin), append([]string{probePath}, args...)...)
	if code != 0 {
		t.Fatalf("probe %v: exit status %d\n%s", args, code, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), into); err != nil {
		t.Fatalf("probe %v: %v\n%s", args, err, stdout)
	}
}

// TamperBody returns a copy of msg with one letter of its body changed: the
// control that a verifier must refuse.
func TamperBody(t T, msg []byte) []byte {
	t.Helper()
	_, body, ok := bytes.Cut(msg, []byte("\r\n\r\n"))
	at := bytes.IndexFunc(body, letter)
	if !ok || at < 0 {
		t.Fatalf("tamper: the message has no body with a letter in it")
	}
	return flip(msg, len(msg)-len(body)+at)
}

// TamperSubject returns a copy of msg with one letter of its Subject changed.
func TamperSubject(t T, msg []byte) []byte {
	t.Helper()
	field := []byte("\r\nSubject: ")
	start := bytes.Index(append([]byte("\r\n"), msg...), field) - 2 + len(field)
	if start < len(field)-2 {
		t.Fatalf("tamper: the message has no Subject")
	}
	at := bytes.IndexFunc(msg[start:], letter)
	if at < 0 {
		t.Fatalf("tamper: the Subject has no letter")
	}
	return flip(msg, start+at)
}

func letter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

// flip changes the letter at a place to another one, whatever its case:
// relaxed canonicalization keeps the case of values.
func flip(msg []byte, at int) []byte {
	changed := slices.Clone(msg)
	if changed[at] == 'x' {
		changed[at] = 'y'
	} else {
		changed[at] = 'x'
	}
	return changed
}
