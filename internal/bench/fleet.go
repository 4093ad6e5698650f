package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	servers       = 20
	domainsOfEach = 10
	nameOfEach    = "mx%02d.example"
)

// fleet measures servers that are kept as files say, each a tree of its own: what
// configuration management has to wait for, beside its own work.
func fleet(ctx context.Context, out io.Writer, v *verdicts) error {
	dir, err := os.MkdirTemp("", "mailsetup-fleet-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "mailsetup")
	if text, err := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/mailsetup").CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, text)
	}
	for i := range servers {
		if err := wantedServer(filepath.Join(dir, fmt.Sprint(i)), fmt.Sprintf(nameOfEach, i)); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\n%d servers with %d domains each, as trees, one after the other\n", servers, domainsOfEach)
	run := func(what string, more ...string) (cpu time.Duration, err error) {
		began := time.Now()
		for i := range servers {
			at := filepath.Join(dir, fmt.Sprint(i))
			argv := append([]string{"apply", "--root", filepath.Join(at, "tree"), "--root-keys", "--from", filepath.Join(at, "want")}, more...)
			cmd := exec.CommandContext(ctx, program, argv...)
			if text, err := cmd.CombinedOutput(); err != nil {
				return 0, fmt.Errorf("mailsetup %q: %w\n%s", argv, err, text)
			}
			cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		}
		fmt.Fprintf(out, "  %-34s %12s wall %12s CPU\n", what, short(time.Since(began)), short(cpu))
		return cpu, nil
	}
	if _, err := run("apply, with all keys to make"); err != nil {
		return err
	}
	again, err := run("apply, nothing to do")
	if err != nil {
		return err
	}
	if _, err := run("apply --check, nothing to do", "--check"); err != nil {
		return err
	}
	v.atMost(fmt.Sprintf("apply with nothing to do, a server of %d domains, CPU", domainsOfEach), (again / servers).Seconds(), 0.2, " s")
	return nil
}

// wantedServer writes the files of a server.
func wantedServer(dir, name string) error {
	for _, sub := range []string{"tree", "want/domains.d"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	host := fmt.Sprintf("version = 1\nhostname = %q\naddresses = [\"192.0.2.10\"]\ndomain = %[1]q\nselector = %q\n", name, name[:4])
	if err := os.WriteFile(filepath.Join(dir, "want/host.toml"), []byte(host), 0o644); err != nil {
		return err
	}
	for i := range domainsOfEach {
		domain := name
		if i > 0 {
			domain = fmt.Sprintf("shared%d.example", i)
		}
		text := fmt.Sprintf("domain = %q\nselector = %q\nkey_bits = 1024\n", domain, name[:4])
		if err := os.WriteFile(filepath.Join(dir, "want/domains.d", domain+".toml"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
