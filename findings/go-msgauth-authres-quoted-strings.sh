#!/bin/sh
# github.com/emersion/go-msgauth/authres 0.7.0: quoted strings and comments.
#
# RFC 8601 2.2: reason= and property values may be quoted strings, the
# authserv-id may be one, and CFWS may stand on both sides of "=".
# Guess: a header that Mail::AuthenticationResults and authres (Python) read is read here.
# Seen: a ";" inside quotes ends the result, so the whole header is an error; so does
# a blank before "=". A quoted local part is cut at its blank without an error:
# the envelope sender of `"ann smith"@b.example` is `"ann`. The quotes of an
# authserv-id are part of it, so comparing it with one's own name fails.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
go mod init authres >go.log 2>&1
cat >main.go <<'GO'
package main

import (
	"fmt"

	"github.com/emersion/go-msgauth/authres"
)

func main() {
	for _, header := range []string{
		`mx.example; dkim=pass reason="good signature" header.d=b.example`,
		`mx.example; dkim=pass reason="good; 2048 bits" header.d=b.example`,
		`mx.example; dkim = pass header.d = b.example`,
		`mx.example; spf=pass smtp.mailfrom="ann smith"@b.example`,
		`"mx.example"; spf=pass smtp.mailfrom=b.example`,
	} {
		id, results, err := authres.Parse(header)
		fmt.Printf("%s\n  id %s, error %v", header, id, err)
		for _, r := range results {
			switch r := r.(type) {
			case *authres.DKIMResult:
				fmt.Printf(", domain %s", r.Domain)
			case *authres.SPFResult:
				fmt.Printf(", from %s", r.From)
			}
		}
		fmt.Println()
	}
}
GO
go get github.com/emersion/go-msgauth/authres@v0.7.0 >>go.log 2>&1
go run . >seen
cat seen
cat >expected <<'TXT'
mx.example; dkim=pass reason="good signature" header.d=b.example
  id mx.example, error <nil>, domain b.example
mx.example; dkim=pass reason="good; 2048 bits" header.d=b.example
  id mx.example, error msgauth: malformed authentication method and value, domain 
mx.example; dkim = pass header.d = b.example
  id mx.example, error msgauth: malformed authentication method and value
mx.example; spf=pass smtp.mailfrom="ann smith"@b.example
  id mx.example, error <nil>, from "ann
"mx.example"; spf=pass smtp.mailfrom=b.example
  id "mx.example", error <nil>, from b.example
TXT
diff expected seen
