package adopt_test

import (
	"strings"
	"testing"

	"mailsetup/internal/adopt"
	"mailsetup/internal/detect/signer"
	"mailsetup/internal/hint"
	"mailsetup/internal/opendkim"
	"mailsetup/internal/state"
)

// What counts was measured with opendkim 2.11.0~beta2 on Debian 12 and 13.
func TestRunningProcess(t *testing.T) {
	for name, c := range map[string]struct {
		process, conf, unit string
		args                []string
		want                [2]string
	}{
		"Debian's own":       {conf: "UserID opendkim\n", want: [2]string{"opendkim", "root"}},
		"no user":            {want: [2]string{"root", "root"}},
		"user and group":     {conf: "UserID dkimsign:mail\n", want: [2]string{"dkimsign", "root"}},
		"by the unit":        {unit: "[Service]\nUser=dkimsign\n", want: [2]string{"dkimsign", "dkimsign"}},
		"by the unit, twice": {conf: "UserID dkimsign\n", unit: "[Service]\nUser=dkimsign\n", want: [2]string{"dkimsign", "dkimsign"}},
		"by the command":     {conf: "UserID opendkim\n", args: []string{"/usr/sbin/opendkim", "-u", "dkimsign"}, want: [2]string{"dkimsign", "root"}},
		"in one word":        {conf: "UserID opendkim\n", args: []string{"/usr/sbin/opendkim", "-udkimsign"}, want: [2]string{"dkimsign", "root"}},
		"the process knows":  {process: "dkimsign", conf: "UserID opendkim\n", want: [2]string{"dkimsign", "root"}},
	} {
		o := &state.OpenDKIM{Args: c.args, User: c.process}
		f := state.Facts{OpenDKIM: o}
		if c.unit != "" {
			o.DropIns = []state.Path{"/etc/systemd/system/opendkim.service.d/user.conf"}
			f.Files = map[state.Path][]byte{o.DropIns[0]: []byte(c.unit)}
		}
		cf, err := opendkim.ParseConf("/etc/opendkim.conf", func(string) ([]byte, error) { return []byte(c.conf + "Syslog yes\n"), nil })
		if err != nil {
			t.Fatal(err)
		}
		if got := adopt.RunningProcess(f, cf); got.User != c.want[0] || got.StartUser != c.want[1] || !got.KeysLoaded || !got.SafeKeys {
			t.Errorf("%s: %+v, want %q", name, got, c.want)
		}
	}
}

func TestHandOver(t *testing.T) {
	fine, hidden, open := signer.KeyFile{}, signer.KeyFile{Unreadable: "the user x cannot read /k (root:root, mode 0600)"}, signer.KeyFile{Unsafe: "/k (mode 0644) is open to everybody"}
	shut, shared := signer.KeyFile{Unreadable: "the user x cannot enter /d", Directory: "/d"}, signer.KeyFile{Unsafe: "/d (mode 0777) is open to everybody", Directory: "/d"}
	dkimsign, ours := adopt.Process{User: "dkimsign", StartUser: "dkimsign"}, adopt.Process{User: "opendkim", StartUser: "root"}
	for name, c := range map[string]struct {
		signer       adopt.Process
		loaded, mind bool
		now, then    signer.KeyFile
		want         adopt.Handover
		hint         string // of a refusal
	}{
		"both can":                     {signer: ours, mind: true, now: fine, then: fine},
		"the next one cannot":          {signer: dkimsign, mind: true, now: fine, then: hidden, want: adopt.CopyFile},
		"not even come there":          {signer: dkimsign, mind: true, now: fine, then: shut, want: adopt.CopyFile},
		"and would refuse it":          {signer: dkimsign, mind: true, now: fine, then: signer.KeyFile{Unsafe: "/k belongs to dkimsign"}, want: adopt.CopyFile},
		"read as root when it began":   {signer: ours, loaded: true, mind: true, now: hidden, then: hidden, want: adopt.GiveFile},
		"the same, behind a door":      {signer: ours, loaded: true, mind: true, now: shut, then: shut, want: adopt.CopyFile},
		"it did not begin as root":     {signer: dkimsign, loaded: true, mind: true, now: hidden, then: hidden, hint: "name another file, or if this is its key: chown dkimsign: /k"},
		"root's, named by a table":     {signer: ours, mind: true, now: hidden, then: hidden, hint: "name another file, or if this is its key: chown opendkim: /k"},
		"behind a door, by a table":    {signer: ours, mind: true, now: shut, then: shut, hint: "put it into a directory of root's or of opendkim where nobody else can write"},
		"open to others":               {signer: ours, mind: true, now: open, then: open, want: adopt.GiveFile},
		"open to others, not ours":     {signer: dkimsign, mind: true, now: open, then: hidden, hint: "if nothing else reads it: chown dkimsign: /k && chmod 600 /k"},
		"in an open directory":         {signer: ours, mind: true, now: shared, then: shared, hint: "put it into a directory of root's or of opendkim"},
		"open to others, not minded":   {signer: ours, now: open, then: open},
		"no user of its own":           {signer: adopt.Process{User: "root", StartUser: "root"}, mind: true, now: fine, then: hidden, want: adopt.CopyFile},
		"not minded, and not readable": {signer: dkimsign, now: fine, then: hidden, want: adopt.CopyFile},
	} {
		c.signer.KeysLoaded, c.signer.SafeKeys, c.now.Path = c.loaded, c.mind, "/k"
		got, err := adopt.HandOver(c.signer, c.now, c.then)
		hints := strings.Join(hint.Of(err), "\n")
		switch {
		case c.hint == "" && (err != nil || got != c.want):
			t.Errorf("%s: %v, %v, want %v", name, got, err, c.want)
		case c.hint != "" && !strings.HasPrefix(hints, c.hint):
			t.Errorf("%s: %v, %q, want %s", name, err, hints, c.hint)
		}
		if strings.Contains(hints, "root:opendkim") || strings.Contains(hints, "750") {
			t.Errorf("%s: %s would lock out whom OpenDKIM runs as", name, hints)
		}
	}
}
