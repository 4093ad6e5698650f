#!/bin/sh
# github.com/mjl-/mox 0.0.17 (package dkim, of a mail server): s= of a key record.
#
# RFC 6376 3.6.1: s= is a list of service types, "*" matches all of them, and is the default.
# Guess: s=* means what no s= means; s=email:* as well.
# Seen: no s= and s=email are read; a record with the star written out is a syntax error, so
# that mail signed with such a key fails DKIM there.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
go mod init services >go.log 2>&1
cat >main.go <<'GO'
package main

import (
	"fmt"

	"github.com/mjl-/mox/dkim"
)

func main() {
	for _, text := range []string{"v=DKIM1; p=", "v=DKIM1; s=email; p=", "v=DKIM1; s=*; p=", "v=DKIM1; s=email:*; p="} {
		record, _, err := dkim.ParseRecord(text)
		if err != nil {
			fmt.Println(text, "->", err)
			continue
		}
		fmt.Println(text, "->", record.Services)
	}
}
GO
go get github.com/mjl-/mox/dkim@v0.0.17 >go.log 2>&1 || { cat go.log; exit 1; }
go mod tidy >go.log 2>&1 || { cat go.log; exit 1; }
go run . >seen
cat seen
cat >expected <<'TXT'
v=DKIM1; p= -> [*]
v=DKIM1; s=email; p= -> [email]
v=DKIM1; s=*; p= -> expected at least 1 char (leftover "*; p=")
v=DKIM1; s=email:*; p= -> expected at least 1 char (leftover "*; p=")
TXT
diff expected seen
