package plan_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
)

// foreign draws a text as files, DNS and daemons may have it.
func foreign(rnd *rand.Rand) string {
	words := []string{
		"mail", "of", "lab.example", "größer", "\x1b[2J", "\x1b]0;title\x07", "\u202e", "\x00", "\t", "\r", "\u2028", "\u202ex", "\xff\xfe", "{ unix:opendkim/opendkim.sock, default_action=tempfail }",
		"v=DKIM1; h=sha256; k=rsa; p=", strings.Repeat("long", 5), "a:\nb",
	}
	var out []string
	for range 1 + rnd.IntN(24) {
		out = append(out, words[rnd.IntN(len(words))])
	}
	return strings.Join(out, " ")
}

const keyText = "-----BEGIN RSA PRIVATE KEY-----\nTOPSECRET\n"

// randomObject is a file, a directory, a private key, or nothing.
func randomObject(rnd *rand.Rand) state.Object {
	o := state.Object{Kind: state.Regular, Mode: []fs.FileMode{0o600, 0o644, fs.ModeSetgid | 0o750}[rnd.IntN(3)], Owner: state.Root}
	switch rnd.IntN(5) {
	case 0:
		return state.Object{}
	case 1:
		o.Kind = state.Directory
	case 2:
		o.Content, o.Secret = []byte(keyText), rnd.IntN(2) == 0
	default:
		o.Content = []byte(foreign(rnd) + "\n" + foreign(rnd))
	}
	return o
}

// randomPlan holds whatever a plan can hold, with texts of others wherever there are any.
func randomPlan(rnd *rand.Rand) plan.Plan {
	var p plan.Plan
	for s := range rnd.IntN(14) {
		st := plan.StageChanges{Name: []string{"Packages", "OpenDKIM", "Postfix", "DNS"}[rnd.IntN(4)], Checkpoint: rnd.IntN(5) == 0}
		why, dir := foreign(rnd), fmt.Sprintf("/etc/dir%d", s)
		for i := range rnd.IntN(14) {
			c := plan.Change{Path: state.Path(fmt.Sprintf("%s/f%d", dir, i)), Before: randomObject(rnd), After: randomObject(rnd), Why: why}
			if rnd.IntN(3) > 0 { // one of many that are alike
				c.Before, c.After = state.Object{}, state.Object{Kind: state.Regular, Mode: 0o644, Owner: state.Root}
			}
			if c.Op = plan.OpOf(c.Before, c.After); rnd.IntN(9) == 0 {
				c.Op, c.Settings = plan.Later, []string{"smtpd_milters = " + foreign(rnd)}
			}
			st.Changes = append(st.Changes, c)
		}
		for i := range rnd.IntN(3) {
			st.Packages = append(st.Packages, state.Package{Name: fmt.Sprintf("package%d", i), Why: foreign(rnd)})
			st.Install = append(st.Install, fmt.Sprintf("package%d", i), "libpackage")
			st.Uninstall = append(st.Uninstall, fmt.Sprintf("gone%d", i))
			st.Units = append(st.Units, state.Unit{Name: fmt.Sprintf("unit%d.service", i), Action: state.Restart, Why: foreign(rnd), NeedsDaemonReload: i == 0, Probes: []state.Probe{{Kind: state.ProbeActive}}})
			st.Derived = append(st.Derived, state.Derived{Path: state.Path(fmt.Sprintf("/etc/map%d.db", i)), From: "/etc/map", Argv: []string{"postmap"}})
			record := state.Record{Name: "lab.example.", Type: "TXT", TTL: 3600, Value: foreign(rnd)}
			st.Updates = append(st.Updates, state.Update{Origin: "lab.example.", Server: "192.0.2.53:53", Add: []state.Record{record}, Remove: []state.Record{record}})
		}
		if !st.Empty() {
			p.Stages = append(p.Stages, st)
		}
	}
	for i := range rnd.IntN(4) {
		p.Answers = append(p.Answers, plan.Answer{Name: "Domain"[:1+i], Text: foreign(rnd)})
		p.Drift = append(p.Drift, plan.Drift{Path: "/etc/opendkim.conf", Why: foreign(rnd), Diff: foreign(rnd)})
		p.Notes = append(p.Notes, state.Note{Topic: "signed", Text: foreign(rnd), Doubt: rnd.IntN(4) == 0, Informational: rnd.IntN(2) == 0, Action: []string{"", "mailsetup init --ip 192.0.2.10"}[rnd.IntN(2)]})
		p.Questions = append(p.Questions, state.Question{ID: "q", Kind: state.AskRecord, Text: foreign(rnd), Path: "/etc/bind/db.lab", Line: i, Before: foreign(rnd), After: foreign(rnd), Declined: foreign(rnd)})
	}
	return p
}

// checkShown finds what would harm a terminal, or its reader.
func checkShown(t *testing.T, seed uint64, what, shown string) {
	t.Helper()
	if strings.Contains(shown, "SECRET") {
		t.Errorf("seed %d: %s has a private key", seed, what)
	}
	if !utf8.ValidString(shown) || !strings.HasSuffix(shown, "\n") {
		t.Errorf("seed %d: %s is no text of whole lines", seed, what)
	}
	for l := range strings.Lines(shown) {
		l = strings.TrimSuffix(l, "\n")
		if strings.ContainsFunc(l, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' }) {
			t.Errorf("seed %d: a control character of others in %s: %q", seed, what, l)
		}
		if strings.TrimRight(l, " ") != l && !strings.HasPrefix(l, "      ") {
			t.Errorf("seed %d: blanks at an end in %s: %q", seed, what, l)
		}
		if fields := strings.Fields(l); utf8.RuneCountInString(l) > 80 && len(fields) > 2 {
			t.Errorf("seed %d: wider than 80 columns in %s: %q", seed, what, l)
		}
	}
}

// Whatever others wrote into files, DNS and logs, a plan is shown in 80 columns,
// without control characters and without a private key; colours change no word of it;
// and every change is there or counted.
func TestEveryPlanIsFitToBeShown(t *testing.T) {
	sgr, more := regexp.MustCompile("\x1b\\[[0-9;]*m"), regexp.MustCompile(`(?m)^  . (\d+) more like this$`)
	blanks := regexp.MustCompile(`(?m) +$`)
	for seed := range uint64(120) {
		p := randomPlan(rand.New(rand.NewPCG(seed, 6429)))
		show := func(o plan.TextOptions) string {
			var b bytes.Buffer
			if err := p.Text(&b, o); err != nil {
				t.Fatal(err)
			}
			return b.String()
		}
		text := show(plan.TextOptions{})
		checkShown(t, seed, "the plan", text)
		if coloured := show(plan.TextOptions{Color: true}); blanks.ReplaceAllString(sgr.ReplaceAllString(coloured, ""), "") != text {
			t.Errorf("seed %d: colours change the text", seed)
		}
		diffs := sgr.ReplaceAllString(show(plan.TextOptions{Color: true, Diff: true}), "")
		if strings.Contains(diffs, "SECRET") || strings.Contains(diffs, "\x1b") || strings.Contains(diffs, "\x00") {
			t.Errorf("seed %d: diffs show a key, or control a terminal:\n%q", seed, diffs)
		}
		changes, told := 0, 0
		for _, st := range p.Stages {
			for _, c := range st.Changes {
				changes++
				if strings.Contains(text, " "+string(c.Path)+"\n") || strings.Contains(text, " "+string(c.Path)+"/\n") {
					told++
				}
			}
		}
		for _, m := range more.FindAllStringSubmatch(text, -1) {
			n, _ := strconv.Atoi(m[1])
			told += n
		}
		if told != changes {
			t.Errorf("seed %d: %d changes, and %d are told", seed, changes, told)
		}
	}
}

// A summary has twenty lines below answers and doubts, and where it leaves out more it
// says how many: nobody confirms what was cut off in silence.
func TestASummaryCutsNothingInSilence(t *testing.T) {
	cut := 0
	for seed := range uint64(150) {
		p := randomPlan(rand.New(rand.NewPCG(seed, 6429)))
		var whole, short bytes.Buffer
		if err := p.Summary(&short, plan.TextOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := p.Summary(&whole, plan.TextOptions{WholeNotes: true}); err != nil {
			t.Fatal(err)
		}
		checkShown(t, seed, "the summary", short.String())
		checkShown(t, seed, "the summary with whole notes", whole.String())
		q := p
		q.Stages, q.Drift, q.Notes = nil, nil, slices.DeleteFunc(slices.Clone(p.Notes), func(n state.Note) bool { return !n.Doubt })
		var head bytes.Buffer
		if err := q.Summary(&head, plan.TextOptions{}); err != nil {
			t.Fatal(err)
		}
		above := strings.Count(head.String(), "\n") - 1 // less that of the empty plan
		if lines := strings.Count(short.String(), "\n") - above; lines > 20 {
			t.Errorf("seed %d: %d lines below answers and doubts\n%s", seed, lines, short.String())
		}
		said := strings.Contains(short.String(), " more line")
		last := len(p.Stages) - 1
		if last >= 0 && len(p.Stages[last].Units) > 0 {
			unit := p.Stages[last].Units[len(p.Stages[last].Units)-1].Name
			tail := short.String()[max(0, strings.LastIndex(short.String(), "\n  "+p.Stages[last].Name+" ")):]
			if !strings.Contains(tail, unit) && !said {
				t.Errorf("seed %d: the last stage is gone, and nothing says so:\n%s", seed, short.String())
			}
		}
		if said {
			cut++
		}
	}
	if cut < 10 {
		t.Errorf("only %d summaries were cut: the plans prove nothing", cut)
	}
}

// names collects the paths of all keys of a JSON value.
func names(v any, at string, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, inside := range v {
			into[strings.TrimPrefix(at+"."+k, ".")] = true
			names(inside, at+"."+k, into)
		}
	case []any:
		for _, inside := range v {
			names(inside, at, into)
		}
	}
}

// The fields of --json are words that scripts read: these, in every plan, with no key
// and no octet lost of what is no text.
func TestFieldsOfAPlanAsData(t *testing.T) {
	want := strings.Fields(`
		document drift drift.diff drift.path drift.why notes notes.action notes.informational notes.text notes.topic
		pending questions questions.after questions.before questions.declined questions.flag questions.id questions.kind questions.line
		questions.path questions.text
		schema stages stages.changes stages.changes.after stages.changes.after.kind stages.changes.after.mode stages.changes.after.owner
		stages.changes.after.sha256 stages.changes.argv stages.changes.before stages.changes.before.kind stages.changes.before.mode stages.changes.before.owner
		stages.changes.before.sha256 stages.changes.diff stages.changes.from stages.changes.op stages.changes.path stages.changes.secret
		stages.changes.settings stages.changes.why stages.checkpoint
		stages.install stages.name stages.packages stages.packages.name stages.packages.why stages.uninstall
		stages.units stages.units.action stages.units.daemon_reload stages.units.name stages.units.probes
		stages.units.why stages.updates`)
	got := map[string]bool{}
	for seed := range uint64(200) {
		p := randomPlan(rand.New(rand.NewPCG(seed, 6429)))
		data, err := asJSON(p)
		if err != nil || bytes.Contains(data, []byte("SECRET")) {
			t.Fatalf("seed %d: %v, or a private key", seed, err)
		}
		var v struct {
			Stages []struct {
				Changes []struct {
					Path   string
					Secret bool
					After  struct{ SHA256 string }
				}
			}
		}
		var all map[string]any
		if json.Unmarshal(data, &v) != nil || json.Unmarshal(data, &all) != nil {
			t.Fatalf("seed %d: no JSON:\n%s", seed, data)
		}
		names(all, "", got)
		for i, st := range p.Stages {
			if len(v.Stages[i].Changes) != len(st.Changes)+len(st.Derived) {
				t.Fatalf("seed %d: %d changes of %d", seed, len(v.Stages[i].Changes), len(st.Changes))
			}
			for j, c := range v.Stages[i].Changes[:len(st.Changes)] {
				after := st.Changes[j].After
				if isKey := after.Secret || string(after.Content) == keyText; isKey && (c.After.SHA256 != "" || !c.Secret) || c.Path != string(st.Changes[j].Path) {
					t.Errorf("seed %d: %+v of %s", seed, c, st.Changes[j].Path)
				}
			}
		}
	}
	have := slices.DeleteFunc(slices.Sorted(maps.Keys(got)), func(n string) bool { return strings.HasPrefix(n, "stages.updates.") })
	if !slices.Equal(have, want) {
		t.Errorf("fields\n%s\nwant\n%s", strings.Join(have, " "), strings.Join(want, " "))
	}
}
