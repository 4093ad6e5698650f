package detect

import "testing"

func TestListening(t *testing.T) {
	const all = `LISTEN 0      100          0.0.0.0:25        0.0.0.0:*
LISTEN 0      10         192.0.2.10:53        0.0.0.0:*
LISTEN 0      10          127.0.0.1:53        0.0.0.0:*
LISTEN 0      10          127.0.0.1:953       0.0.0.0:*
`
	tests := []struct{ name, out, port, want string }{
		{"everywhere", all, "25", "127.0.0.1:25"},
		{"loopback among others", all, "53", "127.0.0.1:53"},
		{"one address", "LISTEN 0 10 192.0.2.10:53 0.0.0.0:*\n", "53", "192.0.2.10:53"},
		{"IPv6 only, with its interface", "LISTEN 0 10 [2001:db8::10]%eth0:53 [::]:*\n", "53", "[2001:db8::10]:53"},
		{"all of IPv6", "LISTEN 0 100 [::]:25 [::]:*\n", "25", "[::1]:25"},
		{"both stacks", "LISTEN 0 100 *:25 *:*\n", "25", "127.0.0.1:25"},
		{
			"a resolver has loopback", `LISTEN 0 256 127.0.0.1:53 0.0.0.0:* users:(("unbound",pid=3064,fd=4))
LISTEN 0 10 192.0.2.10:53 0.0.0.0:* users:(("named",pid=2880,fd=21))
LISTEN 0 10 127.0.0.1:953 0.0.0.0:* users:(("named",pid=2880,fd=22))
`, "53", "192.0.2.10:53",
		},
		{"somebody else's", `LISTEN 0 256 192.0.2.10:53 0.0.0.0:* users:(("nsd",pid=3064,fd=4))`, "53", "192.0.2.10:53"},
		{"nothing", all, "587", ""},
		{"not what ss prints", "State Recv-Q\n\nx\n", "25", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := listening(tt.out, tt.port, "named"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
