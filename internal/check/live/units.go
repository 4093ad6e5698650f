package live

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/tables"
	"mailsetup/internal/eximconf"
	"mailsetup/internal/postmap"
	"mailsetup/internal/process"
	"mailsetup/internal/state"
	"mailsetup/internal/tablefile"
	"mailsetup/steps/signer"
)

// daemons checks what runs.
type daemons struct{ *checker }

// unit is a service that mail needs.
type unit struct {
	name   string // that runs
	boot   string // that is enabled
	effect string // while it is down
	pid    int
}

// needed returns the units that mail needs here.
func (c daemons) needed(ctx context.Context) []unit {
	if c.signsByExim() {
		return []unit{{name: eximconf.Unit, boot: eximconf.Unit, effect: "no mail gets through"}}
	}
	p := c.s.Facts.Postfix
	all := []unit{{name: p.Unit, boot: "postfix.service", effect: "no mail gets through", pid: c.master()}}
	if c.signs() {
		u := unit{name: signer.Unit, boot: signer.Unit, effect: "no mail gets through"}
		if status, err := c.m.Status(ctx, u.name); err == nil {
			u.pid = int(status.PID)
		}
		all = append(all, u)
	}
	return slices.DeleteFunc(all, func(u unit) bool {
		_, known := c.s.Facts.Daemons[u.name]
		return !known
	})
}

// master returns the process of master(8), 0 if it is not known.
func (c daemons) master() int {
	text := c.text(c.s.Facts.Postfix.QueueDirectory.Join("pid", "master.pid"))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// units checks that the services run, answer, and start at boot.
func (c daemons) units(ctx context.Context) {
	for _, u := range c.needed(ctx) {
		is, boot := c.s.Facts.Daemons[u.name], c.s.Facts.Daemons[u.boot]
		f := finding.Finding{ID: "live.units", Severity: finding.Problem, Subject: u.boot, Expected: "runs, and starts at boot"}
		now := finding.Command("systemctl start %s", u.name)
		switch {
		case is.Masked || boot.Masked:
			f.Seen = "masked: nothing can start it, and " + u.effect
			f.Remedy = finding.Command("systemctl unmask %s && systemctl enable --now %s", u.boot, u.boot)
		case !is.Running && is.Stopped:
			f.Seen, f.Remedy = "somebody stopped it: "+u.effect, now
		case !is.Running:
			f.Seen = "does not run: " + u.effect
			f.Remedy = now.Text("if it ends again:").Command("journalctl -u %s -n 20", u.name)
			f.Fixable = c.s.SetUp
		case process.IsSuspended(c.text(state.Path(fmt.Sprintf("/proc/%d/stat", max(u.pid, 1))))) && u.pid > 0:
			f.Seen = fmt.Sprintf("somebody suspended its process %d (SIGSTOP): it does not answer", u.pid)
			f.Remedy = finding.Command("systemctl kill -s CONT %s", u.name)
		case boot.Disabled:
			f.Severity, f.Seen = finding.Warning, "runs, but does not start at boot: after a reboot "+u.effect
			f.Remedy, f.Fixable = finding.Command("systemctl enable %s", u.boot), c.s.SetUp
		default:
			f.Severity, f.Seen, f.Expected = finding.OK, "runs, starts at boot", ""
		}
		if f.Severity == finding.Problem {
			c.cause = "live.units"
		}
		c.add(f)
	}
}

// greets checks that somebody answers on port 25: a fatal error ends each smtpd at once,
// and systemd does not see it.
func (c daemons) greets(ctx context.Context) {
	if c.smtp == "" || c.cause != "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*askWithin)
	defer cancel()
	err := c.m.Probe(ctx, state.Probe{Kind: state.ProbeGreeting, Address: c.smtp, Within: askWithin})
	if err == nil {
		return
	}
	f := finding.Finding{ID: "live.units", Severity: finding.Unknown, Subject: "port 25", Seen: err.Error(), Expected: "Postfix answers"}
	f.Remedy = finding.Text("see why:").Command("journalctl -t postfix/smtpd -t postfix/master -n 20")
	if fatal := c.fatal(ctx); fatal != "" {
		f.Severity, f.Seen, f.Remedy = finding.Problem, "smtpd ends before it says anything: "+fatal, finding.Text("correct that in main.cf or master.cf, then:").Command("postfix check && systemctl reload postfix")
	} else if strings.Contains(f.Seen, "closed without a greeting") {
		f.Severity, f.Seen = finding.Problem, "the program that takes mail ends before it says anything"
	}
	c.smtp = ""
	c.add(f)
}

// fatal returns the last error that ended an smtpd in the last minutes, "" for none.
func (c daemons) fatal(ctx context.Context) string {
	res, err := c.m.Run(ctx, commandOf("journalctl", "-q", "-o", "cat", "-n", "50", "--since", "-3min", "-t", "postfix/smtpd", "-t", "postfix/master"))
	if err != nil {
		return ""
	}
	last, startup := "", ""
	for line := range strings.Lines(string(res.Stdout)) {
		line = strings.TrimSpace(line)
		if _, text, ok := strings.Cut(line, "fatal: "); ok {
			last = text
		}
		if strings.Contains(line, "smtpd: bad command startup") { // its own word may get lost in a chroot
			startup = line
		}
	}
	return cmp.Or(last, startup)
}

// started returns when a process began, false if that is not known.
func (c daemons) started(pid int) (time.Time, bool) {
	if pid <= 0 {
		return time.Time{}, false
	}
	ago, err := process.Age(c.text(state.Path(fmt.Sprintf("/proc/%d/stat", pid))), c.text("/proc/uptime"))
	return time.Now().Add(-ago), err == nil
}

// daemon looks at the process of OpenDKIM.
func (c daemons) daemon(ctx context.Context) {
	if !c.signs() || c.cause != "" {
		return
	}
	status, err := c.m.Status(ctx, signer.Unit)
	began, known := c.started(int(status.PID))
	if err != nil || !known {
		return
	}
	memory := 0
	for line := range strings.Lines(string(c.text(state.Path(fmt.Sprintf("/proc/%d/status", status.PID))))) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			memory, _ = strconv.Atoi(f[1])
		}
	}
	days := int(time.Since(began) / (24 * time.Hour))
	const many = 1 << 20 // kB; ten thousand keys take a tenth of it
	f := finding.Finding{ID: "live.daemon", Severity: finding.OK, Subject: signer.Unit, Seen: fmt.Sprintf("runs since %s, with %d MB", began.UTC().Format(time.DateOnly), memory/1024)}
	switch {
	case memory > many:
		f.Severity, f.Remedy = finding.Note, finding.Command("systemctl restart opendkim")
	case days > 365:
		f.Severity, f.Seen = finding.Note, f.Seen+": the libraries that it runs with may have had updates since"
		f.Remedy = finding.Command("systemctl restart opendkim")
	}
	c.add(f)
}

// stale checks that daemons have read what stands in their files. For OpenDKIM only its
// answers tell, see mail.
func (c daemons) stale(ctx context.Context) {
	if o := c.s.Facts.OpenDKIM; o != nil && o.NeedsDaemonReload && c.signs() {
		c.add(finding.Finding{
			ID: "live.stale", Severity: finding.Warning, Subject: signer.Unit, Seen: "files of the unit changed since systemd read them",
			Expected: "what runs is what its files say", Remedy: finding.Command("systemctl daemon-reload && systemctl restart opendkim"),
		})
	}
	if c.cause != "" {
		return
	}
	c.stalePostfix(ctx)
	for _, f := range tables.Check(ctx, c.m, c.s.Facts.Postfix) {
		f.Fixable = f.Fixable && c.s.SetUp
		c.add(f)
	}
	if status, err := c.m.Status(ctx, signer.Unit); err == nil && c.signs() {
		if began, known := c.started(int(status.PID)); known {
			c.newer = c.changedSince(ctx, began, "/etc/opendkim.conf", string(signer.KeyTable), string(signer.SigningTable), string(signer.TrustedHosts))
		}
	}
}

// stalePostfix compares the files of Postfix with its queue manager, which is started
// again by each reload.
func (c daemons) stalePostfix(ctx context.Context) {
	pid := c.queueManager()
	began, known := c.started(pid)
	if !known {
		return
	}
	f := finding.Finding{ID: "live.stale", Severity: finding.OK, Subject: c.s.Facts.Postfix.Unit, Seen: "has read its files since they changed"}
	if newer := c.changedSince(ctx, began, "/etc/postfix/main.cf", "/etc/postfix/master.cf"); len(newer) > 0 {
		f.Severity, f.Seen = finding.Warning, strings.Join(newer, " and ")+" changed since Postfix was started or reloaded: some of its processes work with older settings"
		f.Expected, f.Remedy = "what runs is what its files say", finding.Command("postfix check && systemctl reload postfix")
	}
	c.add(f)
}

// queueManager returns the process of the queue manager of this Postfix, 0 if it is not
// found.
func (c daemons) queueManager() int {
	master := c.master()
	for pid := range strings.FieldsSeq(string(c.text(state.Path(fmt.Sprintf("/proc/%d/task/%d/children", master, master))))) {
		if strings.TrimSpace(string(c.text(state.Path("/proc/"+pid+"/comm")))) == "qmgr" {
			n, _ := strconv.Atoi(pid)
			return n
		}
	}
	return 0
}

// changedSince returns the files that were written after a time.
func (c daemons) changedSince(ctx context.Context, t time.Time, files ...string) []string {
	var newer []string
	for file, at := range postmap.Written(ctx, c.m, files...) {
		if at.After(t.Add(tablefile.ClockSlack)) {
			newer = append(newer, file)
		}
	}
	slices.Sort(newer)
	return newer
}
