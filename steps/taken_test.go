package steps

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/keyring"
	conf "mailsetup/internal/opendkim"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// setUp reads a set-up whose files are given by their names.
func setUp(t *testing.T, files map[string]string) conf.Setup {
	t.Helper()
	s, err := conf.Parse("/etc/opendkim.conf", func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func handmade() map[string]string {
	return map[string]string{
		"/etc/opendkim.conf": "canonicalization  relaxed/simple\nSyslog 1\nSignHeaders From,\tTo\nMode s\nNameservers 127.0.0.1\nSocket inet:8891\nUserID root\n" +
			"KeyTable file:/k\nSigningTable refile:/s\nInternalHosts /h\nResolverConfiguration /r\n",
		"/k": "a lab.example:Mail_1:/k/a\nb news.example:b:/k/b\nc x.example:c:/k/c\n",
		"/s": "*@lab.example a\n*@*.lab.example a:@lab.example\nann@Shop.example a\nann@news.example b\n@never.example a\n",
		"/h": "127.0.0.1\nlocalhost\n10.20.0.0/16\n10.0.0.5\nrelay.lab.example\n!10.20.30.66\n",
	}
}

func TestTakeOver(t *testing.T) {
	f := installed().Facts
	f.Postfix.Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}
	got, err := TakeOver(setUp(t, handmade()), f, now)
	if err != nil {
		t.Fatal(err)
	}
	equal := func(what string, got, want any) {
		t.Helper()
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", what, d)
		}
	}
	equal("domains", got.Domains, []spec.Domain{
		{
			Name: "lab.example", Selector: "202611", Subdomains: true, Also: []string{"ann@shop.example"},
			Identities: []string{".lab.example @lab.example"},
		},
		{Name: "news.example", Selector: "b", Partial: true, Also: []string{"ann@news.example"}},
	})
	equal("lines", got.OpenDKIM, []string{"SignHeaders From, To", "Mode s", "Nameservers 127.0.0.1", "OversignHeaders", "TrustAnchorFile"})
	equal("hosts", got.Trusted, []string{"10.20.0.0/16", "relay.lab.example", "!10.20.30.66"})
	var notes []string
	for _, n := range got.Notes {
		notes = append(notes, n.Text)
	}
	equal("notes", notes, []string{
		"/s:5: @never.example is like no address, so the row signs nothing",
		"/k:3: no row of SigningTable names the key c",
		"/etc/opendkim.conf:11: ResolverConfiguration /r, with which OpenDKIM dies of reloads; it is for verifying only",
	})
	equal("words", Rows(got.Domains[0]), "@lab.example, @.lab.example and ann@shop.example")
}

func TestTakeOverRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		file, text string
		args       []string
		want       string
	}{
		"command line": {args: []string{"/usr/sbin/opendkim", "-P", "/run/x", "-plocal:/x", "-d", "x.example"}, want: "OpenDKIM is started with -d, which"},
		"domain":       {file: "/k", text: "a lab_1.example:s:/k/a\nb lab.example:b:/k/b\n", want: `/k:1: the domain "lab_1.example" in d= is none`},
		"sender":       {file: "/s", text: "*@host a\n", want: "/s:1: *@host: "},
		"identity":     {file: "/s", text: "*@lab.example a:x y\n", want: "/s:1: "},
		"host":         {file: "/h", text: "\n10.0.0.1\u00e4\n", want: "/h:2: "},
		"everybody":    {file: "/h", text: "127.0.0.1\n0.0.0.0/1\n128.0.0.0/1\n", want: "/h:2: 0.0.0.0/1 lets mail from anywhere be signed"},
		"two keys":     {file: "/k", text: "a lab.example:s:/k/a\nb lab.example:b:/k/b\n", want: "/s:4: lab.example signs with selector b"},
		"setting":      {file: "/etc/opendkim.conf", text: "KeyTable /k\nSigningTable /s\nSyslogName \u00e4\n", want: "/etc/opendkim.conf:3: SyslogName: "},
		"our file":     {file: "/etc/opendkim.conf", text: "KeyTable /k\nSigningTable refile:/s\nPeerList refile:/etc/opendkim/TrustedHosts\n", want: "/etc/opendkim.conf:3: PeerList names /etc/opendkim/TrustedHosts"},
	} {
		files, in := handmade(), installed()
		if test.file != "" {
			files[test.file] = test.text
		}
		in.Facts.OpenDKIM.Args = test.args
		_, err := TakeOver(setUp(t, files), in.Facts, now)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
		line, refusal := (*conf.Error)(nil), (*Refusal)(nil)
		if errors.As(err, &line) && line.Hint == "" || errors.As(err, &refusal) && refusal.Hint == "" {
			t.Errorf("%s: no hint", name)
		}
	}
}

// taking is a server that took over what TestTakeOver shows.
func taking() Input {
	in := installed()
	d := in.Spec.Domains[0]
	d.Subdomains, d.Also = true, []string{"ann@shop.example", "*"}
	d.Identities = []string{".lab.example @lab.example"}
	news := d
	news.Name, news.Partial, news.Subdomains, news.Also, news.Identities = "news.example", true, false, []string{"postmaster@lab.example", "ann@*"}, nil
	news.DNS = spec.DNSManual
	in.Spec.Domains = []spec.Domain{d, news}
	in.Spec.Host.Trusted = []string{"10.20.0.0/16"}
	in.Spec.Host.OpenDKIM = []string{"Canonicalization simple/simple"}
	in.Keys = keyring.Ledger{
		"lab.example":  {{Selector: "Mail", Public: "MIIB", File: "/etc/mail/a.key", Stage: keyring.Active, Adopted: true}},
		"news.example": {{Selector: "n", Public: "MIIC", File: "/etc/mail/b.key", Stage: keyring.Active, Adopted: true}},
	}
	in.NewKeys = nil
	return in
}

func TestTablesOfWhatWasTakenOver(t *testing.T) {
	in := taking()
	in.Unsafe = []state.Meta{{Path: "/etc/mail/a.key", Mode: 0o600, Owner: opendkim}}
	want := build(t, in)
	st := stage(t, want, "OpenDKIM")
	if d := cmp.Diff([]string{
		"* Mail._domainkey.lab.example",
		".lab.example Mail._domainkey.lab.example:@lab.example",
		"ann@* n._domainkey.news.example",
		"ann@shop.example Mail._domainkey.lab.example",
		"lab.example Mail._domainkey.lab.example",
		"postmaster@lab.example n._domainkey.news.example",
	}, tableRows(content(t, st, SigningTable))); d != "" {
		t.Errorf("the host's own row would change i=, and the domain is signed in part (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{
		"Mail._domainkey.lab.example lab.example:Mail:/etc/mail/a.key",
		"n._domainkey.news.example news.example:n:/etc/mail/b.key",
	}, tableRows(content(t, st, KeyTable))); d != "" {
		t.Error(d)
	}
	if rows := tableRows(content(t, st, TrustedHosts)); rows[len(rows)-1] != "10.20.0.0/16" {
		t.Errorf("trusted %q", rows)
	}
	if text := content(t, st, Conf); strings.Contains(text, "relaxed/simple") || !strings.Contains(text, "simple/simple") {
		t.Errorf("Canonicalization is ours:\n%s", text)
	}
	if got := stage(t, want, "Keys").Metas; len(got) != 1 || got[0].Path != "/etc/mail/a.key" {
		t.Errorf("owners and modes %v", got)
	}
}

// TestProbesOfWhatWasTakenOver: each domain is asked for by an address that its
// own row is for.
func TestProbesOfWhatWasTakenOver(t *testing.T) {
	var got []string
	for _, u := range stage(t, build(t, taking()), "OpenDKIM").Units {
		for _, p := range u.Settled {
			for _, s := range p.Signers {
				got = append(got, s.From+" "+s.Domain+" "+s.Selector)
			}
		}
	}
	if d := cmp.Diff([]string{
		"mailsetup@lab.example lab.example Mail", "postmaster@lab.example news.example n", "root@mail.lab.example lab.example Mail",
	}, got); d != "" {
		t.Error(d)
	}
}
