package keyring

import "testing"

func TestResumable(t *testing.T) {
	seen := func(k Key) Key { k.Seen = day(1); return k }
	signed := func(k Key) Key { k.Since[Active] = day(1); return k }
	lost := func(k Key) Key { k.Compromised = true; return k }
	any := func(Key) bool { return true }
	for name, test := range map[string]struct {
		keys   []Key
		usable func(Key) bool
		want   string
	}{
		"none":           {nil, any, ""},
		"draining":       {[]Key{seen(aged("a", Draining, day(2)))}, any, "a"},
		"the newest":     {[]Key{seen(aged("a", Draining, day(2))), seen(aged("b", Draining, day(2)))}, any, "b"},
		"one seen first": {[]Key{seen(aged("a", Draining, day(2))), aged("b", Draining, day(2))}, any, "a"},
		"one that signed first": {
			[]Key{seen(signed(aged("a", Draining, day(2)))), signed(aged("b", Draining, day(2))), seen(aged("c", Draining, day(2)))}, any, "a",
		},
		"none seen":     {[]Key{aged("a", Draining, day(2)), aged("b", Draining, day(2))}, any, "b"},
		"compromised":   {[]Key{seen(aged("a", Draining, day(2))), lost(seen(aged("b", Draining, day(2))))}, any, "a"},
		"revoked, gone": {[]Key{seen(aged("a", Revoked, day(2))), seen(aged("b", Gone, day(2)))}, any, ""},
		"file gone": {
			[]Key{seen(aged("a", Draining, day(2))), seen(aged("b", Draining, day(2)))},
			func(k Key) bool { return k.Selector == "a" }, "a",
		},
	} {
		k, ok := Resumable(test.keys, test.usable)
		equal(t, name, k.Selector, test.want)
		equal(t, name, ok, test.want != "")
	}
}

func TestResumed(t *testing.T) {
	k := aged("a", Active, day(1)).At(Draining, day(5))
	was := []Key{aged("z", Draining, day(4)), k}
	got := Resumed(was, "a", day(6))
	equal(t, "stage", got[1].Stage, Active)
	equal(t, "as old as it was", got[1].Since[Active], day(1))
	equal(t, "other", got[0], was[0])
	equal(t, "the argument", was[1].Stage, Draining)
	equal(t, "drains anew", got[1].At(Draining, day(9)).Since[Draining], day(9))
}
