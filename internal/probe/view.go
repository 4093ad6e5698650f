package probe

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/zonefile"
)

// servedInView is for a zone of a view that this machine may not be answered from: a
// server for the world has another view for its own network. If it is answered from
// that view, the records are queried. If not, BIND says which serial it has loaded
// (rndc(8) zonestatus): it keeps the old one if it refuses a file, and the new file has
// a higher one.
func (b *Prober) servedInView(ctx context.Context, p state.Probe) error {
	if p.Within <= 0 {
		p.Within = defaultWithin
	}
	return retry(ctx, p.Within, func(ctx context.Context) error {
		err := b.viewServes(ctx, p)
		if p.Once && err != nil {
			return permanent{err}
		}
		return err
	})
}

func (b *Prober) viewServes(ctx context.Context, p state.Probe) error {
	status, err := b.zoneStatus(ctx, p)
	if err != nil {
		return err
	}
	seen, err := dnsclient.Serial(ctx, p.Address, p.Origin)
	if err == nil && (seen == status["serial"] || seen == status["signed serial"]) {
		p.Within = 2 * time.Second
		return dnsclient.WaitServed(ctx, p)
	}
	text, err := os.ReadFile(string(p.File))
	if err != nil {
		return err
	}
	want, err := zonefile.Serial(text)
	if err != nil {
		return fmt.Errorf("%s: %w", p.File, err)
	}
	if status["serial"] != want {
		return fmt.Errorf("zone %s in view %s: BIND has serial %d, should be %d as in %s", p.Origin, p.View, status["serial"], want, p.File)
	}
	return nil
}

// zoneStatus returns the serials that BIND reports.
func (b *Prober) zoneStatus(ctx context.Context, p state.Probe) (map[string]uint32, error) {
	res, err := b.run.Run(ctx, system.Command{Argv: []string{"rndc", "zonestatus", dnsname.TrimDot(p.Origin), "IN", p.View}})
	if err != nil {
		return nil, fmt.Errorf("run rndc zonestatus: %w", err)
	}
	if res.Code != 0 {
		return nil, fmt.Errorf("rndc zonestatus %s IN %s: exit %d: %s", p.Origin, p.View, res.Code, lastLine(res.Stderr, res.Stdout))
	}
	serials := map[string]uint32{}
	for line := range strings.Lines(string(res.Stdout)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if n, err := strconv.ParseUint(value, 10, 32); err == nil {
			serials[name] = uint32(n)
		}
	}
	return serials, nil
}
