package system

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"mailsetup/internal/state"
)

func openImage(t *testing.T, dir string) *Image {
	t.Helper()
	m, err := NewRoot(dir)
	must(t, err)
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// What one run set, the next one finds: owners that do not even exist here.
func TestImageTwice(t *testing.T) {
	dir := t.TempDir()
	m := openImage(t, dir)
	key := regular("key", 0o600)
	key.Owner = state.Owner{User: "opendkim", Group: "opendkim"}
	run := state.Object{Kind: state.Directory, Mode: fs.ModeSetgid | 0o750, Owner: state.Owner{User: "opendkim", Group: "postfix"}}
	must(t, m.Create("/etc/dkimkeys/d.example/s.private~", key))
	must(t, m.Rename("/etc/dkimkeys/d.example/s.private~", "/etc/dkimkeys/d.example/s.private"))
	must(t, m.Mkdir("/var/spool/postfix/opendkim", run))
	must(t, m.Create("/etc/gone", key))
	must(t, m.Remove("/etc/gone"))
	must(t, m.SaveManifest())

	again := openImage(t, dir)
	for p, want := range map[state.Path]state.Object{
		"/etc/dkimkeys/d.example/s.private": key,
		"/var/spool/postfix/opendkim":       run,
		"/etc":                              {Kind: state.Directory, Mode: 0o755, Owner: state.Root},
	} {
		got, err := again.Read(p)
		if err != nil || got.Owner != want.Owner || got.Mode != want.Mode {
			t.Errorf("%s: %v %v, %v; want %v %v", p, got.Owner, got.Mode, err, want.Owner, want.Mode)
		}
	}
	before, err := os.Stat(filepath.Join(dir, string(ManifestPath)))
	must(t, err)
	must(t, again.SaveManifest())
	after, err := os.Stat(filepath.Join(dir, string(ManifestPath)))
	must(t, err)
	if !os.SameFile(before, after) {
		t.Error("an unchanged manifest was written again")
	}
}

func TestImageManifest(t *testing.T) {
	m := openImage(t, t.TempDir())
	o := regular("", fs.ModeSetgid|0o640)
	o.Owner = state.Owner{User: "root", Group: "bind"}
	must(t, m.Create("/f", o))
	want := `[
  {
    "path": "/f",
    "user": "root",
    "group": "bind",
    "mode": "2640"
  }
]
`
	if got := string(m.Manifest()); got != want {
		t.Errorf("manifest %s", got)
	}
	var list []map[string]string
	if err := json.Unmarshal(openImage(t, t.TempDir()).Manifest(), &list); err != nil || len(list) != 0 {
		t.Errorf("empty manifest: %v, %v", list, err)
	}
}

func TestImageKeepsInside(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	write(t, outside+"/victim", "safe", 0o644)
	must(t, os.Symlink(outside, dir+"/etc"))
	must(t, os.Symlink("../../../../../../"+outside, dir+"/rel"))
	m := openImage(t, dir)
	for _, base := range []state.Path{"/etc", "/rel"} {
		if err := m.Create(base.Join("new"), regular("x", 0o644)); err == nil {
			t.Errorf("%s: created outside", base)
		}
		if err := m.Append(base.Join("victim"), []byte("x")); err == nil {
			t.Errorf("%s: appended outside", base)
		}
		if o, err := m.Read(base.Join("victim")); err == nil {
			t.Errorf("%s: read %q outside", base, o.Content)
		}
	}
	data, err := os.ReadFile(outside + "/victim")
	if string(data) != "safe" || err != nil {
		t.Errorf("outside: %q, %v", data, err)
	}
}

func TestImageBadManifest(t *testing.T) {
	for _, text := range []string{"{", `[{"path":"/f","user":"a","group":"b","mode":"9"}]`} {
		dir := t.TempDir()
		write(t, dir+string(ManifestPath), text, 0o600)
		if _, err := NewRoot(dir); err == nil {
			t.Errorf("manifest %q was taken", text)
		}
	}
}

func TestImageRunsNothing(t *testing.T) {
	m := openImage(t, t.TempDir())
	if _, err := m.Run(context.Background(), Command{Argv: []string{"true"}}); !errors.Is(err, ErrImage) {
		t.Errorf("run: %v", err)
	}
	st, err := m.Status(context.Background(), "postfix")
	if st.Load != "not-found" || err != nil {
		t.Errorf("status %+v, %v", st, err)
	}
}
