package opendmarc_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/opendmarc"
)

// debian is what counts in the file of Debian 13.
const debian = `# AuthservID name
PidFile /run/opendmarc/opendmarc.pid
PublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat
# RejectFailures false
Socket local:/run/opendmarc/opendmarc.sock
Syslog true
UMask 0002
UserID opendmarc
`

func want() opendmarc.Want {
	return opendmarc.Want{
		Name: "mail.lab.example", Socket: "local:/var/spool/postfix/opendmarc/opendmarc.sock", Queue: "/var/spool/postfix", Hosts: "/etc/opendmarc/IgnoreHosts",
	}
}

func TestParse(t *testing.T) {
	c := opendmarc.Parse("#Socket a\n\tsocket  local:/a b # c\r\nRejectFailures TRUE\nUMask 1\nUMASK 2\nEmpty\n")
	for name, value := range map[string]string{"Socket": "local:/a b", "umask": "2", "Empty": "", "Other": ""} {
		if got := c.Value(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	if s, _ := c.Get("UMask"); s.Line != 5 || !c.Yes("rejectfailures") || c.Yes("Socket") || c.Yes("Empty") {
		t.Errorf("%+v", c)
	}
}

func TestSettings(t *testing.T) {
	const ours = "SPFSelfValidate true|SPFIgnoreResults true|IgnoreAuthenticatedClients true|IgnoreHosts /etc/opendmarc/IgnoreHosts"
	const socket = "|Socket local:/var/spool/postfix/opendmarc/opendmarc.sock"
	for name, tt := range map[string]struct {
		conf  string
		asked bool
		lines string
	}{
		"Debian's":                           {debian, false, ours + socket},
		"nothing":                            {"", false, ours + "|PidFile /run/opendmarc/opendmarc.pid" + socket + "|UMask 0002|PublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat"},
		"a port of the loopback":             {debian + "Socket inet:8893@[127.0.0.1]\n", false, ours},
		"a port of localhost":                {debian + "Socket inet:8893@localhost\n", false, ours},
		"a socket below the queue directory": {debian + "Socket local:/var/spool/postfix/run/d.sock\n", false, ours},
		"a socket that Postfix asks":         {debian, true, ours},
		"our socket":                         {debian + "Socket local:/var/spool/postfix/opendmarc/opendmarc.sock\nUMask 0077\n", false, ours + "|UMask 0002"},
		"all of it": {
			debian + "SPFSelfValidate yes\nspfignoreresults 1\nIgnoreAuthenticatedClients True\nIgnoreHosts /etc/opendmarc/IgnoreHosts\n" +
				"AuthservID mail.lab.example\nTrustedAuthservIDs mx2.lab.example, mail.lab.example\nRejectFailures no\n", false, strings.TrimPrefix(socket, "|"),
		},
	} {
		w := want()
		w.Asked = tt.asked
		lines, against := w.Settings(opendmarc.Parse(tt.conf))
		var got []string
		for _, s := range lines {
			got = append(got, s.Name+" "+s.Value)
		}
		if g := strings.Join(got, "|"); g != tt.lines || len(against) > 0 {
			t.Errorf("%s:\n got %s\nwant %s\n%v", name, g, tt.lines, against)
		}
		lines, _ = w.Settings(opendmarc.Parse(tt.conf + strings.Join(got, "\n")))
		if len(lines) > 0 {
			t.Errorf("%s, with our lines: %v", name, lines)
		}
	}
}

func TestSendersJoinThoseThatAreThere(t *testing.T) {
	w := want()
	w.Senders = []string{"shop.example", "list.example"}
	lines, _ := w.Settings(opendmarc.Parse(debian + "IgnoreMailFrom Old.example,SHOP.example\n"))
	if !strings.Contains(fmt.Sprint(lines), "{IgnoreMailFrom Old.example,SHOP.example,list.example}") {
		t.Errorf("%v", lines)
	}
	w.Senders = w.Senders[:1]
	lines, _ = w.Settings(opendmarc.Parse(debian + "IgnoreMailFrom Old.example,SHOP.example\n"))
	if strings.Contains(fmt.Sprint(lines), "IgnoreMailFrom") {
		t.Errorf("%v", lines)
	}
}

func TestDecisionsOfTheAdministrator(t *testing.T) {
	for line, tt := range map[string]struct{ wanted, why string }{
		"RejectFailures true":             {"false", "refuses well signed mail for good while a key cannot be looked up"},
		"HoldQuarantinedMessages yes":     {"false", "holds mail back until somebody looks for it"},
		"RequiredHeaders 1":               {"false", "refuses mail for the form of its header"},
		"RejectMultiValueFrom true":       {"false", "refuses mail for the form of its header"},
		"ChangeRootDirectory /srv":        {"", "makes OpenDMARC see other files under the same names"},
		"AuthservID HOSTNAME":             {"mail.lab.example", "is not what Postfix calls itself, mail.lab.example, to the letter, so results of DKIM do not count"},
		"AuthservID Mail.lab.example":     {"mail.lab.example", "is not what Postfix calls itself, mail.lab.example, to the letter, so results of DKIM do not count"},
		"TrustedAuthservIDs mail.example": {"mail.example,mail.lab.example", "lacks what Postfix calls itself, mail.lab.example, so results of DKIM do not count"},
		"IgnoreHosts /etc/ignore.hosts":   {"/etc/opendmarc/IgnoreHosts", "is a list of its own, which no longer counts; what is in it can stand in allow of [inbound]"},
		"Socket inet:8893":                {"local:/var/spool/postfix/opendmarc/opendmarc.sock", "is neither a port of 127.0.0.1 nor a socket below /var/spool/postfix, where Postfix reaches it"},
		"Socket local:/srv/d.sock":        {"local:/var/spool/postfix/opendmarc/opendmarc.sock", "is neither a port of 127.0.0.1 nor a socket below /var/spool/postfix, where Postfix reaches it"},
	} {
		lines, against := want().Settings(opendmarc.Parse(debian + line + "\n"))
		if len(against) != 1 || against[0].Why != tt.why || against[0].Line != 9 || against[0].Name+" "+against[0].Value != line || against[0].Wanted != tt.wanted {
			t.Errorf("%s: %+v", line, against)
		}
		text := debian + line + "\n"
		for _, s := range lines {
			text += s.Name + " " + s.Value + "\n"
		}
		if more, left := want().Settings(opendmarc.Parse(text)); tt.wanted != "" && len(more)+len(left) > 0 {
			t.Errorf("%s: with our lines: %v, %v", line, more, left)
		}
	}
}

func TestUnknownSuffixes(t *testing.T) {
	const list = "// ===BEGIN ICANN DOMAINS===\n\ncom\nco.uk\nuk\n*.ck\n!www.ck\n// org\n"
	got := opendmarc.UnknownSuffixes(list, []string{"lab.example", "mail.lab.example", "shop.co.uk", "a.ck", "x.org", "y.com", "z.internal"})
	if want := []string{"example", "org", "internal"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
