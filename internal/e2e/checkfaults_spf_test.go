//go:build e2e

package e2e

import "mailsetup/internal/check/finding"

// spfRecord replaces the SPF record of lab.example.
const spfRecord = `
spf() {
	record '/^lab\.example\..*v=spf1/s,".*","'"$1"'",'
	zones
}
`

// spfFaults are those that package spf finds. What only DNS sees differs on no release.
var spfFaults = []checkFault{
	{id: "spf.one", name: "a second SPF record", inject: `add '@ IN TXT "v=spf1 mx -all"'; zones`, args: noMail, release: "trixie"},
	{id: "spf.prefix", name: "a space before v=spf1", inject: spfRecord + `spf ' v=spf1 ip4:192.0.2.10 ~all'`, args: noMail, release: "bookworm"},
	{id: "spf.syntax", name: "ipv4: for ip4: in SPF", inject: spfRecord + `spf 'v=spf1 ipv4:192.0.2.10 ~all'`, args: noMail, release: "trixie"},
	{id: "spf.pass", name: "SPF with another address", inject: spfRecord + `spf 'v=spf1 ip4:192.0.2.11 ~all'`, args: noMail, release: "bookworm"},
	{
		id: "spf.pass", name: "SPF that passes nobody, and a smarthost", args: noMail, release: "trixie",
		inject: spfRecord + `postconf -e 'relayhost = [smtp.remote.example]'; spf 'v=spf1 ~all'`,
	},
	{
		id: "spf.helo", name: "SPF of the HELO name with another address", args: noMail, release: "bookworm",
		inject: `record '/^mail\.lab\.example\..*v=spf1/s,".*","v=spf1 ip4:192.0.2.11 -all",'; zones`,
	},
	{
		id: "spf.lookups", name: "twelve look-ups", args: noMail, release: "trixie",
		inject: spfRecord + `m=a:mail.lab.example; add "five IN TXT \"v=spf1 $m $m $m $m $m ?all\""
			spf 'v=spf1 ip4:192.0.2.10 include:five.lab.example include:five.lab.example ~all'`,
	},
	{
		id: "spf.voids", name: "three names without addresses", args: noMail, release: "bookworm",
		inject: spfRecord + `spf 'v=spf1 ip4:192.0.2.10 a:x1.lab.example a:x2.lab.example a:x3.lab.example ~all'`,
	},
	{
		id: "spf.voids-v6", name: "names of IPv6 alone before ip4:", severity: finding.Warning, args: noMail, release: "trixie",
		inject: spfRecord + `for i in 1 2 3; do add "six$i IN AAAA 2001:db8::66"; done
			spf 'v=spf1 a:six1.lab.example a:six2.lab.example a:six3.lab.example ip4:192.0.2.10 ~all'`,
	},
	{
		id: "spf.size", name: "many TXT records beside SPF", severity: finding.Warning, args: noMail, release: "bookworm",
		inject: `for i in 1 2 3 4 5; do add "@ IN TXT \"proof-$i=$(printf %0250d $i | cut -c 10-)\""; done; zones`,
	},
	{id: "spf.all", name: "SPF that passes everybody", inject: spfRecord + `spf 'v=spf1 ip4:192.0.2.10 +all'`, args: noMail, release: "trixie"},
	{id: "spf.ptr", name: "ptr in SPF", severity: finding.Warning, inject: spfRecord + `spf 'v=spf1 ip4:192.0.2.10 ptr ~all'`, args: noMail, release: "bookworm"},
	{
		id: "spf.mx10", name: "an mx of eleven hosts", args: noMail, release: "trixie",
		inject: spfRecord + `for i in $(seq 11); do add "many IN MX $i mail"; done; spf 'v=spf1 mx:many.lab.example ip4:192.0.2.10 ~all'`,
	},
	{id: "spf.loop", name: "SPF that includes itself", inject: spfRecord + `spf 'v=spf1 include:lab.example ip4:192.0.2.10 ~all'`, args: noMail, release: "bookworm"},
	{
		id: "spf.include-dead", name: "an include without a record in front", args: noMail, release: "trixie",
		inject: spfRecord + `spf 'v=spf1 include:gone.lab.example ip4:192.0.2.10 ~all'`,
	},
	{
		id: "spf.hidden", name: "an include without a record behind our address", severity: finding.Warning, args: noMail, release: "bookworm",
		inject: spfRecord + `spf 'v=spf1 ip4:192.0.2.10 include:gone.lab.example ~all'`,
	},
	{id: "spf.type99", name: "a record of type SPF", severity: finding.Note, inject: `add '@ IN SPF "v=spf1 -all"'; zones`, args: noMail, release: "trixie"},
	{id: "spf.senderid", name: "a Sender ID record", severity: finding.Note, inject: `add '@ IN TXT "spf2.0/pra -all"'; zones`, args: noMail, release: "bookworm"},
	{
		id: "spf.redirect-lost", name: "redirect beside all", severity: finding.Warning, args: noMail, release: "trixie",
		inject: spfRecord + `spf 'v=spf1 ip4:192.0.2.10 redirect=mail.lab.example ~all'`,
	},
	{
		id: "spf.ours-first", name: "a name before our address", severity: finding.Note, args: noMail, release: "bookworm",
		inject: spfRecord + `spf 'v=spf1 a:mail.lab.example ip4:192.0.2.10 ~all'`,
	},
}
