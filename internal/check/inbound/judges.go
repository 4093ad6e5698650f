package inbound

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/milters"
	"mailsetup/internal/parallel"
	"mailsetup/internal/policy"
	"mailsetup/internal/policydspf"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// What policyd-spf and OpenDMARC log of a message that they judged, whatever the headers
// are that they were told to write. OpenDMARC says none as well where it could not look.
var (
	spfJudged   = regexp.MustCompile(`(?:Received-SPF: |; spf=)(\w+) .*envelope-from="?([^;"\s)]*)`)
	dmarcJudged = regexp.MustCompile(`^[0-9A-Za-z]+: ([^\s:()]+\.[^\s:()]+) (none|pass|fail|temperror)$`)
)

// From these on it is this server's DNS that does not answer, and not that of a few
// senders: a sender whose name servers are broken, which those of spam are often, sends much.
const (
	fewestUnjudged = 10 // messages within a day
	fewestDomains  = 5  // of their senders
	unjudgedShare  = 5  // of all messages, one in so many
)

// unjudged are the messages of a day that passed a check unjudged.
type unjudged struct {
	all, messages int
	domains       map[string]bool
}

func (u *unjudged) add(domain string, n int) {
	u.messages += n
	u.domains[domain] = true
}

// serious reports whether it is more than senders with broken name servers.
func (u *unjudged) serious() bool {
	return u.messages >= fewestUnjudged && len(u.domains) >= fewestDomains && u.messages*unjudgedShare >= u.all
}

// unjudged tells whether SPF and DMARC could be looked up within a day: what judges by
// them has mail pass where DNS does not answer.
func (c journal) unjudged(ctx context.Context) {
	defers := c.spf().Value(policydspf.TempErrorDefer) == "True" && c.spf().Value(policydspf.SenderReject) != "False"
	spf := c.usesSPF() && !defers
	dmarc := slices.ContainsFunc(c.doors, func(d door) bool { return slices.ContainsFunc(c.miltersOf(d.service), milters.IsOpenDMARC) })
	if !spf && !dmarc {
		return
	}
	s := unjudged{domains: map[string]bool{}}
	found := map[string]*verdicts{}
	err := c.read(ctx, []string{"-t", "policyd-spf", "-t", "opendmarc"}, func(line string) {
		if m := spfJudged.FindStringSubmatch(line); m != nil {
			if s.all++; strings.EqualFold(m[1], "temperror") {
				_, domain, _ := strings.Cut(m[2], "@")
				s.add(strings.ToLower(domain), 1)
			}
		} else if strings.Contains(line, "rejected due to: SPF ") {
			s.all++
		} else if m := dmarcJudged.FindStringSubmatch(line); m != nil {
			domain := strings.ToLower(m[1])
			v := found[domain]
			if v == nil {
				v = &verdicts{}
				found[domain] = v
			}
			switch m[2] {
			case "none":
				v.none++
			default:
				v.others++
			}
		}
	})
	if err != nil {
		return
	}
	if spf {
		c.tellUnjudged("SPF", s)
	}
	if dmarc {
		c.tellUnjudged("DMARC", c.withoutPolicy(ctx, found))
	}
}

// verdicts is how often OpenDMARC found no policy of a domain, and one.
type verdicts struct{ none, others int }

// maxAsked is of how many domains DNS is asked, those of most messages.
const maxAsked = 20

// withoutPolicy returns the messages for whose domain OpenDMARC found no policy, though it
// has one: OpenDMARC found it at another time of the day, or DNS has it now.
func (c journal) withoutPolicy(ctx context.Context, found map[string]*verdicts) unjudged {
	u := unjudged{domains: map[string]bool{}}
	var ask []string
	for domain, v := range found {
		u.all += v.none + v.others
		switch {
		case v.none == 0:
		case v.others > 0:
			u.add(domain, v.none)
		default:
			ask = append(ask, domain)
		}
	}
	if c.dns == nil {
		return u
	}
	slices.SortFunc(ask, func(a, b string) int { return cmp.Or(found[b].none-found[a].none, strings.Compare(a, b)) })
	ask = ask[:min(len(ask), maxAsked)]
	has := make([]bool, len(ask))
	_ = parallel.Do(len(ask), maxAsked, func(i int) error {
		records, _, err := c.dns.Lookup(ctx, "_dmarc."+ask[i]+".", "TXT")
		has[i] = err == nil && slices.ContainsFunc(records, func(r state.Record) bool { return r.Type == "TXT" && policy.IsDMARC(r.Value) })
		return nil
	})
	for i, domain := range ask {
		if has[i] {
			u.add(domain, found[domain].none)
		}
	}
	return u
}

// tellUnjudged says how much mail passed a check unjudged.
func (c journal) tellUnjudged(what string, u unjudged) {
	f := finding.Finding{ID: "in.open", Severity: finding.OK, Subject: what, Seen: "no message passed unjudged within a day, for DNS that did not answer", Source: "policyd-spf(1), opendmarc(8)"}
	switch {
	case u.all == 0:
		f.Seen = "the log of a day has no message that it judged"
	case u.messages > 0:
		f.Seen = fmt.Sprintf("within a day %d of %d messages passed unjudged, since DNS of their senders did not answer", u.messages, u.all)
	}
	if u.serious() {
		f.Severity, f.CausedBy, f.Expected = finding.Warning, "net.resolver", "DNS answers as a rule"
		f.Seen = fmt.Sprintf("within a day %d of %d messages passed unjudged, since DNS did not answer: those of %s", u.messages, u.all, some(slices.Sorted(maps.Keys(u.domains))))
		f.Remedy = finding.Command("mailsetup check --only net.resolver,in.resolver")
		if what == "DMARC" {
			f.Remedy = f.Remedy.Text("OpenDMARC asks the resolvers that /etc/resolv.conf named when it was started:").Command(restart)
		}
	}
	c.add(f)
}

// read hands the lines of the last day that journalctl(1) selects to a function.
func (c journal) read(ctx context.Context, selects []string, line func(string)) error {
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := c.m.Run(ctx, system.Command{
			Argv:   append([]string{"journalctl", "-q", "--no-pager", "-o", "cat", "--since", "-24h", "-n", journalLines}, selects...),
			Stdout: in, Within: journalTime,
		})
		_ = in.Close()
		done <- err
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line(lines.Text())
	}
	_ = out.Close() // a line that is too long ends it
	return <-done
}
