package system

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/state"
)

func TestNoSystemd(t *testing.T) {
	if _, err := os.Lstat("/run/systemd/system"); err == nil {
		t.Skip("systemd runs here")
	}
	h := NewHost(Options{})
	_, err := h.Status(context.Background(), "postfix")
	if !errors.Is(err, ErrNoSystemd) || err.Error() != "status of postfix.service: systemd is not running here" {
		t.Errorf("status: %v", err)
	}
	err = h.Act(context.Background(), "postfix@-.service", state.Restart, "")
	if !errors.Is(err, ErrNoSystemd) || err.Error() != "restart postfix@-.service: systemd is not running here" {
		t.Errorf("act: %v", err)
	}
	if err = h.Stop(context.Background(), "named"); !errors.Is(err, ErrNoSystemd) {
		t.Errorf("stop: %v", err)
	}
	err = h.DaemonReload(context.Background())
	if !errors.Is(err, ErrNoSystemd) || err.Error() != "daemon-reload: systemd is not running here" {
		t.Errorf("daemon-reload: %v", err)
	}
}

func TestReadable(t *testing.T) {
	if err := readable(errors.New("Permission denied")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("error %v", err)
	}
	if jobError("done") != nil {
		t.Error("done is no error")
	}
	for _, result := range []string{"failed", "timeout", "dependency", "canceled", "skipped", "invalid", ""} {
		if err := jobError(result); err == nil || !strings.Contains(err.Error(), `"`+result+`"`) {
			t.Errorf("%q: %v", result, err)
		}
	}
}

// A program that shows its arguments stands in for journalctl.
func TestLog(t *testing.T) {
	bin := t.TempDir()
	write(t, bin+"/journalctl", "#!/bin/sh\n[ \"$1\" = --sync ] && exec touch "+bin+"/synced\nrm "+bin+"/synced || exit 1\nprintf '%s\\n' \"$@\"\nprintf 'from \\033[2Jhelo\\n\\nend'\n", 0o755)
	h := NewHost(Options{Programs: append([]string{bin}, programs()...)})
	got, err := h.Log(context.Background(), "opendkim", time.Unix(1700000000, 250_000_000), 20)
	want := []string{"-u", "opendkim.service", "-q", "--no-pager", "-o", "cat", "--since", "@1700000000.250000", "-n", "20", "from ?[2Jhelo", "end"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	write(t, bin+"/journalctl", "#!/bin/sh\necho No journal files were found. >&2\nexit 1\n", 0o755)
	_, err = h.Log(context.Background(), "opendkim", time.Now(), 20)
	if err == nil || err.Error() != "log of opendkim.service: journalctl: exit status 1: No journal files were found." {
		t.Errorf("error %v", err)
	}
}

func TestProbeNeedsProber(t *testing.T) {
	err := NewHost(Options{}).Probe(context.Background(), state.Probe{Kind: state.ProbeSMTP})
	if err == nil || err.Error() != "probe smtp: nobody to ask" {
		t.Errorf("error %v", err)
	}
}
