#!/bin/sh
# github.com/toorop/go-dkim of 2020-11-03 (golang-github-toorop-go-dkim-dev of Debian 12): x= of a signature.
#
# RFC 6376 3.5: x= is the time the signature expires, in seconds since 1970.
# Guess: a signature that is good for some hours yet verifies.
# Seen: of both times only the second within the minute is compared. A signature that is good until
# 12:00:00 is "expired" all day but in the first second of each minute; one that is good until
# 12:00:59 verifies. With SignatureExpireIn of whole minutes a mail passes in the second it was
# signed, as in a test, and fails later or not, as the clock has it.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq golang-github-toorop-go-dkim-dev=0.0~git20201103.e1cd1a0-2 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
mkdir -p src
cp -r root/usr/share/gocode/src/github.com src/
mkdir src/expiry
cat >src/expiry/main.go <<'GO'
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"time"

	dkim "github.com/toorop/go-dkim"
)

func main() {
	key, _ := rsa.GenerateKey(rand.Reader, 2048)
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	public, _ := x509.MarshalPKIXPublicKey(&key.PublicKey)
	record := "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(public)
	lookup := dkim.DNSOptLookupTXT(func(string) ([]string, error) { return []string{record}, nil })

	for _, second := range []int{0, 59} {
		options := dkim.NewSigOptions()
		options.PrivateKey, options.Domain, options.Selector = private, "ex.example", "s1"
		options.Canonicalization = "relaxed/relaxed"
		until := time.Now().UTC().Truncate(time.Minute).Add(2*time.Hour + time.Duration(second)*time.Second)
		options.SignatureExpireIn = uint64(until.Unix() - time.Now().Unix())
		mail := []byte("From: ann@ex.example\r\n\r\nhello\r\n")
		if err := dkim.Sign(&mail, options); err != nil {
			fmt.Println(err)
		}
		for time.Now().Second() == 0 || time.Now().Second() == 59 {
			time.Sleep(100 * time.Millisecond)
		}
		result, err := dkim.Verify(&mail, lookup)
		fmt.Printf("good for two hours, until hh:mm:%02d -> success %v, %v\n", second, result == dkim.SUCCESS, err)
	}
}
GO
# Not far from the end of a minute, so that both are signed and read in one.
while [ "$(date +%-S)" -ge 55 ]; do sleep 1; done
GO111MODULE=off GOPATH=$dir GOFLAGS= go build -o expiry expiry
./expiry >seen
cat seen
cat >expected <<'TXT'
good for two hours, until hh:mm:00 -> success false, signature has expired
good for two hours, until hh:mm:59 -> success true, <nil>
TXT
diff expected seen
