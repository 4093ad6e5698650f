package adopt_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/adopt"
	"mailsetup/internal/hint"
	"mailsetup/internal/opendkim"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

var now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// setUp reads a set-up whose files are given by their names.
func parse(t *testing.T, files map[string]string) opendkim.Setup {
	t.Helper()
	s, err := opendkim.Parse("/etc/opendkim.conf", func(name string) ([]byte, error) {
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

func TestTranslate(t *testing.T) {
	f := state.Facts{
		OpenDKIM: &state.OpenDKIM{Active: true}, Postfix: &state.Postfix{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}},
	}
	got, err := adopt.Translate(parse(t, handmade()), f, now)
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
}

func TestTranslateRefuses(t *testing.T) {
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
		files := handmade()
		if test.file != "" {
			files[test.file] = test.text
		}
		_, err := adopt.Translate(parse(t, files), state.Facts{OpenDKIM: &state.OpenDKIM{Args: test.args}}, now)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
		if line, ok := errors.AsType[*opendkim.Error](err); ok && line.Hint == "" || !ok && len(hint.Of(err)) == 0 {
			t.Errorf("%s: no hint", name)
		}
	}
}
