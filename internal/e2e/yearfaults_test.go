//go:build e2e

package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/keyring"
)

// yearFault is something that befalls the servers for some hours.
type yearFault struct {
	name       string
	hours      int
	begin, end func()
	off        bool          // the server is off: nothing ticks
	kills      bool          // its ticks are killed, each at a moment of its own
	wrong      time.Duration // by how much the wall clock is set wrong
	beside     string        // a script that runs while a tick does

	slot   int // the hour that it does not begin before
	lead   int // hours from its beginning to a step of keys, at most
	from   int
	active bool
	over   bool
}

// kinds are the faults of a year. The moments of some are random.
func (y *yearOf) kinds() []*yearFault {
	sh := func(i int, script string) func() { return func() { y.others[i].Sh(y.t, script) } }
	here := func(script string) func() { return func() { y.b.Sh(y.t, script) } }
	setup, full, undo := small("/var/lib/mailsetup")
	fragment := "/etc/bind/mailsetup/" + y.some(3) + ".zone"
	edited, broken := yearZone(y.some(4)), yearZone(y.some(5))
	return []*yearFault{
		{name: "a secondary is dead", hours: 7, begin: sh(0, "systemctl stop named"), end: sh(0, "systemctl start named")},
		{
			name: "a secondary serves old data", hours: 40,
			begin: sh(1, "ip rule add to 192.0.2.10 ipproto tcp dport 53 prohibit"), end: sh(1, "ip rule del to 192.0.2.10 ipproto tcp dport 53 prohibit"),
		},
		{name: "named is restarted", hours: 2, beside: "sleep 0.$(shuf -i 0-9 -n 1); systemctl reset-failed named; systemctl restart named"},
		{name: "the signer is dead", hours: 6, begin: here("systemctl stop opendkim"), end: here("systemctl start opendkim")},
		{name: "the disk is full", hours: 5, begin: here(setup + "\n" + full), end: here(undo)},
		{name: "a zone is edited by hand", hours: 1, begin: func() { y.edit(edited, "added IN A 192.0.2.81\n") }},
		{
			name: "a zone is broken by hand", hours: 12,
			begin: here("echo '@ IN MX' >>" + broken), end: here("sed -i '/^@ IN MX$/d' " + broken),
		},
		{name: "ticks are killed", hours: 12, kills: true},
		{name: "the clock is behind", hours: 5, wrong: -30 * day},
		{
			name: "our file is edited by hand", hours: 30, begin: here("cp -p " + fragment + " /root/fragment; echo '; a note' >>" + fragment),
			end: here("cp -p /root/fragment " + fragment),
		},
		{name: "the server is off", hours: 36, off: true, begin: func() {
			y.servers.close() // or the old network would stay, with its cables
			y.b.Reboot(y.t)
			y.servers.dial(y.t)
			becomes(y.t, y.b, "systemctl -q is-active opendkim && dig +short +time=1 +tries=1 @127.0.0.1 NS "+control+" | grep -q ns3")
		}},
		{
			name: "a secondary is silent", hours: 2,
			begin: sh(0, "ip rule add blackhole to 192.0.2.10"), end: sh(0, "ip rule del blackhole to 192.0.2.10"),
		},
		{name: "the clock is ahead", hours: 2, wrong: 400 * day},
	}
}

// some is a domain of a cohort.
func (y *yearOf) some(cohort int) string {
	all := y.cohorts[cohort].domains
	return all[y.random.IntN(len(all))]
}

// apart is how many hours faults are apart, at least.
const apart = 100

// plan sets when faults may begin, one after the other, and when the control does. Each
// begins shortly before a step of keys.
func (y *yearOf) plan(days int) {
	ahead := 0
	for slot := 20; slot < 24*days-100; slot += apart {
		kinds := y.kinds()
		f := kinds[len(y.faults)%len(kinds)]
		if f.wrong > 0 { // all keys are old enough then, by the wall clock
			if ahead++; ahead > 1 {
				f = kinds[0]
			}
		}
		f.slot, f.lead = slot, 1+y.random.IntN(3)
		y.faults = append(y.faults, f)
	}
	y.faults = append(y.faults, &yearFault{name: "control", slot: min(30*24, 12*days), hours: 1, begin: y.takeOut})
}

// begins reports whether the time of a fault has come. There is one at a time, beside the
// control.
func (y *yearOf) begins(f *yearFault) bool {
	if f.active || f.over || y.hour < f.slot || f.lead == 0 {
		return f.lead == 0 && f.slot == y.hour
	}
	return !y.troubled(20) && y.untilStep() <= time.Duration(f.lead)*time.Hour
}

// untilStep is the time until the next key of a cohort is old enough, or drained.
func (y *yearOf) untilStep() time.Duration {
	now, least := y.start.Add(time.Duration(y.hour)*time.Hour), 1000*day
	for _, c := range y.cohorts {
		for _, k := range y.ledger.keys[c.domains[0]] {
			wait := map[keyring.Stage]time.Duration{keyring.Active: c.every, keyring.Draining: c.drain}[k.Stage]
			if left := k.Since[k.Stage].Add(wait).Sub(now); wait > 0 && left > 0 {
				least = min(least, left)
			}
		}
	}
	return least
}

// takeOut takes the records of the control out of its zone by hand, and sees them go.
func (y *yearOf) takeOut() {
	y.edit(yearZone(control), "")
	y.pending[control], y.seen[control] = y.hour+3, y.looked
	for range 600 {
		y.ask([]string{control})
		if a, _ := y.keys[control][y.signer[control]].Says(0); a.Text == "" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	y.t.Error("BIND goes on with records that were taken out of the zone")
}

var ourInclude = regexp.MustCompile(`(?m)^\$INCLUDE .*\n`)

// edit adds lines to a zone by hand, or takes our line out of it, and has BIND read it.
func (y *yearOf) edit(file, lines string) {
	text := y.b.Read(y.t, file)
	if lines == "" {
		text = ourInclude.ReplaceAllString(text, "")
	}
	m := regexp.MustCompile(`hostmaster (\d+) `).FindStringSubmatch(text)
	n, err := strconv.Atoi(m[1])
	if err != nil {
		y.t.Fatal(err)
	}
	text = strings.Replace(text, "hostmaster "+m[1], fmt.Sprintf("hostmaster %d", n+7), 1)
	y.b.Write(y.t, file, text+lines, 0o644)
	y.b.Run(y.t, "rndc", "reload", strings.TrimPrefix(file, "/etc/bind/year/db."))
}

// befall begins the faults whose hour has come, and ends those whose time is over.
func (y *yearOf) befall() {
	y.wrong = 0
	for _, f := range y.faults {
		switch {
		case y.begins(f):
			fmt.Printf("year: hour %d: %s\n", y.hour, f.name)
			if f.active, f.from = true, y.hour; f.begin != nil {
				f.begin()
			}
		case f.active && f.from+f.hours <= y.hour:
			if f.active, f.over = false, true; f.end != nil {
				f.end()
			}
			y.doubt()
		}
		if f.active {
			y.wrong += f.wrong
		}
		if f.active && f.beside != "" {
			go func() { _, _, _ = y.b.Exec(y.t.Context(), nil, "sh", "-c", f.beside) }()
		}
	}
}

// doubt has all domains looked at for a while: what servers have may not be what it was.
func (y *yearOf) doubt() {
	for d := range y.of {
		if _, pending := y.pending[d]; !pending {
			y.seen[d] = y.looked
		}
		y.pending[d] = y.hour + 3
	}
}

// killAfter is when the present tick is killed, 0 for not at all.
func (y *yearOf) killAfter() time.Duration {
	if slices.ContainsFunc(y.faults, func(f *yearFault) bool { return f.active && f.kills }) {
		return time.Duration(50+y.random.IntN(1500)) * time.Millisecond
	}
	return 0
}

// troubled reports whether there was a fault in the last hours.
func (y *yearOf) troubled(hours int) bool {
	return slices.ContainsFunc(y.faults, func(f *yearFault) bool { return (f.active || f.over) && y.hour < f.from+f.hours+hours })
}

// end insists that nothing was lost, and that the year was one.
func (y *yearOf) end(days int) {
	if y.t.Failed() {
		return
	}
	y.sweep()
	fewest, keys := len(y.ledger.keys[control]), 0
	for d := range y.of {
		n := len(y.ledger.keys[d])
		fewest, keys = min(fewest, n), keys+n
		if table := y.ledger.table[d]; table != y.signer[d] {
			y.t.Errorf("%s signs for %s, want %s", y.signer[d], d, table)
		}
	}
	y.t.Logf("%d hours, %d keys of %d domains, each had %d at least; %d looks at a message and an answer; worst gap %v, of the control %v; exit codes %v",
		y.hour, keys, len(y.of), fewest, y.verified, y.worst.To-y.worst.From, y.control, y.codes)
	if days >= 365 && fewest < 5 {
		y.t.Errorf("a domain had %d keys, want at least 5", fewest)
	}
	if y.control == 0 {
		y.t.Error("records were taken out of a zone, and no gap was seen")
	}
	leavesNothingOpen(y.t, y.b)
	noLeak(y.t, y.b)
}
