package keyring

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"mailsetup/keygen"
)

// slotStep is the time from one tick to the next, in hours.
const slotStep = 3

// slotWorld is a machine with one domain in slots, in steps of some hours: two name servers of
// the slot zone, which is ours, and three of a provider, who has the CNAMEs and does with
// them what providers do. Resolvers anywhere may have any answer that some server gave, for
// as long as its TTL.
type slotWorld struct {
	hour, skew, boot int // as in world
	policy           Policy
	slots            Slots

	// On disk.
	keys   []Key
	passed Elapsed
	files  map[string]bool // private keys, by path
	table  Key             // that signs
	undo   []func()        // of a run that is not finished
	made   int

	own      [2]map[string]string // p= by selector
	stale    bool                 // the second of them keeps what it has
	down     bool                 // it does not answer
	provider [3]map[string]alias  // by selector
	ttl      int                  // of the CNAMEs and of flattened answers, hours
	unseen   map[string]bool      // selectors with old data that no tick has seen yet

	cached map[string]map[string]int // by selector and answer: until when somebody may have it
	served map[string]map[string]int // by selector and answer: when a server gave it last
	signed map[string]int            // by public key: when it signed last
	began  map[string]int            // by public key: when it signed first
	taken  map[string]bool           // selectors whose CNAME is gone while a key there is in use
	stolen map[string]bool           // public keys
	hasty  map[string]bool           // public keys of those that replaced them, which wait as DNS says now
	was    string                    // the public key that signed before
	wrong  string
}

// alias is what a server of the provider does with a CNAME.
type alias struct {
	how   string // "" for none, "cname", "flat" for a copy of the text behind it
	copy  string // the p= that it answers with if flat
	fresh int    // when the copy was made
	old   bool   // it is not made anew
}

// none is the answer that there is nothing, empty that of an empty p=.
const none, empty = "none", ""

// The TTL of key records and that of negative answers, in hours.
const keyTTL, negativeHours = 1, 3

func newSlotWorld(p Policy, n int) *slotWorld {
	w := &slotWorld{
		policy: p, slots: Slots{Zone: "dkim.ours.example"}, files: map[string]bool{}, ttl: 1,
		unseen: map[string]bool{}, cached: map[string]map[string]int{}, served: map[string]map[string]int{},
		signed: map[string]int{}, began: map[string]int{}, taken: map[string]bool{}, stolen: map[string]bool{}, hasty: map[string]bool{},
	}
	for i := range w.provider {
		w.provider[i] = map[string]alias{}
	}
	for n := range n {
		selector := fmt.Sprint("mx", n+1)
		w.slots.Selectors = append(w.slots.Selectors, selector)
		w.cached[selector], w.served[selector] = map[string]int{}, map[string]int{}
		for i := range w.provider {
			w.provider[i][selector] = alias{how: "cname"}
		}
	}
	first := w.newKey().At(Active, w.wall())
	w.files[first.File], w.keys, w.table = true, []Key{first}, first
	w.publish(w.keys)
	w.own[1], w.was, w.began[first.Public] = maps.Clone(w.own[0]), first.Public, 0
	return w
}

// newKey is one for the slot that is free.
func (w *slotWorld) newKey() Key {
	w.made++
	k := Key{Selector: w.slots.Free(w.keys, w.wall()), SlotZone: w.slots.Zone, Bits: 2048, Public: fmt.Sprintf("k%03d", w.made), Fingerprint: fmt.Sprint("SHA256:", w.made)}
	k.File = fmt.Sprintf("/keys/%s-%d", k.Selector, FileNumber(w.keys, k.Selector))
	return k
}

func (w *slotWorld) fail(format string, a ...any) {
	if w.wrong == "" {
		w.wrong = fmt.Sprintf("hour %d: ", w.hour) + fmt.Sprintf(format, a...)
	}
}

func (w *slotWorld) wall() time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(w.hour+w.skew) * time.Hour)
}

// publish writes the slot zone on its primary.
func (w *slotWorld) publish(keys []Key) {
	w.own[0] = map[string]string{}
	for _, r := range w.slots.Records("d.example", keys, keyTTL*3600) {
		text, err := keygen.ParseRecord(r.Value)
		if err != nil {
			w.fail("%v", err)
		}
		selector, rest, _ := strings.Cut(r.Name, ".")
		if _, twice := w.own[0][selector]; twice || rest != "_domainkey.d.example.dkim.ours.example." {
			w.fail("record %q", r.Name)
		}
		w.own[0][selector] = text.Public
	}
	w.transfer()
}

func (w *slotWorld) transfer() {
	if !w.stale {
		w.own[1] = maps.Clone(w.own[0])
	}
}

// pass lets a step go by.
func (w *slotWorld) pass(r *rand.Rand) {
	w.transfer()
	for i := range w.provider {
		for selector, a := range w.provider[i] {
			if a.how == "flat" && !a.old && (a.fresh == 0 || w.hour-a.fresh > r.IntN(30)) {
				a.copy, a.fresh = w.own[r.IntN(2)][selector], w.hour
				w.provider[i][selector] = a
			}
		}
	}
	w.hour += slotStep
	w.check()
}

// remember keeps what servers answer up to now.
func (w *slotWorld) remember() {
	give := func(selector, answer string, ttl int, old bool) {
		w.cached[selector][answer] = max(w.cached[selector][answer], w.hour+ttl)
		// What comes back once another key is on its way, that key waits out as it does
		// the empty p= (TTLs and lag).
		if old {
			i := Index(w.keys, selector)
			old = i < 0 || w.keys[i].Stage != Revoked
		}
		if !w.unseen[selector] && !old {
			w.served[selector][answer] = w.hour
		}
	}
	for _, selector := range w.slots.Selectors {
		for i := range w.provider {
			switch a := w.provider[i][selector]; a.how {
			case "cname":
				for j := range w.own {
					if j == 0 || !w.down {
						give(selector, w.own[j][selector], keyTTL, false)
					}
				}
			case "flat":
				give(selector, a.copy, w.ttl, a.old)
			default:
				if !w.taken[selector] {
					give(selector, none, negativeHours, false)
				}
			}
		}
	}
}

// check is the list of promises.
func (w *slotWorld) check() {
	w.remember()
	if err := Validate(w.keys); err != nil {
		w.fail("ledger: %v", err)
	}
	if len(w.undo) > 0 { // as it is written
		if keys, err := ParseDomain(MarshalDomain(w.keys)); err != nil || !EqualOnDisk(keys, w.keys) {
			w.fail("the ledger does not come back: %v", err)
		}
	}
	if !w.files[w.table.File] {
		w.fail("%s signs, and its private key is not there", w.table.Public)
	}
	if w.table.Public != w.was {
		w.switched()
	}
	w.was, w.signed[w.table.Public] = w.table.Public, w.hour
	for _, k := range w.keys {
		at, ever := w.signed[k.Public]
		if !ever || time.Duration(w.hour-at)*time.Hour >= w.policy.Drain || w.stolen[k.Public] && k.Public != w.table.Public {
			continue
		}
		if w.hasty[k.Public] && w.hour-w.began[k.Public] < 24 {
			continue
		}
		for answer, until := range w.cached[k.Selector] {
			if answer != k.Public && until > w.hour {
				w.fail("mail signed by %s is under way, and a resolver may have %q for %s until %d", k.Public, answer, k.Selector, until)
			}
		}
	}
}

// switched looks at the moment in which another key begins to sign.
func (w *slotWorld) switched() {
	if _, again := w.began[w.table.Public]; again { // after an undo
		return
	}
	w.began[w.table.Public], w.hasty[w.table.Public] = w.hour, w.stolen[w.was]
	for answer, at := range w.served[w.table.Selector] {
		_, signed := w.began[answer] // and was not made for a run that was undone
		if age := time.Duration(w.hour-at) * time.Hour; answer != w.table.Public && signed && age < 7*oneDay {
			w.fail("%s signs in %s, and a resolver that cannot reach the servers may have %s, which was there %v ago", w.table.Public, w.table.Selector, answer, age)
		}
	}
}

// inUse reports whether mail of a key in the slot is under way.
func (w *slotWorld) inUse(selector string) bool {
	return slices.ContainsFunc(w.keys, func(k Key) bool {
		at, ever := w.signed[k.Public]
		return k.Selector == selector && ever && time.Duration(w.hour-at)*time.Hour < w.policy.Drain
	})
}

// sight is what a tick sees of a key: p= on all servers of both zones.
func (w *slotWorld) sight(k Key) Observation {
	want := k.Public
	if k.Stage == Revoked {
		want = empty
	}
	delete(w.unseen, k.Selector)
	cache := max(keyTTL, negativeHours, w.ttl)
	if w.down {
		return Observation{Problem: "a server does not answer"}
	}
	for j := range w.own {
		if w.own[j][k.Selector] != want {
			return Observation{Problem: fmt.Sprintf("server %d has %q", j, w.own[j][k.Selector])}
		}
	}
	for i := range w.provider {
		switch a := w.provider[i][k.Selector]; {
		case a.how == "", a.how == "flat" && a.copy != want:
			return Observation{Problem: fmt.Sprintf("server %d of the provider has %+v", i, a)}
		case a.how == "flat":
			cache = max(cache, 24) // as dnscheck does
		}
	}
	return Observation{Published: true, MaxCacheTTL: time.Duration(cache) * time.Hour}
}

// tick is a run of rotate-dkim, which may end after any write.
func (w *slotWorld) tick(f func() outcome, rotate bool) {
	w.takeBack()
	for range 4 {
		ledger := Ledger{"d.example": w.keys}
		w.passed = w.passed.Advance(ledger, BootTime{Boot: fmt.Sprint(w.boot), At: time.Duration(w.hour+1) * time.Hour})
		s := Situation{
			Keys: w.keys, Policy: w.policy, Now: w.wall(), Rotate: rotate, Slots: w.slots,
			Elapsed: w.passed.InStage("d.example", w.keys), Observations: map[string]Observation{},
		}
		for _, k := range w.keys {
			if k.Observed(w.keys) {
				s.Observations[k.Selector] = w.sight(k)
			}
		}
		moves := Next(s)
		if len(moves) == 0 || !w.run(moves, f) {
			return
		}
		rotate = false
	}
}

// run does what a run does, in its order, and reports whether it came to its end.
func (w *slotWorld) run(moves []Transition, f func() outcome) bool {
	var fresh *Key
	gone := map[string]bool{}
	early, late, table := w.keys, w.keys, w.table
	for _, m := range moves {
		switch m.Action {
		case Generate:
			k := w.newKey().At(Publishing, w.wall())
			fresh = &k
			early, late = append(slices.Clone(early), k), append(slices.Clone(late), k)
			continue
		case Activate:
			table = w.keys[Index(w.keys, m.Selector)]
		case Withdraw:
			gone[w.keys[Index(w.keys, m.Selector)].File] = true
		case ConfirmPublished, LostPublished:
			early = Apply(early, m, w.wall())
		}
		late = Apply(late, m, w.wall())
	}
	writes := []func() (undo func()){
		func() func() {
			if fresh == nil {
				return func() {}
			}
			if w.files[fresh.File] {
				w.fail("%s is overwritten", fresh.File)
			}
			w.files[fresh.File] = true
			return func() { delete(w.files, fresh.File) }
		},
		func() func() { was := w.keys; w.keys = early; return func() { w.keys = was } },
		func() func() { was := w.keys; w.publish(late); return func() { w.publish(was) } },
		func() func() { was := w.table; w.table = table; return func() { w.table = was } },
		func() func() {
			for file := range gone {
				delete(w.files, file)
			}
			return func() { maps.Copy(w.files, gone) }
		},
		func() func() { was := w.keys; w.keys = late; return func() { w.keys = was } },
	}
	for _, write := range writes {
		end := f()
		if end == done || end == last {
			w.undo = append(w.undo, write())
			w.check()
		}
		switch end {
		case refused:
			w.takeBack()
			return false
		case killed, last:
			return false
		}
	}
	w.undo = nil
	return true
}

func (w *slotWorld) takeBack() {
	for _, undo := range slices.Backward(w.undo) {
		undo()
		w.check()
	}
	w.undo = nil
}
