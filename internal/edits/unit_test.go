package edits

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/state"
)

func TestAssignments(t *testing.T) {
	text := "Before=any.section\n# ExecStart=/comment\n[Unit]\nAfter=named.service\n[Service]\nExecStart=\n" +
		"  ExecStart = /usr/sbin/opendkim \\\n; in the middle\n\t-p inet:8891@localhost \\\n  -P /run/x.pid\r\n" +
		"Environment=\"A=b\\\\\"\nPIDFile=/run/x.pid\\\\\nUser=opendkim"
	want := []Assignment{
		{"Unit", "After", "named.service", 4},
		{"Service", "ExecStart", "", 6},
		{"Service", "ExecStart", "/usr/sbin/opendkim -p inet:8891@localhost -P /run/x.pid", 7},
		{"Service", "Environment", `"A=b\\"`, 11},
		{"Service", "PIDFile", `/run/x.pid\\`, 12},
		{"Service", "User", "opendkim", 13},
	}
	if diff := cmp.Diff(want, Assignments([]byte(text))); diff != "" {
		t.Error(diff)
	}
}

func TestUnit(t *testing.T) {
	for _, c := range []struct{ name, before, after string }{
		{
			"as the package's generator writes it",
			"[Service]\nExecStart=\nExecStart=/usr/sbin/opendkim -P /run/opendkim/opendkim.pid -p inet:8891@localhost \n",
			"[Service]\n",
		},
		{
			"beside what is not ours to change",
			"# more files, please\r\n[Service]\n LimitNOFILE = 9999\nPIDFile=/run/x.pid\n\n# harden\nProtectHome=yes\nExecStart=/x",
			"# more files, please\r\n[Service]\n LimitNOFILE = 9999\n\n# harden\nProtectHome=yes\n",
		},
		{
			"lines that go on, and comments between them",
			"[Service]\nExecStart=/x \\\n# why\n  -p y \\\n\nNice=5 \\\n",
			"[Service]\n# why\nNice=5 \\\n",
		},
		{
			"the same names elsewhere",
			"ExecStart=/before any section\n[Unit]\nPIDFile=/of nothing\n[Service]\n#ExecStart=/x\nExecStartPre=/bin/true\n",
			"ExecStart=/before any section\n[Unit]\nPIDFile=/of nothing\n[Service]\n#ExecStart=/x\nExecStartPre=/bin/true\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := state.UnitEdit{Drop: []string{"ExecStart", "PIDFile"}}
			out, handled, err := Evaluate(e, []byte(c.before))
			if err != nil || !handled {
				t.Fatalf("handled %v, %v", handled, err)
			}
			if diff := cmp.Diff(c.after, string(out)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestService(t *testing.T) {
	shipped := "[Service]\nType=forking\nExecStart=/usr/sbin/opendkim\n"
	for want, files := range map[string][]string{
		"/usr/sbin/opendkim": {shipped, "[Service]\nNice=5\n[Unit]\nExecStart=/of nothing\n"},
		"/b":                 {shipped, "[Service]\nExecStart=\nExecStart=/a\n", "[Service]\nExecStart=\nExecStart=/b\n"},
		"":                   {shipped, "[Service]\nExecStart=\n"},
	} {
		var texts [][]byte
		for _, f := range files {
			texts = append(texts, []byte(f))
		}
		if got := Service("ExecStart", texts...); got != want {
			t.Errorf("%q: %q, want %q", files, got, want)
		}
	}
}

// FuzzUnit: what is dropped is gone and nothing else is, line by line; twice is
// once.
func FuzzUnit(f *testing.F) {
	f.Add("[Service]\nExecStart=\nExecStart=/x \\\n# c\n -p y\nUser=a\n")
	f.Add("ExecStart=/x\n[Service\nExecStart=\\\n\\\n[Service]\nExecStart\nExecStart=a\\\\\nExecStart=b\\")
	f.Fuzz(func(t *testing.T, text string) {
		e := state.UnitEdit{Drop: []string{"ExecStart"}}
		once := Unit(e, []byte(text))
		if twice := Unit(e, once); !bytes.Equal(once, twice) {
			t.Errorf("once %q, twice %q", once, twice)
		}
		var want []Assignment
		for _, a := range Assignments([]byte(text)) {
			if a.Section != "Service" || a.Name != "ExecStart" {
				a.Line = 0
				want = append(want, a)
			}
		}
		got := Assignments(once)
		for i := range got {
			got[i].Line = 0
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q became %q: %s", text, once, diff)
		}
		rest := text
		for line := range strings.Lines(string(once)) {
			i := strings.Index(rest, line)
			if i < 0 {
				t.Fatalf("%q became %q, which has a new line %q", text, once, line)
			}
			rest = rest[i+len(line):]
		}
	})
}
