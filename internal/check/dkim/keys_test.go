package dkim_test

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"testing"

	"mailsetup/keygen"
)

// pkcs1 returns the p= of a key as RSAPublicKey.
func pkcs1(t *testing.T, k *keygen.Key) string {
	t.Helper()
	spki, _ := base64.StdEncoding.DecodeString(k.Public())
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(public.(*rsa.PublicKey)))
}

// ed25519Key returns an Ed25519 key in PEM, and its p=.
func ed25519Key(t *testing.T) (text, public string) {
	t.Helper()
	k := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	text = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return text, base64.StdEncoding.EncodeToString(k.Public().(ed25519.PublicKey))
}
