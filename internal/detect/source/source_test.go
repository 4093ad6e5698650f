package source_test

import (
	"strings"
	"testing"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

func TestText(t *testing.T) {
	m := detecttest.New()
	m.PutFile("/etc/real", "text\n")
	link := func(at state.Path, to string) { m.Put(at, state.Object{Kind: state.Symlink, Content: []byte(to)}) }
	link("/etc/absolute", "/etc/real")
	link("/etc/sub/relative", "../absolute")
	link("/etc/circle", "circle")
	link("/etc/dangling", "nowhere")
	m.Put("/etc/dir", state.Object{Kind: state.Directory, Mode: 0o755})
	for _, tt := range []struct {
		path      state.Path
		want, err string
	}{
		{"/etc/real", "text\n", ""},
		{"/etc/sub/relative", "text\n", ""},
		{"/etc/dangling", "", ""},
		{"/etc/nowhere", "", ""},
		{"/etc/circle", "", "read /etc/circle: too many symbolic links"},
		{"/etc/dir", "", "/etc/dir: is a directory, expected a file"},
	} {
		got, err := source.Text(m, tt.path)
		if said := errText(err); string(got) != tt.want || said != tt.err {
			t.Errorf("Text(%s) = %q, %q; want %q, %q", tt.path, got, said, tt.want, tt.err)
		}
	}
	if text, _ := source.Text(m, "/etc/nowhere"); text != nil {
		t.Errorf("a file that is not there has the text %q, want nil", text)
	}
}

func TestOutput(t *testing.T) {
	m := detecttest.New()
	m.Says("works", " out \n")
	m.Answers["fails"] = system.Result{Code: 3, Stdout: []byte("half\n"), Stderr: []byte("first\nlast words\n")}
	m.Answers["silent"] = system.Result{Code: 1}
	for _, tt := range []struct{ argv, want, err string }{
		{"works -x", " out \n", ""},
		{"fails", "", "fails: exit 3: last words"},
		{"silent", "", "silent: exit 1: no message"},
		{"absent", "", "run absent: executable file not found"},
	} {
		got, err := source.Output(t.Context(), m, strings.Fields(tt.argv)...)
		if said := errText(err); got != tt.want || !strings.HasPrefix(said, tt.err) || (tt.err == "") != (said == "") {
			t.Errorf("Output(%s) = %q, %q; want %q, %q", tt.argv, got, said, tt.want, tt.err)
		}
	}
	if got := source.OptionalOutput(t.Context(), m, "works"); got != "out" {
		t.Errorf("OptionalOutput = %q, want it without white space", got)
	}
	if got := source.OptionalOutput(t.Context(), m, "fails"); got != "" {
		t.Errorf("OptionalOutput of a program that fails = %q", got)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
