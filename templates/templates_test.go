package templates_test

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/templates"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; to accept: go test ./templates -update\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

func must(t *testing.T) func(text []byte, err error) []byte {
	return func(text []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}

func conf() templates.OpenDKIM {
	return templates.OpenDKIM{
		Mode: "sv", Socket: "/var/spool/postfix/opendkim/opendkim.sock",
		KeyTable: "/etc/opendkim/KeyTable", SigningTable: "/etc/opendkim/SigningTable", TrustedHosts: "/etc/opendkim/TrustedHosts",
		TrustAnchor: "/usr/share/dns/root.key",
	}
}

func keyRows() []templates.KeyRow {
	return []templates.KeyRow{
		{Name: "202611._domainkey.any.example", Domain: "any.example", Selector: "202611", Path: "/etc/dkimkeys/any.example/202611.private"},
		{Name: "202611._domainkey.b.example", Domain: "b.example", Selector: "202611", Path: "/etc/dkimkeys/b.example/202611.private"},
	}
}

func signingRows() []templates.SigningRow {
	return []templates.SigningRow{
		{Pattern: "mail.any.example", Key: "202611._domainkey.any.example"},
		{Pattern: "any.example", Key: "202611._domainkey.any.example"},
		{Pattern: ".b.example", Key: "202611._domainkey.b.example", Signer: "@b.example"},
		{Pattern: "b.example", Key: "202611._domainkey.b.example"},
	}
}

func hosts(t *testing.T, texts ...string) []netip.Prefix {
	t.Helper()
	var list []netip.Prefix
	for _, s := range texts {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}

func settings() []state.Setting {
	return []state.Setting{
		{Name: "myhostname", Value: "mail.any.example"},
		{Name: "smtpd_milters", Value: "{ unix:opendkim/opendkim.sock, default_action=tempfail }"},
		{Name: "non_smtpd_milters", Value: "$smtpd_milters"},
		{Name: "internal_mail_filter_classes", Value: "bounce"},
		{Name: "smtputf8_enable", Value: "no"},
	}
}

func TestGolden(t *testing.T) {
	golden(t, "opendkim.conf", must(t)(templates.OpenDKIMConf(conf())))
	lab := conf()
	lab.Mode, lab.Nameservers, lab.TrustAnchor = "s", "127.0.0.1", ""
	golden(t, "opendkim-lab.conf", must(t)(templates.OpenDKIMConf(lab)))
	bare := conf()
	bare.TrustAnchor = ""
	golden(t, "opendkim-bare.conf", must(t)(templates.OpenDKIMConf(bare)))
	golden(t, "KeyTable", must(t)(templates.KeyTable(keyRows())))
	golden(t, "SigningTable", must(t)(templates.SigningTable(signingRows())))
	golden(t, "TrustedHosts", must(t)(templates.TrustedHosts(hosts(t,
		"2001:db8::/64", "192.0.2.10/32", "192.0.2.10/24", "127.0.0.0/8", "::1/128", "::ffff:198.51.100.7/128"), "127.0.0.1", "relay.any.example", "!192.0.2.66")))
	golden(t, "tmpfiles.conf", templates.Tmpfiles("/var/spool/postfix/opendkim"))
	golden(t, "main.cf", must(t)(templates.PostfixSnippet(settings())))
}

func TestOpenDKIMConfNeverSetsResolverConfiguration(t *testing.T) {
	text := must(t)(templates.OpenDKIMConf(conf()))
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "ResolverConfiguration") {
			t.Errorf("found %q", line)
		}
		if len(line) > 81 {
			t.Errorf("over 80 columns: %q", line)
		}
	}
}

func TestOpenDKIMConfRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*templates.OpenDKIM){
		"mode":       func(o *templates.OpenDKIM) { o.Mode = "v" },
		"no socket":  func(o *templates.OpenDKIM) { o.Socket = "" },
		"newline":    func(o *templates.OpenDKIM) { o.KeyTable = "/etc/k\nUserID root" },
		"comment":    func(o *templates.OpenDKIM) { o.SigningTable = "/etc/s#x" },
		"space":      func(o *templates.OpenDKIM) { o.Nameservers = "127.0.0.1 UserID" },
		"no hosts":   func(o *templates.OpenDKIM) { o.TrustedHosts = "" },
		"anchor tab": func(o *templates.OpenDKIM) { o.TrustAnchor = "/a\tb" },
	} {
		o := conf()
		spoil(&o)
		if text, err := templates.OpenDKIMConf(o); err == nil {
			t.Errorf("%s: accepted:\n%s", name, text)
		}
	}
}

func TestSocketMayBeInet(t *testing.T) {
	o := conf()
	o.Socket = "inet:8891@localhost"
	text := must(t)(templates.OpenDKIMConf(o))
	if !bytes.Contains(text, []byte("\nSocket                  inet:8891@localhost\n")) {
		t.Errorf("socket line missing in:\n%s", text)
	}
}

func TestTrustedHostsRefusesTheWorld(t *testing.T) {
	for _, p := range []netip.Prefix{
		{},
		netip.MustParsePrefix("0.0.0.0/0"),
		netip.MustParsePrefix("::/0"),
		netip.MustParsePrefix("::ffff:0.0.0.0/96"),
	} {
		if text, err := templates.TrustedHosts([]netip.Prefix{p}); err == nil {
			t.Errorf("%v: accepted:\n%s", p, text)
		}
	}
}

func TestPostfixSnippetRefuses(t *testing.T) {
	for _, s := range []state.Setting{
		{Name: "", Value: "x"},
		{Name: "a b", Value: "x"},
		{Name: "#a", Value: "x"},
		{Name: "myhostname", Value: "x\nmynetworks = 0.0.0.0/0"},
	} {
		if text, err := templates.PostfixSnippet([]state.Setting{s}); err == nil {
			t.Errorf("%+v: accepted:\n%s", s, text)
		}
	}
}
