package signer_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/state"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

const (
	dropIn = "/etc/systemd/system/opendkim.service.d/override.conf"
	// legacy is what Debian's opendkim.service.generate writes, to the space at
	// the end of the line.
	legacy = "[Service]\nExecStart=\nExecStart=/usr/sbin/opendkim -P /run/opendkim/opendkim.pid -p inet:8891@localhost \n"
)

// overridden is a server whose OpenDKIM starts with what drop-ins say.
func overridden(endpoint string, dropIns ...string) step.Input {
	in := steptest.Installed()
	in.Facts.OpenDKIM.Endpoint = endpoint
	in.Facts.Files = map[state.Path][]byte{}
	for i := 0; i+1 < len(dropIns); i += 2 {
		p := state.Path(dropIns[i])
		in.Facts.OpenDKIM.DropIns = append(in.Facts.OpenDKIM.DropIns, p)
		in.Facts.Files[p] = []byte(dropIns[i+1])
	}
	return in
}

func TestAReloadWhereverItIsEnough(t *testing.T) {
	in := overridden("local:/run/opendkim/opendkim.sock")
	in.Facts.Files[signer.ConfFile] = []byte(steptest.Content(t, steptest.Stage(t, steptest.Build(t, in), "OpenDKIM"), signer.ConfFile))
	unit := steptest.Stage(t, steptest.Build(t, in), "OpenDKIM").Units[0]
	if unit.Action != state.Restart || unit.WakeSocket != "/run/opendkim/opendkim.sock" || unit.NeedsDaemonReload {
		t.Errorf("another socket: %s waking %q, redefined %v, want a restart waking the old socket", unit.Action, unit.WakeSocket, unit.NeedsDaemonReload)
	}
	want := []state.Probe{{Kind: state.ProbeMilter, Address: "local:/run/opendkim/opendkim.sock", Within: unit.UndoProbes[0].Within}}
	if diff := cmp.Diff(want, unit.UndoProbes); diff != "" {
		t.Errorf("on the way back: %s", diff)
	}
	in.Facts.OpenDKIM.Endpoint = "local:/var/spool/postfix/opendkim/opendkim.sock"
	if got := steptest.Stage(t, steptest.Build(t, in), "OpenDKIM").Units[0]; got.Action != state.Reload || got.UndoProbes != nil {
		t.Errorf("same start settings: %s, back %v, want reload", got.Action, got.UndoProbes)
	}
	for name, change := range map[string]func(*state.OpenDKIM){
		"stopped": func(o *state.OpenDKIM) { o.Active = false },
		"deaf":    func(o *state.OpenDKIM) { o.SocketGone = true },
	} {
		o := *in.Facts.OpenDKIM
		change(in.Facts.OpenDKIM)
		if got := steptest.Stage(t, steptest.Build(t, in), "OpenDKIM").Units[0].Action; got != state.Restart {
			t.Errorf("%s: %s, want restart", name, got)
		}
		in.Facts.OpenDKIM = &o
	}
}

func TestAnOverrideIsReplacedOnConsent(t *testing.T) {
	in := overridden("inet:8891@localhost", dropIn, "# ours\n[Service]\nLimitNOFILE=9999\n"+legacy[len("[Service]\n"):])
	st := steptest.Stage(t, steptest.Build(t, in), "OpenDKIM")
	want := []state.Question{{
		ID: "override " + dropIn, Kind: state.AskOverride, Subject: "opendkim.service",
		Text: "ExecStart=/usr/sbin/opendkim -P /run/opendkim/opendkim.pid -p inet:8891@localhost starts OpenDKIM with options " +
			"of its own, which count for more than /etc/opendkim.conf. Without ExecStart there the package's own unit counts " +
			"again; everything else in the file stays.",
		Path: dropIn, Line: 5, Before: "ExecStart=/usr/sbin/opendkim -P /run/opendkim/opendkim.pid -p inet:8891@localhost",
	}}
	if diff := cmp.Diff(want, st.Questions); diff != "" {
		t.Error(diff)
	}
	edit := state.UnitEdit{Path: dropIn, Drop: []string{"ExecStart"}, Reason: "OpenDKIM starts as /etc/opendkim.conf says"}
	if diff := cmp.Diff([]state.Edit{edit}, st.Edits); diff != "" {
		t.Error(diff)
	}
	if u := st.Units[0]; u.Action != state.Restart || !u.NeedsDaemonReload || u.UndoProbes[0].Address != "inet:8891@localhost" {
		t.Errorf("unit %+v, want a restart of a redefined unit, and an answer on port 8891 after the way back", u)
	}
	in.Consents = map[string]bool{"override " + dropIn: true}
	if st := steptest.Stage(t, steptest.Build(t, in), "OpenDKIM"); len(st.Questions) > 0 || len(st.Edits) != 1 {
		t.Errorf("after a yes: questions %v, edits %v", st.Questions, st.Edits)
	}
}

func TestWhatGoesAgainstOurConfiguration(t *testing.T) {
	const other = "/etc/systemd/system/opendkim.service.d/a.conf"
	tests := []struct {
		name    string
		dropIns []string
		want    [][]string // what goes, of each drop-in that changes
	}{
		{"nothing", nil, nil},
		{"limits", []string{dropIn, "[Service]\nLimitNOFILE=9\nExecStartPre=/bin/true\nRestart=always\n"}, nil},
		{"another socket", []string{dropIn, legacy}, [][]string{{"ExecStart"}}},
		{"another directory", []string{
			dropIn, "[Service]\nPIDFile=/var/spool/postfix/run/opendkim/opendkim.pid\nExecStart=\nExecStart=/usr/sbin/opendkim" +
				" -P /var/spool/postfix/run/opendkim/opendkim.pid -p local:/var/spool/postfix/run/opendkim/opendkim.sock \n",
		}, [][]string{{"PIDFile", "ExecStart"}}},
		{"another user", []string{dropIn, "[Unit]\nAfter=named.service\n[Service]\nUser=dkim\nGroup=opendkim\n"}, [][]string{{"User", "Group"}}},
		{"the same user", []string{dropIn, "[Service]\nUser=opendkim\nGroup=opendkim\n"}, nil},
		{"our socket", []string{
			dropIn, "[Service]\nExecStart=\nExecStart=/usr/sbin/opendkim -P /run/opendkim/opendkim.pid -p local:/var/spool/postfix/opendkim/opendkim.sock \n",
		}, nil},
		{"in so many words", []string{
			dropIn, "[Service]\nPIDFile=/var/run/opendkim/opendkim.pid\nExecStart=\nExecStart=-/usr/sbin/opendkim -l -x /etc/opendkim.conf -u opendkim\n",
		}, nil},
		{"another configuration", []string{dropIn, "[Service]\nExecStart=\nExecStart=/usr/sbin/opendkim -x /srv/dkim.conf\n"}, [][]string{{"ExecStart"}}},
		{"another program", []string{dropIn, "[Service]\nExecStart=\nExecStart=/usr/local/sbin/opendkim\n"}, [][]string{{"ExecStart"}}},
		{"in the foreground", []string{dropIn, "[Service]\nType=simple\nPIDFile=\nExecStart=\nExecStart=/usr/sbin/opendkim -f\n"}, [][]string{{"Type", "ExecStart"}}},
		{"in several files", []string{other, "[Service]\nExecStart=\n", dropIn, "[Service]\nExecStart=/usr/sbin/opendkim -p inet:1\n"}, [][]string{{"ExecStart"}, {"ExecStart"}}},
		{"taken back by a later one", []string{other, legacy, dropIn, "[Service]\nExecStart=\nExecStart=/usr/sbin/opendkim\n"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := steptest.Stage(t, steptest.Build(t, overridden("inet:8891@localhost", tt.dropIns...)), "OpenDKIM")
			var got [][]string
			for _, e := range st.Edits {
				got = append(got, e.(state.UnitEdit).Drop)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if len(st.Questions) != len(got) {
				t.Errorf("%d questions for %d changes", len(st.Questions), len(got))
			}
			if u := st.Units[0]; u.NeedsDaemonReload != (len(got) > 0) {
				t.Errorf("redefined %v", u.NeedsDaemonReload)
			}
		})
	}
}

func TestUnitsThatAreRefused(t *testing.T) {
	const unit = "/etc/systemd/system/opendkim.service"
	whole := func(start string) func(*step.Input) {
		return func(in *step.Input) {
			in.Facts.OpenDKIM.Unit = unit
			in.Facts.Files[unit] = []byte("[Service]\nType=forking\nExecStart=" + start + "\n")
		}
	}
	tests := []struct {
		name         string
		change       func(*step.Input)
		want, advice string
	}{
		{"masked", func(in *step.Input) { in.Facts.OpenDKIM.Masked = true }, "opendkim.service is masked", "systemctl unmask opendkim.service"},
		{
			"a unit file of one's own", whole("/usr/sbin/opendkim -p inet:8891@localhost"),
			unit + ":3: ExecStart=/usr/sbin/opendkim -p inet:8891@localhost starts OpenDKIM with options of its own",
			"keep what you need of it in a drop-in (systemctl edit opendkim.service), then mv " + unit + " " + unit + ".old && systemctl daemon-reload",
		},
		{"a unit file that does the same", whole("/usr/sbin/opendkim"), "", ""},
		{"a drop-in until the next boot", func(in *step.Input) {
			*in = overridden("inet:8891@localhost", "/run/systemd/system/opendkim.service.d/x.conf", legacy)
		}, "/run/systemd/system/opendkim.service.d/x.conf:2: ExecStart=", "move it to where it can be edited, with the same effect: mkdir -p /etc/systemd/system/opendkim.service.d/ && " +
			"mv /run/systemd/system/opendkim.service.d/x.conf /etc/systemd/system/opendkim.service.d/ && systemctl daemon-reload"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := overridden("")
			tt.change(&in)
			_, _, err := signer.Configure(in)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			refusal, ok := err.(*step.Refusal)
			if !ok || !strings.HasPrefix(refusal.What, tt.want) || refusal.Hint != tt.advice {
				t.Errorf("%+v, want %q with hint %q", err, tt.want, tt.advice)
			}
		})
	}
}

// The generator's tmpfiles.d(5) hides the package's, so that the directory of
// the PID file would be missing after a reboot.
func TestThePIDFileHasADirectory(t *testing.T) {
	in := overridden("")
	has := func() (dir, line bool) {
		st := steptest.Stage(t, steptest.Build(t, in), "OpenDKIM")
		return slices.ContainsFunc(st.Dirs, func(d state.Dir) bool { return d.Path == "/run/opendkim" }),
			strings.Contains(steptest.Content(t, st, signer.Tmpfiles), "\nd /run/opendkim 0750 opendkim opendkim - -\n")
	}
	if dir, line := has(); dir || line {
		t.Errorf("the package makes it: directory %v, line %v", dir, line)
	}
	in.Facts.Files[signer.TheirTmpfiles] = []byte("d /var/spool/postfix/run/opendkim 0750 opendkim opendkim - -\n")
	if dir, line := has(); !dir || !line {
		t.Errorf("nobody else makes it: directory %v, line %v", dir, line)
	}
	in.Facts.Files[signer.TheirTmpfiles] = []byte("d  /run/opendkim 0750 opendkim opendkim - -\n")
	if dir, line := has(); dir || line {
		t.Errorf("the administrator makes it: directory %v, line %v", dir, line)
	}
}

// moving is a server that signs already, at another endpoint, and where mail
// need not wait for the signer in the end.
func moving() step.Input {
	in := overridden("inet:8891@localhost", dropIn, legacy)
	in.Facts.Postfix.Raw["smtpd_milters"] = "inet:127.0.0.1:11332, inet:localhost:8891"
	in.Facts.Postfix.Raw["non_smtpd_milters"] = "$smtpd_milters"
	in.Facts.Postfix.Value["milter_default_action"] = "accept"
	in.Spec.Host.MilterDefaultAction = "accept"
	return in
}

func TestMailWaitsAtTheOldEndpointWhileTheSignerMoves(t *testing.T) {
	want := steptest.Build(t, moving())
	set := func(name string) []state.Setting {
		return steptest.Stage(t, want, name).Edits[0].(state.PostfixEdit).Set
	}
	guard := []state.Setting{{Name: "smtpd_milters", Value: "inet:127.0.0.1:11332, { inet:localhost:8891, default_action=tempfail }"}}
	if diff := cmp.Diff(guard, set("DeferMail")); diff != "" {
		t.Errorf("guard: %s", diff)
	}
	if got := set("Postfix")[0].Value; got != "inet:127.0.0.1:11332, { unix:opendkim/opendkim.sock, default_action=accept }" {
		t.Errorf("in the end: %s", got)
	}
	if back := steptest.Stage(t, want, "Postfix").Units[0].UndoProbes; len(back) != 1 || back[0].Kind != state.ProbeSessions || back[0].Address != "/etc/postfix/main.cf" {
		t.Errorf("on the way back nobody waits for sessions that let mail pass: %v", back)
	}
	in := moving()
	in.Spec.Host.MilterDefaultAction = "tempfail"
	if back := steptest.Stage(t, steptest.Build(t, in), "Postfix").Units[0].UndoProbes; len(back) > 0 {
		t.Errorf("where mail waits anyway: %v", back)
	}
}

// What is wrong with the host's own key is no reason to take back the switch of
// another domain.
func TestASwitchIsProvenByItsDomain(t *testing.T) {
	in := steptest.Served(t)
	in.Scope = step.Only("shop.example")
	froms := func() string {
		t.Helper()
		var list []string
		st, _, err := signer.Configure(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range st.Units[0].Probes {
			for _, s := range p.Signers {
				list = append(list, s.From)
			}
		}
		return strings.Join(list, " ")
	}
	if got := froms(); got != "postmaster@shop.example root@mail.lab.example" {
		t.Errorf("asked for %s", got)
	}
	in.Keys.During = in.Ledger
	if got := froms(); got != "postmaster@shop.example" {
		t.Errorf("a rotation asks for %s", got)
	}
}

func TestNetworksThatTrustedHostsCannotSayAreNamed(t *testing.T) {
	in := steptest.Installed()
	in.Facts.Postfix.OtherNetworks = []string{"hash:/etc/postfix/nets", "!10.0.0.1"}
	if notes := steptest.Build(t, in).Notes; !slices.ContainsFunc(notes, func(n state.Note) bool {
		return n.Topic == "mynetworks" && strings.Contains(n.Text, "hash:/etc/postfix/nets !10.0.0.1")
	}) {
		t.Errorf("nobody speaks of them: %v", notes)
	}
}

func TestASignerThatLostItsSocketIsRestarted(t *testing.T) {
	in := steptest.Installed()
	in.Facts.Files = map[state.Path][]byte{}
	in.Facts.Files[signer.ConfFile] = []byte(steptest.Content(t, steptest.Stage(t, steptest.Build(t, in), "OpenDKIM"), signer.ConfFile))
	in.Facts.OpenDKIM.SocketGone = true
	if got := steptest.Stage(t, steptest.Build(t, in), "OpenDKIM").Units[0].Action; got != state.Restart {
		t.Errorf("%s, want restart: a reload makes no socket", got)
	}
}
