package keygen_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"reflect"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	"mailsetup/keygen"
)

func TestRecord(t *testing.T) {
	if got, want := keygen.Record("MIGf"), "v=DKIM1; h=sha256; k=rsa; p=MIGf"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	r, err := keygen.ParseRecord(keygen.Record(""))
	if err != nil || !r.Revoked() {
		t.Errorf("no public key: %+v, %v: want a revoked record", r, err)
	}
}

func TestParseRecord(t *testing.T) {
	for _, tt := range []struct {
		txt  string
		want keygen.KeyRecord
	}{
		{"v=DKIM1; h=sha256; k=rsa; p=QUJD", keygen.KeyRecord{KeyType: "rsa", Hashes: []string{"sha256"}, Public: "QUJD"}},
		{"p=QUJD", keygen.KeyRecord{KeyType: "rsa", Public: "QUJD"}},
		{"k=rsa;p=QUJD;", keygen.KeyRecord{KeyType: "rsa", Public: "QUJD"}},
		{
			" v = DKIM1 ;\r\n\t p = QU JD ; s=email : * ; t=y:s; n=a note=1; x_1=new ; ",
			keygen.KeyRecord{KeyType: "rsa", Public: "QUJD", Services: []string{"email", "*"}, Flags: []string{"y", "s"}, Notes: "a note=1"},
		},
		{"v=DKIM1; k=ed25519; p=QUJD", keygen.KeyRecord{KeyType: "ed25519", Public: "QUJD"}},
		{"v=DKIM1; p=", keygen.KeyRecord{KeyType: "rsa"}},
	} {
		got, err := keygen.ParseRecord(tt.txt)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q:\ngot  %+v, %v\nwant %+v", tt.txt, got, err, tt.want)
		}
	}
}

func TestParseRecordRefuses(t *testing.T) {
	for txt, want := range map[string]string{
		"":                          "key record: empty",
		" ;":                        `key record: "": want tag=value`,
		"v=spf1 -all":               `key record: v="spf1 -all": want DKIM1`,
		"v=dkim1; p=QUJD":           `key record: v="dkim1": want DKIM1`,
		"p=QUJD; v=DKIM1":           "key record: v= is not the first tag",
		"v=DKIM1; k=rsa":            "key record: no p= tag",
		"v=DKIM1; p=QUJD; p=QUJD":   "key record: tag p= given twice",
		"v=DKIM1; p=QUJ":            "key record: p= is not base64: illegal base64 data at input byte 0",
		`v=DKIM1\; k=rsa\; p=QUJD`:  `key record: v="DKIM1\\": want DKIM1`,
		"v=DKIM1;; p=QUJD":          `key record: "": want tag=value`,
		"v=DKIM1; hello; p=QUJD":    `key record: "hello": want tag=value`,
		"v=DKIM1; 1x=y; p=QUJD":     `key record: "1x=y": want tag=value`,
		`"v=DKIM1; p=QUJD"`:         `key record: "\"v=DKIM1": want tag=value`,
		"v=DKIM1; p=(public key, )": "key record: p= is not base64: illegal base64 data at input byte 0",
	} {
		_, err := keygen.ParseRecord(txt)
		if err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", txt, err, want)
		}
	}
}

func TestRecordHoldsThePublicKey(t *testing.T) {
	k := parse(t, "rsa1024-pkcs1.pem")
	want := publicKey(t)
	for name, public := range map[string]string{
		"SubjectPublicKeyInfo":        k.Public(),
		"RSAPublicKey (erratum 3017)": base64Of(fixture(t, "rsa1024-pkcs1-public.pem")),
	} {
		r, err := keygen.ParseRecord(keygen.Record(public))
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.RSA()
		if err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

func publicKey(t *testing.T) *rsa.PublicKey {
	t.Helper()
	block, _ := pem.Decode(fixture(t, "rsa1024-public.pem"))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		t.Fatalf("got a %T", key)
	}
	return public
}

func TestRSARefuses(t *testing.T) {
	ec := base64Of(fixture(t, "ec.pem"))
	for txt, want := range map[string]string{
		"p=":               "key record: key is revoked (p= is empty)",
		"k=ed25519;p=QUJD": "key record: k=ed25519: want rsa",
		"p=QUJD":           "key record: p= is not an RSA public key",
		"p=" + ec:          "key record: p= is not an RSA public key",
	} {
		r, err := keygen.ParseRecord(txt)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.RSA(); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", txt, err, want)
		}
	}
}

// TestSignVerify signs with the key as written to disk and verifies with
// go-msgauth against the record as published.
func TestSignVerify(t *testing.T) {
	const mail = "From: <root@any.example>\r\nSubject: hello\r\n\r\nbody\r\n"
	for _, name := range []string{"rsa1024-pkcs1.pem", "rsa2048.pem"} {
		k := parse(t, name)
		signed := sign(t, k, mail)
		if err := verify(t, signed, keygen.Record(k.Public())); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := verify(t, strings.Replace(signed, "body", "Body", 1), keygen.Record(k.Public())); err == nil {
			t.Errorf("%s: a tampered copy verifies", name)
		}
		if err := verify(t, signed, keygen.Record("")); err == nil {
			t.Errorf("%s: verifies against a revoked record", name)
		}
	}
	signed := sign(t, parse(t, "rsa1024-pkcs1.pem"), mail)
	if err := verify(t, signed, keygen.Record(parse(t, "rsa2048.pem").Public())); err == nil {
		t.Error("verifies against another key")
	}
}

func sign(t *testing.T, k *keygen.Key, mail string) string {
	t.Helper()
	block, _ := pem.Decode(k.PEM())
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		t.Fatalf("got a %T", key)
	}
	var b bytes.Buffer
	if err := dkim.Sign(&b, strings.NewReader(mail), &dkim.SignOptions{Domain: "any.example", Selector: "s", Signer: signer}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func verify(t *testing.T, mail, record string) error {
	t.Helper()
	found, err := dkim.VerifyWithOptions(strings.NewReader(mail), &dkim.VerifyOptions{
		LookupTXT: func(name string) ([]string, error) {
			if name != "s._domainkey.any.example" {
				t.Errorf("looked up %s", name)
			}
			return []string{record}, nil
		},
	})
	if err != nil || len(found) != 1 {
		t.Fatalf("%d signatures, %v", len(found), err)
	}
	return found[0].Err
}

func FuzzParseRecord(f *testing.F) {
	f.Add("v=DKIM1; h=sha256; k=rsa; p=QUJD")
	f.Add(" p = QU JD ; s=email : * ; t=y:s; n=a note=1;")
	f.Add(`v=DKIM1\; p=`)
	f.Fuzz(func(t *testing.T, txt string) {
		r, err := keygen.ParseRecord(txt)
		if err != nil {
			return
		}
		again, err := keygen.ParseRecord(keygen.Record(r.Public))
		if err != nil || again.Public != r.Public {
			t.Errorf("%q: p=%q comes back as %q, %v", txt, r.Public, again.Public, err)
		}
	})
}
