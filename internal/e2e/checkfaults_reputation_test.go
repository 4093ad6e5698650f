//go:build e2e

package e2e

import "mailsetup/internal/check/finding"

// reputationLab is a block list below lab.example that host.toml names, with its own
// test entries.
const reputationLab = `
asked() { sed -i "1i block_lists = [\"$1\"]" /etc/mailsetup/host.toml; }
`

// reputationFaults are those that package reputation finds. They are in DNS alone, so
// that one release does for each.
var reputationFaults = []checkFault{
	{
		id: "bl.ip", name: "the server's address on a block list", release: "bookworm",
		inject: reputationLab + `asked bl.lab.example; add '2.0.0.127.bl IN A 127.0.0.2' '10.2.0.192.bl IN A 127.0.0.4' '10.2.0.192.bl IN TXT "spam was seen"'; zones`,
		args:   []string{"--skip", "live"},
	},
	{
		id: "bl.domain", name: "the domain on a block list", release: "trixie",
		inject: reputationLab + `asked bl.lab.example; add 'test.bl IN A 127.0.0.2' 'lab.example.bl IN A 127.0.0.2'; zones`, args: []string{"--skip", "live"},
	},
	{
		id: "bl.health", name: "a block list that is dead", severity: finding.Unknown, release: "bookworm",
		inject: reputationLab + `asked bl.lab.example; add '10.2.0.192.bl IN A 127.0.0.2'; zones`, args: []string{"--skip", "live"},
	},
	{
		id: "bl.health", name: "a block list that lists everything", severity: finding.Unknown, release: "trixie",
		inject: reputationLab + `asked bl.lab.example; add '*.bl IN A 127.0.0.2'; zones`, args: []string{"--skip", "live"},
	},
	{
		id: "bl.code", name: "a block list that was asked too often", severity: finding.Unknown, release: "trixie",
		inject: reputationLab + `asked bl.lab.example; add '2.0.0.127.bl IN A 127.0.0.2' '10.2.0.192.bl IN A 127.255.255.255'; zones`, args: []string{"--skip", "live"},
	},
	{
		id: "bl.class", name: "the server's provider on a list that few use", severity: finding.Note, release: "bookworm",
		inject: reputationLab + `asked dnsbl-3.uceprotect.net
printf '%s\n' '$TTL 60' '@ IN SOA ns h 1 60 60 60 60' '@ IN NS ns' 'ns IN A 192.0.2.10' '2.0.0.127 IN A 127.0.0.2' '10.2.0.192 IN A 127.0.0.2' >/etc/bind/db.uceprotect
echo 'zone "dnsbl-3.uceprotect.net" { type primary; file "/etc/bind/db.uceprotect"; };' >>/etc/bind/named.conf.local
rndc reconfig; zones`,
		args: []string{"--skip", "live"},
	},
}
