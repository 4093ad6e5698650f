#!/bin/sh
# github.com/mjl-/mox 0.0.17 (package dmarc, of a mail server): rf= of a DMARC record.
#
# RFC 7489 6.3: rf= is a list of the formats of failure reports, separated by colons.
# Guess: a record that was read is written with the same formats.
# Seen: reading keeps the names; writing puts a 0 in their place, which is then read as the
# name of a format.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
go mod init formats >go.log 2>&1
cat >main.go <<'GO'
package main

import (
	"fmt"

	"github.com/mjl-/mox/dmarc"
)

func main() {
	text := "v=DMARC1; p=none; rf=afrf:x-other"
	for range 2 {
		record, _, err := dmarc.ParseRecord(text)
		if err != nil {
			fmt.Println(err)
			return
		}
		text = record.String()
		fmt.Println(record.ReportingFormat, "->", text)
	}
}
GO
go get github.com/mjl-/mox/dmarc@v0.0.17 >go.log 2>&1 || { cat go.log; exit 1; }
go mod tidy >go.log 2>&1 || { cat go.log; exit 1; }
go run . >seen
cat seen
cat >expected <<'TXT'
[afrf x-other] -> v=DMARC1;p=none;rf=0
[0] -> v=DMARC1;p=none;rf=0
TXT
diff expected seen
