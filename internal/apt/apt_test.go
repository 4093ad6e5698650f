package apt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// script answers programs in order; each expects words in the command line.
type script struct {
	t     *testing.T
	steps []answerTo
	ran   []string
	ctxs  []context.Context
	stdin []string
}

type answerTo struct {
	words string
	res   system.Result
}

func (s *script) Run(ctx context.Context, c system.Command) (system.Result, error) {
	s.t.Helper()
	line := strings.Join(c.Argv, " ")
	s.ran, s.ctxs, s.stdin = append(s.ran, line), append(s.ctxs, ctx), append(s.stdin, string(c.Stdin))
	if len(s.steps) == 0 {
		s.t.Fatalf("unexpected command: %s", line)
	}
	step := s.steps[0]
	s.steps = s.steps[1:]
	for word := range strings.FieldsSeq(step.words) {
		if !slices.Contains(c.Argv, word) {
			s.t.Errorf("%q is missing in: %s", word, line)
		}
	}
	if err := ctx.Err(); err != nil {
		return system.Result{}, fmt.Errorf("run: cut short: %w", err)
	}
	if c.Output != nil {
		_, _ = c.Output.Write(step.res.Stdout)
	}
	return step.res, nil
}

func says(words, stdout string) answerTo {
	return answerTo{words, system.Result{Stdout: []byte(stdout)}}
}

func failsWith(words string, code int, stderr string) answerTo {
	return answerTo{words, system.Result{Stderr: []byte(stderr), Code: code}}
}

func scripted(t *testing.T, steps ...answerTo) *script {
	t.Helper()
	s := &script{t: t, steps: steps}
	t.Cleanup(func() {
		if len(s.steps) != 0 {
			t.Errorf("not run: %v", s.steps)
		}
	})
	return s
}

// As apt 2.6 printed it on Debian 12, shortened; the removals and the upgrade
// are of another run, on a machine with exim4.
const simulation = `NOTE: This is only a simulation!
      apt-get needs root privileges for real execution.
Reading package lists...
Building dependency tree...
Reading state information...
The following NEW packages will be installed:
  cpio opendkim postfix
0 upgraded, 12 newly installed, 0 to remove and 126 not upgraded.
Remv exim4-daemon-light [4.96-15+deb12u7] [bsd-mailx:amd64 exim4-base:amd64 ]
Remv exim4-base [4.96-15+deb12u7] [bsd-mailx:amd64 ]
Inst libopendkim11 (2.11.0~beta2-8+deb12u1 Debian:12.15/oldstable [amd64])
Inst libc6 [2.36-9+deb12u9] (2.36-9+deb12u13 Debian:12.15/oldstable [amd64]) []
Inst opendkim (2.11.0~beta2-8+deb12u1 Debian:12.15/oldstable [amd64])
Inst cpio (2.13+dfsg-7.1 Debian:12.15/oldstable [amd64])
Inst postfix (3.7.11-0+deb12u1 Debian:12.15/oldstable [amd64])
Conf libopendkim11 (2.11.0~beta2-8+deb12u1 Debian:12.15/oldstable [amd64])
Conf postfix (3.7.11-0+deb12u1 Debian:12.15/oldstable [amd64])
`

func TestSimulate(t *testing.T) {
	r := scripted(t, says("apt-get -s --no-install-recommends install -- postfix opendkim", simulation))
	got, err := Simulate(context.Background(), r, []string{"postfix", "opendkim"}, true)
	want := Preview{
		Install: []string{"cpio", "libopendkim11", "opendkim", "postfix"},
		Upgrade: []string{"libc6"},
		Remove:  []string{"exim4-base", "exim4-daemon-light"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

const unknown = "E: Unable to locate package postfix\n"

func TestSimulateUpdates(t *testing.T) {
	r := scripted(t, failsWith("-s", 100, unknown), says("apt-get update", "Hit:1 …\n"), says("-s", simulation))
	if got, err := Simulate(context.Background(), r, []string{"postfix"}, true); err != nil || len(got.Install) != 4 {
		t.Errorf("%+v, %v", got, err)
	}
	r = scripted(t, failsWith("-s", 100, unknown), says("update", ""), failsWith("-s", 100, unknown))
	_, err := Simulate(context.Background(), r, []string{"postfix"}, true)
	if !errors.Is(err, ErrUnknownPackage) || err.Error() != "apt-get install: no such package: Unable to locate package postfix" {
		t.Errorf("error %v", err)
	}
}

// apt-get update exits with 0 although no server answered.
func TestSimulateOffline(t *testing.T) {
	offline := answerTo{"update", system.Result{Stderr: []byte(
		"W: Failed to fetch http://mirror.example/debian/dists/bookworm/InRelease  Temporary failure resolving 'mirror.example'\n" +
			"W: Some index files failed to download. They have been ignored, or old ones used instead.\n")}}
	_, err := Simulate(context.Background(), scripted(t, failsWith("-s", 100, unknown), offline), []string{"postfix"}, true)
	if !errors.Is(err, ErrNetwork) || !errors.Is(err, ErrUnknownPackage) {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(err.Error(), "Temporary failure resolving 'mirror.example'") {
		t.Errorf("error %v does not say what failed", err)
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"", "postfix-", "postfix+x/y", "-y", "a b", "Postfix", "a.*", "x=1"} {
		if _, err := Simulate(context.Background(), scripted(t), []string{name}, true); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}

func TestReasons(t *testing.T) {
	for stderr, want := range map[string]struct {
		reason error
		text   string
	}{
		"Waiting for cache lock: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 29604 (python3)...\nE: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?\n": {
			ErrLocked, "apt-get install: another package manager is running: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 29604 (python3)",
		},
		"E: Could not get lock /var/cache/apt/archives/lock. It is held by process 23467 (python3)\nE: Unable to lock directory /var/cache/apt/archives/\n": {
			ErrLocked, "apt-get install: another package manager is running: Could not get lock /var/cache/apt/archives/lock. It is held by process 23467 (python3)",
		},
		"Waiting for cache lock: Could not get lock /var/lib/dpkg/lock. It is held by process 22828 (python3)...\nE: Unable to lock the administration directory (/var/lib/dpkg/), is another process using it?\n": {
			ErrLocked, "apt-get install: another package manager is running: Could not get lock /var/lib/dpkg/lock. It is held by process 22828 (python3)",
		},
		"debconf: DbDriver \"config\": /var/cache/debconf/config.dat is locked by another process: Resource temporarily unavailable\n": {
			ErrLocked, "apt-get install: another package manager is running: DbDriver \"config\": /var/cache/debconf/config.dat is locked by another process: Resource temporarily unavailable",
		},
		"E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem. \n": {
			ErrInterrupted, "apt-get install: an earlier installation was interrupted: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.",
		},
		"E: You don't have enough free space in /var/cache/apt/archives/.\n": {
			syscall.ENOSPC, "apt-get install: no space left on device: You don't have enough free space in /var/cache/apt/archives/.",
		},
		"E: Failed to fetch http://mirror.example/debian/pool/main/p/postfix/postfix.deb  Temporary failure resolving 'mirror.example'\nE: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?\n": {
			ErrNetwork, "apt-get install: the package server cannot be reached: Failed to fetch http://mirror.example/debian/pool/main/p/postfix/postfix.deb  Temporary failure resolving 'mirror.example'",
		},
		"E: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied)\nE: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), are you root?\n": {
			fs.ErrPermission, "apt-get install: permission denied: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied)",
		},
		"E: Sub-process /usr/bin/dpkg returned an error code (1)\n": {
			ErrFailed, "apt-get install: failed: exit status 100; Sub-process /usr/bin/dpkg returned an error code (1)",
		},
	} {
		err := explain([]string{"apt-get", "-y", "install", "--", "update"}, system.Result{Stderr: []byte(stderr), Code: 100})
		if !errors.Is(err, want.reason) || err.Error() != want.text {
			t.Errorf("%q\n got %v\nwant %s", stderr, err, want.text)
		}
	}
}

func TestInstall(t *testing.T) {
	r := scripted(t, says("debconf-set-selections", ""),
		says("--download-only postfix", "Get:1 postfix\n"), says("--no-download -y postfix Dpkg::Options::=--force-confold", "Setting up postfix\n"))
	var out bytes.Buffer
	err := Install(context.Background(), r, []string{"postfix"}, Preseed{Mailname: "mail.example"}, &out)
	if err != nil || out.String() != "Get:1 postfix\nSetting up postfix\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	want := "postfix postfix/mailname string mail.example\npostfix postfix/main_mailer_type select Internet Site\n"
	if r.stdin[0] != want {
		t.Errorf("preseed %q", r.stdin[0])
	}
	if err := Install(context.Background(), scripted(t), []string{"postfix"}, Preseed{Mailname: "a\nb"}, nil); err == nil {
		t.Error("a mail name of two lines was taken")
	}
}

// Lists older than the server: fetched again, once.
func TestInstallStaleLists(t *testing.T) {
	gone := failsWith("--download-only", 100, "E: Failed to fetch http://mirror.example/…  404  Not Found\n")
	r := scripted(t, gone, says("update", ""), says("--download-only", ""), says("--no-download", ""))
	if err := Install(context.Background(), r, []string{"postfix"}, Preseed{}, nil); err != nil {
		t.Error(err)
	}
	r = scripted(t, gone, says("update", ""), gone)
	if err := Install(context.Background(), r, []string{"postfix"}, Preseed{}, nil); !errors.Is(err, ErrNetwork) {
		t.Errorf("error %v", err)
	}
}

// A download is cut short, an installation is not.
func TestInstallCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r := scripted(t, says("--download-only", ""), says("--no-download", ""))
	if err := Install(ctx, r, []string{"postfix"}, Preseed{}, nil); err != nil {
		t.Fatal(err)
	}
	cancel()
	if r.ctxs[0].Err() == nil || r.ctxs[1].Err() != nil {
		t.Errorf("after cancel: download %v, installation %v", r.ctxs[0].Err(), r.ctxs[1].Err())
	}
	err := Install(ctx, scripted(t, says("--download-only", "")), []string{"postfix"}, Preseed{}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// The lines are those of Debian 12 and 13.
const packages = `installed|libc6|libc6-amd64 (= 2.41)

 /etc/ld.so.conf.d/x86_64-linux-gnu.conf d4e7a7b88a71b5ffd9e2644e71a0cfab
config-files|exim4-daemon-light|mail-transport-agent

half-configured|postfix|default-mta, mail-transport-agent

triggers-pending|man-db|man-browser

installed|dma|mail-transport-agent (= 1), other
installed|nullmailer|mail-transport-agent

installed|opendkim|

 /etc/default/opendkim d04976c1685bce5450f217303b7edd16
 /etc/opendkim.conf 0cc175b9c0f1b6a831c399e269772661
 /etc/old file 0cc175b9c0f1b6a831c399e269772661 obsolete
 /etc/new newconffile
`

func TestQuery(t *testing.T) {
	d, err := Query(t.Context(), scripted(t, says("dpkg-query", packages)))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"libc6": true, "exim4-daemon-light": false, "postfix": false, "man-db": true, "nosuch": false}
	if got := d.Installed("libc6", "exim4-daemon-light", "postfix", "man-db", "nosuch"); !reflect.DeepEqual(got, want) {
		t.Errorf("installed %v", got)
	}
	for virtual, want := range map[string]string{"mail-transport-agent": "dma", "man-browser": "man-db", "libc6-amd64": "libc6", "httpd": ""} {
		if got := d.Provider(virtual); got != want {
			t.Errorf("%s is provided by %q", virtual, got)
		}
	}
	for file, want := range map[state.Path]bool{
		"/etc/opendkim.conf": true, "/etc/old file": true, "/etc/default/opendkim": false, "/etc/new": false, "/etc/postfix/main.cf": false,
	} {
		if got := d.Shipped(file, []byte("a")); got != want {
			t.Errorf("%s as shipped: %v", file, got)
		}
	}
	if d.Shipped("/etc/missing", nil) {
		t.Error("a file that nobody shipped is missing, and as shipped")
	}
	_, err = Query(t.Context(), scripted(t, failsWith("dpkg-query", 2, "dpkg-query: error: failed to open package info file\n")))
	if err == nil || err.Error() != "dpkg-query: failed: exit status 2; failed to open package info file" {
		t.Errorf("error %v", err)
	}
}

func TestSimulateWithoutFetching(t *testing.T) {
	_, err := Simulate(context.Background(), scripted(t, failsWith("-s", 100, unknown)), []string{"postfix"}, false)
	if !errors.Is(err, ErrUnknownPackage) {
		t.Errorf("got %v, want an unknown package and no update", err)
	}
}
