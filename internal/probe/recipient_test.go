package probe

import "testing"

// The lines are those of Postfix 3.10 on Debian 13.
func TestWhatADeliveryAgentSays(t *testing.T) {
	const (
		toAnn  = `A7553B2: to=<ann@mail.lab.example>, orig_to=<root>, relay=local, delay=0.01, delays=0/0/0/0, dsn=2.0.0, status=deliverable (delivers to mailbox)`
		toFar  = `F2A2DBC: to=<x@remote.example>, orig_to=<root>, relay=local, delay=0, delays=0/0/0/0, dsn=2.0.0, status=deliverable (forwards to x@remote.example)`
		toNone = `816EABF: to=<wile@lab.example>, orig_to=<root>, relay=local, delay=0, delays=0/0/0/0, dsn=5.1.1, status=undeliverable (unknown user: "wile")`
		waits  = `916EABF: to=<ann@mail.lab.example>, orig_to=<root>, relay=none, delay=0, delays=0/0/0/0, dsn=4.3.0, status=undeliverable (connect to dovecot-lmtp: No such file or directory)`
		other  = `B54A4B3: to=<bcc@remote.example>, relay=mx.remote.example[192.0.2.25]:25, delay=0.06, delays=0.03/0.02/0/0.02, dsn=5.0.0, status=undeliverable (no)`
	)
	for name, c := range map[string]struct {
		lines []string
		why   string
		told  bool
	}{
		"nothing":                      {nil, "", false},
		"of somebody else":             {[]string{other}, "", false},
		"a mailbox":                    {[]string{other, toAnn}, "", true},
		"another host":                 {[]string{toFar}, "", true},
		"nobody":                       {[]string{other, toNone}, `unknown user: "wile"`, true},
		"one of two":                   {[]string{toNone, toAnn}, "", true},
		"a program that is down waits": {[]string{waits}, "", true},
	} {
		if why, told := verdict(c.lines, "root"); why != c.why || told != c.told {
			t.Errorf("%s: %q %v, want %q %v", name, why, told, c.why, c.told)
		}
	}
}
