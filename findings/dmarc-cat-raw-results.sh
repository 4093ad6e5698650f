#!/bin/sh
# dmarc-cat 0.15.0 (Debian 12): what it shows of an aggregate report.
#
# RFC 7489 7.2 and appendix C (and RFC 9990 after it): policy_evaluated says what DMARC made of the
# mails, auth_results what DKIM and SPF said for any domain, of DKIM as often as there are signatures.
# Guess: the columns RDKIM and RSPF, beside the policy, are DMARC's; of two signatures one sees both,
# or the one that is aligned.
# Seen: they are the raw results, and policy_evaluated is not shown at all. Mails that were
# rejected stand there with "pass pass" where a mail service signed for itself, and one
# that passed by the first of two signatures stands there with the "fail" of the second, under the
# second one's domain.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq dmarc-cat=0.15.0-1+b4 libgpgme11=1.18.0-3+deb12u1 libassuan0=2.5.5-5 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
cat >make.py <<'PY'
def dkim(domain, result):
    return f'<dkim><domain>{domain}</domain><selector>s1</selector><result>{result}</result></dkim>'
def record(ip, disposition, d, s, results, spf):
    return f'''<record><row><source_ip>{ip}</source_ip><count>1</count><policy_evaluated><disposition>{disposition}</disposition>
<dkim>{d}</dkim><spf>{s}</spf></policy_evaluated></row><identifiers><header_from>ex.example</header_from></identifiers>
<auth_results>{results}<spf><domain>{spf}</domain><result>pass</result></spf></auth_results></record>'''
print(f'''<?xml version="1.0"?>
<feedback><version>1.0</version><report_metadata><org_name>Receiver</org_name><email>dmarc@b.example</email><report_id>1</report_id>
<date_range><begin>1700000000</begin><end>1700086399</end></date_range></report_metadata>
<policy_published><domain>ex.example</domain><adkim>r</adkim><aspf>r</aspf><p>reject</p><sp>reject</sp><pct>100</pct></policy_published>
{record('192.0.2.1', 'none', 'pass', 'pass', dkim('ex.example', 'pass'), 'ex.example')}
{record('192.0.2.2', 'reject', 'fail', 'fail', dkim('service.example', 'pass'), 'service.example')}
{record('192.0.2.3', 'none', 'pass', 'fail', dkim('ex.example', 'pass') + dkim('list.example', 'fail'), 'list.example')}
</feedback>''')
PY
python3 make.py >'b.example!ex.example!1700000000!1700086399.xml'
LD_LIBRARY_PATH=$(echo root/usr/lib/*-linux-gnu):$(echo root/lib/*-linux-gnu) root/usr/bin/dmarc-cat -N b.example*.xml | sed -n '/^Policy/p; /^Reports/,$p' | sed 's/ *$//; /^$/d' >seen
cat seen
cat >expected <<'TXT'
Policy: p=reject; dkim=r; spf=r
Reports(3):
IP        Count   From       RFrom           RDKIM   RSPF
192.0.2.1 1       ex.example ex.example      pass    pass
192.0.2.2 1       ex.example service.example pass    pass
192.0.2.3 1       ex.example list.example    fail    pass
TXT
diff expected seen
