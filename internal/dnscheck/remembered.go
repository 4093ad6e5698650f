package dnscheck

import (
	"context"
	"fmt"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/text"
)

// Remembered is what a resolver still says of records that every name server has right.
type Remembered struct {
	Records []string // names and types
	For     time.Duration
}

// AskResolver asks the resolver of this machine for the records of a result in which all is
// well, and returns those of which it remembers what was there before, with how long that
// lasts at most. Asked earlier, it would have remembered that there was none.
func AskResolver(ctx context.Context, c *dnsclient.Client, v Result) Remembered {
	var found Remembered
	seen := map[string]bool{}
	for _, s := range v.Servers {
		for _, r := range s.Records {
			t, ok := dns.StringToType[r.Record.Type]
			id := r.NameAndType() + " " + r.Record.Value
			if !ok || seen[id] {
				continue
			}
			seen[id] = true
			records, left, err := dnsclient.LookupTTL(ctx, c, r.Record.Name, t)
			if err != nil || diagnose(r.ExpectedRecord, Answer{Records: records}).OK() {
				continue // a resolver that fails remembers nothing
			}
			found.Records, found.For = append(found.Records, r.NameAndType()), max(found.For, left)
		}
	}
	return found
}

// Text says what a resolver remembers and when to look again, "" for nothing.
func (r Remembered) Text(now time.Time) string {
	if len(r.Records) == 0 {
		return ""
	}
	return fmt.Sprintf("The resolver of this machine still has an earlier answer for %s, until %s at the latest. "+
		"Others that asked before may have one as well, for as long.",
		text.List(r.Records, 3), now.Add(r.For).Round(time.Minute).Format("15:04 MST"))
}
