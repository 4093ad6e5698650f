package plan

import (
	"fmt"
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

// What is said of each of a thousand domains is said of three, and counted. Records to paste
// are all there while they are few.
func TestNotesOfManyDomains(t *testing.T) {
	var all, few []state.Note
	for i := range 1000 {
		d := fmt.Sprintf("d%03d.example", i)
		all = append(all,
			state.Note{Topic: "dns", Text: "publish these records of " + d, Action: "a\nb\n"},
			state.Note{Topic: "dmarc", Text: "nobody reads the DMARC reports of " + d, Action: "mailsetup init --rua ADDRESS"})
		if i == 500 {
			all = append(all, state.Note{Topic: "dmarc", Text: "the mailbox is full"})
		}
		if i < 20 {
			few = append(few, all[2*i], all[2*i+1])
		}
	}
	want := []string{
		"dns: publish these records of d000.example", "dmarc: nobody reads the DMARC reports of d000.example",
		"dns: publish these records of d001.example", "dmarc: nobody reads the DMARC reports of d001.example",
		"dns: publish these records of d002.example", "dmarc: nobody reads the DMARC reports of d002.example",
		"dmarc: the mailbox is full", "dns: and 997 more of this kind", "dmarc: and 997 more of this kind",
	}
	got := LimitPerTopic(all, 20)
	if !slices.Equal(texts(got), want) || got[7].Action != "mailsetup dns prints the records of all domains" || got[8].Action != "--json lists them all" {
		t.Errorf("got %+v", got)
	}
	if got := texts(LimitPerTopic(few, 20)); len(got) != 24 || got[22] != "dns: publish these records of d019.example" || got[23] != "dmarc: and 17 more of this kind" {
		t.Errorf("got %q", got)
	}
}
