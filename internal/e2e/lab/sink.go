package lab

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"
)

// Message is a mail as the sink received it.
type Message struct {
	Helo   string
	Client string // IP address
	From   string // envelope sender, empty for a bounce
	To     []string
	// Data are the exact bytes after DATA, without dot stuffing.
	Data []byte `json:"-"`
}

const (
	sinkDir  = "/var/lib/lab/sink"
	sinkUnit = `[Unit]
Description=The rest of the world's mail server
After=lab-network.service

[Service]
NetworkNamespacePath=/run/netns/world
ExecStart=` + probePath + ` sink -listen ` + SinkAddr + `:25,[` + SinkAddr6 + `]:25 -dir ` + sinkDir + `
Restart=on-failure

[Install]
WantedBy=multi-user.target
`
)

// Sink is an SMTP server inside the box that takes whatever it is offered.
type Sink struct{ box *Box }

// Sink starts the box's sink. It is a unit of its own and comes back with a
// reboot.
func (b *Box) Sink(t T) *Sink {
	t.Helper()
	b.probe(t)
	if !b.staged() {
		b.Write(t, "/etc/systemd/system/lab-sink.service", sinkUnit, 0o644)
		b.Sh(t, "mkdir -p "+sinkDir+"; systemctl daemon-reload; systemctl -q enable --now lab-sink")
	}
	for range 1200 {
		if _, _, code := b.Exec(t.Context(), nil, "bash", "-c", "</dev/tcp/"+b.sinkAddr()+"/25"); code == 0 {
			return &Sink{b}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s: the sink does not listen\n%s", b.Name, b.Run(t, "journalctl", "-u", "lab-sink", "-n", "20", "--no-pager"))
	return nil
}

// sinkAddr is the address of the sink that the box can reach.
func (b *Box) sinkAddr() string {
	if slices.ContainsFunc(b.opts.Addresses, func(cidr string) bool { return !strings.Contains(cidr, ":") }) {
		return SinkAddr
	}
	return SinkAddr6
}

// Messages are the mails received so far, in order of arrival.
func (s *Sink) Messages(t T) []Message {
	t.Helper()
	dir := filepath.Join(s.box.Root(), sinkDir)
	envelopes, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatalf("%v", err)
	}
	sort.Strings(envelopes)
	messages := make([]Message, len(envelopes))
	for i, name := range envelopes {
		text, err := os.ReadFile(name)
		if err == nil {
			err = json.Unmarshal(text, &messages[i])
		}
		if err == nil {
			messages[i].Data, err = os.ReadFile(strings.TrimSuffix(name, ".json") + ".eml")
		}
		if err != nil {
			t.Fatalf("read the sink: %v", err)
		}
	}
	return messages
}

// Count is the number of mails received so far.
func (s *Sink) Count() int {
	envelopes, _ := filepath.Glob(filepath.Join(s.box.Root(), sinkDir, "*.json"))
	return len(envelopes)
}

// Wait returns the mails once there are at least n, or fails the test with
// the end of the mail log and the queue.
func (s *Sink) Wait(t T, n int, timeout time.Duration) []Message {
	t.Helper()
	for end := time.Now().Add(timeout); s.Count() < n; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			log, _, _ := s.box.Exec(t.Context(), nil, "sh", "-c", "mailq; journalctl -n 40 --no-pager")
			t.Fatalf("%s: %d of %d messages arrived within %v\n%s", s.box.Name, s.Count(), n, timeout, log)
		}
	}
	return s.Messages(t)
}
