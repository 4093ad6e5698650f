package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// judges are what looks at packages, and shells beside Debian's own.
const judges = "lintian,zsh,fish,bash-completion,python3"

// Judged runs a shell script in a Debian that has lintian, zsh, fish and bash-completion
// beside what is minimal, and returns what it said. Its /root/given are the files of a
// directory. It is no server: nothing is booted there. What the script changes is gone
// after it.
func Judged(ctx context.Context, release, given, script string) (string, error) {
	l, err := Open()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(l.Dir, "judges-"+release)
	held, err := lockFile(dir+".lock", syscall.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer held.Close()
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		tmp := dir + ".new"
		if err := removeTree(tmp); err != nil {
			return "", err
		}
		out, err := exec.CommandContext(ctx, "mmdebstrap", "--variant=minbase", "--include="+judges, "--dpkgopt=force-unsafe-io", release, tmp).CombinedOutput()
		if err == nil {
			err = os.Rename(tmp, dir)
		}
		if err != nil {
			return "", fmt.Errorf("mmdebstrap %s: %w\n%s", release, err, tail(string(out), 30))
		}
	}
	cmd := exec.CommandContext(ctx, "systemd-nspawn", "-q", "--register=no", "--keep-unit", "--private-network", "--resolv-conf=off",
		"--timezone=off", "--link-journal=no", "--console=pipe", "--volatile=overlay", "-D", dir, "--bind-ro="+given+":/root/given", "bash", "-eu", "-s")
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
