package provision_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/standby"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
	"mailsetup/steps/step"
)

// A run below --root from the first answer to the files: confirmed once, with no
// key, since clones of an image must not share one.
func TestAWholeRunBelowRoot(t *testing.T) {
	w := newWorld(t, "/image")
	w.options.MakeKeys = false
	res, err := w.run(w.request(lab(t)))
	if err != nil {
		t.Fatalf("%v\n%s", err, &w.said)
	}
	if !res.Changed() || res.Proven != "" || res.Problem != nil || !slices.Equal(w.applied, []string{res.Report.String()}) {
		t.Errorf("%+v, applied %q", res.Report, w.applied)
	}
	if !slices.Equal(w.asked, []string{"Do this?"}) || len(w.shown) != 1 {
		t.Errorf("asked %q, %d plans were shown", w.asked, len(w.shown))
	}
	for path, text := range map[state.Path]string{
		"/etc/opendkim.conf": "SigningTable", spec.HostFile: `hostname = "mail.lab.example"`, spec.DomainFile("lab.example"): `domain = "lab.example"`,
	} {
		if !strings.Contains(w.content(path), text) {
			t.Errorf("%s has\n%s", path, w.content(path))
		}
	}
	runs, err := w.machine.Journal.History()
	if err != nil || len(runs) != 1 || runs[0].ID != res.Report.ID || runs[0].Status != apply.Done {
		t.Errorf("%+v, %v", runs, err)
	}
	// What was done needs no second run.
	w.record = readRecord(t, w)
	d, err := w.plan(w.request(lab(t)))
	if err != nil || !d.Plan.Empty() {
		t.Errorf("%v, a second plan has %d stages", err, len(d.Plan.Stages))
	}
}

// What stands in the way of a check of incoming mail is answered in the flags of the command
// that was typed.
func TestRefusedChecksOfIncomingMail(t *testing.T) {
	refusing := step.Step{Name: "Door", Build: func(step.Input) (state.Stage, []state.Note, error) {
		return state.Stage{}, nil, step.Refuse("mailsetup inbound --spf off --dnsbl none", "no mail comes in")
	}}
	for _, first := range []bool{true, false} {
		w, want := newWorld(t, ""), []string{"mailsetup inbound --spf off --dnsbl none"}
		r := w.request(lab(t), refusing)
		if first {
			r.Have, want = nil, []string{"mailsetup init --inbound-spf off --inbound-dnsbl none"}
		} else {
			have := lab(t)
			r.Have = &have
		}
		if _, err := w.plan(r); !hint.IsUsage(err) || !slices.Equal(hint.Of(err), want) {
			t.Errorf("first run %v: %v, hints %q", first, err, hint.Of(err))
		}
	}
}

func readRecord(t *testing.T, w *world) plan.FileHashes {
	t.Helper()
	r, err := plan.ParseFileHashes([]byte(w.content(plan.HashesFile)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAPlanThatIsNotConfirmed(t *testing.T) {
	for _, tt := range []struct {
		name string
		say  func(*world)
		want string
	}{
		{"no", func(w *world) { w.answers["Do this?"] = false }, "not confirmed: nothing was changed"},
		{"nobody can be asked", func(w *world) { w.leaves = hint.NewUsage("add --yes", "nobody can be asked here") }, "nobody can be asked here"},
	} {
		w := newWorld(t, "")
		tt.say(w)
		if _, err := w.run(w.request(lab(t), files("x", "/etc/x"))); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
		if trace := w.Trace(); len(trace) > 0 {
			t.Errorf("%s: the machine was touched: %q", tt.name, trace)
		}
	}
}

// A quiet run shows nothing, asks nothing and proves nothing.
func TestAQuietRun(t *testing.T) {
	w := newWorld(t, "")
	w.OnProbe = func(state.Probe) error { return errBroken }
	r := w.request(lab(t), files("x", "/etc/x"))
	r.Quiet = true
	res, err := w.run(r)
	if err != nil || !res.Changed() || res.Problem != nil || res.Proven != "" {
		t.Errorf("%+v, %v", res, err)
	}
	if len(w.asked)+len(w.shown)+len(w.applied) > 0 || w.content("/etc/x") != "x" {
		t.Errorf("asked %q, shown %d, applied %q", w.asked, len(w.shown), w.applied)
	}
}

// A run that fails leaves the machine as it was, and the error is no fatal one:
// runs about other domains may go on.
func TestARunThatFails(t *testing.T) {
	w := newWorld(t, "")
	w.OnProbe = func(p state.Probe) error {
		if p.Kind == state.ProbeMilter {
			return errBroken
		}
		return nil
	}
	proven := step.Step{Name: "Proven", Build: func(step.Input) (state.Stage, []state.Note, error) {
		return state.Stage{Files: change.Files, Probes: []state.Probe{{Kind: state.ProbeMilter}}}, nil, nil
	}}
	res, err := w.run(w.request(lab(t), proven))
	if err == nil || !errors.Is(err, errBroken) || errors.As(err, new(*provision.FatalError)) || res.Changed() {
		t.Fatalf("%v", err)
	}
	if w.content("/etc/changed") != "" || len(w.applied) > 0 {
		t.Error("the run left something behind")
	}
}

// What a request is about decides what its plan holds.
func TestNotesOfAPlan(t *testing.T) {
	own := state.Note{Topic: "mine", Text: "one more thing"}
	for _, advice := range []bool{true, false} {
		w := newWorld(t, "")
		r := w.request(lab(t), files("x", "/etc/x"))
		r.Notes, r.Advice = []state.Note{own}, advice
		res, err := w.run(r)
		if err != nil {
			t.Fatal(err)
		}
		topics := map[string]bool{}
		for _, n := range res.Notes {
			topics[n.Topic] = true
		}
		if !topics["mine"] || topics["ptr"] != advice {
			t.Errorf("advice %v: %v", advice, topics)
		}
	}
}

func TestOldRunsAreForgotten(t *testing.T) {
	w := newWorld(t, "/image")
	w.options.MakeKeys = false
	for i := range apply.DefaultKeep + 3 {
		id := apply.NewID(november.AddDate(0, -1, i%28).Add(-1), "aaa"+string(rune('a'+i%26)))
		w.PutFile(apply.JournalDir.Join(id, "run.jsonl"), `{"event":"begin","id":"`+id+`","time":"2026-01-01T00:00:00Z"}`+"\n"+`{"event":"done"}`+"\n")
	}
	if _, err := w.run(w.request(lab(t))); err != nil {
		t.Fatal(err)
	}
	runs, err := w.machine.Journal.History()
	if err != nil || len(runs) != apply.DefaultKeep {
		t.Errorf("%d runs are kept, %v; want %d", len(runs), err, apply.DefaultKeep)
	}
	if !slices.ContainsFunc(runs, func(e apply.Entry) bool { return slices.Contains(e.Paths, state.Path("/etc/opendkim.conf")) }) {
		t.Error("the new run was forgotten")
	}
}

// A file of ours that somebody edited is not overwritten. Where other domains may
// go on, the difference is not printed.
func TestDrift(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(*world, *provision.Request)
		err  string
		hint string
		diff bool
	}{
		{
			"in a run about the host", func(*world, *provision.Request) {}, "/etc/ours is not as mailsetup left it",
			"again, with --overwrite-drift writes our version, as the difference above shows; mailsetup rollback brings yours back", true,
		},
		{
			"in a rotation", func(_ *world, r *provision.Request) { r.OnDrift = provision.RefuseDrift }, "/etc/ours is not as mailsetup left it",
			"mailsetup init --dry-run shows the difference; mailsetup init --overwrite-drift writes our version", false,
		},
		{"overwritten by a flag", func(w *world, _ *provision.Request) { w.options.OverwriteDrift = true }, "", "", false},
		{"a dry run shows it in its plan", func(w *world, _ *provision.Request) { w.options.DryRun = true }, "", "", false},
	} {
		w := newWorld(t, "")
		w.PutFile("/etc/ours", "edited by hand\n")
		w.record["/etc/ours"] = plan.Hash([]byte("as we left it\n"))
		r := w.request(lab(t), files("as we left it\n", "/etc/ours"))
		tt.set(w, &r)
		d, err := w.plan(r)
		if tt.err == "" {
			if err != nil || len(d.Plan.Drift) != 1 {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err == nil || err.Error() != tt.err || !slices.Equal(hint.Of(err), []string{tt.hint}) {
			t.Errorf("%s: %v, %q", tt.name, err, hint.Of(err))
		}
		if got := strings.Contains(w.said.String(), "edited by hand"); got != tt.diff {
			t.Errorf("%s: the difference was shown: %v", tt.name, got)
		}
	}
}

// An opendkim.conf that was there before mailsetup is for init to take over, but below
// --root, where nothing runs.
func TestForeignConfiguration(t *testing.T) {
	for root, want := range map[string]bool{"": true, "/image": false} {
		w := newWorld(t, root)
		w.PutFile("/etc/opendkim.conf", "Mode v\n")
		_, err := w.plan(w.request(lab(t), files("ours\n", "/etc/opendkim.conf")))
		if err == nil || err.Error() != "/etc/opendkim.conf was not written by mailsetup" {
			t.Errorf("%q: %v", root, err)
		}
		if got := slices.Contains(hint.Of(err), "mailsetup init takes it over, with its settings"); got != want {
			t.Errorf("%q: hints %q", root, hint.Of(err))
		}
	}
}

// A new zone must not hide a domain that others serve.
func TestANewZone(t *testing.T) {
	refused := "lab.example is served by ns1.other.example; a zone made here would hide it from this machine"
	for _, tt := range []struct {
		name    string
		set     func(*world)
		root    string
		err     string
		unknown bool
	}{
		{"others serve it", func(w *world) { w.delegation = []string{"ns1.other.example"} }, "", refused, false},
		{"it is delegated to this host", func(w *world) { w.delegation = []string{"Mail.lab.example."} }, "", "", false},
		{"it is delegated to a server that was named", func(w *world) { w.delegation = []string{"ns9.lab.example"} }, "", "", false},
		{"nobody serves it", func(w *world) { w.delegation = []string{} }, "", "", false},
		{"nobody knows", func(*world) {}, "", "", true},
		{"it is served here", func(w *world) {
			w.delegation = []string{"ns1.other.example"}
			w.facts.Zones = []state.Zone{{Origin: "lab.example."}}
		}, "", "", false},
		{"below --root nobody is asked", func(w *world) { w.delegation = []string{"ns1.other.example"} }, "/image", "", false},
	} {
		w := newWorld(t, tt.root)
		tt.set(w)
		sp := lab(t)
		sp.Domains[0].NewZone, sp.Domains[0].NS = true, []string{"ns9.lab.example"}
		_, err := w.plan(w.request(sp, nothing))
		if (err == nil) != (tt.err == "") || err != nil && (err.Error() != tt.err || !hint.IsUsage(err)) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := strings.Contains(w.said.String(), "could not find out who serves lab.example"); got != tt.unknown {
			t.Errorf("%s: said %q", tt.name, &w.said)
		}
	}
}

// What cannot be found out, or must not be, ends the plan before anything is asked.
func TestFactsThatEndThePlan(t *testing.T) {
	for name, set := range map[string]func(*world){
		"an address that nobody has": func(w *world) { w.recipientsErr = errBroken },
		"a zone that cannot be read": func(w *world) { w.zonesErr = errBroken },
	} {
		w := newWorld(t, "")
		set(w)
		if _, err := w.plan(w.request(lab(t), asking(askOverride))); !errors.Is(err, errBroken) || len(w.asked) > 0 {
			t.Errorf("%s: %v, asked %q", name, err, w.asked)
		}
	}
	w := newWorld(t, "")
	w.recipients = map[string]state.Recipient{"root": {End: state.EndMailbox}}
	if d, err := w.plan(w.request(lab(t), nothing)); err != nil || d.Input.Facts.Recipients["root"].End != state.EndMailbox {
		t.Errorf("%v", err)
	}
}

// A unit that somebody stopped or masked ends a run about the host: one that is
// masked before anything is asked, one that is stopped if nothing else is to do.
func TestUnitsThatSomebodyStopped(t *testing.T) {
	for _, tt := range []struct {
		name  string
		is    state.Daemon
		proof provision.Proof
		list  step.Step
		want  string
	}{
		{"masked", state.Daemon{Masked: true}, provision.ProveDelivery, asking(askOverride), "opendkim.service is masked"},
		{"stopped, and nothing to do", state.Daemon{Stopped: true}, provision.ProveDelivery, nothing, "opendkim.service was stopped"},
		{"stopped, and something to do", state.Daemon{Stopped: true}, provision.ProveDelivery, files("x", "/etc/x"), ""},
		{"masked, in a rotation", state.Daemon{Masked: true}, provision.ProveSigner, nothing, ""},
	} {
		w := newWorld(t, "")
		w.facts.Daemons = map[string]state.Daemon{"opendkim.service": tt.is}
		w.facts.OpenDKIM = &state.OpenDKIM{}
		r := w.request(lab(t), tt.list)
		r.Proof = tt.proof
		_, err := w.plan(r)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if len(w.asked) > 0 {
			t.Errorf("%s: asked %q", tt.name, w.asked)
		}
	}
}

// installing is a step that installs a package until it is there, and then writes
// files.
func installing(w *world, after ...state.Path) step.Step {
	return step.Step{Name: "Packages", Build: func(in step.Input) (state.Stage, []state.Note, error) {
		if !in.Facts.Installed["opendkim"] {
			later := state.Stage{Packages: []state.Package{{Name: "opendkim"}}, Checkpoint: true}
			return later, nil, nil
		}
		stage, notes, err := files("x", after...).Build(in)
		return stage, notes, err
	}}
}

// installs lets apt bring the package, and files.
func installs(w *world, files ...state.Path) {
	w.OnRun = func(c system.Command) (system.Result, error) {
		if slices.Contains(c.Argv, "install") && !slices.Contains(c.Argv, "--simulate") && !slices.Contains(c.Argv, "-s") {
			w.facts.Installed = map[string]bool{"opendkim": true}
			for _, p := range files {
				w.PutFile(p, "as its package brings it\n")
			}
		}
		return system.Result{}, nil
	}
}

func TestPackagesThatMayNotBeInstalled(t *testing.T) {
	w := newWorld(t, "")
	w.options.Install = false
	_, err := w.plan(w.request(lab(t), installing(w)))
	if err == nil || err.Error() != "not installed, and --no-install forbids it: opendkim" ||
		!slices.Equal(hint.Of(err), []string{"leave --no-install out: what apt would bring and take away is shown before you confirm"}) {
		t.Errorf("%v, %q", err, hint.Of(err))
	}
}

// Once packages are there the machine is looked at again. What the plan did not
// announce is asked about, and refused where nobody is there.
func TestPackagesThatBringMoreThanWasAnnounced(t *testing.T) {
	for _, tt := range []struct {
		name        string
		interactive bool
		answer      bool
		err         string
	}{
		{"yes", true, true, ""},
		{"no", true, false, "not confirmed: nothing else was changed"},
		{"nobody is there", false, true, "the plan changed after the packages were installed"},
	} {
		w := newWorld(t, "")
		installs(w)
		w.options.Interactive, w.answers["Do this as well?"] = tt.interactive, tt.answer
		_, err := w.run(w.request(lab(t), installing(w, "/etc/surprise")))
		if (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
			t.Errorf("%s: %v\n%s", tt.name, err, &w.said)
		}
		w.says("installing opendkim\n", "now that the packages are here, the plan needs more than it said:\n  create /etc/surprise\n")
		if w.gathered != 1 {
			t.Errorf("%s: gathered %d times", tt.name, w.gathered)
		}
		if got := w.content("/etc/surprise") != ""; got != (tt.err == "") {
			t.Errorf("%s: the file is there: %v", tt.name, got)
		}
		if stays := strings.Contains(w.said.String(), "installed and left in place: opendkim"); stays != (tt.err != "") {
			t.Errorf("%s: said\n%s", tt.name, &w.said)
		}
	}
}

// A main.cf that an earlier installation left is the administrator's.
func TestAMainCfThatWasThereBefore(t *testing.T) {
	w := newWorld(t, "")
	installs(w)
	w.PutFile("/etc/postfix/main.cf", "compatibility_level = 3.6\n")
	if _, err := w.run(w.request(lab(t), installing(w))); err != nil || store.New(w.Mem).InstalledPostfix() {
		t.Errorf("%v, %s is said to be ours\n%s", err, "main.cf", &w.said)
	}
	fresh := newWorld(t, "")
	installs(fresh, "/etc/postfix/main.cf")
	if _, err := fresh.run(fresh.request(lab(t), installing(fresh))); err != nil || !store.New(fresh.Mem).PostfixIsFresh() {
		t.Errorf("%v, a main.cf that the package brought is nobody's wish", err)
	}
}

// apt succeeds, and dpkg still knows of no package: apply refuses, and what was
// installed is told.
func TestAFailureAfterTheInstallationSaysThatPackagesStay(t *testing.T) {
	w := newWorld(t, "")
	if _, err := w.run(w.request(lab(t))); err == nil {
		t.Fatal("no error")
	}
	w.says("installed and left in place: postfix, opendkim")
}

// A mail server does not start while apt installs it, also in place of another one, and a
// failure says that it waits.
func TestAMailServerWaitsUntilItIsSetUp(t *testing.T) {
	for _, there := range []*state.Exim{nil, {Version: "4.98.2"}} {
		w := newWorld(t, "")
		if w.facts.Exim = there; there != nil {
			w.facts.Installed = map[string]bool{"exim4-daemon-light": true}
		}
		held := func() bool { return w.content(standby.DropIn("postfix.service")) != "" }
		during := false
		w.OnRun = func(c system.Command) (system.Result, error) {
			if slices.Contains(c.Argv, "--no-download") {
				during = held()
			}
			return system.Result{}, nil
		}
		if _, err := w.run(w.request(lab(t))); err == nil {
			t.Fatal("no error")
		}
		if !during || held() {
			t.Errorf("exim4 %+v: held while apt runs: %v, afterwards: %v", there, during, held())
		}
		w.says("postfix is not started before it signs: mail waits until the command succeeds, or until systemctl start postfix")
	}
}

// Nothing is installed on another system before somebody says so.
func TestAnotherRelease(t *testing.T) {
	for _, tt := range []struct {
		name  string
		flags kinds
		hint  string
		says  string
	}{
		{"nobody says so", nil, "--any-release allows it", "question"},
		{"with the flag", kinds{state.AskRelease: true}, "", "installed and left in place: postfix, opendkim"},
	} {
		w := newWorld(t, "")
		w.options.Consents, w.options.Interactive = tt.flags, false
		w.facts.Release = state.Release{ID: "ubuntu", Version: "24.04", Like: []string{"debian"}, Pretty: "Ubuntu 24.04 LTS"}
		_, err := w.run(w.request(lab(t)))
		if err == nil || tt.hint != "" && !slices.Equal(hint.Of(err), []string{tt.hint}) {
			t.Errorf("%s: %v, %q", tt.name, err, hint.Of(err))
		}
		w.says(tt.says)
	}
}

// A run about some domains is not about the private keys of others.
func TestPrivateKeysThatAreGone(t *testing.T) {
	for _, tt := range []struct {
		name  string
		set   func(*world, *provision.Request)
		error bool
	}{
		{"of a domain", func(*world, *provision.Request) {}, true},
		{"of another domain than those of the run", func(_ *world, r *provision.Request) { r.Scope = step.Only("shop.example") }, false},
		{"that another one replaces", func(_ *world, r *provision.Request) { r.Keys.Replaced = map[string]bool{"lab.example": true} }, false},
		{"of which OpenDKIM gets a copy", func(_ *world, r *provision.Request) {
			r.Keys.Copies = map[state.Path][]byte{keyFile: []byte("PEM")}
		}, false},
		{"a dry run may not look", func(w *world, _ *provision.Request) { w.options.DryRun = true }, false},
	} {
		w := newWorld(t, "")
		w.ledger = keyring.Ledger{"lab.example": {{Selector: "202611", Bits: 2048, Public: "MIIB", File: string(keyFile), Stage: keyring.Active}}}
		r := w.request(lab(t), nothing)
		tt.set(w, &r)
		_, err := w.plan(r)
		var failed state.DomainErrors
		if errors.As(err, &failed) != tt.error || tt.error && failed["lab.example"] == nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
