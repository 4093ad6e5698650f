package inbound_test

import (
	"strings"
	"testing"

	policy "mailsetup/internal/inbound"
	"mailsetup/steps/inbound"
	"mailsetup/steps/steptest"
)

// OpenDMARC comes without a client of MariaDB, unless a package that dbconfig-no-thanks would
// drive out is there.
func TestOpenDMARCNeedsNoDatabase(t *testing.T) {
	for installed, want := range map[string]string{
		"":                                     "opendmarc dbconfig-no-thanks",
		"dbconfig-mysql":                       "opendmarc",
		"dbconfig-pgsql":                       "opendmarc",
		"opendmarc dbconfig-mysql":             "opendmarc",
		"opendmarc postfix-policyd-spf-python": "opendmarc",
	} {
		in := steptest.Bare()
		in.Spec.Host.Inbound = policy.Policy{DMARC: policy.Mark}
		in.Facts.Installed = map[string]bool{}
		for _, name := range strings.Fields(installed) {
			in.Facts.Installed[name] = true
		}
		var got []string
		for _, p := range inbound.Packages(in) {
			got = append(got, p.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", installed, got, want)
		}
	}
}

// A configuration file that somebody removed is not edited: its package has to bring it again.
func TestConfigurationFileIsMissing(t *testing.T) {
	in := steptest.Bare()
	in.Facts.Installed = map[string]bool{"opendmarc": true, "postfix-policyd-spf-python": true}
	in.Spec.Host.Inbound = policy.Policy{SPF: policy.Mark, DMARC: policy.Mark}
	_, _, spf := inbound.SPFService(in)
	_, _, dmarc := inbound.DMARC(in)
	for want, err := range map[string]error{
		"/etc/postfix-policyd-spf-python/policyd-spf.conf is not there, though postfix-policyd-spf-python is installed\n" +
			"apt-get install --reinstall -o Dpkg::Options::=--force-confmiss postfix-policyd-spf-python": spf,
		"/etc/opendmarc.conf is not there, though opendmarc is installed\n" +
			"apt-get install --reinstall -o Dpkg::Options::=--force-confmiss opendmarc": dmarc,
	} {
		refusal, ok := err.(interface{ Hints() []string })
		if !ok || err.Error()+"\n"+strings.Join(refusal.Hints(), "\n") != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
