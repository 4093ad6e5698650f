package facts_test

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/facts"
	"mailsetup/internal/spec"
)

const rsaKey = `"v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwJFa"`

// Keys of other senders are found at well-known selectors and at those that were named, CNAMEs
// as they stand. A silent server is not no key.
func TestOtherKeys(t *testing.T) {
	for name, tt := range map[string]struct {
		records    []string
		silent     bool // no name server of the domain answers
		want       []string
		unanswered string
	}{
		"none":                {nil, false, nil, ""},
		"a key":               {[]string{`google._domainkey.lab.example. 60 IN TXT ` + rsaKey}, false, []string{"google._domainkey.lab.example. TXT"}, ""},
		"one that was named":  {[]string{`news2026._domainkey.lab.example. 60 IN TXT ` + rsaKey}, false, []string{"news2026._domainkey.lab.example. TXT"}, ""},
		"one nobody named":    {[]string{`hidden._domainkey.lab.example. 60 IN TXT ` + rsaKey}, false, nil, ""},
		"a name elsewhere":    {[]string{"k1._domainkey.lab.example. 60 IN CNAME dkim.lab.example.", "dkim.lab.example. 60 IN TXT " + rsaKey}, false, []string{"k1._domainkey.lab.example. CNAME"}, ""},
		"one that leads away": {[]string{"k1._domainkey.lab.example. 60 IN CNAME gone.lab.example."}, false, []string{"k1._domainkey.lab.example. CNAME"}, ""},
		"no key":              {[]string{`google._domainkey.lab.example. 60 IN TXT "some text"`}, false, nil, ""},
		"silence":             {nil, true, nil, "look up mailsetup-"},
	} {
		t.Run(name, func(t *testing.T) {
			lab := dnstest.Lab{First: tt.records, Second: tt.records, FirstSilent: tt.silent, SecondSilent: tt.silent}
			found := facts.OtherKeys(t.Context(), lab.Client(t), spec.Domain{Name: "lab.example", KeepSelectors: []string{"News2026"}})
			var got []string
			for _, r := range found.Found {
				got = append(got, r.Name+" "+r.Type)
			}
			if !slices.Equal(got, tt.want) || !strings.HasPrefix(strings.Join(found.Unanswered, "; "), tt.unanswered) || (tt.unanswered == "") != (len(found.Unanswered) == 0) {
				t.Errorf("%q, %q", got, found.Unanswered)
			}
		})
	}
}
