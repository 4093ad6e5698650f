package tables_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/tables"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// files answers stat(1): when each was written.
type files map[string]time.Time

func (f files) Run(_ context.Context, c system.Command) (system.Result, error) {
	var out strings.Builder
	for _, file := range c.Argv[5:] {
		if at, ok := f[file]; ok {
			fmt.Fprintf(&out, "%d.%09d %s\n", at.Unix(), at.Nanosecond(), file)
		}
	}
	return system.Result{Stdout: []byte(out.String())}, nil
}

// A text that nobody compiled is told with the command that makes the table Postfix looks
// into: without a type, postmap(1) of Debian 14 makes one of cdb.
func TestStaleTables(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name, parameter, table string
		times                  map[string]time.Duration // ago
		seen, command          string
	}{
		{"compiled", "virtual_alias_maps", "hash:/etc/postfix/virtual", map[string]time.Duration{"/etc/postfix/virtual": time.Hour, "/etc/postfix/virtual.db": time.Minute}, "", ""},
		{
			"edited", "virtual_alias_maps", "hash:/etc/postfix/virtual",
			map[string]time.Duration{"/etc/postfix/virtual": time.Minute, "/etc/postfix/virtual.db": time.Hour},
			"changed after /etc/postfix/virtual.db was made of it: Postfix does not know the change", "postmap hash:/etc/postfix/virtual",
		},
		{
			"compiled for another type", "virtual_alias_maps", "proxy:hash:/etc/postfix/virtual",
			map[string]time.Duration{"/etc/postfix/virtual": time.Minute, "/etc/postfix/virtual.db": time.Hour, "/etc/postfix/virtual.cdb": time.Second},
			"changed after /etc/postfix/virtual.db was made of it: Postfix does not know the change; /etc/postfix/virtual.cdb, made since, is of a type that it does not look for there", "postmap hash:/etc/postfix/virtual",
		},
		{
			"left over by an upgrade", "alias_maps", "cdb:/etc/aliases",
			map[string]time.Duration{"/etc/aliases": time.Hour, "/etc/aliases.db": time.Minute},
			"/etc/aliases.cdb is missing: Postfix cannot look anything up, and mail waits; /etc/aliases.db is of a type that it does not look for there", "postalias cdb:/etc/aliases",
		},
		{
			"aliases", "alias_maps", "lmdb:/etc/mail/names",
			map[string]time.Duration{"/etc/mail/names": time.Minute, "/etc/mail/names.lmdb": time.Hour},
			"changed after /etc/mail/names.lmdb was made of it: Postfix does not know the change", "postalias lmdb:/etc/mail/names",
		},
		{"a text that is compiled nowhere", "virtual_alias_maps", "texthash:/etc/postfix/virtual", map[string]time.Duration{"/etc/postfix/virtual": time.Minute, "/etc/postfix/virtual.db": time.Hour}, "", ""},
	} {
		p := &state.Postfix{Raw: map[string]string{}, Value: map[string]string{tt.parameter: tt.table}}
		m := files{}
		for file, ago := range tt.times {
			m[file] = now.Add(-ago)
		}
		seen, command := "", ""
		for _, f := range tables.Check(t.Context(), m, p) {
			seen, command = f.Seen, f.Remedy.String()
			if f.ID != "live.stale" || f.Severity == finding.OK {
				t.Errorf("%s: %s %s", tt.name, f.Severity, f.ID)
			}
		}
		if seen != tt.seen || command != tt.command {
			t.Errorf("%s: %q, %q\nwant %q, %q", tt.name, seen, command, tt.seen, tt.command)
		}
	}
}

// Tables of Berkeley DB are named from the Postfix on that warns of them.
func TestOldTables(t *testing.T) {
	for _, tt := range []struct {
		version, virtual, access, aliases, want string
	}{
		{"3.10.13", "hash:/etc/postfix/virtual", "", "hash:/etc/aliases", ""},
		{"3.11.7", "", "", "cdb:/etc/aliases", "none is of Berkeley DB"},
		{"3.11.7", "proxy:hash:/etc/postfix/virtual, texthash:/etc/postfix/more", "check_client_access btree:/etc/postfix/access,permit", "hash:/etc/aliases", "btree:/etc/postfix/access, hash:/etc/aliases, hash:/etc/postfix/virtual"},
		{"4.0", "hash:/etc/postfix/virtual", "", "", "hash:/etc/postfix/virtual"},
		{"3.11.7", "$default_database_type:$config_directory/virtual", "", "", "hash:/etc/postfix/virtual"},
	} {
		m, p := files{}, &state.Postfix{
			Version: tt.version, Raw: map[string]string{"virtual_alias_maps": tt.virtual}, Value: map[string]string{"alias_maps": tt.aliases, "config_directory": "/etc/postfix", "default_database_type": "hash"},
			Services: []state.Service{{Name: "smtp/inet", Command: "smtpd", Options: []state.Option{{Name: "smtpd_client_restrictions", Value: tt.access}}}},
		}
		got := ""
		for _, f := range tables.Check(t.Context(), m, p) {
			if f.ID == "live.tables" {
				got = f.Seen
			}
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.version, got, tt.want)
		}
	}
}
