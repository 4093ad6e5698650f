package opendkim

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree is a set of files.
type tree map[string]string

func (f tree) read(path string) ([]byte, error) {
	text, ok := f[path]
	if !ok {
		return nil, nil
	}
	return []byte(text), nil
}

func (f tree) parse(t *testing.T) Setup {
	t.Helper()
	s, err := Parse("/etc/opendkim.conf", f.read)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// brief writes rows down on a line each.
func brief(rows []Row) string {
	var b strings.Builder
	for _, r := range rows {
		b.WriteString(strings.TrimRight(strings.Join([]string{
			r.Place.String(), r.Pattern, r.Domain, r.Selector, r.KeyFile, r.Identity,
		}, " "), " ") + "\n")
	}
	return b.String()
}

func TestConf(t *testing.T) {
	f := tree{
		"/etc/opendkim.conf": "# Socket inet:1\n  CANONICALIZATION\trelaxed/simple # why\r\nSocket inet:8891\nsocket  local:/run/x  \nInclude /etc/more\nMode sv",
		"/etc/more":          "UMask 007\nMode s\n",
	}
	c, err := ParseConf("/etc/opendkim.conf", f.read)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "settings", c.Effective(), []Setting{
		{"CANONICALIZATION", "relaxed/simple", Place{"/etc/opendkim.conf", 2}},
		{"socket", "local:/run/x", Place{"/etc/opendkim.conf", 4}},
		{"UMask", "007", Place{"/etc/more", 1}},
		{"Mode", "sv", Place{"/etc/opendkim.conf", 6}},
	})
	equal(t, "files", c.Files, []string{"/etc/opendkim.conf", "/etc/more"})
}

func TestSingleForm(t *testing.T) {
	s := tree{
		"/etc/opendkim.conf": "Domain shop.example, Shop.example,b.example\nKeyFile /etc/dkimkeys/mail.private\nSelector Mail\nSubDomains Yes\n",
	}.parse(t)
	equal(t, "rows", brief(s.Rows), `/etc/opendkim.conf:1 shop.example shop.example Mail /etc/dkimkeys/mail.private
/etc/opendkim.conf:1 .shop.example shop.example Mail /etc/dkimkeys/mail.private @shop.example
/etc/opendkim.conf:1 b.example b.example Mail /etc/dkimkeys/mail.private
/etc/opendkim.conf:1 .b.example b.example Mail /etc/dkimkeys/mail.private @b.example
`)
	equal(t, "internal", s.Internal, []Host{{"127.0.0.1", Place{File: "/etc/opendkim.conf"}}})
}

// TestPatternTables: what the tutorials make.
func TestPatternTables(t *testing.T) {
	s := tree{
		"/etc/opendkim.conf": "Mode sv\nKeyTable refile:/etc/opendkim/KeyTable\nSigningTable refile:/etc/opendkim/SigningTable\nInternalHosts refile:/etc/opendkim/TrustedHosts\n",
		"/etc/opendkim/KeyTable": `# name, then domain:selector:path
mail._domainkey.shop.example shop.example:mail:/etc/opendkim/keys/shop.example/mail.private
any  %:mail:/etc/opendkim/keys/%/mail.private
old  old.example:x:/nowhere
`,
		"/etc/opendkim/SigningTable": `ceo@shop.example  any
*@shop.example    mail._domainkey.shop.example
*@*.shop.example  mail._domainkey.shop.example:%
*@B.example       any  # here, too
@c.example        any
boss@shop.example any
`,
		"/etc/opendkim/TrustedHosts": "127.0.0.1\nlocalhost\n*.shop.example\n10.1.*\n!192.0.2.9\n",
	}.parse(t)
	equal(t, "rows", brief(s.Rows), `/etc/opendkim/SigningTable:1 ceo@shop.example shop.example mail /etc/opendkim/keys/shop.example/mail.private
/etc/opendkim/SigningTable:2 shop.example shop.example mail /etc/opendkim/keys/shop.example/mail.private
/etc/opendkim/SigningTable:3 .shop.example shop.example mail /etc/opendkim/keys/shop.example/mail.private %
/etc/opendkim/SigningTable:4 b.example b.example mail /etc/opendkim/keys/b.example/mail.private
`)
	equal(t, "left", s.Ignored, []Ignored{
		{Place{"/etc/opendkim/SigningTable", 5}, "@c.example is like no address, so the row signs nothing"},
		{Place{"/etc/opendkim/KeyTable", 4}, "no row of SigningTable names the key old"},
		{Place{"/etc/opendkim/SigningTable", 6}, "boss@shop.example never counts: /etc/opendkim/SigningTable:2 matches first"},
	})
	var names []string
	for _, h := range s.Internal {
		names = append(names, h.Name)
	}
	equal(t, "internal", names, []string{"127.0.0.1", "localhost", ".shop.example", "10.1.0.0/16", "!192.0.2.9"})
	signers, err := s.Signers()
	if err != nil || len(signers) != 2 || signers[0].Domain != "shop.example" || len(signers[0].Rows) != 3 {
		t.Errorf("signers %+v, %v", signers, err)
	}
	equal(t, "files", s.Files, []string{"/etc/opendkim.conf", "/etc/opendkim/KeyTable", "/etc/opendkim/SigningTable", "/etc/opendkim/TrustedHosts"})
}

func TestExactTables(t *testing.T) {
	s := tree{
		"/etc/opendkim.conf": "BaseDirectory /etc/mail\nKeyTable file:keys\nSigningTable /etc/mail/signing\nInternalHosts 127.0.0.1, ::1,10.0.0.0/8\n",
		"/etc/mail/keys":     "k % : x\nshared shop.example:s1:/etc/dkimkeys/all.private\nb b.example:s1:/etc/dkimkeys/all.private\n",
		"/etc/mail/signing":  "*@shop.example shared\nshop.example shared\n.shop.example shared\nB.example b\nann@c.example b:ann@b.example\nb.example shared\n",
	}.parse(t)
	equal(t, "rows", brief(s.Rows), `/etc/mail/signing:2 shop.example shop.example s1 /etc/dkimkeys/all.private
/etc/mail/signing:3 .shop.example shop.example s1 /etc/dkimkeys/all.private
/etc/mail/signing:4 b.example b.example s1 /etc/dkimkeys/all.private
/etc/mail/signing:5 ann@c.example b.example s1 /etc/dkimkeys/all.private ann@b.example
`)
	if len(s.Ignored) != 3 { // *@shop.example, key k, the second b.example
		t.Errorf("left %+v", s.Ignored)
	}
}

func TestLists(t *testing.T) {
	s := tree{
		"/etc/opendkim.conf": "KeyTable csl:k=shop.example:s:/etc/k\nSigningTable csl:shop.example=k,*=k\n",
	}.parse(t)
	equal(t, "rows", brief(s.Rows), "/etc/opendkim.conf:2 shop.example shop.example s /etc/k\n/etc/opendkim.conf:2 * shop.example s /etc/k\n")
}

func TestSignsNothing(t *testing.T) {
	for _, conf := range []string{"", "Syslog yes\n", "Mode v\nDomain a.example\n"} {
		if s := (tree{"/etc/opendkim.conf": conf}).parse(t); len(s.Rows) != 0 {
			t.Errorf("%q: %+v", conf, s.Rows)
		}
	}
}

// TestRefuses: each is told with its line.
func TestRefuses(t *testing.T) {
	const tables = "KeyTable file:/k\nSigningTable refile:/s\n"
	for name, test := range map[string]struct {
		conf, keys, signing string
		want                string
	}{
		"no value":       {"Mode\n", "", "", `/c:1: "Mode" has no value`},
		"include":        {"Include /none\n", "", "", "/c:1: /none: no such file"},
		"LDAP":           {"KeyTable ldap://x\nSigningTable file:/s\n", "", "", `/c:1: KeyTable is of the type "ldap"`},
		"db":             {"KeyTable /etc/keys.db\nSigningTable file:/s\n", "", "", "/c:1: KeyTable is a Berkeley database"},
		"lua":            {tables + "SetupPolicyScript /x.lua\n", "", "", "/c:3: SetupPolicyScript is a program"},
		"sha1":           {tables + "SignatureAlgorithm rsa-sha1\n", "", "", "/c:3: signatures with rsa-sha1"},
		"no table":       {"KeyTable file:/none\nSigningTable refile:/s\n", "", "", "/c:1: /none: no such file"},
		"no signing":     {"KeyTable file:/k\n", "", "", "/c:1: a KeyTable without a SigningTable"},
		"no key file":    {"Domain a.example\nSelector x\n", "", "", "/c:1: Domain needs KeyFile and Selector"},
		"any domain":     {"Domain *\nSelector x\nKeyFile /k\n", "", "", "/c:1: the domain * is not understood"},
		"regex":          {tables, "", "\n(ann|bob)@a.example k\n", "/s:2: the pattern (ann|bob)@a.example matches in a way"},
		"unanchored":     {tables, "", "*a.example k\n", "/s:1: the pattern *a.example matches in a way"},
		"no key name":    {tables, "", "*@a.example\n", "/s:1: the row names no key"},
		"unknown key":    {tables, "k a.example:s:/p\n", "*@a.example K\n", `/s:1: KeyTable has no key "K"`},
		"any key":        {tables, "", "* %\n", "/s:1: the key is that of any domain (%) that * is about"},
		"any signer":     {tables, "#\nk %:s:/p\n", "*@*.a.example k\n", "/s:1: the key k signs as whatever domain the mail is from (%, in /k:2)"},
		"two fields":     {tables, "k a.example:s\n", "*@a.example k\n", "/k:1: the key k is not written as domain:selector:path"},
		"key in table":   {tables, "k a.example:s:MIIEvQIBAD\n", "*@a.example k\n", "/k:1: the key k is not in a file with an absolute path"},
		"upper case":     {tables, "k A.example:s:/p\n", "*@a.example k\n", "/k:1: the domain A.example would be written otherwise"},
		"signed twice":   {tables + "MultipleSignatures yes\n", "k a.example:s:/p\n", "*@a.example k\nx@a.example k\n", "/s:2: mail may match this row and that of /s:1"},
		"order":          {tables, "k a.example:s:/p\nl b.example:s:/p\n", "ann@*.a.example k\n*@x.a.example l\n", "/s:2: mail may match this row and that of /s:1, and which"},
		"long line":      {tables, "k a.example:s:/" + strings.Repeat("p", 1024) + "\n", "", "/k:1: 1039 octets"},
		"internal hosts": {tables + "InternalHosts refile:/k\n", "10.*.1\n", "", "/k:1: the pattern 10.*.1"},
	} {
		_, err := Parse("/c", tree{"/c": test.conf, "/k": test.keys, "/s": test.signing}.read)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
			continue
		}
		if e := (*Error)(nil); !errors.As(err, &e) || e.Hint == "" {
			t.Errorf("%s: no hint in %v", name, err)
		}
		if strings.Contains(err.Error(), "MII") {
			t.Errorf("%s: key material in %v", name, err)
		}
	}
}

func TestTwoKeysForOneDomain(t *testing.T) {
	s := tree{
		"/etc/opendkim.conf": "KeyTable file:/k\nSigningTable refile:/s\n",
		"/k":                 "a a.example:s1:/p\nb a.example:s2:/p\n",
		"/s":                 "*@a.example a\n*@b.example b\n",
	}.parse(t)
	_, err := s.Signers()
	if err == nil || !strings.HasPrefix(err.Error(), "/s:2: a.example signs with selector s2 (/p), but with selector s1 (/p) in /s:1") {
		t.Errorf("%v", err)
	}
}
