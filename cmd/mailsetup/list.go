package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/rotation"
	"mailsetup/internal/spec"
	"mailsetup/internal/text"
)

func listCommand(c console) *cli.Command {
	return withHelp(&cli.Command{
		Name:  "list",
		Usage: "list the domains, their keys, and what DNS was last seen to have",
		UsageText: "sudo mailsetup list\n" +
			"   one line a key: how old it is, and whether it signs\n\n" +
			"sudo mailsetup list --json\n" +
			"   the same as data, with all times",
		Description: "STATE is active for a key that signs, unseen for one that signs although nobody\n" +
			"has seen its record in DNS yet, and drains with a date for one that no longer\n" +
			"signs: its record is needed until then; publishing and published for one that\n" +
			"will sign next, revoked for one whose record says that it counts no more; not in\n" +
			"DNS if no name server has the record of a key any more; unused if no table of\n" +
			"OpenDKIM names it, since the file of its domain is gone. CHECKED is what\n" +
			"mailsetup dns --wait or rotate-dkim last found, and how long ago.",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			if err := noArguments(ctx); err != nil {
				return err
			}
			s, err := openSession(ctx.Context, c, options{
				dryRun: true, json: ctx.Bool("json"), root: ctx.String("root"), command: "list",
			})
			if err != nil {
				return err
			}
			defer s.close()
			return s.list()
		},
	}, flagGroup{"Flags", []cli.Flag{
		&cli.BoolFlag{Name: "json", Usage: "print data"},
		&cli.StringFlag{Name: "root", Usage: "the domains of the tree below `DIR`"},
	}})
}

// listedDomain is what is known of one domain. Removed ones are listed while
// they have keys.
type listedDomain struct {
	Domain  string         `json:"domain"`
	Primary bool           `json:"primary,omitempty"`
	Removed bool           `json:"removed,omitempty"`
	DNS     spec.DNSMode   `json:"dns,omitempty"`
	Keys    []listedKey    `json:"keys"`
	Checked *listedChecked `json:"checked,omitempty"`
}

type listedKey struct {
	Selector string        `json:"selector"`
	Bits     int           `json:"bits,omitempty"`
	State    keyring.Stage `json:"state,omitempty"` // "" if only root may know
	Made     *time.Time    `json:"made,omitempty"`
	Seen     *time.Time    `json:"seen,omitempty"`  // in DNS, first
	Until    *time.Time    `json:"until,omitempty"` // the record is needed
	Gone     string        `json:"gone,omitempty"`  // what name servers said when none had the record
}

type listedChecked struct {
	At    time.Time `json:"at"`
	OK    bool      `json:"ok"`
	Found string    `json:"found,omitempty"`
	// Records are what counted as a problem in the last look of rotate-dkim.
	Records []recordwatch.Problem `json:"records,omitempty"`
}

func (s *session) list() error {
	sp, err := s.setUp()
	if err != nil {
		return err
	}
	all, err := s.listed(sp)
	if err != nil {
		return err
	}
	if s.o.json {
		return s.printJSON(all)
	}
	fmt.Fprint(s.c.out, table(all, s.Now))
	return nil
}

// listed are the domains of the spec, and those removed that still have keys.
func (s *session) listed(sp *spec.Spec) ([]listedDomain, error) {
	checked, err := s.store().LastChecks()
	if err != nil {
		return nil, err
	}
	_, blind := s.Sys.(machine.Unprivileged)
	known := make(map[string]bool, len(sp.Domains))
	all := make([]listedDomain, 0, len(sp.Domains))
	for _, d := range sp.Domains {
		known[d.Name] = true
		l := listedDomain{Domain: d.Name, Primary: d.Name == sp.Host.Domain, DNS: sp.DNSOf(d), Keys: s.listedKeys(d.Name, sp.DrainOf(d), checked[d.Name]), Checked: s.last(d.Name, checked)}
		if blind {
			l.Keys = []listedKey{{Selector: d.Selector}}
		}
		all = append(all, l)
	}
	for _, name := range slices.Sorted(maps.Keys(s.keys)) {
		if keys := s.listedKeys(name, sp.Host.Drain, checked[name]); !known[name] && len(keys) > 0 {
			for i, k := range keyring.Existing(s.keys[name]) {
				keys[i].State = rotation.StageWithoutFile(s.Sys, name, k)
			}
			all = append(all, listedDomain{Domain: name, Removed: true, Keys: keys, Checked: s.last(name, checked)})
		}
	}
	slices.SortStableFunc(all, func(a, b listedDomain) int { return cmp.Compare(a.Domain, b.Domain) })
	return all, nil
}

// listedKeys are those that exist. The record of one was seen when it was made
// active, or by a later look.
func (s *session) listedKeys(domain string, drain time.Duration, c keyring.Checked) []listedKey {
	list := []listedKey{}
	for _, k := range keyring.Existing(s.keys[domain]) {
		l := listedKey{Selector: k.Selector, Bits: k.Bits, State: k.Stage, Made: when(k.Since[keyring.Staged]), Seen: when(k.Seen)}
		l.Seen = cmp.Or(l.Seen, when(c.Seen[k.Selector]))
		l.Gone = recordwatch.KeyGone(c, domain, k.Selector)
		if since, ok := k.Since[keyring.Draining]; ok && k.Stage == keyring.Draining {
			l.Until = when(since.Add(drain))
		}
		list = append(list, l)
	}
	return list
}

// when is a time, nil for none.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (s *session) last(domain string, checked map[string]keyring.Checked) *listedChecked {
	c := checked[domain]
	if c.At.IsZero() {
		return nil
	}
	return &listedChecked{c.At, c.OK, c.Found, recordwatch.Problems(domain, c.Watch.Problems, s.Now)}
}

// table has one row for each key of each domain, in columns.
func table(all []listedDomain, now time.Time) string {
	rows := [][]string{{"DOMAIN", "SELECTOR", "AGE", "STATE", "DNS", "CHECKED"}}
	for _, d := range all {
		keys := d.Keys
		if len(keys) == 0 {
			keys = []listedKey{{Selector: "-", State: "no key"}}
		}
		for _, k := range keys {
			rows = append(rows, []string{d.Domain, k.Selector, age(k.Made, now), k.state(), cmp.Or(string(d.DNS), "-"), d.Checked.text(now)})
		}
	}
	return text.Columns(rows, 80)
}

func (k listedKey) state() string {
	switch {
	case k.Gone != "":
		return rotation.NotInDNS
	case k.Until != nil:
		return "drains " + k.Until.Format(time.DateOnly)
	case k.State == keyring.Active && k.Seen == nil:
		return "unseen"
	}
	return cmp.Or(string(k.State), "?")
}

func (c *listedChecked) text(now time.Time) string {
	switch {
	case c == nil:
		return "-"
	case c.OK:
		return "ok " + age(&c.At, now)
	}
	return "bad " + age(&c.At, now)
}

func age(t *time.Time, now time.Time) string {
	if t == nil {
		return "-"
	}
	return text.Age(*t, now)
}
