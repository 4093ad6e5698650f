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
