//go:build e2e

package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// TestSoakAnsible: the role of contrib/ansible, with Debian's own Ansible. The example's
// three servers are trees; another one gets its daemons, where a check says what is so, a
// second run changes nothing, and what is refused touches nothing.
func TestSoakAnsible(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := server(t, release, lab.Bare)
		installAnsible(t, b, release)
		role(t, b)
		threeServers(t, b)
		oneServer(t, b)
	})
}

// installAnsible gets ansible-core with what it needs, as apt in the box would, and installs
// it there. It needs the network, once a release.
func installAnsible(t *testing.T, b *lab.Box, release string) {
	t.Helper()
	cache := filepath.Join(os.TempDir(), "mailsetup-ansible-"+release)
	if err := os.MkdirAll(filepath.Join(cache, "archives/partial"), 0o755); err != nil {
		t.Fatal(err)
	}
	root := b.Root()
	argv := []string{"-q", "-y", "--no-install-recommends", "--download-only", "-o", "APT::Sandbox::User=root", "-o", "Dir::Cache=" + cache}
	for option, path := range map[string]string{
		"Dir::State::lists": "var/lib/apt/lists", "Dir::State::status": "var/lib/dpkg/status",
		"Dir::Etc::sourcelist": "etc/apt/sources.list", "Dir::Etc::sourceparts": "etc/apt/sources.list.d",
	} {
		argv = append(argv, "-o", option+"="+filepath.Join(root, path))
	}
	if out, err := exec.CommandContext(t.Context(), "apt-get", append(argv, "install", "ansible-core")...).CombinedOutput(); err != nil {
		t.Fatalf("apt-get: %v\n%s", err, out)
	}
	debs, err := filepath.Glob(filepath.Join(cache, "archives/*.deb"))
	if err != nil || len(debs) == 0 {
		t.Fatalf("no packages in %s: %v", cache, err)
	}
	for _, deb := range debs {
		text, err := os.ReadFile(deb)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(t, "/root/debs/"+filepath.Base(deb), string(text), 0o644)
	}
	b.Sh(t, "DEBIAN_FRONTEND=noninteractive dpkg -i /root/debs/*.deb >/root/dpkg.log 2>&1 || { tail -20 /root/dpkg.log; exit 1; }")
}

// role puts contrib/ansible into the box.
func role(t *testing.T, b *lab.Box) {
	t.Helper()
	const from = "../../contrib/ansible"
	err := fs.WalkDir(os.DirFS(from), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(from, path))
		if err == nil {
			b.Write(t, "/root/ansible/"+path, string(text), 0o644)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

var recap = regexp.MustCompile(`(?m)^(\w+) +: +ok=\d+ +changed=(\d+) +unreachable=0 +failed=(\d+) `)

// plays runs the playbook, and wants each host to have so many changed and failed tasks.
func plays(t *testing.T, b *lab.Box, changed, failed int, args ...string) string {
	t.Helper()
	argv := append([]string{"sh", "-c", "cd /root/ansible && LC_ALL=C.UTF-8 ANSIBLE_NOCOLOR=1 exec ansible-playbook -c local site.yml \"$@\"", "sh"}, args...)
	stdout, stderr, code := b.Exec(t.Context(), nil, argv...)
	hosts := recap.FindAllStringSubmatch(stdout, -1)
	if len(hosts) == 0 || (code == 0) != (failed == 0) {
		t.Fatalf("ansible-playbook %q: exit %d\n%s\n%s", args, code, stdout, stderr)
	}
	for _, m := range hosts {
		if m[2] != strconv.Itoa(changed) || m[3] != strconv.Itoa(failed) {
			t.Errorf("ansible-playbook %q: %s has changed=%s failed=%s, want %d and %d\n%s", args, m[1], m[2], m[3], changed, failed, stdout)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	return stdout
}

// threeServers carries the example out, in a tree for each server, and puts the keys of the
// domain that they share into one zone.
func threeServers(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Write(t, "/root/ansible/trees.yml", "mailsetup_common: {dns: manual}\nmailsetup_flags: ['--root', '/srv/{{ inventory_hostname }}', '--root-keys']\n", 0o644)
	b.Sh(t, "mkdir /srv/mx1 /srv/mx2 /srv/mx3")
	plays(t, b, 1, 0, "-e", "@trees.yml", "--check")
	if there := b.Sh(t, "find /srv/mx* /tmp -name '*.toml' -o -name '*.mailsetup'"); there != "" {
		t.Errorf("a check left\n%s", there)
	}
	out := plays(t, b, 1, 0, "-e", "@trees.yml")
	says(t, out, "mx2._domainkey")
	plays(t, b, 0, 0, "-e", "@trees.yml")

	b.Named(t, "shared.example.net", `@ IN TXT "v=spf1 ip4:192.0.2.11 ip4:192.0.2.12 ip4:192.0.2.13 ~all"`, `_dmarc IN TXT "v=DMARC1; p=none"`)
	b.Sh(t, `for n in 1 2 3; do mailsetup dns --root /srv/mx$n shared.example.net | sed -n '/_domainkey/,/)$/p'; done >>/etc/bind/db.shared.example.net
named-checkzone -q shared.example.net /etc/bind/db.shared.example.net; systemctl restart named`)
	for n := range 3 {
		if got := dig(t, b, "TXT", fmt.Sprintf("mx%d._domainkey.shared.example.net", n+1)); len(got) != 1 || !strings.HasPrefix(got[0], `"v=DKIM1;`) {
			t.Errorf("the key of mx%d: %q", n+1, got)
		}
	}
}

// oneServer has the box itself kept by the role.
func oneServer(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Named(t, "shared.example", `@ IN TXT "v=spf1 ip4:192.0.2.10 ip4:192.0.2.20 ~all"`, `_dmarc IN TXT "v=DMARC1; p=quarantine"`)
	sink := b.Sink(t)
	b.Write(t, "/root/ansible/lab.yml", "mailservers:\n  hosts:\n    mail:\n", 0o644)
	const host = "mailsetup_host: {hostname: mail.lab.example, addresses: [192.0.2.10], domain: lab.example, dns: bind}\nmailsetup_domains:\n  lab.example: {ttl: 60, dmarc: {policy: none}}\n"
	wants := func(domains string) { b.Write(t, "/root/ansible/host_vars/mail.yml", host+domains, 0o644) }
	const shared = "  shared.example: {ttl: 60, keep: [spf, dmarc]}\n"
	wants(shared)
	runs := func(changed, failed int, args ...string) string {
		t.Helper()
		return plays(t, b, changed, failed, append([]string{"-i", "lab.yml"}, args...)...)
	}

	before := treeOf(t, b)
	out := runs(1, 0, "--check", "--diff")
	says(t, out, `+domain = \"shared.example\"`)
	same(t, before, treeOf(t, b))
	runs(1, 0)
	runs(0, 0)
	runs(0, 0, "--check")
	leavesSigned(t, b, sink)
	if got := signedWith(t, b, sent(t, b, sink, "ann@shared.example")); got != "mail" {
		t.Errorf("%s signs for shared.example", got)
	}
	if got := dig(t, b, "TXT", "shared.example"); len(got) != 1 || got[0] != `"v=spf1 ip4:192.0.2.10 ip4:192.0.2.20 ~all"` {
		t.Errorf("the SPF record of the zone is %q", got)
	}

	is := treeOf(t, b)
	wants(shared + "  wrong.example: {ttl: 5}\n")
	says(t, runs(0, 1, "--check"), "wrong.example.toml", "ttl")
	runs(0, 1)
	wants("  shared.example: {ttl: 60, keep: [spf]}\n") // and the zone has a DMARC record of its own
	says(t, runs(0, 1, "--check"), "--existing-records change")
	same(t, is, treeOf(t, b))

	wants("")
	runs(1, 0, "--check")
	same(t, is, treeOf(t, b))
	runs(1, 0)
	runs(0, 0)
	if at := keysAt(t, b, "shared.example"); len(at["draining"]) != 1 || len(at) != 1 {
		t.Errorf("keys of shared.example: %v", at)
	}
	if found := lab.VerifyDKIM(t, b, sent(t, b, sink, "ann@shared.example")); len(found) != 0 {
		t.Errorf("still signs: %+v", found)
	}
	leavesSigned(t, b, sink)
	b.Sh(t, "echo '# mine' >>/etc/opendkim.conf")
	says(t, runs(0, 1, "--check"), "/etc/opendkim.conf is not as mailsetup left it")
}
