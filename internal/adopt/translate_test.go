package adopt_test

import (
	"errors"
	"fmt"
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

// Rows that mean nothing are told, but not all of hundreds.
func TestTranslateTellsOfSomeRows(t *testing.T) {
	files := handmade()
	files["/s"] = "*@lab.example a\n*@*.lab.example a\nann@news.example b\n"
	for i := range 30 {
		files["/k"] += fmt.Sprintf("k%d y.example:y:/k/y\n", i)
	}
	got, err := adopt.Translate(parse(t, files), state.Facts{OpenDKIM: &state.OpenDKIM{}}, now)
	if err != nil {
		t.Fatal(err)
	}
	var leftOut []string
	for _, n := range got.Notes {
		if n.Topic == "left out" {
			leftOut = append(leftOut, n.Text)
		}
	}
	if len(leftOut) != 12 || !strings.HasSuffix(leftOut[10], " more rows that mean nothing") {
		t.Errorf("%d notes: %q", len(leftOut), leftOut)
	}
}

// A setting whose value is the one that mailsetup writes is not kept as the
// administrator's, in whatever words the daemon knows for it; one that mailsetup
// changes where nothing was said is.
func TestTranslateKeepsWhatDiffers(t *testing.T) {
	base := "KeyTable file:/k\nSigningTable refile:/s\n"
	for text, want := range map[string][]string{
		base: {"Canonicalization", "OversignHeaders", "TrustAnchorFile"},
		base + "Syslog true\nCanonicalization relaxed/simple\n":                                                             {"OversignHeaders", "TrustAnchorFile"},
		base + "Syslog no\nCanonicalization simple/simple\nOversignHeaders From\nTrustAnchorFile /usr/share/dns/root.key\n": {"Syslog no", "Canonicalization simple/simple"},
	} {
		files := handmade()
		files["/etc/opendkim.conf"] = text
		got, err := adopt.Translate(parse(t, files), state.Facts{OpenDKIM: &state.OpenDKIM{}}, now)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got.OpenDKIM); d != "" {
			t.Errorf("%q (-want +got):\n%s", text, d)
		}
	}
}

// What our own networks have already is not written down as the administrator's.
func TestTranslateHosts(t *testing.T) {
	files := handmade()
	files["/h"] = "127.0.0.1\n10.1.2.0/24\n10.1.0.0/15\n2001:db8::5\n2001:db8::/32\n10.1.0.0/15\n"
	f := state.Facts{OpenDKIM: &state.OpenDKIM{}, Addresses: []netip.Addr{netip.MustParseAddr("2001:db8::5")}}
	f.Postfix = &state.Postfix{Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
	got, err := adopt.Translate(parse(t, files), f, now)
	if want := "10.1.0.0/15 2001:db8::/32"; err != nil || strings.Join(got.Trusted, " ") != want {
		t.Errorf("%q, %v; want %s", got.Trusted, err, want)
	}
}
