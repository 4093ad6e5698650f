package message

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/text"
)

// Machine is the part of a machine that is needed to ask a spam filter.
type Machine interface {
	system.Reader
	system.Runner
}

// ScoreOptions say how a message is scored.
type ScoreOptions struct {
	Online bool // the filter may ask hosts of others
	// Address and Name are those of this server as a receiver sees them, in its
	// connection and HELO; "" if they are not known.
	Address, Name string
	// Asked: somebody wants to know, and every rule is told. Else only those that cost
	// much are.
	Asked bool
}

// filterTime bounds a filter: SpamAssassin takes a second and a half to start, and its
// questions to lists a quarter of a minute.
const filterTime = 40 * time.Second

// score is what a filter made of a message.
type score struct {
	filter           string
	points, required float64
	rules            []rule
	blind            string // what the filter could not look at
}

// rule is a rule that matched.
type rule struct {
	name   string
	points float64
	says   string
}

// Score has the spam filters of this machine score a message. Whatever they say is no
// fault of this server: it is shown. Without a filter there is no finding.
func Score(ctx context.Context, m Machine, message []byte, about string, o ScoreOptions) []finding.Finding {
	var list []finding.Finding
	for _, filter := range []struct {
		name, program string
		ask           func(context.Context, Machine, []byte, ScoreOptions) (score, error)
	}{{"SpamAssassin", "/usr/bin/spamassassin", askSpamAssassin}, {"rspamd", "/usr/bin/rspamc", askRspamd}} {
		if o, err := m.Stat(state.Path(filter.program)); err != nil || o.Kind == state.Absent {
			continue
		}
		s, err := filter.ask(ctx, m, message, o)
		if err != nil {
			list = append(list, finding.Finding{
				ID: "msg.score", Severity: finding.Unknown, Subject: strings.TrimSpace(filter.name + " " + about), Seen: shorten(err.Error()),
			})
			continue
		}
		s.filter = strings.TrimSpace(filter.name + " " + about)
		list = append(list, s.findings(o.Asked)...)
		list = append(list, missing(m, filter.name)...)
	}
	return list
}

// maxRules is how many rules are told, those that cost most first.
const maxRules = 40

// findings are the score, and the rules that have to be told.
func (s score) findings(asked bool) []finding.Finding {
	rules := slices.DeleteFunc(slices.Clone(s.rules), func(r rule) bool { return strings.Contains(r.name, "_BLOCKED") })
	slices.SortStableFunc(rules, func(a, b rule) int { return cmp.Compare(b.points, a.points) })
	f := finding.Finding{
		ID: "msg.score", Severity: finding.OK, Subject: s.filter,
		Seen: fmt.Sprintf("%.1f points; %.1f make it spam; %s", s.points, s.required, text.CountOf(len(rules), "rule matches", "rules match")),
	}
	if s.blind != "" {
		f.Seen += "; " + s.blind
	}
	if asked || s.points >= s.required {
		f.Severity = finding.Note
	}
	list := []finding.Finding{f}
	for _, r := range rules[:min(len(rules), maxRules)] {
		if asked || r.points >= 1 {
			list = append(list, finding.Finding{
				ID: "msg.score", Severity: finding.Note, Subject: s.filter + " " + r.name, Seen: shorten(fmt.Sprintf("%.1f: %s", r.points, cmp.Or(r.says, "no description"))),
			})
		}
	}
	return list
}

// starred is a line of _REPORT_, Mail::SpamAssassin::Conf(3): points, rule, description.
// Long descriptions go on in the next line.
var starred = regexp.MustCompile(`^\s*\*\s+(-?[\d.]+) (\S+) ?(.*)$`)

// askSpamAssassin has the program score a message. It learns nothing from it and writes
// nothing; without Online it asks nobody, and has no rule of DKIM, SPF and DMARC then.
func askSpamAssassin(ctx context.Context, m Machine, message []byte, o ScoreOptions) (score, error) {
	argv := []string{
		"spamassassin", "-x", "--cf=use_bayes 0", "--cf=report_safe 0", "--cf=clear_headers",
		"--cf=add_header all Score _SCORE_ _REQD_", "--cf=add_header all Report _REPORT_",
	}
	s := score{}
	if !o.Online {
		argv = append(argv, "-L")
		s.blind = "DKIM, SPF, DMARC and lists are looked at with --online"
	}
	res, err := m.Run(ctx, system.Command{Argv: argv, Stdin: message, Env: []string{"HOME=/nonexistent"}, Within: filterTime})
	if err == nil && res.Code != 0 {
		err = fmt.Errorf("spamassassin exits with %d: %s", res.Code, bytes.TrimSpace(res.Stderr))
	}
	if err != nil {
		return s, err
	}
	found := false
	header, _, _ := bytes.Cut(bytes.ReplaceAll(res.Stdout, []byte("\r\n"), []byte("\n")), []byte("\n\n"))
	in := ""
	for line := range strings.Lines(string(header)) {
		line = strings.TrimRight(line, "\n")
		if line != "" && line[0] != ' ' && line[0] != '\t' {
			in, _, _ = strings.Cut(line, ":")
		}
		star := starred.FindStringSubmatch(line)
		switch {
		case in == "X-Spam-Score" && !found:
			_, err := fmt.Sscanf(line, "X-Spam-Score: %f %f", &s.points, &s.required)
			found = err == nil
		case in != "X-Spam-Report":
		case star != nil:
			points, _ := strconv.ParseFloat(star[1], 64)
			s.rules = append(s.rules, rule{star[2], points, star[3]})
		case len(s.rules) > 0:
			if _, more, ok := strings.Cut(line, "* "); ok {
				s.rules[len(s.rules)-1].says += " " + strings.TrimSpace(more)
			}
		}
	}
	if !found {
		return s, errors.New("spamassassin printed no score")
	}
	return s, nil
}

// askRspamd has the daemon score a message as if it came from this server, rspamc(1).
func askRspamd(ctx context.Context, m Machine, message []byte, o ScoreOptions) (score, error) {
	argv := []string{"rspamc", "--json"}
	if o.Address != "" && o.Name != "" {
		argv = append(argv, "--ip", o.Address, "--hostname", o.Name, "--helo", o.Name)
	}
	res, err := m.Run(ctx, system.Command{Argv: append(argv, "symbols"), Stdin: message, Within: filterTime})
	if err == nil && res.Code != 0 {
		err = fmt.Errorf("rspamc exits with %d: %s", res.Code, bytes.TrimSpace(append(res.Stderr, res.Stdout...)))
	}
	if err != nil {
		return score{}, err
	}
	var answer struct {
		Score    *float64 `json:"score"`
		Required float64  `json:"required_score"`
		Error    string   `json:"error"`
		Symbols  map[string]struct {
			Score       float64 `json:"score"`
			Description string  `json:"description"`
		} `json:"symbols"`
	}
	begin := max(0, bytes.IndexByte(res.Stdout, '{')) // a line for people is before it
	if err := json.NewDecoder(bytes.NewReader(res.Stdout[begin:])).Decode(&answer); err != nil || answer.Score == nil {
		return score{}, fmt.Errorf("rspamd gave no score: %s", cmp.Or(answer.Error, string(bytes.TrimSpace(res.Stdout))))
	}
	s := score{points: *answer.Score, required: answer.Required}
	for name, symbol := range answer.Symbols {
		if name == "HFILTER_HOSTNAME_UNKNOWN" && len(argv) == 2 {
			s.points -= symbol.Score // nobody named one
			continue
		}
		s.rules = append(s.rules, rule{name, symbol.Score, symbol.Description})
	}
	slices.SortFunc(s.rules, func(a, b rule) int { return strings.Compare(a.name, b.name) })
	return s, nil
}

// modules are what SpamAssassin does without in silence, with the packages that have
// them.
var modules = []struct{ file, pkg, about string }{
	{"/usr/share/perl5/Mail/DKIM.pm", "libmail-dkim-perl", "DKIM"},
	{"/usr/share/perl5/Mail/SPF.pm", "libmail-spf-perl", "SPF"},
	{"/usr/share/perl5/Mail/DMARC.pm", "libmail-dmarc-perl", "DMARC"},
}

// missing names the packages without which a filter is blind.
func missing(m Machine, filter string) []finding.Finding {
	if filter != "SpamAssassin" {
		return nil
	}
	var packages, abouts []string
	for _, mod := range modules {
		if o, err := m.Stat(state.Path(mod.file)); err == nil && o.Kind == state.Absent {
			packages, abouts = append(packages, mod.pkg), append(abouts, mod.about)
		}
	}
	if len(packages) == 0 {
		return nil
	}
	return []finding.Finding{{
		ID: "msg.score", Severity: finding.Note, Subject: "packages of SpamAssassin",
		Seen:   "no rule about " + strings.Join(abouts, " and ") + " can match: " + strings.Join(packages, ", ") + " not installed",
		Remedy: finding.Command("apt-get install --no-install-recommends %s", packages...),
	}}
}
