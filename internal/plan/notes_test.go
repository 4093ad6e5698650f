package plan

import (
	"slices"
	"testing"

	"mailsetup/internal/state"
)

func texts(notes []state.Note) []string {
	var list []string
	for _, n := range notes {
		list = append(list, n.Topic+": "+n.Text)
	}
	return list
}

func TestNotesByTopic(t *testing.T) {
	n := func(topic, text string) state.Note { return state.Note{Topic: topic, Text: text} }
	got := texts(byTopic([]state.Note{n("a", "1"), n("b", "2"), n("a", "3"), n("b", "2"), n("a", "1")}))
	if want := []string{"a: 1", "a: 3", "b: 2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFewNotes(t *testing.T) {
	n := func(topic, text string) state.Note { return state.Note{Topic: topic, Text: text} }
	all := []state.Note{n("a", "1"), n("b", "2"), n("a", "3"), n("a", "4"), n("c", "5"), n("a", "6")}
	if got := LimitPerTopic(all, 4); !slices.Equal(got, all) {
		t.Errorf("got %q, want all", texts(got))
	}
	want := []string{"a: 1", "b: 2", "a: 3", "c: 5", "a: and 2 more of this kind"}
	if got := texts(LimitPerTopic(all, 2)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What is too long for the screen breaks between words; a command stays one that can be
// pasted, and a record stays a line.
func TestActionsThatAreLong(t *testing.T) {
	for action, want := range map[string][]string{
		"once the records are elsewhere: take them out":           {"once the records are", "elsewhere: take them out"},
		"mailsetup init --ip 192.0.2.10 --ip 2001:db8::10":        {"mailsetup init --ip 192.0.2.10 --ip 2001:db8::10"},
		"touch /etc/a && postalias hash:/etc/a && postfix reload": {"touch /etc/a &&", "postalias hash:/etc/a &&", "postfix reload"},
		"touch a && touch b && touch c":                           {"touch a && touch b &&", "touch c"},
		"mail.lab.example. A 192.0.2.10 2001:db8::10":             {"mail.lab.example. A 192.0.2.10 2001:db8::10"},
	} {
		if got := actionRows(action, 26); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", action, got, want)
		}
	}
}
