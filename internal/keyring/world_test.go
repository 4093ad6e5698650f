package keyring

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// world is a machine with one domain and three name servers, in steps of an
// hour. It does what Next says, one write after the other, and may be killed
// or refused between any two of them; what it began it takes back when it runs
// again, as apply does.
type world struct {
	hour   int // the true time
	skew   int // what the wall clock is wrong by, in hours
	boot   int
	step   int // hours from one tick to the next
	gone   int // keys that are history
	policy Policy

	// On disk.
	keys   []Key
	passed Elapsed
	files  map[string]bool // private keys, by selector
	table  string          // the selector that signs
	open   []write         // of a run that is not finished: what it did so far
	next   int             // number of the next selector

	dns   [3]map[string]string // by selector: "key", "revoked"
	stale [3]bool              // keeps the zone it has
	down  [3]bool              // does not answer
	// older: the second server has a zone from before the successor, until
	// somebody looks and writes that down. What is over before that nobody can know.
	older bool

	signed map[string]int // when a key signed last
	full   map[string]int // since when every server has had its record
	stolen map[string]bool
	before string // what signed an hour ago
	wrong  string // the first invariant that did not hold
}

// write is one change of the machine, with what it needs to be taken back.
type write struct {
	kind     string // file, ledger, publish, table, revoke, withdraw, remove
	selector string
	keys     []Key // ledger: what to write; undone: what was there
	was      []Key
	table    string
}

func newWorld(p Policy) *world {
	w := &world{
		policy: p, step: 1, files: map[string]bool{"k0": true}, table: "k0", before: "k0", next: 1,
		signed: map[string]int{}, full: map[string]int{"k0": 0}, stolen: map[string]bool{},
	}
	w.keys = []Key{{Selector: "k0", Bits: 2048, Stage: Active, Since: map[Stage]time.Time{Active: w.wall()}}}
	for i := range w.dns {
		w.dns[i] = map[string]string{"k0": "key"}
	}
	return w
}

func (w *world) clone() *world {
	out := *w
	out.files, out.signed, out.full, out.stolen = maps.Clone(w.files), maps.Clone(w.signed), maps.Clone(w.full), maps.Clone(w.stolen)
	out.open = slices.Clone(w.open)
	for i := range w.dns {
		out.dns[i] = maps.Clone(w.dns[i])
	}
	return &out
}

func (w *world) wall() time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(w.hour+w.skew) * time.Hour)
}

// reading is further ahead after each boot than anything can have passed.
func (w *world) reading() BootTime {
	return BootTime{Boot: fmt.Sprint("boot", w.boot), At: time.Duration(w.hour+1000*w.boot) * time.Hour}
}

// pass lets some time go by: mail is signed, zones are transferred, and every
// promise is looked at.
func (w *world) pass() {
	w.transfer()
	w.hour += w.step
	w.check()
	w.forget()
}

// transfer brings the first server's zone to the others.
func (w *world) transfer() {
	for i := 1; i < len(w.dns); i++ {
		if !w.stale[i] && !maps.Equal(w.dns[i], w.dns[0]) {
			w.dns[i] = maps.Clone(w.dns[0])
		}
	}
}

// forget drops keys that nothing depends on any more. Their selectors stay
// used: the next number is always a new one.
func (w *world) forget() {
	over := func(selector string) bool {
		return time.Duration(w.hour-w.signed[selector])*time.Hour >= w.policy.Drain
	}
	if len(w.open) > 0 || !slices.ContainsFunc(w.keys, func(k Key) bool { return k.Stage == Gone && over(k.Selector) }) {
		return
	}
	w.keys = slices.DeleteFunc(slices.Clone(w.keys), func(k Key) bool {
		if k.Stage != Gone || !over(k.Selector) {
			return false
		}
		w.gone++
		delete(w.signed, k.Selector)
		delete(w.full, k.Selector)
		return true
	})
}

// restore gives a server an older copy of the zone, from before the successor.
func (w *world) restore() {
	k, ok := Successor(w.keys)
	if _, ever := w.signed[k.Selector]; ok && !ever {
		w.dns[1] = maps.Clone(w.dns[1])
		delete(w.dns[1], k.Selector)
		w.stale[1], w.older = true, true
		w.check()
	}
}

func (w *world) fail(format string, a ...any) {
	if w.wrong == "" {
		w.wrong = fmt.Sprintf("hour %d: ", w.hour) + fmt.Sprintf(format, a...)
	}
}

// check is the list of promises (design.md, the life of a key).
func (w *world) check() {
	w.seen()
	if err := Validate(w.keys); err != nil {
		w.fail("ledger: %v", err)
	}
	if w.table == "" || !w.files[w.table] {
		w.fail("%q signs, and its private key is not there", w.table)
	}
	if w.table != w.before {
		w.switched()
	}
	w.before = w.table
	w.signed[w.table] = w.hour
	for selector, at := range w.signed {
		under := time.Duration(w.hour-at)*time.Hour < w.policy.Drain
		if !under || w.stolen[selector] && selector != w.table {
			continue
		}
		for i := range w.dns {
			if w.dns[i][selector] != "key" {
				w.fail("mail signed by %s is under way, and server %d has %q", selector, i, w.dns[i][selector])
			}
		}
	}
}

// seen keeps since when every server has had a record.
func (w *world) seen() {
	for _, k := range w.keys {
		everywhere := true
		for i := range w.dns {
			everywhere = everywhere && w.dns[i][k.Selector] == "key"
		}
		if _, known := w.full[k.Selector]; everywhere && !known {
			w.full[k.Selector] = w.hour
		} else if !everywhere {
			delete(w.full, k.Selector)
		}
	}
}

// switched looks at the moment in which another key signs. After an undo the
// old one signs again, which has been seen all the time.
func (w *world) switched() {
	since, everywhere := w.full[w.table]
	lag := time.Duration(w.hour-since) * time.Hour
	switch {
	case !everywhere:
		w.fail("%s signs, and its record is not on every server", w.table)
	case lag < w.policy.Lag && !w.stolen[w.before]:
		w.fail("%s signs %v after its record was everywhere", w.table, lag)
	}
}

// sight is what a tick sees of a key.
func (w *world) sight(selector string) Observation {
	for i := range w.dns {
		if w.down[i] {
			return Observation{Problem: fmt.Sprintf("server %d does not answer", i)}
		}
		if w.dns[i][selector] != "key" {
			return Observation{Problem: fmt.Sprintf("server %d has %q", i, w.dns[i][selector])}
		}
	}
	return Observation{Published: true, MaxCacheTTL: w.policy.Lag}
}

// fate decides what becomes of a write: nil for done.
type fate func(write) outcome

type outcome int

const (
	done    outcome = iota
	refused         // not done, and the run takes back what it did
	killed          // not done, and nobody is there any more
	last            // done, and nobody is there any more
)

// tick is one run of rotate-dkim; rotate asks for a rotation. It reports
// whether it was there to the end.
func (w *world) tick(f fate, rotate bool) bool {
	if !w.undo(f) {
		return false
	}
	for range 4 {
		ledger := Ledger{"d": w.keys}
		w.passed = w.passed.Advance(ledger, w.reading())
		s := Situation{
			Keys: w.keys, Policy: w.policy, Now: w.wall(), Rotate: rotate,
			Elapsed: w.passed.InStage("d", w.keys), Observations: map[string]Observation{},
		}
		for _, k := range w.keys {
			s.Observations[k.Selector] = w.sight(k.Selector)
		}
		moves := Next(s)
		if k, ok := Successor(w.keys); !ok || k.Stage != Published {
			w.older = false
		}
		if len(moves) == 0 {
			return true
		}
		if ok, alive := w.run(w.writes(moves), f); !ok {
			return alive
		}
		rotate = false
	}
	return true
}

// writes are the stages of one run in their order: keys and what is known of
// them, zone, tables, ledger, and last what is taken away.
func (w *world) writes(moves []Transition) []write {
	var first, zone, tables, end []write
	early, late := w.keys, w.keys
	for _, m := range moves {
		switch m.Action {
		case Generate:
			selector := fmt.Sprint("k", w.next)
			k := Key{Selector: selector, Bits: 2048}.At(Publishing, w.wall())
			first = append(first, write{kind: "file", selector: selector})
			zone = append(zone, write{kind: "publish", selector: selector})
			early, late = append(slices.Clone(early), k), append(slices.Clone(late), k)
			continue
		case ConfirmPublished, LostPublished:
			early = Apply(early, m, w.wall())
		case Activate:
			tables = append(tables, write{kind: "table", selector: m.Selector})
		case Revoke:
			zone = append(zone, write{kind: "revoke", selector: m.Selector})
		case Withdraw:
			end = append(end, write{kind: "withdraw", selector: m.Selector}, write{kind: "remove", selector: m.Selector})
		}
		late = Apply(late, m, w.wall())
	}
	first = append(first, write{kind: "ledger", keys: early})
	return slices.Concat(first, zone, tables, end, []write{{kind: "ledger", keys: late}})
}

// run does the writes. It takes them back if one is refused.
func (w *world) run(writes []write, f fate) (ok, alive bool) {
	for _, x := range writes {
		fate := f(x)
		if fate == done || fate == last {
			w.open = append(w.open, w.do(x))
			w.check()
		}
		switch fate {
		case refused:
			return false, w.undo(f)
		case killed, last:
			return false, false
		}
	}
	w.open = nil
	return true, true
}

// undo takes back what an unfinished run did. It may be killed, too.
func (w *world) undo(f fate) bool {
	for len(w.open) > 0 {
		x := w.open[len(w.open)-1]
		if f(write{kind: "undo " + x.kind}) == killed {
			return false
		}
		w.takeBack(x)
		w.open = w.open[:len(w.open)-1]
		w.check()
	}
	return true
}

func (w *world) do(x write) write {
	x.was, x.table = w.keys, w.table
	switch x.kind {
	case "file":
		if w.files[x.selector] {
			w.fail("the private key of %s is overwritten", x.selector)
		}
		w.files[x.selector] = true
		w.next++
	case "ledger":
		w.keys = x.keys
	case "publish":
		w.dns[0][x.selector] = "key"
	case "revoke":
		w.dns[0][x.selector] = "revoked"
	case "table":
		w.table = x.selector
	case "withdraw":
		delete(w.dns[0], x.selector)
	case "remove":
		delete(w.files, x.selector)
	}
	w.transfer()
	return x
}

func (w *world) takeBack(x write) {
	switch x.kind {
	case "file":
		delete(w.files, x.selector)
	case "ledger":
		w.keys = x.was
	case "publish":
		delete(w.dns[0], x.selector)
	case "revoke":
		w.dns[0][x.selector] = "key"
	case "table":
		w.table = x.table
	case "withdraw":
		w.dns[0][x.selector] = "key"
		if k := w.keys[slices.IndexFunc(w.keys, func(k Key) bool { return k.Selector == x.selector })]; k.Stage == Revoked {
			w.dns[0][x.selector] = "revoked"
		}
	case "remove":
		w.files[x.selector] = true
	}
	w.transfer()
}

// String names a state up to what cannot matter any more: two worlds of one
// name have the same future.
func (w *world) String() string {
	var b strings.Builder
	age := func(at, most int) int { return min(w.hour-at, most) }
	far := int(max(w.policy.Drain, w.policy.Lag)/time.Hour) + 1
	fmt.Fprint(&b, w.wrong, w.stale, w.older, w.down, age(int(w.passed.Read.At/time.Hour)-1000*w.boot, far), w.passed.Read.Boot == w.reading().Boot)
	number := func(selector string) int {
		var n int
		_, _ = fmt.Sscanf(selector, "k%d", &n)
		return w.next - n
	}
	fmt.Fprint(&b, " signs ", number(w.table), number(w.before))
	in := w.passed.InStage("d", w.keys)
	for _, k := range w.keys {
		signed, ever := w.signed[k.Selector]
		full, everywhere := w.full[k.Selector]
		if k.Stage == Gone && (!ever || age(signed, far) == far) {
			continue
		}
		fmt.Fprint(&b, "; ", number(k.Selector), k.Stage, k.Compromised, min(in[k.Selector], time.Duration(far)*time.Hour), w.files[k.Selector],
			ever, age(signed, far), everywhere, age(full, far))
		for i := range w.dns {
			fmt.Fprint(&b, w.dns[i][k.Selector])
		}
	}
	for _, x := range w.open {
		fmt.Fprint(&b, "| ", x.kind, number(x.selector))
		for _, k := range slices.Concat(x.keys, x.was) {
			if k.Stage != Gone {
				fmt.Fprint(&b, number(k.Selector), k.Stage)
			}
		}
	}
	return b.String()
}
