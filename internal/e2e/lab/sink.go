package lab

import (
	"encoding/json"
	"os"
	"path/filepath"
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
ExecStart=` + probePath + ` sink -listen ` + SinkAddr + `:25 -dir ` + sinkDir + `
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
	b.Write(t, "/etc/systemd/system/lab-sink.service", sinkUnit, 0o644)
	b.Sh(t, "mkdir -p "+sinkDir+"; systemctl daemon-reload; systemctl -q enable --now lab-sink")
	for range 100 {
		if _, _, code := b.Exec(t.Context(), nil, "bash", "-c", "</dev/tcp/"+SinkAddr+"/25"); code == 0 {
			return &Sink{b}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s: the sink does not listen\n%s", b.Name, b.Run(t, "journalctl", "-u", "lab-sink", "-n", "20", "--no-pager"))
	return nil
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

// Letter is a message for Box.Send.
type Letter struct {
	From, To      string // envelope
	HeaderFrom    string // From when empty
	Subject, Body string
	// Server is "ADDRESS:PORT", the server's own port 25 when empty.
	Server string
	// Client is the address to connect from, 127.0.0.1 when empty. One that
	// begins with 198.51.100. comes from the world outside.
	Client string
	Helo   string // client.example when empty
}

// Send offers a message by SMTP from inside the box. It returns the server's
// last word, as in "250 2.0.0 Ok: queued as ...", and whether it took the mail.
func (b *Box) Send(t T, m Letter) (reply string, taken bool) {
	t.Helper()
	b.probe(t)
	if m.Server == "" {
		m.Server = b.Addr + ":25"
	}
	if m.Client == "" {
		m.Client = "127.0.0.1"
	}
	if m.Helo == "" {
		m.Helo = "client.example"
	}
	if m.HeaderFrom == "" {
		m.HeaderFrom = m.From
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatalf("%v", err)
	}
	argv := []string{probePath, "send"}
	if strings.HasPrefix(m.Client, "198.51.100.") {
		argv = append([]string{"nsenter", "--net=/run/netns/world"}, argv...)
	}
	stdout, stderr, code := b.Exec(t.Context(), strings.NewReader(string(text)), argv...)
	return strings.TrimSpace(stdout + stderr), code == 0
}
