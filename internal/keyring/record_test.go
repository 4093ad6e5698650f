package keyring_test

import (
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
)

// The form is that of the example in RFC 6376, appendix C.
func TestRecordOfAKey(t *testing.T) {
	k := keyring.Key{Selector: "brisbane", Public: "MIIB"}
	want := state.Record{Name: "brisbane._domainkey.example.com.", Type: "TXT", TTL: 3600, Value: "v=DKIM1; h=sha256; k=rsa; p=MIIB"}
	if got := k.Record("example.com", 3600); got != want {
		t.Errorf("record %+v, want %+v", got, want)
	}
	want.Value = "v=DKIM1; h=sha256; k=rsa; p="
	if got := k.RevokedRecord("example.com", 3600); got != want {
		t.Errorf("revoked record %+v, want %+v", got, want)
	}
}
