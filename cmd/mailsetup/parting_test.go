package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/state"
)

// numbered are n domains.
func numbered(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("d%05d.example", i)
	}
	return list
}

func TestPartingFindsThoseInTheWay(t *testing.T) {
	for _, tt := range []struct {
		n    int
		bad  []int
		most int // attempts
	}{
		{1, nil, 1},
		{1, []int{0}, 1},
		{3, []int{1}, 5},
		{3, []int{0, 2}, 5},
		{3, []int{0, 1, 2}, 5},
		{10_000, []int{4711}, 30},
		{10_000, []int{17, 9_999}, 60},
	} {
		all := numbered(tt.n)
		var bad []string
		for _, i := range tt.bad {
			bad = append(bad, all[i])
		}
		tries := 0
		p := parting{left: partings(tt.n), try: func(domains []string) error {
			tries++
			for _, d := range domains {
				if slices.Contains(bad, d) {
					return errors.New("not with " + d)
				}
			}
			return nil
		}}
		if err := p.part(all); err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, tr := range p.trouble {
			found = append(found, tr.domains...)
			if len(tr.domains) != 1 || tr.err.Error() != "not with "+tr.domains[0] {
				t.Errorf("%d, %v: blames %v: %v", tt.n, tt.bad, tr.domains, tr.err)
			}
		}
		if !slices.Equal(found, bad) || len(p.done) != tt.n-len(bad) {
			t.Errorf("%d: in the way are %v, found %v; done %d", tt.n, bad, found, len(p.done))
		}
		if tries > tt.most {
			t.Errorf("%d, %v: %d attempts, at most %d", tt.n, tt.bad, tries, tt.most)
		}
	}
}

// A disk that is full is so for all of them.
func TestPartingEndsSoonWhereAllFail(t *testing.T) {
	tries := 0
	p := parting{left: partings(10_000), try: func([]string) error { tries++; return errors.New("no space left") }}
	if err := p.part(numbered(10_000)); err != nil {
		t.Fatal(err)
	}
	last := p.trouble[len(p.trouble)-1]
	if tries != 32 || len(p.done) > 0 || len(last.domains) < 9_900 || last.err.Error() != "no space left" {
		t.Errorf("%d attempts, %d done, the last error is about %d domains: %v", tries, len(p.done), len(last.domains), last.err)
	}
}

// What an error names itself need not be searched for.
func TestPartingGoesByName(t *testing.T) {
	all, tries := numbered(1_000), 0
	p := parting{left: partings(1_000), try: func(domains []string) error {
		tries++
		trouble := state.Trouble{}
		for _, d := range domains {
			if strings.HasSuffix(d, "7.example") {
				trouble[d] = errors.New("no")
			}
		}
		if len(trouble) > 0 {
			return fmt.Errorf("Zone: %w", trouble)
		}
		return nil
	}}
	if err := p.part(all); err != nil || tries != 2 || len(p.trouble) != 100 || len(p.done) != 900 {
		t.Errorf("%v: %d attempts, %d in trouble, %d done", err, tries, len(p.trouble), len(p.done))
	}
	p = parting{left: 3, try: func([]string) error { return state.Trouble{"other.example": errors.New("no")} }}
	if err := p.part(all); err == nil || err.Error() != "no" {
		t.Errorf("about a domain that was not asked for: %v", err)
	}
}

func TestPartingNeverGoesOnAfter(t *testing.T) {
	for _, end := range []error{
		context.Canceled, &apply.Failed{Cause: context.Canceled},
		lasting{errors.New("written")},
		&apply.NotUndone{Cause: errors.New("x"), Undo: []error{errors.New("y")}},
	} {
		tries := 0
		p := parting{left: 9, try: func([]string) error { tries++; return fmt.Errorf("OpenDKIM: %w", end) }}
		if err := p.part(numbered(4)); !errors.Is(err, end) || tries != 1 {
			t.Errorf("%v: %d attempts, %v", end, tries, err)
		}
	}
}

// What a daemon printed, as far as it did, does not make two reasons of one.
func TestAlike(t *testing.T) {
	got := alike([]trouble{
		{domains: []string{"a.example"}, err: errors.New("reload failed\n  | this\n  | that")},
		{domains: []string{"b.example"}, err: errors.New("reload failed\n  | this")},
		{domains: []string{"c.example"}, err: errors.New("c.example: no answer")},
	})
	if len(got) != 2 || !slices.Equal(got[0].domains, []string{"a.example", "b.example"}) || !slices.Equal(got[1].domains, []string{"c.example"}) {
		t.Errorf("%v", got)
	}
}
