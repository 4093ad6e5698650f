package eximconf_test

import (
	"testing"

	"mailsetup/internal/eximconf"
)

func TestCheckMacros(t *testing.T) {
	got := eximconf.CheckMacros("# CHECK_RCPT_SPF = no\n CHECK_RCPT_SPF == true\n.ifdef CHECK_RCPT_LOCAL_ACL_FILE\nCHECK_RCPT_LOCAL_ACL_FILE = CONFDIR/mine \nCHECK_RCPT_LOCAL_LOCALPARTS = ^[.]\n")
	spf, file := got["CHECK_RCPT_SPF"], got["CHECK_RCPT_LOCAL_ACL_FILE"]
	if len(got) != 2 || spf.Value != "true" || spf.At != "2" || file.Value != "CONFDIR/mine" || file.At != "4" {
		t.Errorf("%+v", got)
	}
	for text, want := range map[string]bool{
		".include /etc/exim4/mailsetup.rcpt\n": true, "  .include_if_exists /etc/exim4/mailsetup.rcpt": true,
		"# .include /etc/exim4/mailsetup.rcpt": false, ".include /etc/exim4/mailsetup.rcpt2": false, "": false,
	} {
		if eximconf.IncludesChecks(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
	for text, want := range map[string]bool{"CHECK_RCPT_LOCAL_ACL_FILE = /etc/exim4/mailsetup.rcpt\n": true, "CHECK_RCPT_LOCAL_ACL_FILE = /etc/exim4/mine\n": false, "": false} {
		if eximconf.AsksChecks(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
