package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/inventory"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/rotation"
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

func (s *session) list() error {
	sp, err := s.setUp()
	if err != nil {
		return err
	}
	checks, err := s.store().LastChecks()
	if err != nil {
		return err
	}
	_, unprivileged := s.Sys.(machine.Unprivileged)
	all := inventory.Sources{
		Spec: *sp, Ledger: s.keys, Checks: checks, KeysUnknown: unprivileged, Now: s.Now,
		StageWithoutFile: func(domain string, k keyring.Key) keyring.Stage {
			return rotation.StageWithoutFile(s.Sys, domain, k)
		},
	}.Domains()
	if s.o.json {
		return s.printJSON(all)
	}
	fmt.Fprint(s.c.out, inventoryTable(all, s.Now))
	return nil
}

// inventoryTable has one row for each key of each domain, in columns.
func inventoryTable(all []inventory.Domain, now time.Time) string {
	age := func(t *time.Time) string {
		if t == nil {
			return "-"
		}
		return text.Age(*t, now)
	}
	rows := [][]string{{"DOMAIN", "SELECTOR", "AGE", "STATE", "DNS", "CHECKED"}}
	for _, d := range all {
		checked := "-"
		if c := d.Checked; c != nil {
			checked = map[bool]string{true: "ok ", false: "bad "}[c.OK] + age(&c.At)
		}
		keys := d.Keys
		if len(keys) == 0 {
			keys = []inventory.Key{{Selector: "-", State: "no key"}}
		}
		for _, k := range keys {
			rows = append(rows, []string{d.Domain, k.Selector, age(k.Made), keyState(k), cmp.Or(string(d.DNS), "-"), checked})
		}
	}
	return text.Columns(rows, 80)
}

// keyState returns what the table says of a key.
func keyState(k inventory.Key) string {
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
