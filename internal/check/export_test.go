package check

import (
	"context"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/machine"
)

// Look returns what a check looks at: the server as it is for mail of each domain, the
// domains, and what could not be read.
func Look(ctx context.Context, m *machine.Machine, o Options) ([]subject.Server, []subject.Domain, []finding.Finding, error) {
	l, err := look(ctx, m, o, nil)
	servers := []subject.Server{l.server}
	for _, d := range l.domains {
		servers = append(servers, l.serverOf(d))
	}
	return servers, l.domains, l.findings, err
}

// Edited and Overwriting know the files that somebody edited, and what has to be said then.
var (
	Edited      = edited
	Overwriting = overwriting
)
