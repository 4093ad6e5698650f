package keyring

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// whole has a value in every field.
func whole() []Key {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	return []Key{
		{
			Selector: "202610", Bits: 1024, Public: "MIIB+/==", Fingerprint: "SHA256:x", File: "/etc/dkimkeys/a/202610.private",
			Adopted: true, Compromised: true, Stage: Draining, Seen: at,
			Since: map[Stage]time.Time{Active: at, Draining: at.Add(time.Hour)},
		},
		{Selector: "202611", Bits: 2048, Public: "MIIB", File: "/etc/dkimkeys/a/202611.private", Stage: Active},
	}
}

// What is read the quick way is what the decoder reads.
func samePlain(t *testing.T, text string) (quick bool) {
	t.Helper()
	got, ok := plain([]byte(text))
	if !ok {
		return false
	}
	want, err := decode([]byte(text))
	if err != nil {
		t.Fatalf("%q: the decoder finds %v", text, err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%q:\n%s", text, diff)
	}
	return true
}

func TestFilesWrittenHereAreReadTheQuickWay(t *testing.T) {
	for _, keys := range [][]Key{nil, whole()[:1], whole()} {
		if text := string(MarshalDomain(keys)); !samePlain(t, text) {
			t.Errorf("this is not:\n%s", text)
		}
	}
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]bool{
		`{}`:                                     true,
		` { "version" : 1 , "keys" : [ ] } `:     true,
		`{"version":1,"keys":[{}]}`:              true,
		`{"keys":[{"bits":0},{"adopted":true}]}`: true,
		`{"keys":[{"adopted":false}]}`:           true,
		`{"keys":[{"seen":"2026-11-22T10:00:00+02:00","since":{"active":"2026-11-22T10:00:00Z"}}]}`: true,
		``:                                        false,
		`{`:                                       false,
		`{"version":1`:                            false,
		`{"version":1,}`:                          false,
		`{"version":1}}`:                          false,
		`{"version":1 "keys":[]}`:                 false,
		`{"version":01}`:                          false,
		`{"version":-1}`:                          false,
		`{"version":1.0}`:                         false,
		`{"version":1e1}`:                         false,
		`{"version":99999999999999999999}`:        false,
		`{"version":"1"}`:                         false,
		`{"Version":1}`:                           false,
		`{"keys":null}`:                           false,
		`{"keys":[],"keys":[]}`:                   false,
		`{"keys":[{},]}`:                          false,
		`{"keys":[{"selector":"a\u0062"}]}`:       false,
		"{\"keys\":[{\"selector\":\"a\tb\"}]}":    false,
		`{"keys":[{"selector":"ä"}]}`:             false,
		`{"keys":[{"selector":7}]}`:               false,
		`{"keys":[{"adopted":"true"}]}`:           false,
		`{"keys":[{"other":"x"}]}`:                false,
		`{"keys":[{"seen":"2026-11-22"}]}`:        false,
		`{"keys":[{"since":{"active":1}}]}`:       false,
		`{"keys":[{"since":{"active":"never"}}]}`: false,
	} {
		if got := samePlain(t, text); got != want {
			t.Errorf("%q is read the quick way: %v, want %v", text, got, want)
		}
	}
}

func FuzzPlain(f *testing.F) {
	f.Add(string(MarshalDomain(whole())))
	f.Add(strings.Repeat(`{"keys":[`, 3))
	f.Add(`{"keys":[{"since":{"staged":"2026-11-21T10:00:00Z"},"since":{"active":"2026-11-22T10:00:00Z"}}]}`)
	f.Fuzz(func(t *testing.T, text string) { samePlain(t, text) })
}
