package store_test

import (
	"strings"
	"testing"
	"time"

	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
)

// An old stamp tells that a configuration is as it was, and nothing is read. After another
// one its content decides. One of the last two seconds tells nothing, nor does an owner who
// may write nothing remember.
func TestNamedConfByStamps(t *testing.T) {
	const local state.Path = "/etc/bind/named.conf.local"
	argv := []string{"named-checkconf", "-px"}
	printed := strings.Repeat("zone \"shop.example\" { };\n", 2000)
	m := &stamped{Mem: machineWithOwnFiles(), stamps: map[state.Path]system.Stamp{}}
	conf := store.NewNamedConf(m, func(err error) { t.Error(err) })
	remember := func() {
		t.Helper()
		now, ok := conf.Look(argv, []state.Path{local})
		if !ok {
			t.Fatal("nothing tells of changes")
		}
		conf.Keep(now, printed)
	}
	recall := func(what string, want bool, reads int64) {
		t.Helper()
		m.zoneReads.Store(0)
		got, files, ok := conf.Recall(argv)
		if ok != want || ok && (got != printed || len(files) != 3 || files[2] != local) || m.zoneReads.Load() != reads {
			t.Errorf("%s: %v, %d octets of %v, %d files read; want %v, %d", what, ok, len(got), files, m.zoneReads.Load(), want, reads)
		}
	}
	recall("nothing remembered", false, 0)
	m.put(local, []byte("// one"), 1)
	remember()
	recall("the same stamp", true, 0)
	m.put(local, []byte("// one"), 2)
	recall("another stamp, the same content", true, 1)
	recall("that stamp again", true, 0)
	m.put(local, []byte("// two"), 3)
	recall("edited", false, 1)
	m.put(local, []byte("// one"), int(time.Now().Add(time.Minute).UnixNano()))
	remember()
	m.put(local, []byte("// two"), int(m.stamps[local].Changed))
	recall("edited within the same tick", false, 1)
	if _, _, ok := conf.Recall([]string{"named-checkconf", "-p"}); ok {
		t.Error("another command printed that")
	}
	if _, ok := store.NewNamedConf(m, nil).Look(argv, []state.Path{local}); ok {
		t.Error("a run that may not write remembers")
	}
	before, _ := conf.Look(argv, []state.Path{local})
	m.put(local, []byte("// three"), 4)
	m.Delete(state.NamedCache)
	conf.Keep(before, printed)
	recall("edited while the program ran", false, 0)
}
