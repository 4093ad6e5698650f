package detecttest

import (
	"context"
	"strings"

	"mailsetup/internal/dnspub"
	"mailsetup/internal/state"
)

// Answers is a Resolver that knows what is written in it, by name and type.
type Answers map[string][]state.Record

// Lookup implements dnspub.Resolver. TXT of names below silent. cannot be asked.
func (a Answers) Lookup(_ context.Context, name, rtype string) ([]state.Record, dnspub.Status, error) {
	if strings.HasPrefix(name, "silent.") && rtype == "TXT" {
		return nil, dnspub.Unknown, context.DeadlineExceeded
	}
	if r := a[name+" "+rtype]; r != nil {
		return r, dnspub.Found, nil
	}
	return nil, dnspub.NXDomain, nil
}
