package tablefile_test

import (
	"strings"
	"testing"
	"time"

	"mailsetup/internal/state"
	"mailsetup/internal/tablefile"
)

// Tables stand in parameters of all kinds, in services, and in the default of alias_maps.
func TestNamed(t *testing.T) {
	p := &state.Postfix{
		Raw: map[string]string{
			"virtual_alias_maps":           "proxy:hash:$config_directory/virtual, texthash:/etc/postfix/plain",
			"smtpd_recipient_restrictions": "check_client_access cdb:/etc/postfix/access,permit",
			"transport_maps":               "pipemap:{lmdb:/etc/postfix/one,btree:/etc/postfix/two}, inline:{a=b}",
			"alias_database":               "hash:/etc/mail/others",
			"mynetworks":                   "127.0.0.0/8",
		},
		Value:    map[string]string{"config_directory": "/etc/postfix", "alias_maps": "cdb:/etc/aliases"},
		Services: []state.Service{{Name: "smtps/inet", Command: "smtpd", Options: []state.Option{{Name: "smtpd_sender_login_maps", Value: "hash:/etc/postfix/logins"}}}},
	}
	var got []string
	for _, table := range tablefile.Named(p) {
		got = append(got, strings.Join(table.Argv(), " ")+" > "+table.File())
	}
	const want = `postalias cdb:/etc/aliases > /etc/aliases.cdb
postmap cdb:/etc/postfix/access > /etc/postfix/access.cdb
postmap hash:/etc/postfix/logins > /etc/postfix/logins.db
postmap lmdb:/etc/postfix/one > /etc/postfix/one.lmdb
postmap btree:/etc/postfix/two > /etc/postfix/two.db
postmap hash:/etc/postfix/virtual > /etc/postfix/virtual.db`
	if is := strings.Join(got, "\n"); is != want {
		t.Errorf("found\n%s\nwant\n%s", is, want)
	}
	if all := tablefile.Named(nil); all != nil {
		t.Errorf("without a Postfix: %v", all)
	}
}

func TestMade(t *testing.T) {
	now := time.Date(2026, 12, 1, 3, 0, 0, 0, time.UTC)
	table := tablefile.Table{Type: "hash", Text: "/v"}
	for name, tt := range map[string]struct {
		ago  map[string]time.Duration
		want tablefile.Made
	}{
		"made of the text":          {map[string]time.Duration{"/v": time.Hour, "/v.db": time.Minute}, tablefile.Made{}},
		"at the same time, rounded": {map[string]time.Duration{"/v": time.Minute, "/v.db": time.Minute + 50*time.Millisecond}, tablefile.Made{}},
		"no text":                   {map[string]time.Duration{"/v.cdb": time.Hour}, tablefile.Made{}},
		"edited":                    {map[string]time.Duration{"/v": time.Minute, "/v.db": time.Hour}, tablefile.Made{Older: true}},
		"missing":                   {map[string]time.Duration{"/v": time.Minute}, tablefile.Made{Missing: true}},
		"of another type alone":     {map[string]time.Duration{"/v": time.Hour, "/v.cdb": time.Minute}, tablefile.Made{Missing: true, Other: "/v.cdb"}},
		"another type since":        {map[string]time.Duration{"/v": time.Hour, "/v.db": 2 * time.Hour, "/v.cdb": time.Minute}, tablefile.Made{Older: true, Other: "/v.cdb"}},
		"another type, before":      {map[string]time.Duration{"/v": time.Hour, "/v.db": 2 * time.Hour, "/v.cdb": 3 * time.Hour}, tablefile.Made{Older: true}},
		"both of the text as it is": {map[string]time.Duration{"/v": time.Hour, "/v.db": time.Minute, "/v.cdb": time.Second}, tablefile.Made{}},
	} {
		at := map[string]time.Time{}
		for file, ago := range tt.ago {
			at[file] = now.Add(-ago)
		}
		if is := table.Made(at); is != tt.want {
			t.Errorf("%s: %+v, want %+v", name, is, tt.want)
		}
	}
}
