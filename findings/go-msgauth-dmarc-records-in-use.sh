#!/bin/sh
# github.com/emersion/go-msgauth/dmarc 0.7.0: records that receivers take.
#
# RFC 7489 6.4 gives "none", "quarantine", "reject", "r" and "s" as strings of ABNF, which
# match without regard to case; 6.6.3 says that a record without p= but with a good rua=
# counts as p=none (RFC 9989 makes p= optional, too).
# Guess: Parse reads "p=Reject" as reject and a record of rua= alone as none.
# Seen: both are errors, and so is "adkim=S". authheaders 0.15.2 reads them as reject and s,
# and OpenDMARC 1.4.2 obeys "P=Reject": a domain whose record such a program calls broken
# is protected all the same.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
go mod init dmarc >go.log 2>&1
cat >main.go <<'GO'
package main

import (
	"fmt"

	"github.com/emersion/go-msgauth/dmarc"
)

func main() {
	for _, record := range []string{
		"v=DMARC1; p=reject", "v=DMARC1; p=Reject", "v=DMARC1; p=reject; adkim=S", "v=DMARC1; rua=mailto:dmarc@ex.example",
	} {
		r, err := dmarc.Parse(record)
		if err != nil {
			fmt.Println(record, "->", err)
			continue
		}
		fmt.Println(record, "->", r.Policy)
	}
}
GO
go get github.com/emersion/go-msgauth/dmarc@v0.7.0 >>go.log 2>&1
go run . >seen
cat seen
cat >expected <<'TXT'
v=DMARC1; p=reject -> reject
v=DMARC1; p=Reject -> dmarc: invalid policy for parameter 'p'
v=DMARC1; p=reject; adkim=S -> dmarc: invalid alignment mode for parameter 'adkim'
v=DMARC1; rua=mailto:dmarc@ex.example -> dmarc: record is missing a 'p' parameter
TXT
diff expected seen
