package keyring

import (
	"encoding/json"
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

// What is read of passed times the quick way is what the decoder reads.
func samePlainElapsed(t *testing.T, text string) (quick bool) {
	t.Helper()
	got, ok := plainElapsed([]byte(text))
	if !ok {
		return false
	}
	var want elapsedDocument
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatalf("%q: the decoder finds %v", text, err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%q:\n%s", text, diff)
	}
	return true
}

func TestPlainElapsed(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	written := string(MarshalElapsed(Elapsed{
		Read: BootTime{Boot: "b", At: 73661018520468 * time.Nanosecond},
		Keys: map[string]StageTime{
			"a.example 202611": {Stage: Active, Since: at, Elapsed: 11658946199 * time.Nanosecond},
			"b.example 202611": {Stage: Staged, Since: at},
		},
		Notified: map[string]time.Time{"b.example 202611": at},
	}))
	for text, want := range map[string]bool{
		written:                                true,
		string(MarshalElapsed(Elapsed{})):      true,
		`{}`:                                   true,
		` {"boot" : "b", "at" : 0.5 } `:        true,
		`{"at":1,"keys":{"a":{}}}`:             true,
		`{"at":01}`:                            false,
		`{"at":1.}`:                            false,
		`{"at":.5}`:                            false,
		`{"at":1.2.3}`:                         false,
		`{"at":-1}`:                            false,
		`{"at":1e3}`:                           false,
		`{"at":"1"}`:                           false,
		`{"at":}`:                              false,
		`{"keys":{},"keys":{"a":{}}}`:          false,
		`{"keys":{"a":{"stage":"\u0061"}}}`:    false,
		`{"keys":{"a":{"since":"yesterday"}}}`: false,
		`{"other":1}`:                          false,
		`{"at":1} x`:                           false,
		`{"at":1`:                              false,
		``:                                     false,
		`null`:                                 false,
	} {
		if got := samePlainElapsed(t, text); got != want {
			t.Errorf("%q: quick %v, want %v", text, got, want)
		}
	}
}

func FuzzPlainElapsed(f *testing.F) {
	f.Add(`{"boot":"b","at":1.5,"keys":{"a.example k":{"stage":"active","since":"2026-11-22T10:00:00Z","passed":0}}}`)
	f.Fuzz(func(t *testing.T, text string) { samePlainElapsed(t, text) })
}
