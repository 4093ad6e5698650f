package lab

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
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
// python3-dkim in the box, as dkimverify(1) does. It returns its verdict and its
// words.
func VerifyPython(t T, b *Box, msg []byte) (ok bool, said string) {
	t.Helper()
	var err error
	for range 2 { // it ended with the test, or the boot, that started it
		if b.python == nil {
			b.python, err = b.startPython(t)
		}
		if err == nil {
			ok, said, err = b.python.verify(msg)
		}
		if err == nil {
			return ok, said
		}
		b.python = nil
	}
	t.Fatalf("%s: python3-dkim: %v", b.Name, err)
	return false, ""
}

// python is a verifier that takes one message after the other: its start takes a
// quarter of a second of a processor.
type python struct {
	in    io.WriteCloser
	out   *bufio.Reader
	ended chan struct{}
}

// stop ends it. A systemd that shuts down waits a minute and a half for programs
// that are not its own.
func (p *python) stop() {
	p.in.Close()
	<-p.ended
}

const pythonScript = `import dkim, dns.resolver, json, sys
while True:
    line = sys.stdin.buffer.readline()
    if not line: break
    message = sys.stdin.buffer.read(int(line))
    dns.resolver.reset_default_resolver()
    try: said = "signature ok" if dkim.DKIM(message).verify() else "signature verification failed"
    except Exception as e: said = type(e).__name__ + ": " + str(e)
    print(json.dumps(said), flush=True)
`

func (b *Box) startPython(t T) (*python, error) {
	cmd := b.Command(t.Context(), "python3", "-c", pythonScript)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, w := io.Pipe()
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &errs
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := cmd.Wait()
		w.CloseWithError(fmt.Errorf("it ended: %w\n%s", err, errs.String()))
	}()
	return &python{in, bufio.NewReader(out), ended}, nil
}

func (p *python) verify(msg []byte) (ok bool, said string, err error) {
	if _, err = fmt.Fprintf(p.in, "%d\n%s", len(msg), msg); err != nil {
		return false, "", err
	}
	line, err := p.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &said)
	}
	return said == "signature ok", said, err
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

// ProductSPF returns what the product says of mail as postmaster of each domain that
// comes from an address: what receivers say that query one address family.
func ProductSPF(t T, b *Box, ip string, domains ...string) map[string]string {
	t.Helper()
	b.probe(t)
	var said map[string]string
	b.answer(t, nil, &said, append([]string{"spf", "-product", "-ip", ip}, domains...)...)
	return said
}

// PythonSPF returns the same from Debian's python3-spf, on which policyd-spf stands. It
// has to be installed.
func PythonSPF(t T, b *Box, ip string, domains ...string) map[string]string {
	t.Helper()
	const script = `import json, spf, sys
print(json.dumps({d: spf.check2(i=sys.argv[1], s="postmaster@" + d, h=d)[0] for d in sys.argv[2:]}))`
	return spfResults(t, b, append([]string{"python3", "-c", script, ip}, domains...))
}

// PerlSPF returns the same from Debian's libmail-spf-perl, which SpamAssassin uses. It
// has to be installed.
func PerlSPF(t T, b *Box, ip string, domains ...string) map[string]string {
	t.Helper()
	const script = `use Mail::SPF; use JSON::PP; my ($ip, %said) = shift;
my $server = Mail::SPF::Server->new(hostname => "mx.example");
$said{$_} = $server->process(Mail::SPF::Request->new(
	scope => "mfrom", identity => "postmaster\@$_", ip_address => $ip, helo_identity => $_))->code for @ARGV;
print encode_json(\%said);`
	return spfResults(t, b, append([]string{"perl", "-e", script, ip}, domains...))
}

func spfResults(t T, b *Box, argv []string) map[string]string {
	t.Helper()
	var said map[string]string
	stdout := b.Run(t, argv...)
	if err := json.Unmarshal([]byte(stdout), &said); err != nil {
		t.Fatalf("%s: %v\n%s", argv[0], err, stdout)
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
