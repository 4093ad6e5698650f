package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
)

func statusCommand(c console) *cli.Command {
	return helped(&cli.Command{
		Name:  "status",
		Usage: "show each key, what it waits for, and when its next step is due",
		UsageText: "sudo mailsetup status\n" +
			"   a line for each key of each domain that is not gone\n\n" +
			"sudo mailsetup status example.org --json\n" +
			"   the same about one domain, as data",
		Description: "Nothing is asked of DNS: mailsetup dns --wait shows what name servers have.\n" +
			"Times in the future are the earliest ones; a machine that is off delays them.",
		ArgsUsage:    "[DOMAIN...]",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			r := rotation{
				options: options{dryRun: true, json: ctx.Bool("json"), now: time.Now, command: "status"},
				domains: ctx.Args().Slice(),
			}
			if err := r.check(); err != nil {
				return err
			}
			return runStatus(ctx.Context, c, r)
		},
	}, flagGroup{"Flags", []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print data"}}})
}

// keyStatus is a key as status shows it.
type keyStatus struct {
	Domain   string        `json:"domain"`
	Selector string        `json:"selector"`
	Bits     int           `json:"bits"`
	Stage    keyring.Stage `json:"stage"`
	Since    time.Time     `json:"since,omitzero"`
	Waits    string        `json:"waits"`         // for what, in words
	Next     time.Time     `json:"next,omitzero"` // when the next step is due at the earliest
}

func runStatus(ctx context.Context, c console, r rotation) error {
	s, err := openSession(ctx, c, r.options)
	if err != nil {
		return err
	}
	defer s.close()
	old, err := s.setUp()
	if err != nil {
		return err
	}
	if err := s.count(); err != nil {
		return err
	}
	t := &turning{s: s, old: old, asked: r}
	list := []keyStatus{}
	for _, domain := range sortedKeys(s.keys) {
		for _, k := range s.keys[domain] {
			if k.Stage != keyring.Gone && t.about(domain) {
				list = append(list, t.status(domain, k))
			}
		}
	}
	if s.o.json {
		return s.printJSON(list)
	}
	return printStatus(s, list)
}

// status is where a key is in its life, as far as ledger and clock tell.
func (t *turning) status(domain string, k keyring.Key) keyStatus {
	sit := t.situation(domain)
	st := keyStatus{Domain: domain, Selector: k.Selector, Bits: k.Bits, Stage: k.Stage, Since: k.Since[k.Stage]}
	left := sit.Left(k)
	next, coming := keyring.Successor(sit.Keys)
	in := func(d time.Duration) time.Time { return sit.Now.Add(d) }
	switch {
	case k.Stage == keyring.Active && coming:
		st.Waits = "its successor " + next.Selector
	case k.Stage == keyring.Active && sit.Policy.Every == 0:
		st.Waits = "nothing: rotate_every is never"
	case k.Stage == keyring.Active:
		st.Waits, st.Next = "its age: "+spec.Span(sit.Policy.Every), in(max(0, sit.Policy.Every-sit.Age(k)))
	case k.Stage == keyring.Published:
		st.Waits, st.Next = "caches that may not know its record yet", in(left)
	case k.Stage == keyring.Draining:
		st.Waits, st.Next = "mail that it signed", in(left)
	case k.Stage == keyring.Revoked:
		st.Waits, st.Next = "those who still look for it", in(left)
	default:
		st.Waits = "its record on every name server"
	}
	return st
}

func printStatus(s *session, list []keyStatus) error {
	if len(list) == 0 {
		fmt.Fprintln(s.c.out, "No keys.")
		return nil
	}
	w := tabwriter.NewWriter(s.c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DOMAIN\tKEY\tSTATE\tSINCE\tNEXT STEP\tWAITS FOR")
	for _, k := range list {
		fmt.Fprintln(w, strings.Join([]string{k.Domain, k.Selector, string(k.Stage), date(k.Since), date(k.Next), k.Waits}, "\t"))
	}
	return w.Flush()
}

func date(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.DateOnly)
}

// upcoming tells what a dry run would not do today.
func (t *turning) upcoming() {
	for _, domain := range sortedKeys(t.s.keys) {
		keys := slices.DeleteFunc(slices.Clone(t.s.keys[domain]), func(k keyring.Key) bool { return k.Stage == keyring.Gone })
		for _, k := range keys {
			if st := t.status(domain, k); t.about(domain) && !st.Next.IsZero() {
				fmt.Fprintf(t.s.c.out, "%s: %s (%s): next step on %s\n", domain, k.Selector, k.Stage, st.Next.Format(time.DateOnly))
			}
		}
	}
}
