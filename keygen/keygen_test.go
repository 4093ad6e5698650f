package keygen_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mailsetup/keygen"
)

// What openssl dgst -sha256 says of the public keys in testdata.
const (
	fingerprint1024 = "SHA256:KBvPfWp6mTpzVK5O4SQ237CaZgOnHeBstHyPSfEKQeg"
	fingerprint2048 = "SHA256:L7SWJ3QUb6tfpWjLaA5OERBheP/Otw9ejKHH11GMi5c"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// base64Of returns what stands between the PEM lines.
func base64Of(text []byte) string {
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "-----") {
			b.WriteString(strings.TrimSpace(line))
		}
	}
	return b.String()
}

func parse(t testing.TB, name string) *keygen.Key {
	t.Helper()
	k, err := keygen.Parse(fixture(t, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return k
}

func TestParseAgainstOpenSSL(t *testing.T) {
	for _, tt := range []struct {
		file, public, fingerprint string
		bits                      int
	}{
		{"rsa1024-pkcs1.pem", "rsa1024-public.pem", fingerprint1024, 1024},
		{"rsa1024-pkcs8.pem", "rsa1024-public.pem", fingerprint1024, 1024},
		{"rsa2048.pem", "rsa2048-public.pem", fingerprint2048, 2048},
	} {
		k := parse(t, tt.file)
		if got, want := k.Public(), base64Of(fixture(t, tt.public)); got != want {
			t.Errorf("%s: public key\n%s, openssl says\n%s", tt.file, got, want)
		}
		if got := k.Fingerprint(); got != tt.fingerprint {
			t.Errorf("%s: fingerprint %s, want %s", tt.file, got, tt.fingerprint)
		}
		if k.Bits() != tt.bits {
			t.Errorf("%s: %d bits, want %d", tt.file, k.Bits(), tt.bits)
		}
	}
}

func TestPEMIsWhatOpenSSLWrites(t *testing.T) {
	for _, name := range []string{"rsa1024-pkcs8.pem", "rsa2048.pem"} {
		if got, want := parse(t, name).PEM(), fixture(t, name); !bytes.Equal(got, want) {
			t.Errorf("%s: written back differently", name)
		}
	}
}

func TestGenerate(t *testing.T) {
	for _, bits := range []int{1024, 2048} {
		k, err := keygen.Generate(bits)
		if err != nil {
			t.Fatal(err)
		}
		again, err := keygen.Parse(k.PEM())
		if err != nil {
			t.Fatal(err)
		}
		if k.Bits() != bits || again.Public() != k.Public() || !bytes.Equal(again.PEM(), k.PEM()) {
			t.Errorf("%d bits: not the same key after writing and reading", bits)
		}
	}
	for _, bits := range []int{-1, 0, 512, 1023, 2047, 8192} {
		if _, err := keygen.Generate(bits); err == nil {
			t.Errorf("%d bits: accepted", bits)
		}
	}
}

func TestGeneratedKeysDiffer(t *testing.T) {
	a, errA := keygen.Generate(1024)
	b, errB := keygen.Generate(1024)
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if a.Public() == b.Public() {
		t.Error("two keys are the same")
	}
}

func TestOpenSSLReadsGeneratedKeys(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("SKIPPED: Debian package openssl is not installed")
	}
	k, err := keygen.Generate(2048)
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		cmd := exec.Command(openssl, args...)
		cmd.Stdin = bytes.NewReader(k.PEM())
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("openssl %v: %v", args, err)
		}
		return string(out)
	}
	if got := run("rsa", "-check", "-noout"); !strings.Contains(got, "RSA key ok") {
		t.Errorf("openssl rsa -check: %s", got)
	}
	if got := base64Of([]byte(run("rsa", "-pubout"))); got != k.Public() {
		t.Errorf("openssl derives another public key: %s", got)
	}
}

func TestParseRefuses(t *testing.T) {
	garbage := base64.StdEncoding.EncodeToString([]byte("secret bytes of a damaged key, long enough to be told apart"))
	block := func(typ string) []byte {
		return []byte("-----BEGIN " + typ + "-----\n" + garbage + "\n-----END " + typ + "-----\n")
	}
	for _, tt := range []struct {
		name string
		text []byte
		want string
	}{
		{"empty", nil, "parse private key: no PEM block"},
		{"bare base64", []byte(base64Of(fixture(t, "rsa2048.pem"))), "parse private key: no PEM block"},
		{"cut short", fixture(t, "rsa2048.pem")[:900], "parse private key: no PEM block"},
		{"damaged PKCS#1", block("RSA PRIVATE KEY"), "parse private key: damaged PKCS#1 key"},
		{"damaged PKCS#8", block("PRIVATE KEY"), "parse private key: damaged PKCS#8 key"},
		{"other block", block("CERTIFICATE"), "parse private key: not a private key"},
		{"secret in the label", block("MIIEsecret"), "parse private key: not a private key"},
		{"public", fixture(t, "rsa1024-public.pem"), "parse private key: only a public key"},
		{"public PKCS#1", fixture(t, "rsa1024-pkcs1-public.pem"), "parse private key: only a public key"},
		{"EC", fixture(t, "ec.pem"), "parse private key: a key of another kind (*ecdsa.PrivateKey), want RSA"},
		{"EC, SEC 1", fixture(t, "ec-sec1.pem"), "parse private key: an EC key, want RSA"},
		{"Ed25519", fixture(t, "ed25519.pem"), "parse private key: a key of another kind (ed25519.PrivateKey), want RSA"},
		{"768 bits", fixture(t, "rsa768.pem"), "parse private key: 768 bits: verifiers want at least 1024 (RFC 8301)"},
		{"encrypted PKCS#1", fixture(t, "encrypted-pkcs1.pem"), "parse private key: encrypted with a passphrase"},
		{"encrypted PKCS#8", fixture(t, "encrypted-pkcs8.pem"), "parse private key: encrypted with a passphrase"},
	} {
		_, err := keygen.Parse(tt.text)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

// TestPrintingHidesThePrivateHalf looks for any private number in every way of
// printing a key.
func TestPrintingHidesThePrivateHalf(t *testing.T) {
	k := parse(t, "rsa1024-pkcs8.pem")
	const want = "RSA-1024 " + fingerprint1024
	type holder struct {
		Name string
		Key  *keygen.Key
		Copy keygen.Key
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o"} {
		if got := fmt.Sprintf(verb, k); got != want {
			t.Errorf("%s of a pointer: %s", verb, got)
		}
		if got := fmt.Sprintf(verb, *k); got != want {
			t.Errorf("%s of a value: %s", verb, got)
		}
		private := decode(t, fixture(t, "rsa1024-pkcs8.pem"))
		for _, s := range []string{fmt.Sprintf(verb, holder{"k", k, *k}), fmt.Sprintf(verb, &[]keygen.Key{*k}), fmt.Errorf(verb, k).Error()} {
			if strings.Contains(s, private.decimal) || strings.Contains(strings.ToLower(s), private.hex) {
				t.Errorf("%s shows the private exponent: %s", verb, s)
			}
		}
	}
	if got := fmt.Sprint(keygen.Key{}); got != "no key" {
		t.Errorf("zero key: %s", got)
	}
	var none *keygen.Key
	if got := fmt.Sprint(none); got != "<nil>" {
		t.Errorf("nil key: %s", got)
	}
}

type exponent struct{ decimal, hex string }

func decode(t *testing.T, text []byte) exponent {
	t.Helper()
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		t.Fatalf("got a %T", key)
	}
	d := private.D
	return exponent{d.String()[:40], fmt.Sprintf("%x", d)[:40]}
}

func TestGenerateAll(t *testing.T) {
	bits := []int{1024, 2048, 1024, 1024, 1024}
	got := make([]int, len(bits))
	var publics []string
	err := keygen.GenerateAll(t.Context(), bits, func(i int, k *keygen.Key) {
		got[i] += k.Bits()
		publics = append(publics, k.Public())
	})
	if err != nil || !slices.Equal(got, bits) {
		t.Fatalf("made %v, %v", got, err)
	}
	slices.Sort(publics)
	if n := len(slices.Compact(publics)); n != len(bits) {
		t.Errorf("%d different keys", n)
	}
}

func TestGenerateAllEnds(t *testing.T) {
	if err := keygen.GenerateAll(t.Context(), nil, nil); err != nil {
		t.Errorf("nothing to make: %v", err)
	}
	if err := keygen.GenerateAll(t.Context(), []int{1024, 1000}, func(int, *keygen.Key) {}); err == nil {
		t.Error("a length of 1000 bits was taken")
	}
	ctx, cancel := context.WithCancel(t.Context())
	made := 0
	err := keygen.GenerateAll(ctx, []int{1024, 1024, 1024, 1024, 4096, 4096, 4096, 4096}, func(int, *keygen.Key) {
		if made++; made == 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || made != 2 {
		t.Errorf("%d made after the end of the second, %v", made, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"rsa1024-pkcs1.pem", "rsa1024-pkcs8.pem", "ec.pem", "encrypted-pkcs1.pem"} {
		f.Add(fixture(f, name))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := keygen.Parse(text)
		if err != nil {
			if len(err.Error()) > 100 {
				t.Errorf("long error, may hold input: %v", err)
			}
			return
		}
		again, err := keygen.Parse(k.PEM())
		if err != nil || again.Public() != k.Public() {
			t.Errorf("written back: %v", err)
		}
	})
}

func BenchmarkGenerate2048(b *testing.B) {
	for b.Loop() {
		if _, err := keygen.Generate(2048); err != nil {
			b.Fatal(err)
		}
	}
}

// TestPublicHalf: the same as Parse says, of what ssl and genkey write; nothing of
// other texts.
func TestPublicHalf(t *testing.T) {
	k, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	if got := keygen.PublicHalf(k.PEM()); got != k.Public() {
		t.Errorf("PKCS#8: %s, want %s", got, k.Public())
	}
	block, _ := pem.Decode(k.PEM())
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	old := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private.(*rsa.PrivateKey))})
	if got := keygen.PublicHalf(old); got != k.Public() {
		t.Errorf("PKCS#1: %s, want %s", got, k.Public())
	}
	_, ed, _ := ed25519.GenerateKey(nil)
	der, _ := x509.MarshalPKCS8PrivateKey(ed)
	for _, text := range []string{
		"", "x", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: block.Bytes})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: block.Bytes[:100]})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	} {
		if got := keygen.PublicHalf([]byte(text)); got != "" {
			t.Errorf("%q: %s", text, got)
		}
	}
}
