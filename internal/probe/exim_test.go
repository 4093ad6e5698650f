package probe

import "testing"

// The panic log has lines of all messages of a probe, with times, and with whatever else the
// administrator's log_selector has written before the text. Root is told of another cause at
// once, so the same trouble has to read the same every hour.
func TestEximSays(t *testing.T) {
	const (
		lost    = "2026-12-01 02:55:00 exim user lost privilege for using -C option\n"
		tainted = "Tainted filename '/etc/exim4/dkim/lab.example.key'"
		first   = "1vPtA0-000000003Ab-1xYz"
		second  = "1vPtA0-000000003Ac-0aBc"
		old     = "1pXyZ0-0006kM-2d" // before Exim 4.97
	)
	for name, tt := range map[string]struct{ id, log, want string }{
		"nothing":               {first, "", ""},
		"what is no trouble":    {first, lost, ""},
		"a message":             {first, lost + "2026-12-01 02:55:00 " + first + " " + tainted + "\n", tainted},
		"an Exim of Debian 12":  {old, "2026-12-01 02:55:00 " + old + " " + tainted + "\n", tainted},
		"of no message":         {first, "2026-12-01 02:55:00 " + tainted + "\n", tainted},
		"log_selector = +pid":   {first, "2026-12-01 02:55:00 [4711] " + first + " " + tainted + "\n", tainted},
		"+millisec, a timezone": {first, "2026-12-01 02:55:00.123 +0100 [4712] " + first + " " + tainted + "\n", tainted},
		"of the others first":   {second, "2026-12-01 02:55:00 " + first + " another\n2026-12-01 02:55:00 " + second + " " + tainted + "\n", tainted},
		"of others alone":       {second, "2026-12-01 02:55:00 " + first + " another\n", ""},
		"a message not sent":    {"", "2026-12-01 02:55:00 " + second + " b\n2026-12-01 02:55:00 " + first + " a\n", "a"},
		"a file of the probe":   {"", "2026-12-01 02:55:00 Failed to open /var/lib/exim4/.mailsetup-probe-1/log/x\n", "Failed to open /log/x"},
	} {
		if got := eximSays(tt.log, "/var/lib/exim4/.mailsetup-probe-1", tt.id); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// The ID of a message is in the Received field that Exim writes first.
func TestEximID(t *testing.T) {
	const text = "DKIM-Signature: v=1; a=rsa-sha256\r\n\tid 9\r\nReceived: from root by mail.lab.example with local (Exim 4.98.2)\r\n\t(envelope-from <ann@lab.example>)\r\n\tid 1vPtA0-000000003Ab-1xYz\r\n\tfor 0@mailsetup.invalid;\r\n\tTue, 01 Dec 2026 02:55:00 +0000\r\nReceived: by x\r\n\tid 1vPtA0-000000003Ac-1xYz\r\n\r\nhello\r\n"
	if got := eximID([]byte(text)); got != "1vPtA0-000000003Ab-1xYz" {
		t.Errorf("%q", got)
	}
	if got := eximID([]byte("From: a@b\r\n\r\n")); got != "" {
		t.Errorf("of a message without: %q", got)
	}
}
