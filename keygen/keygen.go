// Package keygen makes, encodes and reads DKIM key pairs and the TXT value
// that publishes them. It touches no file.
package keygen

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"runtime"
	"sync/atomic"
)

// minBits is what verifiers still accept, RFC 8301 section 3.2.
const minBits = 1024

// Key is an RSA key pair for DKIM. However it is printed, only the public
// half shows. The zero value is not a key.
type Key struct {
	rsa *rsa.PrivateKey
}

// Generate makes a key of 1024, 2048, 3072 or 4096 bits. Fewer is refused by
// verifiers, more by some of them (RFC 8301 section 3.2).
func Generate(bits int) (*Key, error) {
	switch bits {
	case 1024, 2048, 3072, 4096:
	default:
		return nil, fmt.Errorf("generate key: %d bits: want 1024, 2048, 3072 or 4096", bits)
	}
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, fmt.Errorf("generate key of %d bits: %w", bits, err)
	}
	return &Key{private}, nil
}

// GenerateAll makes a key for each of the lengths, on all processors, and hands
// it to made with its place among them: in any order, and never two at a time.
// When ctx ends, so does this at once; what was being made is dropped.
func GenerateAll(ctx context.Context, bits []int, made func(i int, k *Key)) error {
	return generateAll(ctx, bits, Generate, made)
}

func generateAll(ctx context.Context, bits []int, generate func(bits int) (*Key, error), made func(i int, k *Key)) error {
	type result struct {
		i   int
		key *Key
		err error
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	results := make(chan result)
	var next atomic.Int64
	for range min(runtime.GOMAXPROCS(0), len(bits)) {
		go func() {
			for i := int(next.Add(1)) - 1; i < len(bits) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				key, err := generate(bits[i])
				select {
				case results <- result{i, key, err}:
				case <-ctx.Done():
				}
			}
		}()
	}
	for range bits {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r := <-results:
			if err := cmp.Or(r.err, ctx.Err()); err != nil {
				return err
			}
			made(r.i, r.key)
		}
	}
	return ctx.Err()
}

// PEM returns the private half as PKCS#8, the form opendkim-genkey writes and
// OpenDKIM reads on every release.
func (k Key) PEM() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(k.rsa)
	if err != nil { // only for key types that Key cannot hold
		panic("keygen: encode RSA key: " + err.Error())
	}
	// Without the room that its buffer has left: a run may hold thousands.
	return bytes.Clone(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// Public returns the base64 of the SubjectPublicKeyInfo: the p= of the key
// record (RFC 6376 section 3.6.1 with erratum 3017).
func (k Key) Public() string {
	return base64.StdEncoding.EncodeToString(k.spki())
}

// Fingerprint returns "SHA256:" and the unpadded base64 of the hash of the
// SubjectPublicKeyInfo.
func (k Key) Fingerprint() string {
	sum := sha256.Sum256(k.spki())
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// Bits returns the length of the modulus.
func (k Key) Bits() int { return k.rsa.N.BitLen() }

// String names the key by length and fingerprint.
func (k Key) String() string {
	if k.rsa == nil {
		return "no key"
	}
	return fmt.Sprintf("RSA-%d %s", k.Bits(), k.Fingerprint())
}

// GoString keeps %#v from showing the private half.
func (k Key) GoString() string { return k.String() }

// Format keeps every other verb from showing the private half.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

func (k Key) spki() []byte {
	der, err := x509.MarshalPKIXPublicKey(&k.rsa.PublicKey)
	if err != nil { // only for key types that Key cannot hold
		panic("keygen: encode RSA public key: " + err.Error())
	}
	return der
}

// Parse reads the first private key of a PEM text, PKCS#1 or PKCS#8. The
// errors of the decoders are not passed on, since they may quote their input:
// no error contains a byte of the key.
func Parse(text []byte) (*Key, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("parse private key: no PEM block")
	}
	private, err := decode(block)
	if err != nil {
		return nil, fmt.Errorf("parse private key: %w", err)
	}
	if bits := private.N.BitLen(); bits < minBits {
		return nil, fmt.Errorf("parse private key: %d bits: verifiers want at least %d (RFC 8301)", bits, minBits)
	}
	return &Key{private}, nil
}

// PublicHalf returns the public half that a private key file states, as Parse does, "" if
// it is not understood. It does not check that the private half belongs to it, which
// takes most of the time of Parse.
func PublicHalf(text []byte) string {
	block, _ := pem.Decode(text)
	if block == nil || len(block.Headers) > 0 {
		return ""
	}
	der := block.Bytes
	if block.Type == "PRIVATE KEY" {
		var wrapped struct {
			Version   int
			Algorithm asn1.RawValue
			Key       []byte
		}
		if _, err := asn1.Unmarshal(der, &wrapped); err != nil {
			return ""
		}
		der = wrapped.Key
	} else if block.Type != "RSA PRIVATE KEY" {
		return ""
	}
	var private struct { // what follows is the private half
		Version int
		N       *big.Int
		E       int
	}
	if _, err := asn1.Unmarshal(der, &private); err != nil {
		return ""
	}
	spki, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: private.N, E: private.E})
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(spki)
}

func decode(block *pem.Block) (*rsa.PrivateKey, error) {
	if _, ok := block.Headers["DEK-Info"]; ok {
		return nil, errors.New("encrypted with a passphrase")
	}
	switch block.Type {
	case "RSA PRIVATE KEY":
		private, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("damaged PKCS#1 key")
		}
		return private, nil
	case "PRIVATE KEY":
		return decodePKCS8(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("encrypted with a passphrase")
	case "EC PRIVATE KEY":
		return nil, errors.New("an EC key, want RSA")
	case "PUBLIC KEY", "RSA PUBLIC KEY":
		return nil, errors.New("only a public key")
	}
	return nil, errors.New("not a private key")
}

func decodePKCS8(der []byte) (*rsa.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("damaged PKCS#8 key")
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("a key of another kind (%T), want RSA", key)
	}
	return private, nil
}
