package check

import (
	"context"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/machine"
)

// world is what the checks may ask beside the files of the machine.
type world struct {
	machine *machine.Machine
	dns     *dnsclient.Client // nil with --offline
	online  bool              // hosts of others may be asked
}

// group is a package of checks. Server is called once, domain once for each domain,
// several at a time; nil for nothing to check. No group depends on the verdict of
// another.
type group struct {
	name   string // "spf", as in mailsetup check --only spf
	needs  finding.Need
	server func(ctx context.Context, w world, s subject.Server, domains []subject.Domain) finding.Result
	domain func(ctx context.Context, w world, s subject.Server, d subject.Domain) finding.Result
}

// groups returns all groups, a line for each since everybody adds to it.
func groups() []group {
	return []group{}
}
