package provision_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/keygen"
	"mailsetup/steps/step"
)

const keyFile state.Path = "/etc/dkimkeys/lab.example/202611.private"

// writingKeys is a step that writes the private keys of a run and the ledger of
// lab.example.
func writingKeys(fail func() error) step.Step {
	return step.Step{Name: "Keys", Build: func(in step.Input) (state.Stage, []state.Note, error) {
		stage := state.Stage{Dirs: []state.Dir{
			{Path: "/etc/dkimkeys", Mode: 0o700, Owner: state.Root}, {Path: "/etc/dkimkeys/lab.example", Mode: 0o700, Owner: state.Root},
		}}
		for p, pem := range in.Keys.Private {
			stage.Files = append(stage.Files, state.File{Path: p, Mode: 0o600, Owner: state.Root, Content: pem})
		}
		for _, k := range in.Ledger["lab.example"] {
			text := k.Selector + " " + k.Public + "\n"
			stage.Files = append(stage.Files, state.File{Path: state.Path("/etc/record." + k.Selector), Mode: 0o644, Owner: state.Root, Content: []byte(text)})
		}
		return stage, nil, fail()
	}}
}

func never() error { return nil }

// The plan that is confirmed has a placeholder for the key. What is applied has
// the key, and nothing else is different.
func TestTheKeyIsMadeOnceThePlanIsConfirmed(t *testing.T) {
	w := newWorld(t, "")
	d, err := w.plan(w.request(lab(t), writingKeys(never)))
	if err != nil {
		t.Fatal(err)
	}
	if got := contentIn(d, "/etc/record.202611"); got != "202611 "+keyring.Placeholder+"\n" {
		t.Errorf("the plan announces %q", got)
	}
	if _, err := w.p.Run(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	key, err := keygen.Parse([]byte(w.content(keyFile)))
	if err != nil {
		t.Fatal(err)
	}
	if got := w.content("/etc/record.202611"); got != "202611 "+key.Public()+"\n" || key.Bits() != 1024 {
		t.Errorf("record %q, %d bits", got, key.Bits())
	}
	w.says("making a key of 1024 bits for lab.example\n", "keys made: 1 of 1\n")
}

func contentIn(d *provision.Draft, path state.Path) string {
	for _, st := range d.Plan.Stages {
		for _, c := range st.Changes {
			if c.Path == path {
				return string(c.After.Content)
			}
		}
	}
	return ""
}

// Nothing that was not confirmed is applied: neither a change that somebody made
// meanwhile nor, for that matter, one that a step makes of the key.
func TestAMachineThatChangedWhileThePlanWasOnTheScreen(t *testing.T) {
	w := newWorld(t, "")
	d, err := w.plan(w.request(lab(t), writingKeys(never), files("ours", "/etc/x")))
	if err != nil {
		t.Fatal(err)
	}
	w.PutFile("/etc/x", "theirs")
	w.ClearTrace()
	_, err = w.p.Run(t.Context(), d)
	if err == nil || !strings.HasPrefix(err.Error(), "the machine changed while the plan was on the screen: ") {
		t.Errorf("error %v", err)
	}
	if trace := w.Trace(); len(trace) > 0 || w.content("/etc/x") != "theirs" {
		t.Errorf("touched: %q", trace)
	}
}

// Many keys are made at once, and counted.
func TestManyKeys(t *testing.T) {
	w := newWorld(t, "")
	sp := lab(t)
	for _, name := range []string{"a.example", "b.example"} {
		d := sp.Domains[0]
		d.Name = name
		sp.Domains = append(sp.Domains, d)
	}
	d, err := w.plan(w.request(sp, step.Step{Name: "Files", Build: func(in step.Input) (state.Stage, []state.Note, error) {
		return change, nil, nil
	}}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.p.Run(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	w.says("making 3 keys, on all processors\n", "keys made: 3 of 3\n")
}

// A run that has no more time for a key names the domain, changes nothing, and what was
// made of the others serves the next attempt.
func TestNoTimeForAKey(t *testing.T) {
	w := newWorld(t, "")
	r := successor(w, writingKeys(never))
	r.Keys.Until = time.Now()
	d, err := w.plan(r)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.p.Run(t.Context(), d)
	named, ok := errors.AsType[state.DomainErrors](err)
	if !ok || len(named) != 1 || !errors.Is(named["lab.example"], provision.ErrNoTime) || len(w.Trace()) > 0 {
		t.Errorf("%v, %q", err, w.Trace())
	}
	r.Keys.Until = time.Now().Add(time.Hour)
	if d, err = w.plan(r); err != nil {
		t.Fatal(err)
	}
	if _, err := w.p.Run(t.Context(), d); err != nil {
		t.Error(err)
	}
}

// A domain that has a key, or that another one signs for, gets none; nor does any
// in a run about keys that are there, or below --root.
func TestWhoGetsNoKey(t *testing.T) {
	signing := keyring.Ledger{"lab.example": {{Selector: "old", Stage: keyring.Active, Public: "MIIB"}}}
	for _, tt := range []struct {
		name string
		set  func(*world, *provision.Request)
	}{
		{"a key signs", func(w *world, r *provision.Request) { r.Keys.Ledger = signing }},
		{"another one signs", func(_ *world, r *provision.Request) { r.Want.Domains[0].SignedBy = spec.ByOther }},
		{"a run about keys that are there", func(_ *world, r *provision.Request) { r.KeysOnly = true }},
		{"below --root", func(w *world, _ *provision.Request) { w.options.MakeKeys = false }},
		{"a run about others", func(_ *world, r *provision.Request) { r.Scope = step.Only("shop.example") }},
	} {
		w := newWorld(t, "")
		r := w.request(lab(t), files("x", "/etc/x"))
		tt.set(w, &r)
		d, err := w.plan(r)
		if err != nil || len(d.Input.Keys.Private) != 0 {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	w := newWorld(t, "")
	if d, err := w.plan(w.request(lab(t), files("x", "/etc/x"))); err != nil || len(d.Input.Keys.Private) != 1 {
		t.Errorf("a run about all: %v", err)
	}
}

// A domain that is left to another signer no longer signs with a key of ours.
func TestADomainThatAnotherSigns(t *testing.T) {
	w := newWorld(t, "")
	w.ledger = keyring.Ledger{"lab.example": {{Selector: "old", Stage: keyring.Active, Public: "MIIB"}}}
	sp := lab(t)
	sp.Domains[0].SignedBy = spec.ByOther
	d, err := w.plan(w.request(sp, nothing))
	if err != nil || d.Input.Ledger["lab.example"][0].Stage != keyring.Draining || w.ledger["lab.example"][0].Stage != keyring.Active {
		t.Errorf("%v, %v", err, d.Input.Ledger)
	}
}

// A domain that comes back while its key is still in DNS signs with that key.
func TestADomainThatComesBack(t *testing.T) {
	key, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		file string
		want string
	}{
		{"its key is there", string(key.PEM()), "old"},
		{"its key is gone", "", "202611"},
	} {
		w := newWorld(t, "")
		w.seen = map[string]time.Time{"old": november.AddDate(0, 0, -3)}
		w.ledger = keyring.Ledger{"lab.example": {{
			Selector: "old", Bits: 1024, Public: key.Public(), File: "/etc/dkimkeys/lab.example/old.private", Stage: keyring.Draining,
			Since: map[keyring.Stage]time.Time{keyring.Active: november.AddDate(0, -1, 0), keyring.Draining: november.AddDate(0, 0, -1)},
		}}}
		if tt.file != "" {
			w.Put("/etc/dkimkeys/lab.example/old.private", state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Owner{User: "opendkim", Group: "opendkim"}, Content: []byte(tt.file)})
		}
		d, err := w.plan(w.request(lab(t), files("x", "/etc/x")))
		if err != nil {
			t.Fatal(err)
		}
		signs, _ := d.Input.Ledger.Signing("lab.example")
		if signs.Selector != tt.want {
			t.Errorf("%s: %q signs", tt.name, signs.Selector)
		}
		said := slices.ContainsFunc(d.Plan.Notes, func(n state.Note) bool { return n.Text == "lab.example has a key already: old signs again" })
		if said != (tt.want == "old") {
			t.Errorf("%s: notes %v", tt.name, d.Plan.Notes)
		}
	}
}

// successor asks for a second key of lab.example, as a rotation does.
func successor(w *world, list ...step.Step) provision.Request {
	w.ledger = keyring.Ledger{"lab.example": {{Selector: "old", Bits: 1024, Public: "MIIB", Stage: keyring.Active}}}
	sp := lab(w.t)
	r := w.request(sp, list...)
	r.Have, r.Scope, r.KeysOnly, r.Proof = &sp, step.Only("lab.example"), true, provision.ProveSigner
	r.Keys.After, r.Keys.During = w.ledger, w.ledger
	r.Keys.Successors, r.Keys.Replaced = []string{"lab.example"}, map[string]bool{"lab.example": true}
	return r
}

// A key that was made for a run that was undone serves the next attempt: somebody
// may have its record already.
func TestASuccessorServesTheNextAttempt(t *testing.T) {
	w := newWorld(t, "")
	broken := true
	w.OnProbe = func(state.Probe) error {
		if broken {
			return errBroken
		}
		return nil
	}
	w.Zone("lab.example.")
	proven := step.Step{Name: "Proven", Build: func(in step.Input) (state.Stage, []state.Note, error) {
		keys := in.Ledger["lab.example"]
		return state.Stage{
			Files: change.Files, Probes: []state.Probe{{Kind: state.ProbeMilter}},
			Updates: []state.Update{{Origin: "lab.example.", Server: "192.0.2.53:53", Add: []state.Record{keys[len(keys)-1].Record("lab.example", 600)}}},
		}, nil, nil
	}}
	var public []string
	for range 2 {
		d, err := w.plan(successor(w, writingKeys(never), proven))
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.p.Run(t.Context(), d)
		if (err != nil) != broken || broken && !errors.Is(err, errBroken) {
			t.Fatal(err)
		}
		i := slices.IndexFunc(d.Input.Ledger["lab.example"], func(k keyring.Key) bool { return k.Selector == "202611" })
		public = append(public, d.Input.Ledger["lab.example"][i].Public)
		broken = false
	}
	if public[0] != public[1] || public[0] == keyring.Placeholder {
		t.Errorf("first %q, then %q", public[0], public[1])
	}
	if got := w.content("/etc/record.202611"); got != "202611 "+public[0]+"\n" {
		t.Errorf("record %q", got)
	}
	if got := w.Served("lab.example."); len(got) != 1 || !strings.HasSuffix(got[0].Value, "p="+public[0]) {
		t.Errorf("the primary has %v", got)
	}
	if strings.Count(w.said.String(), "making a key") != 1 {
		t.Errorf("said\n%s", &w.said)
	}
}

// What a rotation says of keys reaches the steps, also before the new ones are
// proven.
func TestTheLedgerDuringARun(t *testing.T) {
	w := newWorld(t, "")
	r := successor(w, nothing)
	r.Keys.Successors = nil
	r.Keys.After = keyring.Ledger{"lab.example": {{Selector: "new", Stage: keyring.Active}}}
	r.Keys.Withdraw = map[string][]string{"lab.example": {"older"}}
	d, err := w.plan(r)
	if err != nil {
		t.Fatal(err)
	}
	after, _ := d.Input.Ledger.Signing("lab.example")
	during, _ := d.Input.Keys.During.Signing("lab.example")
	if after.Selector != "new" || during.Selector != "old" || !slices.Equal(d.Input.Keys.Withdraw["lab.example"], []string{"older"}) {
		t.Errorf("after %q, during %q, withdraws %v", after.Selector, during.Selector, d.Input.Keys.Withdraw)
	}
}

// A plan that cannot be made again once the keys are there changes nothing.
func TestAStepThatFailsOnceTheKeysAreMade(t *testing.T) {
	w := newWorld(t, "")
	calls := 0
	d, err := w.plan(w.request(lab(t), writingKeys(func() error {
		if calls++; calls > 1 {
			return errBroken
		}
		return nil
	})))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.p.Run(t.Context(), d); !errors.Is(err, errBroken) || len(w.Trace()) > 0 {
		t.Errorf("%v, trace %q", err, w.Trace())
	}
}

// A spec that came without its ledger, from another machine, may name a selector
// that is that machine's.
func TestTheSelectorOfASpecWithoutALedger(t *testing.T) {
	for _, tt := range []struct {
		name string
		zone []state.Record
		want state.Path
	}{
		{"somebody publishes it", []state.Record{{Name: "202609._domainkey.lab.example.", Type: "TXT", Value: "v=DKIM1; p=AAAA"}}, "/etc/dkimkeys/lab.example/202611.private"},
		{"nobody has it", nil, "/etc/dkimkeys/lab.example/202609.private"},
	} {
		w, sp := newWorld(t, ""), lab(t)
		sp.Domains[0].Selector = "202609"
		w.facts.Zones = []state.Zone{{Origin: "lab.example.", Records: tt.zone}}
		r := w.request(sp, nothing)
		r.Have = &sp
		d, err := w.plan(r)
		if _, made := d.Input.Keys.Private[tt.want]; err != nil || !made {
			t.Errorf("%s: %v, no %s", tt.name, err, tt.want)
		}
	}
}
