//go:build e2e

package e2e

import "mailsetup/internal/check/finding"

// dmarcFaults are those that package dmarc finds.
var dmarcFaults = []checkFault{
	{
		id: "dmarc.exists", name: "the DMARC record is gone from the zone", severity: finding.Warning,
		inject: `record '/_dmarc/d'; zones`, args: noLive,
	},
	{
		id: "dmarc.one", name: "a second DMARC record stands beside ours",
		inject: `add '_dmarc IN TXT "v=DMARC1; p=reject"'; zones`, args: noLive,
	},
	{
		id: "dmarc.place", name: "the DMARC record stands at the domain instead of below _dmarc", severity: finding.Warning,
		inject: `record 's/^_dmarc\.lab\.example\./lab.example./'; zones`, args: noLive,
	},
	{
		id: "dmarc.space", name: "a blank is before v=DMARC1",
		inject: `record 's/"v=DMARC1/" v=DMARC1/'; zones`, args: noLive,
	},
	{
		id: "dmarc.foreign", name: "another text stands at _dmarc", severity: finding.Note, release: "trixie",
		inject: `add '_dmarc IN TXT "hello"'; zones`, args: noLive,
	},
	{
		id: "dmarc.syntax", name: "the policy has a slip", severity: finding.Warning, release: "trixie",
		inject: `record '/_dmarc/s/p=none/p=rejct/'; zones`, args: noLive,
	},
	{
		id: "dmarc.policy", name: "the policy is under test, which old receivers do not know", severity: finding.Note, release: "trixie",
		inject: `record '/_dmarc/s/p=none/p=reject; t=y/'; zones`, args: noLive,
	},
	{
		id: "dmarc.ramp", name: "the policy of none was seen months ago", severity: finding.Note, release: "bookworm", args: noLive,
		inject: `printf '{"version": 1, "findings": [], "facts": [{"id": "dmarc.ramp", "domain": "lab.example", "value": "none", "since": "2025-01-01T00:00:00Z"}]}' >/var/lib/mailsetup/check.json`,
	},
	{
		id: "dmarc.sp-none", name: "subdomains have no policy", severity: finding.Warning, release: "trixie",
		inject: `record '/_dmarc/s/p=none/p=reject; sp=none/'; zones`, args: noLive,
	},
	{
		id: "dmarc.rua", name: "reports go to a domain that takes no mail", severity: finding.Warning, release: "trixie",
		inject: `record '/_dmarc/s/mailto:[^"]*/mailto:dmarc@null.lab.example/'; add 'null IN MX 0 .'; zones`, args: noLive,
	},
	{
		id: "dmarc.rua-consent", name: "reports go to another organization, which does not consent", severity: finding.Warning, release: "trixie",
		inject: `record '/_dmarc/s/mailto:[^"]*/mailto:dmarc@remote.example/'; zones`, args: noLive,
	},
	{
		id: "dmarc.align", name: "a signer that somebody set up signs as another domain", severity: finding.Warning, release: "trixie",
		inject: `sed -i '1a signed_by = "other"' /etc/mailsetup/domains.d/lab.example.toml
			sed -i 's,lab.example:,remote.example:,' /etc/opendkim/KeyTable`, args: noLive,
	},
	{
		id: "dmarc.parked", name: "a parked domain does not say that it has no mail", severity: finding.Warning, release: "trixie",
		inject: `sed 's/^domain = .*/domain = "park.example"\nrole = "parked"/; s/^receive = .*/receive = false/' /etc/mailsetup/domains.d/lab.example.toml >/etc/mailsetup/domains.d/park.example.toml`,
		args:   []string{"--only", "dmarc", "park.example"},
	},
}
