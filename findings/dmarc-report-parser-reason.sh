#!/bin/sh
# dmarc-report-parser 0.1.5 (npm): an aggregate report with a reason in it.
#
# RFC 7489 appendix C (and RFC 9990 after it): policy_evaluated may have <reason> with a type and a
# comment, as often as there are reasons. Large receivers write one for each forwarded mail.
# Guess: read, as its schema lists all six types; if not, the record is left out.
# Seen: one reason anywhere makes the report an error, and with it all reports of the same call. The
# schema wants text where the XML reader always makes lists. A list of several <dkim> is read.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >npm.log
npm install --silent --no-fund --no-audit dmarc-report-parser@0.1.5 >>npm.log
cat >run.cjs <<'JS'
const { parseDmarcReportsFromXml } = require('dmarc-report-parser');
const dkim = '<dkim><domain>ex.example</domain><selector>s1</selector><result>pass</result></dkim>';
const report = (reason, results) => `<?xml version="1.0"?>
<feedback><version>1.0</version><report_metadata><org_name>Receiver</org_name><email>dmarc@b.example</email><report_id>1</report_id>
<date_range><begin>1700000000</begin><end>1700086399</end></date_range></report_metadata>
<policy_published><domain>ex.example</domain><adkim>r</adkim><aspf>r</aspf><p>reject</p><sp>reject</sp><pct>100</pct></policy_published>
<record><row><source_ip>192.0.2.1</source_ip><count>1</count><policy_evaluated><disposition>none</disposition>
<dkim>fail</dkim><spf>fail</spf>${reason}</policy_evaluated></row><identifiers><header_from>ex.example</header_from></identifiers>
<auth_results>${results}<spf><domain>ex.example</domain><result>pass</result></spf></auth_results></record></feedback>`;
const forwarded = '<reason><type>forwarded</type><comment>a list</comment></reason>';
const bare = '<reason><type>local_policy</type></reason>';
(async () => {
	for (const [what, ...reports] of [
		['no reason', report('', dkim)],
		['no reason, two signatures', report('', dkim + dkim)],
		['a reason', report(forwarded, dkim)],
		['a reason without a comment', report(bare, dkim)],
		['one report without and one with a reason', report('', dkim), report(bare, dkim)],
	]) {
		try {
			console.log(`${what}: ${(await parseDmarcReportsFromXml(reports)).totalReports} read`);
		} catch (e) {
			console.log(`${what}: ${e.issues.map((i) => `${i.path.slice(-2).join('.')} ${i.received}`).join(', ')}`);
		}
	}
})();
JS
node run.cjs >seen
cat seen
cat >expected <<'TXT'
no reason: 1 read
no reason, two signatures: 1 read
a reason: 0.type array, 0.comment array
a reason without a comment: 0.type array
one report without and one with a reason: 0.type array
TXT
diff expected seen
