// Package signers finds out who signs mail here beside our OpenDKIM: it puts
// messages through the milters that Postfix asks, and reads what the programs
// behind them, and content filters, are configured with.
package signers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Source is a machine to look at: it reads files, and runs programs that change
// nothing.
type Source interface {
	system.Reader
	system.Runner
}

// Asker sends one message through a milter: probe.Signatures.
type Asker func(ctx context.Context, address, from string, client state.Client, lookup func(name string) ([]string, error)) ([]state.Signature, error)

// Lookup returns the TXT records of a name.
type Lookup func(ctx context.Context, name string) ([]string, error)

const (
	// milterTimeout bounds all questions to one milter.
	milterTimeout = 45 * time.Second
	// MaxDomains is the number of domains that a milter is asked about: a spam filter
	// takes its time for each, and one that signs rarely signs for a few of many
	// domains only.
	MaxDomains = 20
)

// Ask asks each milter on this machine whether it signs mail of the domains, and finds
// out which program it is. Further are domains whose mail leaves here although they are
// not in the spec: their signer is left alone. It asks about MaxDomains of both
// together.
func Ask(ctx context.Context, s Source, ask Asker, list []state.Milter, domains, further []string, lookup Lookup) []state.Milter {
	domains, further = domains[:min(len(domains), MaxDomains)], further[:min(len(further), MaxDomains)]
	sockets := listeners(ctx, s)
	for i := range list {
		m := &list[i]
		if len(m.Addresses) == 0 {
			continue
		}
		address := reachable(s, m.Addresses)
		m.AskedAt, m.Program = address, program(s, sockets, address)
		if m.Asked = true; m.Program.Kind == state.OpenDMARC {
			continue // and a message would go into its history
		}
		if err := askOne(ctx, ask, m, address, domains, lookup); err != nil {
			m.Asked, m.Problem = false, err.Error()
		}
		p := configured(ctx, s, &m.Program)
		m.Program.Others = p.others(domains)
		if m.Asked && len(m.Signatures) > 0 {
			more := state.Milter{Clients: m.Clients}
			_ = askOne(ctx, ask, &more, address, further, lookup)
			for _, sig := range more.Signatures {
				m.Program.Others = append(m.Program.Others, sig.Domain)
			}
			slices.Sort(m.Program.Others)
			m.Program.Others = slices.Compact(m.Program.Others)
		}
		for j := range m.Signatures {
			m.Signatures[j].Key = p.provenKeyFile(ctx, s, ask, m.Signatures[j], address)
		}
	}
	return list
}

// Configured finds out which program each milter is, and in Program.Others for which
// domains it is configured to sign. No milter is asked.
func Configured(ctx context.Context, s Source, list []state.Milter) []state.Milter {
	sockets := listeners(ctx, s)
	for i := range list {
		m := &list[i]
		if len(m.Addresses) > 0 {
			m.AskedAt = reachable(s, m.Addresses)
			m.Program = program(s, sockets, m.AskedAt)
			m.Program.Others = configured(ctx, s, &m.Program).others(nil)
		}
	}
	return list
}

// reachable returns the first address that exists.
func reachable(r system.Reader, addresses []string) string {
	for _, a := range addresses {
		p, err := state.ParsePath(a)
		if err != nil {
			return a // host:port
		}
		if o, err := r.Read(p); err == nil && o.Kind != state.Absent {
			return a
		}
	}
	return addresses[0]
}

// askOne sends a message of each domain as each kind of client, until one is signed.
func askOne(ctx context.Context, ask Asker, m *state.Milter, address string, domains []string, lookup Lookup) error {
	ctx, cancel := context.WithTimeout(ctx, milterTimeout)
	defer cancel()
	records := func(name string) ([]string, error) { return lookup(ctx, name) }
	for _, d := range domains {
		for _, c := range m.Clients {
			found, err := ask(ctx, address, "postmaster@"+d, c, records)
			if err != nil {
				return fmt.Errorf("asked about %s: %w", d, err)
			}
			signed := false
			for _, sig := range found {
				sig.Client = c
				if slices.Contains(domains, sig.Domain) {
					m.Signatures = appendSignature(m.Signatures, sig)
				}
				signed = signed || sig.Domain == d
			}
			if signed {
				break
			}
		}
	}
	return nil
}

// appendSignature appends a signature, unless the list has one of its domain and
// selector.
func appendSignature(list []state.Signature, sig state.Signature) []state.Signature {
	same := func(s state.Signature) bool { return s.Domain == sig.Domain && s.Selector == sig.Selector }
	if slices.ContainsFunc(list, same) {
		return list
	}
	return append(list, sig)
}

// listener is a listening program.
type listener struct {
	address string // path of a socket, or host:port
	name    string // of the process
	pid     string
}

// listeners returns the programs that listen on this machine, as ss(8) shows root.
func listeners(ctx context.Context, r system.Runner) []listener {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	res, err := r.Run(ctx, system.Command{Argv: []string{"ss", "-H", "-l", "-n", "-p", "-x", "-t"}})
	if err != nil || res.Code != 0 {
		return nil
	}
	var list []listener
	for line := range strings.Lines(string(res.Stdout)) {
		if l, ok := listening(line); ok {
			list = append(list, l)
		}
	}
	return list
}

// listening reads a line of ss(8) about sockets of both kinds:
//
//	tcp LISTEN 0 4096 127.0.0.1:8892 0.0.0.0:* users:(("opendkim",pid=98,fd=4))
//	u_str LISTEN 0 4096 /run/x.sock 31170 * 0 users:(("opendkim",pid=98,fd=4))
func listening(line string) (listener, bool) {
	_, users, ok := strings.Cut(line, `users:(("`)
	name, rest, named := strings.Cut(users, `",pid=`)
	f := strings.Fields(line)
	if !ok || !named || len(f) < 5 {
		return listener{}, false
	}
	pid, _, _ := strings.Cut(rest, ",")
	return listener{f[4], name, pid}, true
}

// programAt returns the program that listens at an address. A port may be of any
// address: the program may listen on all.
func programAt(list []listener, address string) (listener, bool) {
	port := ""
	if !strings.HasPrefix(address, "/") {
		port = address[strings.LastIndexByte(address, ':'):]
	}
	i := slices.IndexFunc(list, func(l listener) bool {
		return l.address == address || port != "" && !strings.HasPrefix(l.address, "/") && strings.HasSuffix(l.address, port)
	})
	if i < 0 {
		return listener{}, false
	}
	return list[i], true
}
