// Package ignore says which findings an administrator does not want to be told of, and
// why.
package ignore

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/tomltext"
)

// Rule ignores findings for a reason.
type Rule struct {
	ID      string    // of a kind of finding, or a group of them: spf.all, dns
	Subject string    // of the finding, "" for any
	Reason  string    // shown beside what is ignored
	Until   time.Time // the last day, in UTC; zero for ever
}

// day is how a file has a day.
const day = "2006-01-02"

// Example is what a file could say.
func Example() []Rule {
	return []Rule{{ID: "spf.all", Reason: "why", Until: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)}}
}

// Fault is what is wrong with the rules of a file.
type Fault struct{ Text, Hint string }

// Error implements error.
func (f *Fault) Error() string { return f.Text + "; hint: " + f.Hint }

const (
	maxRules  = 100
	maxReason = 200 // octets
)

// Parse reads what the TOML decoder found: a list of tables.
func Parse(raw any) ([]Rule, error) {
	var tables []map[string]any
	switch list := raw.(type) {
	case nil:
		return nil, nil
	case []map[string]any:
		tables = list
	case []any:
		for _, one := range list {
			table, ok := one.(map[string]any)
			if !ok {
				return nil, &Fault{fmt.Sprintf("has %q, which is no table", tomltext.Clip(fmt.Sprint(one))), "write: ignore = " + Format(Example())}
			}
			tables = append(tables, table)
		}
	default:
		return nil, &Fault{"is no list of tables", "write: ignore = " + Format(Example())}
	}
	if len(tables) > maxRules {
		return nil, &Fault{fmt.Sprintf("has %d entries, and %d are read", len(tables), maxRules), "name a group, as in id = \"dns\", in place of its IDs"}
	}
	var rules []Rule
	for _, table := range tables {
		r, err := parseRule(table)
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// parseRule reads one table.
func parseRule(table map[string]any) (r Rule, err error) {
	for _, key := range slices.Sorted(maps.Keys(table)) {
		value := table[key]
		text, isText := value.(string)
		at, isDay := value.(time.Time)
		if key == "until" && isText {
			if at, err = time.Parse(day, strings.TrimSpace(text)); err == nil {
				isDay = true
			}
		}
		switch {
		case key == "until" && isDay:
			r.Until = time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
		case key == "until":
			return r, &Fault{fmt.Sprintf("has until = %s, which is no day", tomltext.Clip(fmt.Sprintf("%q", fmt.Sprint(value)))), "write: until = 2027-01-31"}
		case !slices.Contains([]string{"id", "subject", "reason"}, key):
			return r, &Fault{fmt.Sprintf("has a key %q, which is not known", tomltext.Clip(key)), "an entry has id, subject, reason and until"}
		case !isText:
			return r, &Fault{fmt.Sprintf("has %s = %s, which is no text in quotes", key, tomltext.Clip(fmt.Sprint(value))), "write: ignore = " + Format(Example())}
		case key == "id":
			r.ID = strings.ToLower(strings.TrimSpace(text))
		case key == "subject":
			r.Subject = strings.TrimSpace(text)
		case key == "reason":
			r.Reason = strings.TrimSpace(text)
		}
	}
	return r, r.Validate()
}

// Validate finds what makes no rule.
func (r Rule) Validate() error {
	plain := func(s string) bool {
		return len(s) <= maxReason && strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f || c == 0xfffd }) < 0
	}
	shape := func(id string) bool {
		return strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-.") == "" && !strings.HasPrefix(id, ".") && !strings.HasSuffix(id, ".") && !strings.Contains(id, "..")
	}
	switch {
	case r.ID == "":
		return &Fault{"has an entry without an id", `name what to ignore, as in id = "spf.all"; mailsetup check shows the IDs`}
	case !shape(r.ID) || len(r.ID) > maxReason:
		return &Fault{fmt.Sprintf("has the id %q, which no finding can have", tomltext.Clip(r.ID)), "mailsetup check shows the IDs, as in spf.all"}
	case r.Reason == "":
		return &Fault{"has no reason for " + r.ID, `say why, for those who read it later: reason = "text"`}
	case !plain(r.Reason) || !plain(r.Subject):
		return &Fault{"has a reason or a subject for " + r.ID + " of more than one line", fmt.Sprintf("write one line of at most %d octets", maxReason)}
	case !r.Until.IsZero() && (r.Until.Year() < 2000 || r.Until.Year() > 9999 || !r.Until.Equal(r.Until.UTC().Truncate(24*time.Hour))):
		return &Fault{"has an until for " + r.ID + " that is no day", "write: until = 2027-01-31"}
	}
	return nil
}

// Format writes rules as the value of a key in a TOML file.
func Format(rules []Rule) string {
	all := make([]string, 0, len(rules))
	for _, r := range rules {
		text := "{id = " + tomltext.Quote(r.ID)
		if r.Subject != "" {
			text += ", subject = " + tomltext.Quote(r.Subject)
		}
		text += ", reason = " + tomltext.Quote(r.Reason)
		if !r.Until.IsZero() {
			text += ", until = " + r.Until.Format(day)
		}
		all = append(all, text+"}")
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// matches reports whether a rule is about a finding.
func (r Rule) matches(f finding.Finding) bool {
	return (f.ID == r.ID || strings.HasPrefix(f.ID, r.ID+".")) && (r.Subject == "" || strings.EqualFold(r.Subject, f.Subject))
}

// Apply marks a finding that one of the rules ignores. One whose time is over counts
// again, and says so.
func Apply(rules []Rule, f *finding.Finding, now time.Time) {
	if f.Severity == finding.OK || f.Ignored != "" {
		return
	}
	over := ""
	for _, r := range rules {
		switch {
		case !r.matches(*f):
		case r.Until.IsZero() || now.Before(r.Until.AddDate(0, 0, 1)):
			f.Ignored = r.Reason
			return
		default:
			over = fmt.Sprintf("ignored until %s: %s", r.Until.Format(day), r.Reason)
		}
	}
	if over != "" {
		f.Seen = strings.TrimPrefix(f.Seen+"; "+over, "; ")
	}
}
