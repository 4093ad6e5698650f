package plan

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// update prints the changes of a zone on its primary, record by record.
func (t *printer) update(u state.Update) {
	t.entry(">", cyan, fmt.Sprintf("update %s on %s", u.Origin, u.Server), u.Why)
	for _, r := range u.Remove {
		t.record("-", red, r)
	}
	for _, r := range u.Add {
		t.record("+", green, r)
	}
}

func (t *printer) record(symbol string, s style, r state.Record) {
	for i, row := range rows(8, recordText(r)) {
		if i > 0 {
			symbol = " "
		}
		t.line("      " + t.paint(s, symbol+" "+row))
	}
}

// recordText returns a record on one line, with a text in quotes.
func recordText(r state.Record) string {
	value := r.Value
	if r.Type == "TXT" {
		value = `"` + value + `"`
	}
	return fmt.Sprintf("%s %d %s %s", r.Name, r.TTL, r.Type, value)
}

// updateLines returns an update as lines that can be compared, converted by announce
// (nil for none) into their announced form.
func updateLines(u state.Update, announce func([]byte) []byte) []string {
	var lines []string
	add := func(what string, list []state.Record) {
		for _, r := range list {
			text := recordText(r)
			if announce != nil {
				text = string(announce([]byte(text)))
			}
			lines = append(lines, fmt.Sprintf("%s %s on %s: %s", what, u.Origin, u.Server, text))
		}
	}
	add("remove from", u.Remove)
	add("add to", u.Add)
	slices.Sort(lines)
	return lines
}

func sameUpdates(announced, actual []state.Update, announce func([]byte) []byte) bool {
	return slices.EqualFunc(announced, actual, func(x, y state.Update) bool {
		return x.KeyFile == y.KeyFile && strings.Join(updateLines(x, nil), "\n") == strings.Join(updateLines(y, announce), "\n")
	})
}
