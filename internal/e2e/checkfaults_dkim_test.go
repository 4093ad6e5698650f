//go:build e2e

package e2e

import "mailsetup/internal/check/finding"

// dkimTools are functions about the key of lab.example: its selector, the TXT data of a
// public key, and changes of the ledger by a line of Python.
const dkimTools = `
selector=$(basename $(ls /etc/dkimkeys/lab.example/*.private | head -n 1) .private)
private=/etc/dkimkeys/lab.example/$selector.private
public() { openssl pkey -in $1 -pubout -outform DER 2>/dev/null | base64 -w0; }
txt() { printf %s "$1" | fold -w 200 | sed 's/.*/"&"/' | tr '\n' ' '; }
ledger() { python3 -c '
import json, sys
file = "/var/lib/mailsetup/keyring/lab.example.json"
doc = json.load(open(file))
keys = doc["keys"]
key = keys[-1]
exec(sys.argv[1])
json.dump(doc, open(file, "w"), indent=2)
' "$1"; }
further="dict(key, selector='old', file='/etc/dkimkeys/lab.example/old.private', public='$(openssl genrsa 2048 2>/dev/null | openssl pkey -pubout -outform DER | base64 -w0)'"
old() { python3 -c 'import json; print(json.load(open("/var/lib/mailsetup/keyring/lab.example.json"))["keys"][0]["public"])'; }
`

var noLive = []string{"--skip", "live"}

// dkimFaults are those that package dkim finds.
var dkimFaults = []checkFault{
	{
		id: "dkim.record", name: "the key record is gone from the zone",
		inject: `record '/_domainkey/d'; zones`, args: noLive,
	},
	{
		id: "dkim.match", name: "another private key lies in the place of the one that is published",
		inject: dkimTools + `openssl genrsa -out /root/new 2048 2>/dev/null; cat /root/new >$private`, args: noLive,
	},
	{
		id: "dkim.one", name: "a second TXT record stands at the selector",
		inject: dkimTools + `add "$selector._domainkey IN TXT \"v=DKIM1; p=\""; zones`, args: noLive,
	},
	{
		id: "dkim.paste", name: "the domain stands twice in the name of the key record",
		inject: `record 's/_domainkey.lab.example\./_domainkey.lab.example.lab.example./'; zones`, args: noLive,
	},
	{
		id: "dkim.bits", name: "the key has 1024 bits, although 2048 are wanted", severity: finding.Warning,
		inject: dkimTools + `openssl genrsa -out /root/new 1024 2>/dev/null; cat /root/new >$private
			ledger "key.update(bits=1024, public='$(public $private)')"
			record '/_domainkey/d'; add "$selector._domainkey IN TXT $(txt "v=DKIM1; k=rsa; p=$(public $private)")"; zones`, args: noLive,
	},
	{
		id: "dkim.tags", name: "the key record says that the domain is testing (t=y)", severity: finding.Warning,
		inject: `record '/_domainkey/s/h=sha256;/t=y;/'; zones`, args: noLive,
	},
	{
		id: "dkim.ed25519", name: "a signer that somebody set up signs with Ed25519 alone",
		inject: dkimTools + `openssl genpkey -algorithm ed25519 -out /etc/dkimkeys/lab.example/ed.private 2>/dev/null
			sed -i '1a signed_by = "other"' /etc/mailsetup/domains.d/lab.example.toml
			sed -i "s,lab.example:$selector:.*,lab.example:ed:/etc/dkimkeys/lab.example/ed.private," /etc/opendkim/KeyTable
			add "ed._domainkey IN TXT \"v=DKIM1; k=ed25519; p=$(openssl pkey -in /etc/dkimkeys/lab.example/ed.private -pubout -outform DER | tail -c 32 | base64)\""; zones`,
		args: noLive,
	},
	{
		id: "dkim.stray", name: "the record of a key that is gone was forgotten", severity: finding.Note, release: "trixie",
		inject: dkimTools + `ledger "keys.insert(0, $further, stage='gone', since={'gone': '2026-01-01T00:00:00Z'}))"
			add "old._domainkey IN TXT $(txt "v=DKIM1; k=rsa; p=$(old)")"; zones`, args: noLive,
	},
	{
		id: "dkim.age", name: "the key is much older than its policy, and has no successor", severity: finding.Warning, release: "trixie",
		inject: dkimTools + `ledger "key['since']['active'] = '2025-01-01T00:00:00Z'"`, args: noLive,
	},
	{
		id: "dkim.due", name: "a key that drained long ago is still there, and nothing runs rotate-dkim", severity: finding.Warning, release: "trixie",
		inject: dkimTools + `ledger "keys.insert(0, $further, stage='draining', since={'draining': '2026-01-01T00:00:00Z'}))"
			add "old._domainkey IN TXT $(txt "v=DKIM1; k=rsa; p=$(old)")"; zones`, args: noLive,
	},
	{
		id: "dkim.sharing", name: "two domains have one key", severity: finding.Note, release: "trixie",
		inject: `for f in /etc/mailsetup/domains.d/lab.example.toml /var/lib/mailsetup/keyring/lab.example.json; do
			sed 's/^domain = .*/domain = "shop.example"/' $f >${f%lab.example.*}shop.example.${f##*.}; done`,
		args: []string{"--only", "dkim.sharing"},
	},
	{
		id: "dkim.adsp", name: "a record of ADSP is left", severity: finding.Note, release: "trixie",
		inject: `add '_adsp._domainkey IN TXT "dkim=all"'; zones`, args: noLive,
	},
}
