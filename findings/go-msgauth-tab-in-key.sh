#!/bin/sh
# github.com/emersion/go-msgauth/dkim 0.7.0: white space inside p= of a key record.
#
# RFC 6376 3.6.1: p= is a base64string, 2.10: base64string = ... *([FWS] ...), and FWS is
# blanks and tabs alike.
# Guess: a tab in the middle of the key does what a blank does.
# Seen: a blank is passed over; a tab is "key syntax error: illegal base64 data". Zone
# files get such tabs where a key was pasted over several lines inside one string.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
go mod init keytab >go.log 2>&1
cat >main.go <<'GO'
package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/emersion/go-msgauth/dkim"
)

func main() {
	key, _ := rsa.GenerateKey(rand.Reader, 2048)
	der, _ := x509.MarshalPKIXPublicKey(&key.PublicKey)
	p := base64.StdEncoding.EncodeToString(der)
	var mail bytes.Buffer
	err := dkim.Sign(&mail, strings.NewReader("From: ann@ex.example\r\n\r\nhello\r\n"),
		&dkim.SignOptions{Domain: "ex.example", Selector: "s1", Signer: key})
	if err != nil {
		panic(err)
	}
	for _, between := range []string{"", " ", "\t"} {
		record := "v=DKIM1; k=rsa; p=" + p[:200] + between + p[200:]
		v, err := dkim.VerifyWithOptions(bytes.NewReader(mail.Bytes()), &dkim.VerifyOptions{
			LookupTXT: func(string) ([]string, error) { return []string{record}, nil },
		})
		if err != nil {
			panic(err)
		}
		fmt.Printf("%q: %v\n", between, v[0].Err)
	}
}
GO
go get github.com/emersion/go-msgauth/dkim@v0.7.0 >>go.log 2>&1
go run . >seen
cat seen
cat >expected <<'TXT'
"": <nil>
" ": <nil>
"\t": dkim: key syntax error: illegal base64 data at input byte 200
TXT
diff expected seen
