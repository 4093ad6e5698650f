package dnshook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/hint"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Limit is how long a hook may run for one request. What it started ends with it.
const Limit = 60 * time.Second

// Bounds of what is taken from a hook.
const (
	maxAnswer = 16 << 20
	maxReason = 300
)

// secretWords are the words of settings that are taken out of messages.
var secretWords = regexp.MustCompile(`[A-Za-z0-9+/=_-]{12,}`)

// Machine is what hooks are run on.
type Machine interface {
	system.Reader
	system.Runner
}

// Error says why a hook did not do what it was asked.
type Error struct {
	Program state.Path
	Text    string
	Hint    string
	// untouched: the zone is certainly as it was.
	untouched bool
	err       error
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("hook %s: %s", e.Program, e.Text) }

// Hints returns what can be done about it.
func (e *Error) Hints() []string { return hint.Lines(e.Hint) }

// Unwrap gives what lies below, and system.ErrUntouched where that is certain.
func (e *Error) Unwrap() []error {
	list := []error{e.err}
	if e.untouched {
		list = append(list, system.ErrUntouched)
	}
	return list
}

// hook is a program that may be run.
type hook struct {
	on      Machine
	program state.Path
	credential
	within time.Duration
}

// open looks at a program and its settings; an error has touched nothing.
func open(on Machine, program state.Path, within time.Duration) (hook, error) {
	h := hook{on: on, program: program, within: within}
	err := validate(on, program)
	if err == nil {
		h.credential, err = credentialOf(on, program)
	}
	if h.within <= 0 {
		h.within = Limit
	}
	return h, err
}

// unit is the name of the units that hooks run in. A drop-in of mailsetup-hook-.service.d
// is for all of them (systemd.unit(5)).
const unit = "mailsetup-hook-"

// sandbox are the properties of the unit (systemd.exec(5)): a user that exists while the
// program runs, which may write nowhere but in its own /tmp, has no rights of root's, and
// reaches the network.
var sandbox = strings.Fields(`
	DynamicUser=yes ProtectSystem=strict ProtectHome=yes PrivateTmp=yes PrivateDevices=yes NoNewPrivileges=yes
	CapabilityBoundingSet= RestrictAddressFamilies=AF_UNIX RestrictAddressFamilies=AF_INET RestrictAddressFamilies=AF_INET6 RestrictNamespaces=yes RestrictRealtime=yes
	RestrictSUIDSGID=yes LockPersonality=yes ProtectClock=yes ProtectControlGroups=yes ProtectHostname=yes ProtectKernelLogs=yes
	ProtectKernelModules=yes ProtectKernelTunables=yes ProtectProc=invisible SystemCallArchitectures=native
	SystemCallFilter=@system-service SystemCallErrorNumber=EPERM UMask=0077 TasksMax=64 LimitCORE=0 TimeoutStopSec=2s LogLevelMax=notice`)

// argv is the command that runs the program.
func (h hook) argv(name string) []string {
	argv := []string{"systemd-run", "--quiet", "--collect", "--wait", "--pipe", "--unit=" + name}
	for _, p := range append(slices.Clone(sandbox), fmt.Sprintf("RuntimeMaxSec=%v", h.within), h.property) {
		if p != "" {
			argv = append(argv, "--property="+p)
		}
	}
	return append(argv, "--setenv=LANG=C.UTF-8", string(h.program))
}

// call runs the program with a request.
func (h hook) call(ctx context.Context, r Request) (Answer, error) {
	r.Version = Version
	text, err := json.Marshal(r)
	if err != nil {
		return Answer{}, err
	}
	began := time.Now()
	name := fmt.Sprintf("%s%s-%x", unit, kindOf(r.Operation), began.UnixNano())
	out := &limited{}
	res, err := h.on.Run(ctx, system.Command{Argv: h.argv(name), Stdin: append(text, '\n'), Stdout: out, Within: h.within + 10*time.Second})
	if err != nil { // systemd-run was ended, and not what it started
		h.stop(ctx, name)
	}
	switch {
	case ctx.Err() != nil:
		return Answer{}, ctx.Err()
	case out.full: // nobody reads on, so it may have failed
		return Answer{}, h.fail(false, nil, h.tryIt(), "it wrote more than %d MB", maxAnswer>>20)
	case err != nil || res.Code != 0 && time.Since(began) >= h.within:
		if slow := (*system.SlowError)(nil); err != nil && !errors.As(err, &slow) {
			return Answer{}, h.fail(false, err, h.tryIt(), "cannot be run: %v", err)
		}
		return Answer{}, h.fail(false, err, h.tryIt(), "it did not answer within %v, and was ended", h.within)
	case res.Code != 0:
		return Answer{}, h.exited(res)
	}
	a, err := parse(out.text.Bytes())
	if err != nil {
		return a, h.fail(false, err, h.tryIt(), "%s", h.clean(err.Error()))
	}
	return a, nil
}

// kindOf tells units that change something from others.
func kindOf(o Operation) string {
	if o == List {
		return "list"
	}
	return "change"
}

// stop ends units, also where whoever asked is in a hurry: what still runs could change
// what is being put back.
func (h hook) stop(ctx context.Context, name string) {
	_, _ = h.on.Run(context.WithoutCancel(ctx), system.Command{Argv: []string{"systemctl", "stop", name + ".service"}, Within: 20 * time.Second})
}

// exited explains the exit status of the program, or of systemd where that could not start it
// (systemd.exec(5)).
func (h hook) exited(res system.Result) error {
	why := h.reason(res)
	switch {
	case res.Code == exitRefused:
		return h.fail(true, nil, "see "+string(h.file)+", and docs/dns.md for what belongs there", "%s", why)
	case res.Code == exitChanged:
		return h.fail(true, nil, "run the command again", "%s", why)
	case res.Code == exitLater:
		return h.fail(true, nil, "run the command again later", "%s", why)
	case res.Code == exitDenied:
		return h.fail(true, nil, "see the credential in "+string(h.file), "%s", why)
	case res.Code >= 200 && res.Code < 255:
		return h.fail(false, nil, h.tryIt(), "systemd could not start it (exit status %d, see systemd.exec(5))", res.Code)
	}
	return h.fail(false, nil, h.tryIt(), "%s", why)
}

func (h hook) fail(untouched bool, err error, hint, format string, a ...any) error {
	return &Error{Program: h.program, Text: fmt.Sprintf(format, a...), Hint: hint, untouched: untouched, err: err}
}

// tryIt returns the command by which root sees what the program says.
func (h hook) tryIt() string {
	run := "CREDENTIALS_DIRECTORY=" + string(SettingsDir)
	if h.encrypted {
		run = "systemd-run -q --pipe -p " + hint.Quote(h.property)
	}
	return fmt.Sprintf(`see what it says: echo '{"version":1,"operation":"list"}' | %s %s`, run, hint.Quote(string(h.program)))
}

// reason returns the last line that the program wrote to standard error.
func (h hook) reason(res system.Result) string {
	said := strings.TrimSpace(string(res.Stderr))
	if said = h.clean(said[strings.LastIndexByte(said, '\n')+1:]); said == "" {
		return fmt.Sprintf("it ended with exit status %d and no word", res.Code)
	}
	return said
}

// clean returns a text of the program's as the end of a line, without its secrets.
func (h hook) clean(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	for _, secret := range h.secrets {
		s = strings.ReplaceAll(s, secret, "***")
	}
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "") + "..."
	}
	return s
}

// limited takes an answer of bounded length. It has no other method of bytes.Buffer: io.Copy
// would read by ReadFrom, without end.
type limited struct {
	text bytes.Buffer
	full bool
}

// Write implements io.Writer.
func (l *limited) Write(p []byte) (int, error) {
	if l.full = l.full || l.text.Len()+len(p) > maxAnswer; l.full {
		return 0, io.ErrShortBuffer
	}
	return l.text.Write(p)
}
