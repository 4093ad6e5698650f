package detecttest

import (
	"context"
	"strings"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/state"
)

// Answers is a Resolver that knows what is written in it, by name and type.
type Answers map[string][]state.Record

// Lookup implements dnsclient.Resolver. TXT of names below silent. cannot be asked.
func (a Answers) Lookup(_ context.Context, name, rtype string) ([]state.Record, dnsclient.Status, error) {
	if strings.HasPrefix(name, "silent.") && rtype == "TXT" {
		return nil, dnsclient.Unknown, context.DeadlineExceeded
	}
	if r := a[name+" "+rtype]; r != nil {
		return r, dnsclient.Found, nil
	}
	return nil, dnsclient.NXDomain, nil
}
