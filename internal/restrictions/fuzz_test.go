package restrictions_test

import (
	"testing"

	"mailsetup/internal/restrictions"
)

// Whatever stands in main.cf, a check that is put in once stands there once, and taken out
// again it leaves the bytes.
func FuzzInsert(f *testing.F) {
	for _, seed := range []string{
		"smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n",
		"# x\nsmtpd_relay_restrictions =\n  permit_mynetworks,\n # y\n\n\treject_unauth_destination ,\n  check_client_access { hash:/a, hash:/b }\na = b",
		"smtpd_relay_restrictions = $a ${b}\n c,,d", "smtpd_relay_restrictions =", "smtpd_relay_restrictions = warn_if_reject reject_rbl_client x\n",
	} {
		f.Add(seed, 1)
	}
	f.Fuzz(func(t *testing.T, text string, index int) {
		if index < 0 {
			return
		}
		once, err := restrictions.Insert(text, restrictions.RelayList, index, check)
		if err != nil || once == text {
			return
		}
		if twice, err := restrictions.Insert(once, restrictions.RelayList, index, check); err != nil || twice != once {
			t.Fatalf("%q: once %q, twice %q, %v", text, once, twice, err)
		}
		if back, err := restrictions.Remove(once, restrictions.RelayList, check); err != nil || back != text {
			t.Fatalf("%q became %q, and then %q, %v", text, once, back, err)
		}
	})
}
