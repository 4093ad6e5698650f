package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/steps"
)

func statusCommand(c console) *cli.Command {
	return helped(&cli.Command{
		Name:  "status",
		Usage: "show each key, what it waits for, and when its next step is due",
		UsageText: "sudo mailsetup status\n" +
			"   a line for each key of each domain that is not gone\n\n" +
			"sudo mailsetup status example.org --json\n" +
			"   the same about one domain, as data",
		Description: "STATE is one of publishing, published, active (it signs), draining, revoked;\n" +
			"unused (no longer in OpenDKIM's tables: the file of its domain is gone); or\n" +
			"not in DNS for a key whose record no name server had in the last look of\n" +
			"rotate-dkim.\n" +
			"A key WAITS FOR its age (rotate_every), its successor, its file (that of its\n" +
			"domain in /etc/mailsetup/domains.d), the name servers (to have its record),\n" +
			"caches (to forget that there was none), mail under way (that it signed), late\n" +
			"mail (that is told that it is revoked), or nothing (never).\n" +
			"NEXT STEP is the earliest time; a machine that is off delays it. Nothing is\n" +
			"asked of DNS: mailsetup dns --wait shows what name servers have.",
		ArgsUsage:    "[DOMAIN...]",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			r := rotateOptions{
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
	Waits    string        `json:"waits"`         // for what, as --help has it
	Next     time.Time     `json:"next,omitzero"` // when the next step is due at the earliest
	// Gone is what name servers said when none of them had the record.
	Gone string `json:"gone,omitempty"`
}

// state is where the key is in its life, or that DNS does not have its record.
func (k keyStatus) state() string {
	if k.Gone != "" {
		return notInDNS
	}
	return string(k.Stage)
}

// notInDNS is the state of a key whose record no name server has any more.
const notInDNS = "not in DNS"

func runStatus(ctx context.Context, c console, r rotateOptions) error {
	t, err := openTurning(ctx, c, r)
	if err != nil {
		return err
	}
	defer t.s.close()
	if err := t.s.count(); err != nil {
		return err
	}
	if r.json {
		return t.s.printJSON(t.list())
	}
	t.statuses()
	t.recordProblems()
	for _, n := range steps.Lives(*t.old, t.about) {
		c.say("%s", fold(n.Text, 78))
		c.hints([]string{n.Do})
	}
	return nil
}

// asRoot refuses to tell of keys to those who may not see them: there would seem
// to be none.
func asRoot(o options) error {
	if os.Geteuid() != 0 && o.root == "" {
		return fail("sudo mailsetup "+o.command, "only root may see which keys there are")
	}
	return nil
}

// list are the keys that exist, of the domains that the run is about.
func (t *turning) list() []keyStatus {
	list := []keyStatus{}
	for _, domain := range sortedKeys(t.s.keys) {
		for _, k := range keyring.Kept(t.s.keys[domain]) {
			if t.about(domain) {
				st := t.status(domain, k)
				st.Gone = t.s.goneFrom(domain, k.Selector)
				list = append(list, st)
			}
		}
	}
	return list
}

// status is where a key is in its life, as far as ledger and clock tell.
func (t *turning) status(domain string, k keyring.Key) keyStatus {
	sit := t.foreseen(domain, k.Selector)
	st := keyStatus{Domain: domain, Selector: k.Selector, Bits: k.Bits, Stage: k.Stage, Since: k.Since[k.Stage]}
	left := sit.Left(k)
	_, coming := keyring.Successor(sit.Keys)
	in := func(d time.Duration) time.Time { return sit.Now.Add(d) }
	_, known := t.domain(domain)
	switch {
	case k.Stage == keyring.Active && !known:
		st.Stage, st.Waits = t.s.stageOf(domain, k), "its file"
	case k.Stage == keyring.Active && coming:
		st.Waits = "successor"
	case k.Stage == keyring.Active && sit.Policy.Every == 0:
		st.Waits = "nothing"
	case k.Stage == keyring.Active:
		st.Waits, st.Next = "age", in(max(0, sit.Policy.Every-sit.Age(k)))
	case k.Stage == keyring.Published:
		st.Waits, st.Next = "caches", in(left)
	case k.Stage == keyring.Draining:
		st.Waits, st.Next = "mail under way", in(left)
	case k.Stage == keyring.Revoked:
		st.Waits, st.Next = "late mail", in(left)
	default:
		st.Waits = "name servers"
	}
	st.Next = st.Next.Truncate(time.Second)
	return st
}

// foreseen is the situation of a domain where nobody asked DNS: caches keep at
// least the domain's own TTL.
func (t *turning) foreseen(domain, selector string) keyring.Situation {
	sit := t.situation(domain)
	if _, seen := sit.Sights[selector]; !seen {
		sit.Sights = map[string]keyring.Sight{selector: {Cached: time.Duration(t.ttl(domain)) * time.Second}}
	}
	return sit
}

// statuses prints a line for each key of the domains that the run goes on with.
func (t *turning) statuses() {
	rows := [][]string{{"DOMAIN", "KEY", "STATE", "SINCE", "NEXT STEP", "WAITS FOR"}}
	for _, k := range t.list() {
		rows = append(rows, []string{k.Domain, k.Selector, k.state(), ago(k.Since, t.s.Now), soon(k.Next, t.s.Now), k.Waits})
	}
	switch {
	case len(rows) > 1:
		fmt.Fprint(t.s.c.out, aligned(rows, 80))
	case len(t.trouble) == 0:
		fmt.Fprintln(t.s.c.out, "No keys.")
	}
}

// upcoming is the end of a dry run: what would be done now was shown, with what
// follows from it. Where nothing would, it shows when something will be.
func (t *turning) upcoming(shown bool) error {
	switch {
	case shown && t.s.o.json: // all in one object
		return nil
	case t.s.o.json:
		t.s.turned.keys = t.list()
		return t.s.printPlan(plan.Plan{})
	case !shown:
		t.statuses()
	}
	return nil
}
