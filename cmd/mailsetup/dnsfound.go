package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/keyring"
)

// result prints what was found in the last look.
func (w *watch) result() error {
	if w.s.o.json {
		if err := w.s.printJSON(w.data()); err != nil {
			return err
		}
	} else {
		for _, v := range w.views {
			fmt.Fprint(w.s.c.out, viewText(v))
		}
	}
	if w.right() < len(w.views) {
		return errProblemsFound
	}
	return nil
}

// problem is one thing that is wrong, at one or more name servers.
type problem struct {
	what, text, remedy string
	at                 []string
}

// problems are what is wrong in a view, the same at several servers once.
func problems(v dnscheck.Result) []problem {
	var list []problem
	add := func(what, at string, f dnsclient.Finding) {
		i := slices.IndexFunc(list, func(p problem) bool { return p.what == what && p.text == f.Text && p.remedy == f.Remedy })
		if i < 0 {
			i, list = len(list), append(list, problem{what: what, text: f.Text, remedy: f.Remedy})
		}
		if at != "" {
			list[i].at = append(list[i].at, at)
		}
	}
	for _, l := range v.NoServer {
		add(recordName(l), "", l.Finding)
	}
	for _, s := range v.Servers {
		if s.ServerProblem.Fault != dnsclient.OK && s.ServerProblem.Fault != dnsclient.NotAsked {
			add("", s.String(), s.ServerProblem)
		}
		for _, r := range s.Records {
			if r.Fault != dnsclient.OK {
				add(recordName(r), s.String(), r.Finding)
			}
		}
	}
	if len(list) == 0 && !v.OK() {
		list = append(list, problem{text: "no name server can be asked from this machine", remedy: "ask from another network"})
	}
	return list
}

// where names the record and the servers of a problem.
func (p problem) where(servers int) string {
	at := strings.Join(p.at, ", ")
	if len(p.at) == servers && servers > 2 {
		at = fmt.Sprintf("all %d name servers", servers)
	}
	switch {
	case p.what == "":
		return at
	case at == "":
		return p.what
	}
	return p.what + " at " + at
}

// viewText is what a person reads about one domain.
func viewText(v dnscheck.Result) string {
	var b strings.Builder
	list := problems(v)
	if len(list) == 0 {
		fmt.Fprintf(&b, "%s: %s\n", v.Domain, allWell(v))
	} else {
		fmt.Fprintf(&b, "%s: %s\n", v.Domain, count(len(list), "problem"))
	}
	for _, p := range list {
		if where := p.where(len(v.Servers)); where != "" {
			fmt.Fprintf(&b, "  %s\n", indented(fold(where+":", 76), 4)[4:])
		}
		fmt.Fprintf(&b, "%s\n", indented(fold(p.text, 74), 4))
		if p.remedy != "" {
			fmt.Fprintf(&b, "    -> %s\n", indented(fold(p.remedy, 70), 7)[7:])
		}
	}
	for _, s := range v.Servers {
		if s.ServerProblem.Fault == dnsclient.NotAsked {
			fmt.Fprintf(&b, "  %s\n", indented(fold(serverLine(s), 74), 4)[4:])
		}
	}
	return b.String()
}

// allWell counts what was seen.
func allWell(v dnscheck.Result) string {
	names := map[string]bool{}
	servers := 0
	for _, s := range v.Servers {
		if s.ServerProblem.Fault == dnsclient.NotAsked {
			continue
		}
		servers++
		for _, r := range s.Records {
			names[recordName(r)+r.Record.Value] = true
		}
	}
	return fmt.Sprintf("all %s at %s", count(len(names), "record"), count(servers, "name server"))
}

// foundDomain, foundServer and foundRecord are the result as data.
type foundDomain struct {
	Domain  string        `json:"domain"`
	OK      bool          `json:"ok"`
	Lost    []foundRecord `json:"lost,omitempty"` // no server of them is known
	Servers []foundServer `json:"servers"`
}

type foundServer struct {
	Name    string        `json:"name"`
	Address string        `json:"address,omitempty"`
	Zone    string        `json:"zone"`
	OK      bool          `json:"ok"`
	Status  string        `json:"status"`
	Found   string        `json:"found,omitempty"`
	Remedy  string        `json:"remedy,omitempty"`
	Records []foundRecord `json:"records"`
}

type foundRecord struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Expected string   `json:"expected"`
	Status   string   `json:"status"`
	Found    string   `json:"found,omitempty"`
	Remedy   string   `json:"remedy,omitempty"`
	Seen     []string `json:"seen"`
}

func (w *watch) data() []foundDomain {
	list := []foundDomain{}
	for _, v := range w.views {
		d := foundDomain{Domain: v.Domain, OK: v.OK(), Servers: []foundServer{}}
		for _, l := range v.NoServer {
			d.Lost = append(d.Lost, recordData(l))
		}
		for _, s := range v.Servers {
			f := foundServer{
				Name: s.Name, Address: s.Address, Zone: s.Zone, OK: s.OK(),
				Status: status(s.ServerProblem.Fault), Found: s.ServerProblem.Text, Remedy: s.ServerProblem.Remedy, Records: []foundRecord{},
			}
			for _, r := range s.Records {
				f.Records = append(f.Records, recordData(r))
			}
			d.Servers = append(d.Servers, f)
		}
		list = append(list, d)
	}
	return list
}

func recordData(r dnscheck.RecordResult) foundRecord {
	f := foundRecord{
		Name: r.Record.Name, Type: r.Record.Type, Expected: r.Record.Value,
		Status: status(r.Fault), Found: r.Text, Remedy: r.Remedy, Seen: []string{},
	}
	for _, s := range r.Seen {
		value := s.Value
		if s.Type != r.Record.Type {
			value = s.Type + " " + value
		}
		f.Seen = append(f.Seen, value)
	}
	return f
}

func status(f dnsclient.Fault) string {
	if f == dnsclient.OK {
		return "ok"
	}
	return string(f)
}

// remember leaves what was seen for `mailsetup list`. It is an observation: a
// failure to write it down takes nothing from the answer.
func (w *watch) remember() {
	if os.Geteuid() != 0 || !w.s.store().Exists() {
		return
	}
	if err := w.s.store().SaveChecks(w.checked(), nil); err != nil {
		w.s.c.say("what was seen is not remembered: %v", err)
	}
}

// checked is the look as it is kept, by domain.
func (w *watch) checked() map[string]keyring.Checked {
	now := w.s.o.now().UTC()
	all := map[string]keyring.Checked{}
	for _, v := range w.views {
		c := keyring.Checked{At: now, OK: v.OK(), Found: foundLine(v), Seen: map[string]time.Time{}}
		for _, k := range w.keys[v.Domain] {
			if k.Stage != keyring.Gone && everywhere(v, k.Selector+"._domainkey."+v.Domain+".") {
				c.Seen[k.Selector] = now
			}
		}
		all[v.Domain] = c
	}
	return all
}

// foundLine is a view in one line.
func foundLine(v dnscheck.Result) string {
	list := problems(v)
	if len(list) == 0 {
		return allWell(v)
	}
	text := list[0].text
	if where := list[0].where(len(v.Servers)); where != "" {
		text = where + ": " + text
	}
	if len(list) > 1 {
		text += fmt.Sprintf(" (and %d more)", len(list)-1)
	}
	return text
}

// everywhere reports whether all servers in charge of a name have its record.
func everywhere(v dnscheck.Result, name string) bool {
	seen := false
	for _, s := range v.Servers {
		for _, r := range s.Records {
			if r.Record.Name == name {
				if r.Fault != dnsclient.OK {
					return false
				}
				seen = true
			}
		}
		// A server that said nothing might have had another one.
		if s.ServerProblem.Fault != dnsclient.OK && s.ServerProblem.Fault != dnsclient.NotAsked && strings.HasSuffix(name, "."+s.Zone) {
			return false
		}
	}
	return seen
}
