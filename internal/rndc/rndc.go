// Package rndc tells the BIND of this machine which of its zones changed, rndc(8).
package rndc

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/parallel"
	"mailsetup/internal/process"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// within bounds a command: BIND reads its list of ten thousand zones in half a second.
const within = 30 * time.Second

// System is what BIND is told through.
type System interface {
	system.Units
	system.Runner
}

// Reload has BIND take in the list of its zones and those files that changed, and no
// others: a half-written file of somebody else's is not read. BIND may load a zone after
// it has answered. After an error it may have taken in some of them.
func Reload(ctx context.Context, s System, unit string, z state.ZoneReload) error {
	status, err := s.Status(ctx, unit)
	if err == nil {
		err = process.CheckAnswers(unit, status.PID)
	}
	if err != nil {
		return err
	}
	if z.List {
		if err := run(ctx, s, "reconfig"); err != nil {
			return err
		}
	}
	// Each is a process, which costs more than the work that it asks for.
	return parallel.Do(len(z.Zones), runtime.GOMAXPROCS(0), func(i int) error {
		words := []string{"reload", dnsname.TrimDot(z.Zones[i].Origin)}
		if view := z.Zones[i].View; view != "" {
			words = append(words, "IN", view)
		}
		return run(ctx, s, words...)
	})
}

func run(ctx context.Context, r system.Runner, words ...string) error {
	command := "rndc " + strings.Join(words, " ")
	res, err := r.Run(ctx, system.Command{Argv: append([]string{"rndc"}, words...), Within: within})
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	if res.Code != 0 {
		return fmt.Errorf("%s: exit status %d: %s", command, res.Code, bytes.TrimSpace(append(res.Stderr, res.Stdout...)))
	}
	return nil
}
