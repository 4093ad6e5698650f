package main

import (
	"context"
	"maps"
	"slices"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
)

func rotateCommand(c console) *cli.Command {
	return helped(&cli.Command{
		Name:  "rotate-dkim",
		Usage: "take keys away that no mail under way needs any more",
		UsageText: "sudo mailsetup rotate-dkim --yes\n" +
			"   does what is due, and says nothing if nothing is: made for cron\n\n" +
			"sudo mailsetup rotate-dkim --dry-run\n" +
			"   shows what is due and changes nothing",
		Description: "Keys of removed domains stay in DNS for a while (drain in\n" +
			"/etc/mailsetup/host.toml, 14 days). After that this takes the record out, then\n" +
			"the private key. It does not make new keys yet: the rotation itself is still to\n" +
			"come.",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			o := howOptions(ctx)
			if err := noArguments(ctx); err != nil {
				return err
			}
			if err := checkHow(o, ""); err != nil {
				return err
			}
			return runRotate(ctx.Context, c, o)
		},
	}, flagGroup{"How to go about it", runFlags()})
}

func runRotate(ctx context.Context, c console, o options) error {
	s, err := openSession(ctx, c, o)
	if err != nil {
		return err
	}
	defer s.close()
	old, err := s.setUp()
	if err != nil {
		return err
	}
	s.due(old)
	if len(s.retire) == 0 {
		return s.idle()
	}
	if err := s.look(ctx, old); err != nil {
		return err
	}
	s.wait()
	if len(s.retire) == 0 {
		return s.idle()
	}
	s.steps = steps.Ending()
	return s.provision(ctx, *old, old)
}

// due makes the run one about the keys whose time is over.
func (s *session) due(old *spec.Spec) {
	s.touched, s.retire = map[string]bool{}, map[string][]string{}
	for domain, keys := range s.keys {
		for _, k := range keys {
			if k.Drained(s.now, old.Host.Drain) {
				s.touched[domain] = true
				s.retire[domain] = append(s.retire[domain], k.Selector)
			}
		}
	}
}

// wait leaves out the domains whose zone cannot be worked with at the moment,
// but holds records of ours.
func (s *session) wait() {
	for _, domain := range slices.Sorted(maps.Keys(s.retire)) {
		i := slices.IndexFunc(s.facts.Zones, func(z state.Zone) bool {
			return z.Problem != "" && z.Holds(domain+".") && s.exists(steps.Fragment(z))
		})
		if i >= 0 {
			s.c.say("%s has to wait: zone %s: %s", domain, s.facts.Zones[i].Origin, s.facts.Zones[i].Problem)
			delete(s.retire, domain)
			delete(s.touched, domain)
		}
	}
}

// idle is the end of a run for which nothing is due.
func (s *session) idle() error {
	if s.o.json {
		return s.printResult(result{})
	}
	return nil
}
