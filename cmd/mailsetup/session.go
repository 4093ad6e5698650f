package main

import (
	"context"
	"os"
	"time"

	"mailsetup/internal/adopt"
	"mailsetup/internal/apply"
	"mailsetup/internal/facts"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/plan"
	"mailsetup/internal/text"
	"mailsetup/internal/wizard"
)

// session is one run of a command on one machine.
type session struct {
	*machine.Machine
	c console
	o options

	keys   keyring.Ledger
	hashes plan.FileHashes
	memory memory

	// facter gathers facts, nil before it was needed.
	facter *facts.Collector

	taken *adopt.Setup // an OpenDKIM set up by hand; nil for none
	// asksSelector is the selector that the command line names.
	asksSelector string
}

// openSession opens the machine and reads what earlier runs left there.
func openSession(ctx context.Context, c console, o options) (*session, error) {
	s := &session{c: c, o: o}
	var err error
	if s.Machine, err = machine.Open(ctx, s.machineOptions()); err != nil {
		return nil, err
	}
	if s.o.zones != nil {
		err = s.collector().Prefetch(ctx, s.o.zones)
	}
	if err == nil {
		err = s.rememberFrom(s.cachedStore())
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// rootOnly is what commands tell that only root may see.
var rootOnly = map[string]string{
	"history": "what was changed", "rollback": "what was changed",
	"rotate-dkim": "which keys there are", "status": "which keys there are",
}

func (s *session) machineOptions() machine.Options {
	return machine.Options{
		Root: s.o.root, Private: rootOnly[s.o.command], DryRun: s.o.dryRun, Previews: s.o.command == "init" || s.o.command == "add-domain", Command: s.o.command, Clock: time.Now,
		Unattended: s.o.command == "rotate-dkim", Interactive: s.c.interactive, KeepInterrupted: s.o.command == "recover",
		Logf: s.c.say, Hold: s.c.hold, Progress: (&apply.ProgressPrinter{Logf: s.c.say}).Print,
	}
}

func (s *session) close() {
	s.collector().Close()
	_ = s.Close()
}

// terminal says how to talk to the person who is asked.
func (s *session) terminal(o wizard.Options) wizard.Options {
	o.In, o.Out, o.Width, o.Color = s.c.in, text.Raw(s.c.out), s.c.width, s.c.color
	o.Accessible = s.o.accessible || os.Getenv("TERM") == "dumb"
	return o
}
