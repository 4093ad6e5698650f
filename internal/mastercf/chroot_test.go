package mastercf

import "testing"

func TestChrooted(t *testing.T) {
	got, err := Chrooted("# comment\nsmtp inet n - y - - smtpd\n  -o smtpd_milters=\ncleanup unix n - n - 0 cleanup\nqmgr unix n - - 300 1 qmgr\n")
	if err != nil || !got["smtp/inet"] || got["cleanup/unix"] || got["qmgr/unix"] {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := Chrooted("smtp inet n\n"); err == nil {
		t.Error("no error for a line that is none")
	}
}
