package postfix_test

import (
	"strings"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
	"mailsetup/steps/steptest"
)

// What smtp(8) changes after the milters is told with its line where it meets
// what is signed, and not told where it cannot.
func TestRewritesAfterSigning(t *testing.T) {
	checks := func(text string) state.Rewrite {
		return state.Rewrite{Parameter: "smtp_header_checks", Line: 7, Table: "regexp:/etc/postfix/out", File: "/etc/postfix/out", Text: []byte(text)}
	}
	generic := func(key, value string) state.Rewrite {
		return state.Rewrite{Parameter: "smtp_generic_maps", Line: 7, Table: "hash:/etc/postfix/generic", Rows: []state.Setting{{Name: key, Value: value}}}
	}
	for _, tt := range []struct {
		name string
		r    state.Rewrite
		want string // "" for no note
	}{
		{"subject replaced", checks("# marks\n/^Subject: (.*)/i REPLACE Subject: [x] $1\n"), "/etc/postfix/main.cf:7: smtp_header_checks = regexp:/etc/postfix/out: /etc/postfix/out:2: /^Subject: (.*)/i REPLACE Subject: [x] $1."},
		{"continued line, tabs", checks("\n/^X-A:/ IGNORE\n/^To:/\n\tREPLACE To: x\n"), "/etc/postfix/out:3: /^To:/ REPLACE To: x."},
		{"of a group", checks("/^(X-Mailer|Subject):/ IGNORE"), "/etc/postfix/out:1: "},
		{"no anchor", checks("/secret/ REPLACE X-Gone: yes"), "/etc/postfix/out:1: "},
		{"not that", checks("!/^X-/ IGNORE"), "/etc/postfix/out:1: "},
		{"a beginning", checks("/^Re.*: x/ IGNORE"), "/etc/postfix/out:1: "},
		{"a letter may be missing", checks("/^Tox?:/ STRIP"), "/etc/postfix/out:1: "},
		{"signed field prepended", checks("/^Date:/ PREPEND Reply-To: a@b.example"), "/etc/postfix/out:1: "},
		{"unsigned prepended", checks("/^Date:/ PREPEND X-Sent-By: us"), ""},
		{"unsigned ignored", checks("/^Received:/ IGNORE\n/^(X-Originating-IP|User-Agent|X-Mailer):/ IGNORE\n/^Mime-Version:/ REPLACE Mime-Version: 1.0\n/^x-/ STRIP"), ""},
		{"nothing done", checks("if /^Subject:/\n/^Subject:/ WARN\nendif"), ""},
		{"body", state.Rewrite{Parameter: "smtp_body_checks", Service: "relay/unix", Line: 30, Table: "pcre:{ {/a/ REPLACE b} }", Text: []byte("/a/ REPLACE b")}, "/etc/postfix/master.cf:30: relay/unix sets smtp_body_checks=pcre:{ {/a/ REPLACE b} }: /a/ REPLACE b."},
		{"attachments", state.Rewrite{Parameter: "smtp_mime_header_checks", Line: 7, Table: "regexp:/a", File: "/a", Text: []byte("/^Content-Disposition/ REPLACE X: y")}, "/a:1: "},
		{"unread", state.Rewrite{Parameter: "smtp_header_checks", Line: 7, Table: "ldap:/a", Problem: "a table of type ldap"}, "could not be found out (a table of type ldap)"},
		{"our host", generic("root@mail.lab.example", "root@lab.example"), "it makes root@lab.example of root@mail.lab.example."},
		{"our domain", generic("@lab.example", "@other.example"), "it makes @other.example of @lab.example."},
		{"a user of ours", generic("root", "admin@lab.example"), "it makes admin@lab.example of root."},
		{"a name of nobody's", generic("@server.lan", "admin@lab.example"), ""},
		{"itself", generic("@lab.example", "@lab.example"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := steptest.Two("mail.lab.example", "shop.example")
			in.Facts.Postfix = &state.Postfix{Value: map[string]string{"myhostname": "mail.lab.example", "myorigin": "mail.lab.example"}, Rewrites: []state.Rewrite{tt.r}}
			got := postfix.Rewrites(in)
			if tt.want == "" {
				if len(got) > 0 {
					t.Errorf("note %+v", got)
				}
				return
			}
			if len(got) != 1 || !strings.Contains(got[0].Text, tt.want) {
				t.Fatalf("notes %+v, want %q", got, tt.want)
			}
		})
	}
}
