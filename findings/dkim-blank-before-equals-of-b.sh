#!/bin/sh
# A DKIM-Signature that says "b =" instead of "b=".
#
# RFC 6376 3.2 allows FWS on both sides of "=", and 3.7 says that what is verified has the
# value of b deleted.
# Guess: "d =" and "b =" are read alike, so such signatures verify everywhere.
# Seen: with all other tags so, yes. With "b =" a good signature is bad for OpenDKIM
# 2.11.0~beta2 ("signature verification failed") and mailauth 4.13.3 ("bad signature"),
# which look for "b=" to find what to delete; github.com/emersion/go-msgauth 0.7.0 says pass.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq opendkim=2.11.0~beta2-8+deb12u1 libopendkim11=2.11.0~beta2-8+deb12u1 librbl1=2.11.0~beta2-8+deb12u1 \
	libvbr2=2.11.0~beta2-8+deb12u1 libmilter1.0.1=8.17.1.9-2+deb12u2 libopendbx1=1.4.6-16+b1 libmemcached11=1.1.4-1 \
	libhashkit2=1.1.4-1 libunbound8=1.17.1-2+deb12u4 liblua5.3-0=5.3.6-2 libevent-2.1-7=2.1.12-stable-8 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
libs=$(echo root/usr/lib/*-linux-gnu):root/usr/lib
npm init -y >npm.log
npm install --silent --no-fund --no-audit mailauth@4.13.3 >>npm.log
go mod init signature >go.log 2>&1
cat >run.mjs <<'JS'
import crypto from 'node:crypto';
import fs from 'node:fs';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';

const { privateKey, publicKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
const record = 'v=DKIM1; k=rsa; p=' + publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
fs.writeFileSync('keys', `s1._domainkey.ex.example ${record}\n`);

const bh = crypto.createHash('sha256').update('hello\r\n').digest('base64');
for (const [file, tags] of Object.entries({
	plain: `v=1; a=rsa-sha256; c=relaxed/relaxed; d=ex.example; s=s1; h=from; bh=${bh}; b=`,
	others: `v = 1; a = rsa-sha256; c = relaxed/relaxed; d = ex.example; s = s1; h = from; bh = ${bh}; b=`,
	b: `v=1; a=rsa-sha256; c=relaxed/relaxed; d=ex.example; s=s1; h=from; bh=${bh}; b =`,
})) {
	const b = crypto.sign('sha256', Buffer.from(`from:ann@ex.example\r\ndkim-signature:${tags}`), privateKey).toString('base64');
	fs.writeFileSync(file, `DKIM-Signature: ${tags}${b}\r\nFrom: ann@ex.example\r\n\r\nhello\r\n`);
	const r = await dkimVerify(fs.readFileSync(file), { resolver: async () => [[record]] });
	console.log(`mailauth, ${file}: ${r.results[0].status.result}`);
}
JS
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/emersion/go-msgauth/dkim"
)

func main() {
	keys, _ := os.ReadFile("keys")
	_, record, _ := strings.Cut(strings.TrimSpace(string(keys)), " ")
	for _, file := range []string{"plain", "others", "b"} {
		mail, _ := os.Open(file)
		v, err := dkim.VerifyWithOptions(mail, &dkim.VerifyOptions{LookupTXT: func(string) ([]string, error) { return []string{record}, nil }})
		fmt.Printf("go-msgauth, %s: %v %v\n", file, err, v[0].Err)
	}
}
GO
printf 'Mode v\nTestPublicKeys %s/keys\nSyslog no\nUserID %s\n' "$dir" "$(id -un)" >opendkim.conf
go get github.com/emersion/go-msgauth/dkim@v0.7.0 >>go.log 2>&1
{
	node run.mjs
	for file in plain others b; do
		echo "OpenDKIM, $file: $(LD_LIBRARY_PATH=$libs root/usr/sbin/opendkim -x opendkim.conf -t $file 2>&1 | sed 's/.*) //')"
	done
	go run .
} >seen
cat seen
cat >expected <<'TXT'
mailauth, plain: pass
mailauth, others: pass
mailauth, b: fail
OpenDKIM, plain: succeeded
OpenDKIM, others: succeeded
OpenDKIM, b: failed: signature verification failed
go-msgauth, plain: <nil> <nil>
go-msgauth, others: <nil> <nil>
go-msgauth, b: <nil> <nil>
TXT
diff expected seen
