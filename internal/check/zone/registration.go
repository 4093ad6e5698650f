package zone

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/outside"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsname"
)

const (
	// registries is where IANA lists the RDAP servers of all registries (RFC 9224).
	registries = "https://data.iana.org/rdap/dns.json"
	// maxRegistrations is how many domains registries are asked about in one run: they
	// refuse those who ask more.
	maxRegistrations = 50

	// expiresSoon and expiresLater are the times before the end of a registration in
	// which it is usually renewed.
	expiresSoon, expiresLater = 15 * 24 * time.Hour, 45 * 24 * time.Hour
	// young is the age up to which filters distrust a domain.
	young = 42 * 24 * time.Hour
)

// registry asks RDAP servers (RFC 9082) about registered domains, each once.
type registry struct {
	world outside.World

	list  sync.Once
	bases map[string]string // by top-level domain
	wrong error             // why that is not known

	mu    sync.Mutex
	known map[string]*once[registration]
}

// registration is what a registry says of a domain.
type registration struct {
	name             string
	created, expires time.Time
	status           []string
	err              error // why nothing is known
}

// of returns the registration that a zone belongs to: its own, or that of a name above.
func (g *registry) of(ctx context.Context, zone string) registration {
	g.list.Do(func() { g.bases, g.wrong = g.servers(ctx) })
	if g.wrong != nil {
		return registration{err: fmt.Errorf("list of registries: %w", g.wrong)}
	}
	name := strings.ToLower(dnsname.TrimDot(zone))
	base := g.bases[name[strings.LastIndexByte(name, '.')+1:]]
	if base == "" {
		return registration{err: errors.New("its registry has no RDAP server")}
	}
	g.mu.Lock()
	full := len(g.known) >= maxRegistrations && g.known[name] == nil
	g.mu.Unlock()
	if full {
		return registration{err: fmt.Errorf("registries are asked about %d domains in one run, and there are more", maxRegistrations)}
	}
	return get(&g.mu, g.known, name, func() registration {
		for at := name; strings.Contains(at, "."); _, at, _ = strings.Cut(at, ".") {
			r := g.ask(ctx, base, at)
			if r.err != outside.StatusError(404) {
				return r
			}
		}
		return registration{err: errors.New("its registry does not know it")}
	})
}

// servers returns the RDAP servers by top-level domain.
func (g *registry) servers(ctx context.Context) (map[string]string, error) {
	var list struct {
		Services [][][]string `json:"services"`
	}
	if err := g.world.JSON(ctx, registries, &list); err != nil {
		return nil, err
	}
	bases := map[string]string{}
	for _, s := range list.Services {
		if len(s) != 2 {
			continue
		}
		i := slices.IndexFunc(s[1], func(u string) bool { return strings.HasPrefix(u, "https://") })
		for _, top := range s[0] {
			if i >= 0 {
				bases[strings.ToLower(top)] = strings.TrimSuffix(s[1][i], "/")
			}
		}
	}
	return bases, nil
}

func (g *registry) ask(ctx context.Context, base, name string) registration {
	var answer struct {
		Status []string `json:"status"`
		Events []struct {
			Action string `json:"eventAction"`
			Date   string `json:"eventDate"`
		} `json:"events"`
	}
	r := registration{name: name}
	if r.err = g.world.JSON(ctx, base+"/domain/"+name, &answer); r.err != nil {
		return r
	}
	r.status = answer.Status[:min(len(answer.Status), maxRecords)]
	for _, e := range answer.Events[:min(len(answer.Events), maxRecords)] {
		at, err := time.Parse(time.RFC3339, e.Date)
		switch {
		case err != nil:
		case e.Action == "registration":
			r.created = at
		case e.Action == "expiration":
			r.expires = at
		}
	}
	return r
}

// registered judges the registration of a domain, as far as its registry tells.
func (k *Checker) registered(ctx context.Context, s subject.Server, d subject.Domain, a authority) []finding.Finding {
	if k.registry == nil {
		return nil
	}
	r := k.registry.of(ctx, a.zone)
	end := finding.Finding{ID: "dns.expiry", Severity: finding.OK, Domain: d.Name, Subject: r.name}
	age := finding.Finding{ID: "dns.age", Severity: finding.OK, Domain: d.Name, Subject: r.name}
	if r.err != nil {
		end.Subject, end.Severity, end.Seen = dnsname.TrimDot(a.zone), finding.Unknown, finding.Excerpt(r.err.Error())
		return []finding.Finding{end}
	}
	var list []finding.Finding
	if left := r.expires.Sub(s.Now); !r.expires.IsZero() {
		end.Seen = "registered until " + r.expires.UTC().Format(time.DateOnly)
		switch {
		case left < expiresSoon:
			end.Severity = finding.Warning
		case left < expiresLater:
			end.Severity = finding.Note
		}
		if end.Severity != finding.OK {
			end.Expected, end.Remedy = "a registration for months, or one that its registrar renews by itself", finding.Text("renew "+r.name+" at its registrar")
		}
	}
	if i := slices.IndexFunc(r.status, heldBack); i >= 0 {
		end.Severity, end.Seen = finding.Problem, "its registry says: "+finding.Excerpt(r.status[i])
		end.Expected, end.Remedy = "a domain that is in DNS", finding.Text("ask the registrar of "+r.name)
	}
	if end.Seen != "" {
		list = append(list, end)
	}
	if !r.created.IsZero() {
		age.Seen = "registered on " + r.created.UTC().Format(time.DateOnly)
		if s.Now.Sub(r.created) < young {
			age.Severity, age.Expected = finding.Warning, "an age of six weeks: begin with little mail, and none in bulk"
		}
		list = append(list, age)
	}
	return list
}

// heldBack reports whether a status takes a domain out of DNS, or soon will (RFC 8056).
func heldBack(status string) bool {
	return slices.Contains([]string{"client hold", "server hold", "redemption period", "pending delete"}, strings.ToLower(status))
}
