package lab

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// fetchUpgrade gets what apt would install of another release, by the network of the host:
// a box has none. Resolver and proxies are those of the host as well.
const fetchUpgrade = `set -eu
mount --bind "$2" /etc/resolv.conf
sed -n "1s/ [a-z]* main.*/ $1 main/p" /etc/apt/sources.list >/etc/apt/sources.list.new
mv /etc/apt/sources.list.new /etc/apt/sources.list
echo 'Acquire::Check-Valid-Until "false";' >/etc/apt/apt.conf.d/99lab
apt-get clean
apt-get -q -o Acquire::Languages=none update
apt-get -y -q -d full-upgrade`

// Upgrade makes the box one of another release, as its release notes say, without anybody at
// the terminal: force is what dpkg(1) does about configuration files that were edited here
// and that are others in the new release, confold or confnew. It needs the network.
func (b *Box) Upgrade(t T, release, force string) {
	t.Helper()
	resolvers, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		t.Fatalf("%v", err)
	}
	b.Write(t, "/root/resolv.conf", string(resolvers), 0o644)
	in := []string{"-t", strconv.Itoa(b.leader), "-m", "-u", "-i", "-p", "unshare", "-m", "sh", "-c", fetchUpgrade, "sh", release, "/root/resolv.conf"}
	if out, err := exec.CommandContext(t.Context(), "nsenter", in...).CombinedOutput(); err != nil {
		t.Fatalf("%s: fetch what %s has: %v\n%s", b.Name, release, err, tail(string(out), 30))
	}
	argv := []string{
		"env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-q", "--no-download", "-o", "Dpkg::Use-Pty=0",
		"-o", "Dpkg::Options::=--force-unsafe-io", "-o", "Dpkg::Options::=--force-" + force,
	}
	if force == "confold" {
		argv = append(argv, "-o", "Dpkg::Options::=--force-confdef")
	}
	stdout, stderr, code := b.Exec(t.Context(), nil, append(argv, "full-upgrade")...)
	if code != 0 {
		t.Fatalf("%s: upgrade to %s: exit status %d\n%s", b.Name, release, code, tail(stdout+stderr, 60))
	}
	if is := b.Read(t, "/etc/os-release"); !strings.Contains(is, "VERSION_CODENAME="+release) {
		t.Fatalf("%s is still\n%s", b.Name, is)
	}
	b.opts.Release, b.listed = release, true
}
