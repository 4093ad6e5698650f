package apply

import (
	"fmt"
	"strings"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
)

// Report is what a run did, for the human.
type Report struct {
	ID     string // of the run in the journal, "" if there was nothing to do
	Undone bool   // the run was taken back; the counts are of what had been done

	Created  int // files
	Modified int // files with new content
	Meta     int // files and directories with a new owner or mode only
	Removed  int
	Dirs     int // directories made
	Derived  int
	Zones    int // updated on their primaries
	Units    []UnitDone

	Kept      []string     // checkpoint stages that were not taken back
	LeftAlone []state.Path // directories we made that hold other people's files now
}

// UnitDone is a unit action that succeeded.
type UnitDone struct {
	Name   string
	Action state.UnitAction
}

func (r *Report) count(c change) {
	switch c.Op {
	case plan.Create:
		r.Created++
	case plan.Modify:
		r.Modified++
	case plan.Meta:
		r.Meta++
	case plan.Remove:
		r.Removed++
	case plan.Mkdir:
		r.Dirs++
	}
}

// String tells it in a few lines.
func (r Report) String() string {
	var done []string
	for _, n := range []struct {
		count    int
		one, all string
	}{
		{r.Dirs, "directory made", "directories made"},
		{r.Created, "file created", "files created"},
		{r.Modified, "file changed", "files changed"},
		{r.Meta, "owner or mode set", "owners or modes set"},
		{r.Removed, "file removed", "files removed"},
		{r.Derived, "file made by its program", "files made by their programs"},
		{r.Zones, "zone updated", "zones updated"},
	} {
		if n.count > 0 {
			done = append(done, text.CountOf(n.count, n.one, n.all))
		}
	}
	for _, u := range r.Units {
		done = append(done, string(u.Action)+" "+u.Name)
	}
	if len(done) == 0 {
		done = []string{"nothing changed"}
	}
	summary := strings.Join(done, ", ") + "\n"
	if r.Undone {
		summary = "taken back: " + summary
	}
	for _, k := range r.Kept {
		summary += "not taken back: " + k + "\n"
	}
	for _, p := range r.LeftAlone {
		summary += fmt.Sprintf("left in place: %s, which holds files that are not ours\n", p)
	}
	return summary
}
