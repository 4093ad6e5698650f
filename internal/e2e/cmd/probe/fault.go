package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"mailsetup/internal/e2e/lab"
)

// stall is how long a reader does not read. A pipe of the smallest size is full
// long before.
const stall = 5 * time.Second

// longest is what a program may take with its fault.
const longest = 4 * time.Minute

// fault runs the program described on r, and prints how it ended.
func fault(r io.Reader) error {
	var f lab.Fault
	if err := json.NewDecoder(r).Decode(&f); err != nil {
		return err
	}
	// What this program ignores, because it was started by nohup(1), the next one
	// would ignore as well; what it listens to has its default there.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT)
	v := &victim{f: f, pause: make(chan struct{}), resume: make(chan struct{})}
	s, err := v.run()
	if err != nil {
		return err
	}
	return print(s)
}

// victim is a program under a fault, and what it writes.
type victim struct {
	f     lab.Fault
	cmd   *exec.Cmd
	outs  []*os.File // read here
	given []*os.File // the program's ends, closed once it has started

	pause, resume chan struct{}

	mu   sync.Mutex
	text strings.Builder
}

func (v *victim) run() (lab.Suffered, error) {
	argv := v.f.Argv
	if v.f.Kind == lab.FaultClosed {
		argv = append([]string{"sh", "-c", `exec "$@" <&- >&- 2>&-`, "sh"}, argv...)
	}
	v.cmd = exec.Command(argv[0], argv[1:]...)
	v.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := v.plug(); err != nil {
		return lab.Suffered{}, err
	}
	began := time.Now()
	if err := v.cmd.Start(); err != nil {
		return lab.Suffered{}, err
	}
	for _, f := range v.given {
		f.Close()
	}
	var readers sync.WaitGroup
	for _, f := range v.outs {
		readers.Go(func() { v.read(f) })
	}
	ended := make(chan struct{})
	go func() {
		_ = v.cmd.Wait()
		close(ended)
	}()
	var s lab.Suffered
	select {
	case <-ended:
	case <-time.After(v.f.After):
		s.Script = v.strike(ended)
	}
	select {
	case <-ended:
	case <-time.After(longest):
		_ = v.cmd.Process.Signal(syscall.SIGQUIT)
		time.Sleep(time.Second)
		_ = v.cmd.Process.Kill()
		<-ended
		return s, fmt.Errorf("did not end within %v: %s", longest, v.said())
	}
	s.Took = time.Since(began)
	time.AfterFunc(time.Second, func() { // whoever still has the other end
		for _, f := range v.outs {
			f.Close()
		}
	})
	readers.Wait()
	s.Out = v.said()
	s.Code = v.cmd.ProcessState.ExitCode()
	if ws, ok := v.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		s.Code = 128 + int(ws.Signal())
	}
	return s, nil
}

// plug gives the program its standard streams.
func (v *victim) plug() error {
	switch v.f.Kind {
	case lab.FaultFull:
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		v.cmd.Stdout, v.cmd.Stderr, v.given = full, full, []*os.File{full}
		return err
	case lab.FaultHangup, lab.FaultKey:
		ours, theirs, err := pty()
		if err != nil {
			return err
		}
		v.cmd.Stdin, v.cmd.Stdout, v.cmd.Stderr = theirs, theirs, theirs
		v.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		v.outs, v.given = []*os.File{ours}, []*os.File{theirs}
		return nil
	}
	var errs []error
	for _, to := range []*io.Writer{&v.cmd.Stdout, &v.cmd.Stderr} {
		r, w, err := os.Pipe()
		if err == nil && v.f.Kind == lab.FaultStall {
			_, err = unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096)
		}
		errs = append(errs, err)
		*to, v.outs, v.given = w, append(v.outs, r), append(v.given, w)
	}
	return errors.Join(errs...)
}

// pty opens a terminal, pty(7).
func pty() (ours, theirs *os.File, err error) {
	// Not blocking, so that a read ends when it is closed.
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours = os.NewFile(uintptr(fd), "/dev/ptmx")
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, err
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, nil, err
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	return ours, theirs, err
}

func (v *victim) read(f *os.File) {
	p := make([]byte, 4096)
	for {
		select {
		case <-v.pause:
			<-v.resume
		default:
		}
		n, err := f.Read(p)
		v.mu.Lock()
		v.text.Write(p[:n])
		v.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (v *victim) said() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.text.String()
}

// strike is the fault itself.
func (v *victim) strike(ended <-chan struct{}) (script string) {
	pid := v.cmd.Process.Pid
	switch v.f.Kind {
	case lab.FaultSignal:
		v.repeat(ended, func() { _ = syscall.Kill(pid, v.f.Signal) })
	case lab.FaultGroup:
		_ = syscall.Kill(-pid, v.f.Signal)
		v.leave(v.outs...)
	case lab.FaultReader, lab.FaultHangup:
		v.leave(v.outs...)
	case lab.FaultStdout:
		v.leave(v.outs[0])
	case lab.FaultKey:
		v.repeat(ended, func() { _, _ = v.outs[0].WriteString(v.f.Key) })
	case lab.FaultStall:
		close(v.pause)
		select {
		case <-ended:
		case <-time.After(stall):
		}
		close(v.resume)
	case lab.FaultScript:
		out, err := exec.Command("sh", "-euc", v.f.Script).CombinedOutput()
		script = string(out)
		if err != nil {
			script += err.Error()
		}
	}
	return script
}

// leave is what a reader does that goes away.
func (v *victim) leave(from ...*os.File) {
	for _, f := range from {
		f.Close()
	}
}

func (v *victim) repeat(ended <-chan struct{}, act func()) {
	for range max(1, v.f.Times) {
		act()
		select {
		case <-ended:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
	// Whoever was stopped goes on, as with fg.
	if v.f.Signal == syscall.SIGTSTP || v.f.Key == "\x1a" {
		time.Sleep(time.Second)
		_ = syscall.Kill(v.cmd.Process.Pid, syscall.SIGCONT)
	}
}
