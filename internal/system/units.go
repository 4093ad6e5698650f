package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"

	"mailsetup/internal/process"
	"mailsetup/internal/state"
)

// ErrNoSystemd says that systemd does not run this machine, so that there are
// no units to drive: a chroot, or a container without an init.
var ErrNoSystemd = errors.New("systemd is not running here")

// jobTimeout bounds a job of systemd whose caller set no deadline. Its own
// limit is 90 s for a start and as much for a stop.
const jobTimeout = 3 * time.Minute

// systemd drives units over D-Bus. It connects when it is first used.
type systemd struct {
	run Runner

	mu   sync.Mutex
	conn *dbus.Conn
}

// connect returns a live connection. It does not end with the caller's
// context: an undo may still need it after that was cancelled.
func (d *systemd) connect(ctx context.Context) (*dbus.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil && d.conn.Connected() {
		return d.conn, nil
	}
	if fi, err := os.Lstat("/run/systemd/system"); err != nil || !fi.IsDir() {
		return nil, ErrNoSystemd
	}
	conn, err := dbus.NewWithContext(context.WithoutCancel(ctx))
	if err != nil {
		return nil, fmt.Errorf("reach systemd over D-Bus: %w", cause(err))
	}
	d.conn = conn
	return conn, nil
}

// fullName adds the suffix that systemctl(1) would add.
func fullName(unit string) string {
	if strings.Contains(unit, ".") {
		return unit
	}
	return unit + ".service"
}

// Status implements Units.
func (d *systemd) Status(ctx context.Context, unit string) (UnitStatus, error) {
	unit = fullName(unit)
	conn, err := d.connect(ctx)
	if err != nil {
		return UnitStatus{}, fmt.Errorf("status of %s: %w", unit, err)
	}
	return status(ctx, conn, unit)
}

func status(ctx context.Context, conn *dbus.Conn, unit string) (UnitStatus, error) {
	props, err := conn.GetAllPropertiesContext(ctx, unit)
	if err != nil {
		return UnitStatus{}, fmt.Errorf("status of %s: %w", unit, readable(err))
	}
	text := func(name string) string { s, _ := props[name].(string); return s }
	st := UnitStatus{
		Load:   text("LoadState"),
		Active: text("ActiveState"),
		Sub:    text("SubState"),
		Type:   text("Type"),
		AtBoot: text("UnitFileState"),
		Result: text("Result"),
	}
	left, _ := props["InactiveEnterTimestamp"].(uint64)
	st.Ran = left != 0 && st.Active != "active"
	if raw, ok := props["InvocationID"].([]byte); ok && len(raw) > 0 {
		st.Invocation = fmt.Sprintf("%x", raw)
	}
	st.Restarts, _ = props["NRestarts"].(uint32)
	st.PID, _ = props["MainPID"].(uint32)
	st.NeedsDaemonReload, _ = props["NeedDaemonReload"].(bool)
	return st, nil
}

// Act implements Units.
func (d *systemd) Act(ctx context.Context, unit string, action state.UnitAction, wake state.Path) error {
	unit = fullName(unit)
	if err := d.act(ctx, unit, action, wake); err != nil {
		return fmt.Errorf("%s %s: %w", action, unit, err)
	}
	return nil
}

func (d *systemd) act(ctx context.Context, unit string, action state.UnitAction, wake state.Path) error {
	conn, st, err := d.loadedStatus(ctx, unit)
	if err != nil {
		return err
	}
	switch action {
	case state.Reload:
		if st.Active != "active" && st.Active != "reloading" {
			return fmt.Errorf("it is not running (%s)", st.Active)
		}
		if err := process.CheckAnswers(unit, st.PID); err != nil {
			return err
		}
		return runJob(ctx, conn, unit, "", conn.ReloadUnitContext)
	case state.Enable, state.Disable:
		return d.atBoot(ctx, unit, action)
	case state.Start:
		_ = conn.ResetFailedUnitContext(ctx, unit)
		return runJob(ctx, conn, unit, "", conn.StartUnitContext)
	case state.Stop:
		return runJob(ctx, conn, unit, "", conn.StopUnitContext)
	case state.Restart:
		// Only a unit that gave up has something to forget.
		_ = conn.ResetFailedUnitContext(ctx, unit)
		return runJob(ctx, conn, unit, wake, conn.RestartUnitContext)
	}
	return fmt.Errorf("unknown action %q", action)
}

// atBoot runs systemctl(1), which knows of init scripts as well.
func (d *systemd) atBoot(ctx context.Context, unit string, action state.UnitAction) error {
	res, err := d.run.Run(ctx, Command{Argv: []string{"systemctl", "--quiet", string(action), unit}})
	if err == nil && res.Code != 0 {
		err = fmt.Errorf("systemctl: exit status %d: %s", res.Code, strings.TrimSpace(string(res.Stderr)))
	}
	return err
}

// Stop implements Units.
func (d *systemd) Stop(ctx context.Context, unit string) error {
	unit = fullName(unit)
	conn, _, err := d.loadedStatus(ctx, unit)
	if err == nil {
		err = runJob(ctx, conn, unit, "", conn.StopUnitContext)
	}
	if err != nil {
		return fmt.Errorf("stop %s: %w", unit, err)
	}
	return nil
}

// DaemonReload implements Units.
func (d *systemd) DaemonReload(ctx context.Context) error {
	conn, err := d.connect(ctx)
	if err == nil {
		if err = conn.ReloadContext(ctx); err != nil {
			err = readable(err)
		}
	}
	if err != nil {
		return fmt.Errorf("daemon-reload: %w", err)
	}
	return nil
}

// loadedStatus refuses units that systemd would refuse, with messages of our own.
func (d *systemd) loadedStatus(ctx context.Context, unit string) (*dbus.Conn, UnitStatus, error) {
	conn, err := d.connect(ctx)
	if err != nil {
		return nil, UnitStatus{}, err
	}
	st, err := status(ctx, conn, unit)
	if err != nil {
		return nil, st, err
	}
	switch st.Load {
	case "not-found":
		return nil, st, errors.New("there is no such unit")
	case "masked":
		return nil, st, fmt.Errorf("it is masked; systemctl unmask %s allows it again", unit)
	}
	return conn, st, nil
}

// runJob queues a job and waits for its result. The channel is buffered: go-systemd
// would block once nobody waits any more.
func runJob(ctx context.Context, conn *dbus.Conn, unit string, wake state.Path,
	queue func(context.Context, string, string, chan<- string) (int, error),
) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, jobTimeout)
		defer cancel()
	}
	result := make(chan string, 1)
	if _, err := queue(ctx, unit, "replace", result); err != nil {
		return readable(err)
	}
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	if wake == "" {
		look.Stop()
	}
	for {
		select {
		case r := <-result:
			return jobError(r)
		case <-ctx.Done():
			return fmt.Errorf("the job did not end: %w", ctx.Err())
		case <-look.C:
			wakeUnit(ctx, conn, unit, wake)
		}
	}
}

// wakeUnit connects to the socket of a unit that is stopping.
func wakeUnit(ctx context.Context, conn *dbus.Conn, unit string, wake state.Path) {
	st, err := status(ctx, conn, unit)
	if err != nil || st.Active != "deactivating" {
		return
	}
	if c, err := net.DialTimeout("unix", string(wake), time.Second); err == nil {
		_ = c.Close()
	}
}

// ErrJobTimeout says that a unit did not come up in TimeoutStartSec, systemd.service(5).
var ErrJobTimeout = errors.New("it took longer than systemd allows (job result \"timeout\")")

// jobError explains a result of org.freedesktop.systemd1(5), JobRemoved.
func jobError(result string) error {
	switch result {
	case "done":
		return nil
	case "timeout":
		return ErrJobTimeout
	case "dependency":
		return errors.New("something it depends on failed (job result \"dependency\")")
	case "canceled":
		return errors.New("another job took its place (job result \"canceled\")")
	}
	return fmt.Errorf("job result %q", result)
}

// readable turns expected D-Bus errors into errors that errors.Is knows.
func readable(err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "Permission denied"), strings.Contains(text, "Access denied"),
		strings.Contains(text, "authentication required"):
		return fmt.Errorf("%w (run as root)", fs.ErrPermission)
	}
	return cause(err)
}

// Log implements Units.
func (d *systemd) Log(ctx context.Context, unit string, since time.Time, lines int) ([]string, error) {
	unit = fullName(unit)
	// On a busy machine what a unit said comes there some time after it failed.
	synced, cancel := context.WithTimeout(ctx, 5*time.Second)
	_, _ = d.run.Run(synced, Command{Argv: []string{"journalctl", "--sync"}})
	cancel()
	res, err := d.run.Run(ctx, Command{Argv: []string{
		"journalctl", "-u", unit, "-q", "--no-pager", "-o", "cat",
		"--since", fmt.Sprintf("@%d.%06d", since.Unix(), since.Nanosecond()/1000), "-n", strconv.Itoa(lines),
	}})
	if err == nil && res.Code != 0 {
		err = fmt.Errorf("journalctl: exit status %d: %s", res.Code, strings.TrimSpace(string(res.Stderr)))
	}
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", unit, err)
	}
	return printable(string(res.Stdout)), nil
}

// printable splits text into lines without control characters: the journal has what
// remote clients sent.
func printable(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		line = strings.Map(func(r rune) rune {
			if r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
				return '?'
			}
			return r
		}, strings.TrimSuffix(line, "\n"))
		if line != "" {
			out = append(out, line)
		}
	}
	return out
}
