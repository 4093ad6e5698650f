package dkim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
)

// notRevoked is the fault of a key whose p= should be empty.
const notRevoked dnsclient.Fault = "not revoked"

// ids say which finding a fault of a record is about; all others are dkim.paste.
var ids = map[dnsclient.Fault]string{
	dnscheck.Missing: "dkim.record", dnscheck.Alias: "dkim.record", dnscheck.OldCopy: "dkim.record",
	notRevoked: "dkim.record", dnscheck.Duplicate: "dkim.one",
	dnscheck.OtherKey: "dkim.match", dnscheck.Different: "dkim.match",
	dnscheck.Revoked: "dkim.tags", dnscheck.Damaged: "dkim.tags",
}

func idOf(f dnsclient.Fault) string {
	if id, ok := ids[f]; ok {
		return id
	}
	return "dkim.paste"
}

// served is what the name servers have of one record.
type served struct {
	right, down []string
	faults      []dnsclient.Finding
	servers     map[string][]string // by text of a fault
	seen        []state.Record      // of a server that has it right
	wrong       []state.Record      // of one that has not
	noServer    string
}

// servedOf collects what the servers have of a record.
func servedOf(r dnscheck.Result, k key) served {
	v, name := served{servers: map[string][]string{}}, k.name
	for _, n := range r.NoServer {
		if n.Record.Name == name {
			v.noServer = n.Text
		}
	}
	for _, s := range r.Servers {
		i := slices.IndexFunc(s.Records, func(r dnscheck.RecordResult) bool { return r.Record.Name == name })
		switch {
		case i < 0 && !s.NotAsked() && !s.ServerProblem.OK() && dnsname.Within(name, s.Zone):
			v.down = append(v.down, fmt.Sprintf("%s: %s", s, s.ServerProblem.Text))
		case i < 0:
		case s.Records[i].OK():
			v.right, v.seen = append(v.right, s.String()), s.Records[i].Seen
		default:
			f := s.Records[i].Finding
			if k.Stage == keyring.Revoked && f.Fault == dnscheck.OtherKey {
				f.Fault, f.Text = notRevoked, "the key is still there instead of an empty p="
			}
			if v.servers[f.Text] == nil {
				v.faults = append(v.faults, f)
			}
			v.servers[f.Text] = append(v.servers[f.Text], s.String())
			v.wrong = s.Records[i].Seen
		}
	}
	return v
}

// judgeServed reports what the name servers and the resolver have of a key's record.
func (c *checker) judgeServed(ctx context.Context, k key, want state.Record, r dnscheck.Result) {
	v, subject := servedOf(r, k), dnsname.TrimDot(k.name)
	bad := map[string]bool{}
	for _, f := range v.faults {
		if id := idOf(f.Fault); !bad[id] {
			bad[id] = true
			c.reportFault(k, want, v, id)
		}
	}
	switch {
	case bad["dkim.record"]:
	case v.noServer != "":
		c.report(finding.Finding{ID: "dkim.record", Severity: finding.Unknown, Subject: subject, Seen: v.noServer, CausedBy: "dns.delegation"})
	case len(v.down) > 0:
		c.report(finding.Finding{ID: "dkim.record", Severity: finding.Unknown, Subject: subject, Seen: strings.Join(v.down, "; "), CausedBy: "dns.delegation"})
	case len(v.right) == 0 && len(v.faults) == 0:
		c.judgeByResolver(ctx, k, want)
	default:
		c.report(finding.Finding{ID: "dkim.record", Severity: finding.OK, Subject: subject, Seen: "at " + text.Count(len(v.right)+len(v.wrongServers()), "name server")})
	}
	if len(v.faults) > 0 || len(v.right) == 0 {
		if got := txt(v.wrong); len(v.faults) == 1 && len(got) == 1 && v.faults[0].Fault == dnscheck.Space {
			c.judgeText(k, got[0])
		}
		return
	}
	for _, id := range []string{"dkim.one", "dkim.paste"} {
		c.report(finding.Finding{ID: id, Severity: finding.OK, Subject: subject})
	}
	c.judgeResolver(ctx, k, want)
	if got := txt(v.seen); len(got) == 1 {
		c.judgeText(k, got[0])
	}
}

// wrongServers are the servers with a record that is not right.
func (v served) wrongServers() []string {
	var list []string
	for _, s := range v.servers {
		list = append(list, s...)
	}
	return list
}

// txt returns the texts behind aliases.
func txt(records []state.Record) []string {
	var list []string
	for _, r := range records {
		if r.Type == "TXT" {
			list = append(list, r.Value)
		}
	}
	return list
}

// reportFault reports all faults of one ID as one finding.
func (c *checker) reportFault(k key, want state.Record, v served, id string) {
	out := finding.Finding{ID: id, Severity: finding.Note, Subject: dnsname.TrimDot(k.name)}
	var seen []string
	for _, f := range v.faults {
		if idOf(f.Fault) != id {
			continue
		}
		where := v.servers[f.Text]
		at := strings.Join(where, ", ")
		if len(where) > 2 {
			at = text.Count(len(where), "name server")
		}
		s := c.severity(k, f, txt(v.wrong))
		if dnscheck.IsBehind(f) && c.server.Transfers.UnderWay() {
			s, at = finding.Unknown, "not there yet: "+at
		}
		seen = append(seen, at+": "+f.Text)
		if worse(s, out.Severity) {
			out.Severity = s
		}
		if out.Remedy == nil {
			out.Remedy = c.remedy(k, f, want)
		}
		switch f.Fault {
		case dnscheck.OldCopy:
			out.CausedBy = "dns.same"
		case dnscheck.Alias:
			out.CausedBy = "dns.cname"
		}
		out.Fixable = out.Fixable || f.Fault == dnscheck.Missing && c.published()
		if c.edited(f.Fault) {
			out.Remedy, out.Fixable = finding.Text("put ours in its place:").Command("mailsetup init --yes"), true
		}
	}
	out.Seen = strings.Join(seen, "; ")
	if who := receivers(txt(v.wrong)); who != "" {
		out.Why = who
	}
	if k.Public != "" || k.Stage == keyring.Revoked {
		out.Expected = want.Value
	}
	if c.waitsForHand(k) && id == "dkim.record" {
		out.Seen = "waits for you to publish it: " + out.Seen
	}
	if k.Stage == "" { // nobody but root knows which selector signs
		out.Severity, out.Seen = finding.Unknown, out.Seen+"; which selector signs now only root may know"
		out.Remedy, out.Fixable = finding.Command("sudo mailsetup check %s", c.domain.Name), false
	}
	c.report(out)
}

// edited reports whether a record is probably wrong because somebody edited it where
// mailsetup wrote it.
func (c *checker) edited(f dnsclient.Fault) bool {
	elsewhere := []dnsclient.Fault{dnscheck.Missing, dnscheck.OldCopy, dnscheck.Alias, dnscheck.Duplicate, dnscheck.Misplaced, dnscheck.DomainAppended}
	return c.published() && c.server.ZoneEdited(c.domain.Name) && !slices.Contains(elsewhere, f)
}

// worse reports whether one severity is to be mended before another.
func worse(a, b finding.Severity) bool {
	order := finding.Severities()
	return slices.Index(order, a) < slices.Index(order, b)
}

const day = 24 * time.Hour

// How long a record that somebody publishes by hand may be missing: of a key that signs
// already, and of one that waits for it.
const (
	patienceSigning = 2 * day
	patienceWaiting = 7 * day
)

// severity says how much a fault of a key's record matters.
func (c *checker) severity(k key, f dnsclient.Finding, got []string) finding.Severity {
	switch {
	case k.Stage == keyring.Revoked && f.Fault == dnscheck.Missing:
		return finding.Note
	case c.waitsForHand(k) && f.Fault == dnscheck.Missing:
		waits := c.server.Now.Sub(k.Since[keyring.Publishing])
		switch {
		case k.signs && waits < patienceSigning, !k.signs && waits < patienceWaiting:
			return finding.Note
		case !k.signs:
			return finding.Warning
		}
		return finding.Problem
	case k.Stage == keyring.Publishing && !k.signs && f.Fault == dnscheck.Missing && c.server.Now.Sub(k.Since[keyring.Publishing]) < day:
		return finding.Note // name servers may be slow
	case !k.signs:
		return finding.Warning
	case f.Fault == dnscheck.Space && len(got) == 1 && !strings.ContainsAny(got[0], "\r\n\t"):
		return finding.Note // RFC 6376 section 3.6.1 permits it, and all that are known read it
	case f.Fault == dnscheck.Space && len(got) == 1 && !strings.ContainsAny(got[0], "\r\n"):
		return finding.Warning // a tab, which RFC 6376 permits as well and go-msgauth does not read
	}
	return finding.Problem
}

// waitsForHand reports whether somebody has still to publish the record of a key:
// nobody has seen it yet.
func (c *checker) waitsForHand(k key) bool {
	if k.program != "" || c.domain.Wanted == nil || c.published() || !k.Seen.IsZero() || k.Adopted {
		return false
	}
	if k.Stage != keyring.Active && k.Stage != keyring.Publishing {
		return false
	}
	return c.LastCheck == nil || c.LastCheck(c.domain.Name).Seen[k.Selector].IsZero()
}

// remedy returns what to do about a fault: as dnscheck says, or for a key that
// mailsetup does not know, the record.
func (c *checker) remedy(k key, f dnsclient.Finding, want state.Record) finding.Remedy {
	if k.program == "" {
		return finding.Advice(f.Remedy)
	}
	switch {
	case f.Fault == dnscheck.OldCopy, f.Fault == dnscheck.Alias, f.Fault == dnscheck.Misplaced, f.Fault == dnscheck.DomainAppended:
		return finding.Advice(f.Remedy)
	case k.Public == "":
		return finding.Text(fmt.Sprintf("publish the public half of %s as TXT at %s", k.File, dnsname.TrimDot(k.name)))
	}
	return finding.Text("publish exactly this, and nothing beside it:").Record(fmt.Sprintf("%s TXT \"%s\"", k.name, want.Value))
}

// judgeByResolver judges a record whose name servers cannot be asked from here, as those
// with IPv4 alone by a machine with IPv6 alone: what the resolver has is right, or it is
// not known.
func (c *checker) judgeByResolver(ctx context.Context, k key, want state.Record) {
	out := finding.Finding{ID: "dkim.record", Severity: finding.Unknown, Subject: dnsname.TrimDot(k.name)}
	records, _, err := c.DNS.Lookup(ctx, k.name, "TXT")
	e := dnscheck.ExpectedRecord{Domain: c.domain.Name, Zone: dnsname.Absolute(c.domain.Name), Record: want}
	f := dnscheck.Diagnose(e, dnscheck.Answer{Records: records})
	switch {
	case err != nil:
		out.Seen, out.CausedBy = err.Error(), "net.resolver"
	case f.OK():
		out.Severity, out.Seen = finding.OK, "at the resolver: no name server can be asked from this machine"
		if got := txt(records); len(got) == 1 {
			c.judgeText(k, got[0])
		}
	default:
		out.Seen = "no name server can be asked from this machine; its resolver: " + f.Text
	}
	c.report(out)
}

// judgeResolver compares what the resolver has with the name servers, which have the
// record right.
func (c *checker) judgeResolver(ctx context.Context, k key, want state.Record) {
	records, status, err := c.DNS.Lookup(ctx, k.name, "TXT")
	out := finding.Finding{ID: "dkim.record", Subject: dnsname.TrimDot(k.name) + " at the resolver"}
	if err != nil {
		out.Severity, out.Seen, out.CausedBy = finding.Unknown, err.Error(), "net.resolver"
		c.report(out)
		return
	}
	e := dnscheck.ExpectedRecord{Domain: c.domain.Name, Zone: dnsname.Absolute(c.domain.Name), Record: want}
	f := dnscheck.Diagnose(e, dnscheck.Answer{Records: records})
	if f.OK() {
		return
	}
	out.Severity = finding.Warning
	if since := k.Since[keyring.Publishing]; !k.signs || !since.IsZero() && c.server.Now.Sub(since) < day {
		out.Severity = finding.Note
	}
	out.Seen = "the name servers have it right, the resolver of this machine: " + f.Text
	if status == dnsclient.Found && len(records) > 0 {
		out.Seen += fmt.Sprintf("; it keeps this answer for another %v", time.Duration(records[0].TTL)*time.Second)
	}
	out.Remedy = finding.Text("wait until its cache forgets it; with BIND here:").Command("rndc flushname %s", dnsname.TrimDot(k.name)).
		Text("with Unbound:").Command("unbound-control flush %s", dnsname.TrimDot(k.name))
	c.report(out)
}
