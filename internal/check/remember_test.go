package check_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"mailsetup/internal/check"
	"mailsetup/internal/check/report"
	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/machine"
	"mailsetup/internal/state"
)

// The outcome is kept where mailsetup has its own files, readable by root alone, and
// what cannot be read is no reason to stop.
func TestTheLastResultIsKept(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(*detecttest.Machine)
		changed bool
		kept    bool
		said    string
	}{
		{"on a server that mailsetup never touched", func(*detecttest.Machine) {}, false, false, ""},
		{"there, with --changed", func(m *detecttest.Machine) { m.PutFile("/var/lib/dpkg/status", "") }, true, true, ""},
		{"on one that it has set up", func(m *detecttest.Machine) { m.PutFile("/var/lib/mailsetup/unchanged", "") }, false, true, ""},
		{"what is damaged", func(m *detecttest.Machine) { m.PutFile(state.CheckFile, "{") }, true, true, "what the last check found cannot be used, so all is new: /var/lib/mailsetup/check.json: unexpected end"},
		{"of a later version", func(m *detecttest.Machine) { m.PutFile(state.CheckFile, `{"version": 2}`) }, true, true, "so all is new: /var/lib/mailsetup/check.json: version 2 is not known\n"},
	} {
		sys := debian("")
		tt.prepare(sys)
		var said strings.Builder
		m := machine.New(sys, nil, machine.Options{DryRun: true, Logf: func(format string, a ...any) { fmt.Fprintf(&said, format+"\n", a...) }})
		o := check.Options{Offline: true, Changed: tt.changed}
		o.Only = []string{"host"}
		if _, err := check.On(t.Context(), m, o); err != nil {
			t.Fatal(err)
		}
		f, err := sys.Read(state.CheckFile)
		if err != nil || (f.Kind == state.Regular) != tt.kept || tt.kept && (f.Mode != 0o600 || !strings.HasPrefix(string(f.Content), "{\n \"version\": 1")) {
			t.Errorf("%s: %v %o %q, %v", tt.name, f.Kind, f.Mode, f.Content, err)
		}
		if !strings.Contains(said.String(), tt.said) {
			t.Errorf("%s: said %q", tt.name, said.String())
		}
	}
}

// What is no file of ours is in the way of nothing: the report is told, a line says why all
// is new, and what is there stays.
func TestNoFileOfOurs(t *testing.T) {
	const is = "what the last check found cannot be used, so all is new, and nothing is remembered: /var/lib/mailsetup/check.json: is a "
	for want, o := range map[string]state.Object{
		is + "symbolic link to /etc/shadow, expected a file\n": {Kind: state.Symlink, Content: []byte("/etc/shadow")},
		is + "device, pipe or socket, expected a file\n":       {Kind: state.Special},
		is + "directory, expected a file\n":                    {Kind: state.Directory, Mode: 0o755},
	} {
		sys := debian("")
		sys.PutFile("/etc/shadow", "secret")
		sys.PutFile("/var/lib/mailsetup/unchanged", "")
		sys.Put(state.CheckFile, o)
		var said strings.Builder
		m := machine.New(sys, nil, machine.Options{DryRun: true, Logf: func(format string, a ...any) { fmt.Fprintf(&said, format+"\n", a...) }})
		for range 2 {
			said.Reset()
			told := 0
			options := check.Options{Offline: true, Changed: true, Print: func(r report.Report) (bool, error) { told = len(r.Changes); return true, nil }}
			options.Only = []string{"live.stale"}
			sys.Delete("/etc/postfix/main.cf")
			if _, err := check.On(t.Context(), m, options); err != nil || told == 0 || !strings.HasSuffix(said.String(), "\n"+want) {
				t.Errorf("%v: %v, %d changes, %q", o.Kind, err, told, said.String())
			}
		}
		if is, err := sys.Read(state.CheckFile); err != nil || is.Kind != o.Kind || string(is.Content) != string(o.Content) {
			t.Errorf("%v became %v %q, %v", o.Kind, is.Kind, is.Content, err)
		}
		if f, err := sys.Read("/etc/shadow"); err != nil || string(f.Content) != "secret" {
			t.Errorf("%q, %v", f.Content, err)
		}
	}
}

// Who was not told is told the next time.
func TestWhatIsLostIsToldAgain(t *testing.T) {
	full := errors.New("no space left on device")
	sys := debian("")
	sys.Delete("/etc/postfix/main.cf")
	sys.PutFile("/var/lib/dpkg/status", "")
	m := machine.New(sys, nil, machine.Options{DryRun: true})
	for i, step := range []struct {
		changed, told bool
		err           error
		changes       int
	}{
		{true, false, full, 1}, {true, false, nil, 1}, {false, false, full, 0}, {true, true, nil, 1}, {true, true, nil, 0},
	} {
		o := check.Options{Offline: true, Changed: step.changed, Print: func(report.Report) (bool, error) { return step.told, step.err }}
		o.Only = []string{"live.stale"}
		r, err := check.On(t.Context(), m, o)
		if !errors.Is(err, step.err) || len(r.Changes) != step.changes {
			t.Errorf("run %d: %d changes, want %d; %v", i+1, len(r.Changes), step.changes, err)
		}
	}
}

// What is contradictory is refused before anything is looked at.
func TestValidate(t *testing.T) {
	for want, o := range map[string]check.Options{
		"":                              {Online: true, Resolver: "192.0.2.53", Form: "json", Changed: true, Strict: true},
		"--format \"xml\" is not known": {Form: "xml"},
		"--offline and --online do not go together":            {Offline: true, Online: true},
		"--offline and --resolver do not go together":          {Offline: true, Resolver: "192.0.2.53"},
		"--changed and --format prometheus do not go together": {Changed: true, Form: "prometheus"},
	} {
		got := ""
		if err := o.Validate(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// The line that shows what is looked at is gone before anything is printed.
func TestProgressGivesWay(t *testing.T) {
	var mu sync.Mutex
	var shown []string
	rewrite := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		shown = append(shown, line)
	}
	o := check.Options{Offline: true, Rewrite: rewrite, Print: func(report.Report) (bool, error) { rewrite("the report"); return true, nil }}
	o.Only = []string{"host"}
	if _, err := check.On(t.Context(), machine.New(debian(""), nil, machine.Options{}), o); err != nil {
		t.Fatal(err)
	}
	if want := []string{"checking: hosts", "", "the report"}; !slices.Equal(shown[max(0, len(shown)-3):], want) {
		t.Errorf("%q, want %q at the end", shown, want)
	}
}

// With --strict nothing has passed where nothing was looked at: neither if all was left
// out, nor if nothing changed in what was not looked at.
func TestFailed(t *testing.T) {
	ok, problem, unknown, ignored := report.Summary{OK: 1}, report.Summary{Problems: 1, OK: 1}, report.Summary{Unknown: 1}, report.Summary{Ignored: 1}
	for _, tt := range []struct {
		summary         report.Summary
		changed, strict bool
		want            bool
	}{
		{ok, false, false, false},
		{ok, false, true, false},
		{problem, false, false, true},
		{unknown, false, false, false},
		{unknown, false, true, true},
		{ignored, false, true, false},
		{report.Summary{}, false, false, false},
		{report.Summary{}, false, true, true},
		{ok, true, true, false},
		{problem, true, true, false}, // it was told before
		{report.Summary{}, true, true, true},
	} {
		if got := (check.Options{Changed: tt.changed, Strict: tt.strict}).Failed(report.Report{Summary: tt.summary}); got != tt.want {
			t.Errorf("%+v", tt)
		}
	}
}

// What the checks remember of a domain outlives a run that is about others, and ends with
// the domain.
func TestFactsAreKept(t *testing.T) {
	for domain, kept := range map[string]bool{"lab.example": true, "": false} {
		sys := debian("")
		sys.PutFile("/var/lib/mailsetup/unchanged", "")
		sys.PutFile(state.CheckFile, `{"version": 1, "findings": [], "facts": [{"id": "dmarc.ramp", "domain": "shop.example", "value": "none", "since": "2026-01-01T00:00:00Z"}]}`)
		o := check.Options{Offline: true}
		o.Only = []string{"host"}
		if domain != "" {
			o.Domains = []string{domain}
		}
		m := machine.New(sys, nil, machine.Options{DryRun: true, Logf: func(string, ...any) {}})
		if _, err := check.On(t.Context(), m, o); err != nil {
			t.Fatal(err)
		}
		f, err := sys.Read(state.CheckFile)
		if err != nil || strings.Contains(string(f.Content), `"value": "none"`) != kept {
			t.Errorf("%q: %s, %v", domain, f.Content, err)
		}
	}
}
