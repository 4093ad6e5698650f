package livepath

import (
	"strings"
	"testing"

	"mailsetup/internal/state"
)

// What would take a message to people or to another machine keeps it from being
// sent; what cannot be asked counts as such.
func TestObstacles(t *testing.T) {
	const to = "smtp@[127.83.77.1]"
	for _, tt := range []struct {
		name    string
		value   map[string]string
		tables  map[string]string // what postmap prints, by table
		options []state.Option
		want    string // "" for none
	}{
		{name: "none"},
		{name: "a copy", value: map[string]string{"always_bcc": "boss@lab.example"}, want: "always_bcc = boss@lab.example"},
		{name: "a fallback of one transport", options: []state.Option{{Name: "smtp_fallback_relay", Value: "$x", Expanded: "[192.0.2.1]"}}, want: "smtp_fallback_relay = [192.0.2.1]"},
		{name: "a filter elsewhere", value: map[string]string{"content_filter": "smtp:[192.0.2.7]:10024"}, want: "content_filter = smtp:[192.0.2.7]:10024"},
		{name: "a virtual map that takes all", value: map[string]string{"virtual_alias_maps": "regexp:/v"}, tables: map[string]string{"regexp:/v": to + "\tann@lab.example\n"}, want: "virtual_alias_maps would send it to ann@lab.example"},
		{name: "a virtual map of others", value: map[string]string{"virtual_alias_maps": "hash:/v"}},
		{name: "a map that fails", value: map[string]string{"virtual_alias_maps": "mysql:/v"}, tables: map[string]string{"mysql:/v": "!postmap: fatal: unsupported dictionary type: mysql"}, want: "virtual_alias_maps could not be asked (postmap: unsupported dictionary type: mysql)"},
		{name: "a parameter set twice", value: map[string]string{"virtual_alias_maps": "hash:/v"}, tables: map[string]string{"hash:/v": "!postmap: warning: /etc/postfix/main.cf, line 78: overriding earlier entry: alias_maps=hash:/etc/aliases\n"}},
		{name: "a copy for the recipient", value: map[string]string{"recipient_bcc_maps": "pcre:/b"}, tables: map[string]string{"pcre:/b": to + "\tann@lab.example\n"}, want: "recipient_bcc_maps would send it"},
		{name: "redirected", value: map[string]string{"header_checks": "regexp:/h"}, tables: map[string]string{"regexp:/h": "Subject: x\tREDIRECT boss@lab.example\n"}, want: "header_checks would not let it go its way (REDIRECT boss@lab.example)"},
		{name: "redirected by a folded field", value: map[string]string{"header_checks": "regexp:/h"}, tables: map[string]string{"regexp:/h": "Received: by x\n\tid 5\tBCC boss@lab.example\n"}, want: "(BCC boss@lab.example)"},
		{name: "a filter elsewhere by header", value: map[string]string{"header_checks": "regexp:/h"}, tables: map[string]string{"regexp:/h": "Subject: x\tFILTER smtp:[192.0.2.7]:25\n"}, want: "(FILTER smtp:[192.0.2.7]:25)"},
		{name: "a filter here by header", value: map[string]string{"header_checks": "regexp:/h"}, tables: map[string]string{"regexp:/h": "Subject: x\tFILTER smtp:[127.0.0.1]:10024\nDate: y\tIGNORE\n"}},
		{name: "a body check", value: map[string]string{"body_checks": "regexp:/h"}, tables: map[string]string{"regexp:/h": "This\tDISCARD\n"}, want: "body_checks would not let it go its way (DISCARD)"},
		{name: "senders made others of ours", value: map[string]string{"sender_canonical_maps": "hash:/c"}, tables: map[string]string{"hash:/c": "root@mail.lab.example\troot@lab.example\n"}},
		{name: "senders made others", value: map[string]string{"sender_canonical_maps": "static:x"}, tables: map[string]string{"static:x": "root@mail.lab.example\tx@other.example\n"}, want: "Postfix makes x@other.example of the sender root@mail.lab.example"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &postfix{answer: func(argv []string, _ string) (string, int, string) {
				if argv[0] != "postmap" || argv[2] != "-" {
					t.Fatalf("ran %q", argv)
				}
				out := tt.tables[argv[3]]
				if failure, failed := strings.CutPrefix(out, "!"); failed {
					return "", 1, failure
				}
				if out == "" {
					return "", 1, ""
				}
				return out, 0, ""
			}}
			value := tt.value
			if value == nil {
				value = map[string]string{}
			}
			p := &probe{
				m: m, nonce: testNonce, sender: "mailsetup-" + testNonce + "@[127.83.77.1]", transports: []string{"smtp"},
				postfix: &state.Postfix{Value: value, Services: []state.Service{{Name: "smtp/unix", Command: "smtp", Options: tt.options}}},
			}
			signers := []state.Signer{{From: "root@mail.lab.example", Domain: "lab.example", Selector: "s1"}}
			got := p.tables(t.Context(), signers)
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
