package opendkim

import (
	"fmt"
	"testing"
)

func TestRowsNearAHost(t *testing.T) {
	var c rowIndex
	for _, host := range []string{"a.example", "*", ".example", "b.a.example", ".a.example", "ba.example", "a.example", ".b.a.example"} {
		c.add(Row{match: match{host: host}})
	}
	for host, want := range map[string][]int{
		"a.example":   {0, 1, 2, 6},
		"b.a.example": {1, 2, 3, 4},
		".a.example":  {1, 2, 3, 4, 7},
		".example":    {0, 1, 2, 3, 4, 5, 6, 7},
		"*":           {0, 1, 2, 3, 4, 5, 6, 7},
		"a.test":      {1},
		"example":     {1},
	} {
		equal(t, host, c.related(host), want)
	}
}

// TestManyRows: each of thousands of domains is compared with its own rows, and
// not with those of all others.
func TestManyRows(t *testing.T) {
	var c rowIndex
	for i := range 8000 {
		host := fmt.Sprintf("customer%d.example", i)
		if n := len(c.related(host)); n > 0 {
			t.Fatalf("%s is near %d rows", host, n)
		}
		c.add(Row{match: match{host: host}})
	}
}
