package check_test

import (
	"fmt"
	"strings"
	"testing"

	"mailsetup/internal/check"
	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/hint"
	"mailsetup/internal/machine"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

const (
	hostFile = "/etc/mailsetup/host.toml\nversion = 1\nhostname = \"mail.lab.example\"\naddresses = [\"192.0.2.25\"]\ndomain = \"lab.example\"\n"
	labFile  = "/etc/mailsetup/domains.d/lab.example.toml\ndomain = \"lab.example\"\nselector = \"s1\"\nreceive = true\n"
	shopFile = "/etc/mailsetup/domains.d/shop.example.toml\ndomain = \"shop.example\"\nselector = \"s1\"\n"
)

// debian is a Debian 12 with one address and Postfix for lab.example; each of files is a
// path, and a text in the next lines.
func debian(parameters string, files ...string) *detecttest.Machine {
	m := detecttest.Bookworm()
	m.Says("ip -j route get 198.41.0.4", `[{"dst":"198.41.0.4","prefsrc":"192.0.2.10"}]`)
	m.Says("postconf -x", "myhostname = mail.lab.example\nmydomain = lab.example\nmyorigin = /etc/mailname\nqueue_directory = /var/spool/postfix\n"+
		"daemon_directory = /usr/lib/postfix/sbin\nmydestination = mail.lab.example, lab.example, localhost\ninet_protocols = all\n"+parameters)
	m.Answers["postmap"] = system.Result{Code: 1}
	m.Units["postfix.service"] = system.UnitStatus{Load: "loaded", Active: "inactive", Type: "oneshot"}
	for _, f := range files {
		path, text, _ := strings.Cut(f, "\n")
		m.PutFile(state.Path(path), text)
	}
	return m
}

// look returns what a check looks at in words, and what it said meanwhile.
func look(t *testing.T, sys system.System, names ...string) (found, said string) {
	t.Helper()
	var log, b strings.Builder
	m := machine.New(sys, nil, machine.Options{DryRun: true, Logf: func(format string, a ...any) { fmt.Fprintf(&log, format+"\n", a...) }})
	servers, domains, findings, err := check.Look(t.Context(), m, check.Options{Domains: names})
	if err != nil {
		t.Fatal(err)
	}
	s := servers[0]
	fmt.Fprintf(&b, "%s, set up %v, from %v, hidden %v, by %q", s.Name, s.SetUp, s.Egress, s.Hidden, s.Smarthost)
	for i, d := range domains {
		fmt.Fprintf(&b, "\n%s%s", d.Name, describe(d))
		if servers[i+1].Refuses(d) {
			b.WriteString(" refused")
		}
		if by := servers[i+1].Smarthost; by != s.Smarthost {
			fmt.Fprintf(&b, " by %s", by)
		}
	}
	for _, f := range findings {
		fmt.Fprintf(&b, "\n%s %s %s: %s", f.Severity, f.ID, f.Subject, f.Seen)
	}
	return b.String(), log.String()
}

func describe(d subject.Domain) (text string) {
	for _, fact := range []struct {
		is   bool
		word string
	}{{d.Sends, " sends"}, {d.Receives, " receives"}, {d.Declared, " declared"}, {d.Wanted != nil, " wanted"}, {d.Parked(), " parked"}} {
		if fact.is {
			text += fact.word
		}
	}
	return text
}

func TestLook(t *testing.T) {
	withMap := debian("virtual_mailbox_domains = hash:/etc/vd\ntransport_maps = regexp:/etc/r, hash:/etc/t\nsender_dependent_relayhost_maps = hash:/etc/s\nsmtp_helo_name = out.lab.example\n")
	withMap.Says("postmap -s hash:/etc/vd", "shop.example\tx\n")
	withMap.Says("postmap -q - hash:/etc/vd", "shop.example\tx\n")
	withMap.Says("postmap -q shop.example hash:/etc/vd", "x\n")
	withMap.Says("postmap -q * hash:/etc/t", "smtp:[out.example.net]:587\n")
	withMap.Says("postmap -q - hash:/etc/s", "@shop.example\t[shop.example.net]:465\n")
	bare := detecttest.New()
	bare.PutFile("/etc/os-release", "ID=debian\nVERSION_ID=\"13\"\n")
	bare.Says("dpkg-query", "")
	broken := debian("")
	broken.PutFile("/etc/postfix/master.cf", "smtp inet n\n")
	gone := debian("")
	gone.Remove("/etc/postfix/main.cf")

	for _, tt := range []struct {
		name  string
		sys   system.System
		names string
		want  string
		said  string
	}{
		{
			"a server that mailsetup never touched", debian(""), "",
			`mail.lab.example, set up false, from [{192.0.2.10 route}], hidden [], by ""` + "\nlab.example sends receives", "",
		},
		{
			"with tables", withMap, "",
			`out.lab.example, set up false, from [{192.0.2.10 route}], hidden [], by "[out.example.net]:587"` +
				"\nlab.example sends receives\nshop.example sends receives by [shop.example.net]:465", "",
		},
		{
			"a domain of nobody", debian(""), "Far.example lab.example far.example.",
			`mail.lab.example, set up false, from [{192.0.2.10 route}], hidden [], by ""` + "\nfar.example\nlab.example sends receives",
			"far.example is no domain of this server: it is checked as the world sees it\n",
		},
		{
			"set up", debian("relayhost = [smtp.example.net]:587\n", hostFile, labFile, shopFile), "",
			`mail.lab.example, set up true, from [{192.0.2.25 host.toml} {192.0.2.10 route}], hidden [], by "[smtp.example.net]:587"` +
				"\nlab.example sends receives declared wanted\nshop.example sends declared wanted", "",
		},
		{
			"set up, and a domain that Postfix refuses", debian("", hostFile, labFile, shopFile+"receive = true\n"), "",
			`mail.lab.example, set up true, from [{192.0.2.25 host.toml} {192.0.2.10 route}], hidden [], by ""` +
				"\nlab.example sends receives declared wanted\nshop.example sends receives declared wanted refused", "",
		},
		{
			"set up, and a domain that is not of it", debian("", hostFile, labFile, shopFile), "far.example shop.example",
			`mail.lab.example, set up true, from [{192.0.2.25 host.toml} {192.0.2.10 route}], hidden [], by ""` +
				"\nfar.example\nshop.example sends declared wanted",
			"far.example is no domain of this server: it is checked as the world sees it\n",
		},
		{
			"ignored, with a mistake", debian("", hostFile+"ignore = [{id = \"dns.delegatoin\", reason = \"x\"}, {id = \"spf\", reason = \"y\"}]\n", labFile), "",
			`mail.lab.example, set up true, from [{192.0.2.25 host.toml} {192.0.2.10 route}], hidden [], by ""` + "\nlab.example sends receives declared wanted",
			"ignore: id =: no check is called \"dns.delegatoin\"; did you mean: id = dns.delegation; mailsetup check --explain all lists the checks\n",
		},
		{
			"a file that cannot be used", debian("", hostFile, labFile, strings.Replace(shopFile, "selector", "selektor", 1)), "",
			`mail.lab.example, set up true, from [{192.0.2.25 host.toml} {192.0.2.10 route}], hidden [], by ""` + "\nlab.example sends receives declared wanted",
			"the file of shop.example cannot be used: /etc/mailsetup/domains.d/shop.example.toml:2: selektor: is no key of this file\n",
		},
		{
			"of a domain that has no mail", debian("", hostFile, labFile, shopFile+"role = \"parked\"\n"), "shop.example",
			`mail.lab.example, set up true, from [{192.0.2.25 host.toml} {192.0.2.10 route}], hidden [], by ""` + "\nshop.example declared wanted parked", "",
		},
		{
			"signed here alone", debian("", "/etc/opendkim.conf\nKeyTable /etc/dkim/keys\nSigningTable refile:/etc/dkim/signing\n",
				"/etc/dkim/keys\ns signed.example:s1:/etc/dkim/s1.pem\n", "/etc/dkim/signing\n*@signed.example s\n*@far.example s\n"), "signed.example far.example",
			`mail.lab.example, set up false, from [{192.0.2.10 route}], hidden [], by ""` + "\nsigned.example sends\nfar.example",
			"far.example is no domain of this server: it is checked as the world sees it\n",
		},
		{
			"without Postfix", bare, "lab.example",
			`, set up false, from [], hidden [], by ""` + "\nlab.example",
			"lab.example is no domain of this server: it is checked as the world sees it\n",
		},
		{
			"without anything", bare, "",
			`, set up false, from [], hidden [], by ""`, "no mail domain is known here: mailsetup check DOMAIN looks at one\n",
		},
		{
			"without main.cf", gone, "",
			`, set up false, from [{192.0.2.10 route}], hidden [], by ""` +
				"\nproblem live.stale /etc/postfix/main.cf: there is no such file, although postfix is installed",
			"no mail domain is known here: mailsetup check DOMAIN looks at one\n",
		},
	} {
		found, said := look(t, tt.sys, strings.Fields(tt.names)...)
		if found != tt.want || said != tt.said {
			t.Errorf("%s:\n%s\nsaid %q\nwant\n%s\nsaid %q", tt.name, found, said, tt.want, tt.said)
		}
	}
	if found, _ := look(t, broken, "lab.example"); !strings.Contains(found, "problem live.stale /etc/postfix/master.cf:1: ") {
		t.Errorf("a master.cf that cannot be read: %s", found)
	}
}

// A message to this server itself would not leave it; what Postfix does not take, and nobody
// has declared, may be elsewhere.
func TestLookRefusesAnAddressOfTheServer(t *testing.T) {
	for address, want := range map[string]string{
		"ann@LAB.example":    "--send-to ann@LAB.example: mail for LAB.example is for this server itself (mydestination)",
		"bob@remote.example": "",
	} {
		m := machine.New(debian(""), nil, machine.Options{DryRun: true})
		_, _, _, err := check.Look(t.Context(), m, check.Options{SendTo: address})
		if want == "" && err != nil || want != "" && (!hint.IsUsage(err) || err.Error() != want) {
			t.Errorf("%s: %v, want %s", address, err, want)
		}
	}
}

func TestLookRefusesWhatIsNoDomain(t *testing.T) {
	m := machine.New(debian(""), nil, machine.Options{DryRun: true})
	_, _, _, err := check.Look(t.Context(), m, check.Options{Domains: []string{"no domain"}})
	if !hint.IsUsage(err) || strings.Join(hint.Of(err), "") != "a name such as example.org" {
		t.Errorf("%v, hints %q", err, hint.Of(err))
	}
}

// Nothing is asked of what is no address: a name would be looked up by the resolver of
// the system.
func TestResolverIsAnAddress(t *testing.T) {
	for _, bad := range []string{"dns.example", "dns.example:53", "192.0.2", "[2001:db8::1", ":53"} {
		_, err := check.Run(t.Context(), machine.Options{DryRun: true}, check.Options{Resolver: bad})
		if !hint.IsUsage(err) || strings.Join(hint.Of(err), "") != "as in 192.0.2.53 or [2001:db8::53]:5353" {
			t.Errorf("%s: %v, hints %q", bad, err, hint.Of(err))
		}
	}
}

// What init writes on request alone is named where init is the remedy.
func TestEditedFiles(t *testing.T) {
	const fragment, gone, ours = "/etc/bind/mailsetup/lab.example.zone", "/etc/opendkim/gone", "/etc/opendkim/table"
	sys := debian("", fragment+"\nedited\n", ours+"\nas it was\n")
	got := check.Edited(sys, plan.FileHashes{fragment: plan.Hash([]byte("before\n")), gone: "x", ours: plan.Hash([]byte("as it was\n"))})
	if fmt.Sprint(got) != "["+fragment+"]" {
		t.Errorf("edited: %v", got)
	}
	s := subject.Server{Edited: got}
	if !s.ZoneEdited("lab.example") || !s.ZoneEdited("sub.lab.example") || s.ZoneEdited("shop.example") {
		t.Error("which zone was edited?")
	}
	list := []finding.Finding{
		{ID: "dkim.record", Fixable: true, Remedy: finding.Text("publish it:").Command("mailsetup init --yes")},
		{ID: "tls.out", Fixable: true, Remedy: finding.Command("postconf -e smtp_tls_security_level=may")},
		{ID: "addr.egress", Remedy: finding.Command("mailsetup init --ip ADDRESS")},
	}
	check.Overwriting(s, list)
	for i, want := range []string{
		"publish it:\nmailsetup init --yes --overwrite-drift\nit overwrites what somebody edited: " + fragment,
		"postconf -e smtp_tls_security_level=may", "mailsetup init --ip ADDRESS",
	} {
		if list[i].Remedy.String() != want {
			t.Errorf("%s: %q", list[i].ID, list[i].Remedy)
		}
	}
}
