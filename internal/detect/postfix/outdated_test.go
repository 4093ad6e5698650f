package postfix

import (
	"strings"
	"testing"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/state"
)

// A table of Debian 13 of whose text postmap(1) of Debian 14 made one of its own type is
// noticed; one that was only edited is not. Where every table has the type that postmap(1)
// makes, nothing is asked.
func TestOutdated(t *testing.T) {
	m := detecttest.New()
	m.Says("stat -L -c %.9Y %n --", `1796000000.000000000 /etc/postfix/edited
1795000000.000000000 /etc/postfix/edited.db
1796000000.000000000 /etc/postfix/virtual
1795000000.000000000 /etc/postfix/virtual.db
1796000001.000000000 /etc/postfix/virtual.cdb
`)
	p := &state.Postfix{
		Raw:   map[string]string{"virtual_alias_maps": "hash:/etc/postfix/virtual, hash:/etc/postfix/edited"},
		Value: map[string]string{"default_database_type": "cdb"},
	}
	if is := strings.Join(outdated(t.Context(), m, p), " "); is != "hash:/etc/postfix/virtual" {
		t.Errorf("outdated: %q", is)
	}
	p.Value["default_database_type"] = "hash"
	if is := outdated(t.Context(), m, p); is != nil {
		t.Errorf("with tables of the default type: %q", is)
	}
}
