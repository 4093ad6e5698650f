package detect

import (
	"fmt"
	"testing"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/state"
)

func TestLive(t *testing.T) {
	r := detecttest.Answers{
		"lab.example MX":              {{Type: "MX", Value: "20 b.example."}, {Type: "MX", Value: "10 Mail.lab.example."}},
		"lab.example TXT":             {{Type: "CNAME", Value: "x."}, {Type: "TXT", Value: "v=spf1 -all"}},
		"lab.example A":               {{Type: "A", Value: "192.0.2.1"}},
		"lab.example AAAA":            {{Type: "AAAA", Value: "2001:db8::1"}},
		"null.example MX":             {{Type: "MX", Value: "0 ."}},
		"silent.example A":            {{Type: "A", Value: "192.0.2.2"}},
		"1.2.0.192.in-addr.arpa. PTR": {{Type: "PTR", Value: "mail.lab.example."}},
	}
	live := Live(t.Context(), r, []string{"lab.example", "null.example", "silent.example", "nothing.example", "192.0.2.1"})
	for name, want := range map[string]string{
		"lab.example":     "true [Mail.lab.example b.example] [192.0.2.1 2001:db8::1] [v=spf1 -all] []",
		"null.example":    "true [.] [] [] []",
		"silent.example":  "false [] [192.0.2.2] [] []",
		"nothing.example": "true [] [] [] []",
		"192.0.2.1":       "true [] [] [] [mail.lab.example]",
	} {
		if got := describeLive(live[name]); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if len(live) != 5 {
		t.Errorf("%d names, want 5", len(live))
	}
}

func describeLive(l state.LiveDNS) string {
	return fmt.Sprint(l.Asked, l.MX, l.Addresses, l.TXT, l.PTR)
}
