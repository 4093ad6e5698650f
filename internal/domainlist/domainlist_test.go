package domainlist_test

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/domainlist"
)

// Lists come from editors of all systems, and from people who make notes.
func TestRead(t *testing.T) {
	var l domainlist.List
	l.Add("LAB.example", "DOMAIN")
	l.Read("list", []byte("\xef\xbb\xbf# customers\r\n\r\nshop.example\r\n  bücher.example # new\nlab.example\n"))
	if want := []string{"lab.example", "shop.example", "xn--bcher-kva.example"}; !slices.Equal(l.Names, want) || l.Findings.Err() != nil {
		t.Errorf("names %q, %v", l.Names, l.Findings.Err())
	}
	if !slices.Equal(l.Duplicates, []string{"lab.example"}) {
		t.Errorf("twice %q", l.Duplicates)
	}
}

// All that is wrong is told at once, with where it stands.
func TestFindings(t *testing.T) {
	var l domainlist.List
	l.Add("not a domain", "DOMAIN")
	l.Read("-", []byte("good.example\n\nbad..example\n"))
	err := l.Findings.Err()
	if err == nil || len(l.Findings) != 2 || !slices.Equal(l.Names, []string{"good.example"}) {
		t.Fatalf("names %q, %v", l.Names, err)
	}
	for _, place := range []string{"DOMAIN", "stdin:3:"} {
		if !strings.Contains(err.Error(), place) {
			t.Errorf("nothing of %q in %v", place, err)
		}
	}
}
