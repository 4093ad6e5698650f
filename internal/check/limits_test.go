package check_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailsetup/internal/check"
	"mailsetup/internal/check/finding"
	"mailsetup/internal/hint"
	"mailsetup/internal/spec"
)

// What no time is left for is one finding for each check, whatever takes the time: here
// reading private keys.
func TestNoTimeLeft(t *testing.T) {
	for _, tt := range []struct {
		name    string
		domains int
		prepare func(*world)
		took    time.Duration
		want    string
	}{
		{"a file of one domain that cannot be read to its end", 3, func(w *world) { w.of = "/etc/dkimkeys/d00001.example/s1.private" }, 70 * time.Second, `
unknown dkim.match d00001.example: there was no time left to look
	mailsetup check --only dkim d00001.example
unknown dkim.bits d00001.example: there was no time left to look
	mailsetup check --only dkim d00001.example
unknown dkim.age d00001.example: there was no time left to look
	mailsetup check --only dkim d00001.example
unknown dkim.due d00001.example: there was no time left to look
	mailsetup check --only dkim d00001.example`},
		{"a slow file system", 1000, func(w *world) { w.slow = 50 * time.Second }, 150 * time.Second, `
unknown dkim.match : there was no time left to look at 701 domains: d00300.example, d00301.example, d00302.example, d00303.example, d00304.example and 696 more
	mailsetup check --only dkim
unknown dkim.bits : there was no time left to look at 701 domains: d00300.example, d00301.example, d00302.example, d00303.example, d00304.example and 696 more
	mailsetup check --only dkim
unknown dkim.age : there was no time left to look at 701 domains: d00300.example, d00301.example, d00302.example, d00303.example, d00304.example and 696 more
	mailsetup check --only dkim
unknown dkim.due : there was no time left to look at 701 domains: d00300.example, d00301.example, d00302.example, d00303.example, d00304.example and 696 more
	mailsetup check --only dkim`},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, tt.domains)
			tt.prepare(w)
			defer close(w.hang)
			begun := time.Now()
			o := check.Options{Offline: true}
			o.Only = []string{"dkim"}
			r, err := check.On(t.Context(), w.machine(), o)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begun).Round(time.Second); took != tt.took {
				t.Errorf("%s: it took %v", tt.name, took)
			}
			got := ""
			for _, f := range r.Findings {
				if f.Severity == finding.Unknown {
					got += fmt.Sprintf("\n%s %s %s: %s\n\t%s", f.Severity, f.ID, f.Domain, f.Seen, f.Remedy)
				}
			}
			if got != tt.want {
				t.Errorf("%s:%s\nwant:%s", tt.name, got, tt.want)
			}
			if r.Summary.Unknown != 4 {
				t.Errorf("%s: %+v", tt.name, r.Summary)
			}
		})
	}
}

// A server whose own files cannot be read is not checked.
func TestNoTimeToRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.of = spec.HostFile
		defer close(w.hang)
		_, err := check.On(t.Context(), w.machine(), check.Options{Offline: true})
		if err == nil || err.Error() != "what is configured here could not be read within 2m0s" {
			t.Errorf("%v", err)
		}
		if got := strings.Join(hint.Of(err), "; "); got != "look for a file system of another machine that does not answer: findmnt -t nfs4,nfs,cifs" {
			t.Errorf("hint: %s", got)
		}
	})
}
