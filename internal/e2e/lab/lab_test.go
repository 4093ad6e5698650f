package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestImageNamesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, release := range Releases() {
		for _, image := range []Image{Bare, Mail, Staged, Signing} {
			name := imageName(release, image)
			if seen[name] || !strings.HasPrefix(name, release+"-"+string(image)+"-") {
				t.Errorf("image name %q", name)
			}
			seen[name] = true
		}
	}
	if !strings.HasPrefix(recipe("trixie", Mail), recipe("trixie", Bare)) {
		t.Error("a changed bare recipe does not change the mail image")
	}
}

func TestSnapshotSeesEveryChange(t *testing.T) {
	tests := map[string]struct {
		change func(root string) error
		path   string
	}{
		"bytes":  {func(r string) error { return os.WriteFile(r+"/etc/a", []byte("B"), 0o644) }, "/etc/a"},
		"mode":   {func(r string) error { return os.Chmod(r+"/etc/a", 0o600) }, "/etc/a"},
		"owner":  {func(r string) error { return os.Chown(r+"/etc/a", 1, 1) }, "/etc/a"},
		"new":    {func(r string) error { return os.WriteFile(r+"/etc/d/b", nil, 0o644) }, "/etc/d/b"},
		"setgid": {func(r string) error { return os.Chmod(r+"/etc/d", os.ModeSetgid|0o755) }, "/etc/d"},
		"link":   {func(r string) error { return os.Symlink("/x", r+"/etc/l") }, "/etc/l"},
		"gone":   {func(r string) error { return os.Remove(r + "/etc/a") }, "/etc/a"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if name == "owner" && os.Geteuid() != 0 {
				t.Skip("only root gives files away")
			}
			root := tree(t)
			before := look(t, root)
			if err := tt.change(root); err != nil {
				t.Fatal(err)
			}
			after := look(t, root)
			if before[tt.path] == after[tt.path] {
				t.Errorf("%s looks the same: %q", tt.path, after[tt.path])
			}
			for path := range before {
				if path != tt.path && before[path] != after[path] {
					t.Errorf("%s changed too: %q, was %q", path, after[path], before[path])
				}
			}
		})
	}
}

func TestSnapshotLeavesOut(t *testing.T) {
	root := tree(t)
	for _, name := range []string{"etc/noise.db", "etc/run/x"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	seen := look(t, root, "/etc/*.db", "/etc/run")
	if len(seen) != 3 { // /etc, /etc/a, /etc/d
		t.Errorf("seen: %v", seen)
	}
}

func tree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.MkdirAll(root+"/etc/d", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"/etc/a", []byte("A"), 0o644); err != nil {
		t.Fatal(err)
	}
	return root
}

func look(t *testing.T, root string, exclude ...string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	if err := snapshot(seen, root, "/etc", exclude); err != nil {
		t.Fatal(err)
	}
	return seen
}

func TestTamperChangesOneLetter(t *testing.T) {
	msg := "Received: x\r\nSubject: 1 hello\r\nFrom: a@b.example\r\n\r\n-- word\r\n"
	got := string(TamperBody(t, []byte(msg)))
	if want := strings.Replace(msg, "word", "xord", 1); got != want {
		t.Errorf("body: %q", got)
	}
	got = string(TamperSubject(t, []byte(msg)))
	if want := strings.Replace(msg, "hello", "xello", 1); got != want {
		t.Errorf("subject: %q", got)
	}
	first := strings.TrimPrefix(msg, "Received: x\r\n")
	if got := string(TamperSubject(t, []byte(first))); got != strings.Replace(first, "hello", "xello", 1) {
		t.Errorf("subject in the first line: %q", got)
	}
}

func TestMountedIn(t *testing.T) {
	const mounts = "/dev/vda / ext4 rw 0 0\nudev /images/new/dev devtmpfs rw 0 0\noverlay /boxes/a overlay rw 0 0\n"
	for dir, want := range map[string]bool{
		"/images/new": true, "/images/new/dev": true, "/boxes/a": true,
		"/images/ne": false, "/boxes": true, "/boxes/ab": false, "/images/old": false,
	} {
		if mountedIn(mounts, dir) != want {
			t.Errorf("mountedIn(%q) is not %v", dir, want)
		}
	}
}

func TestReverseZone(t *testing.T) {
	const head = "$TTL 300\n@ IN SOA mail.lab.example. hostmaster 2026010101 3600 900 604800 60\n@ IN NS mail.lab.example.\n"
	for addr, want := range map[string]zone{
		"192.0.2.10":  {origin: "2.0.192.in-addr.arpa", text: head + "10 IN PTR mail.lab.example.\n"},
		"2001:db8::1": {origin: "0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", text: head + "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 IN PTR mail.lab.example.\n"},
	} {
		if z := reverseZone("mail.lab.example", addr); z != want {
			t.Errorf("reverse zone of %s: %s\n%s", addr, z.origin, z.text)
		}
	}
}

func TestRoutesBetweenBoxes(t *testing.T) {
	got, err := routes([]string{"192.0.2.10/32", "2001:db8::10/128", "192.0.2.11/32"},
		[]string{"192.0.2.53/32", "2001:db8::53/128"}, "to-x", "fe80::1", "fe80::2")
	want := "link set to-x up\naddr add fe80::1/64 dev to-x nodad\n" +
		"route replace 192.0.2.53 dev to-x src 192.0.2.10\n" +
		"route replace 2001:db8::53 via fe80::2 dev to-x src 2001:db8::10\n"
	if err != nil || got != want {
		t.Errorf("%v\n%s", err, got)
	}
	if _, err := routes([]string{"192.0.2.10"}, nil, "to-x", "fe80::1", "fe80::2"); err == nil {
		t.Error("an address without its prefix length is taken")
	}
	// No IPv6 here: nothing leads there.
	if got, _ := routes([]string{"192.0.2.10/32"}, []string{"2001:db8::53/128"}, "to-x", "fe80::1", "fe80::2"); strings.Contains(got, "route") {
		t.Errorf("a route without a source:\n%s", got)
	}
}
