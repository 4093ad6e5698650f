package state

import "testing"

func TestZoneHolds(t *testing.T) {
	t.Parallel()
	z := Zone{Origin: "example.org.", Records: []Record{
		{Name: "example.org.", Type: "NS", Value: "ns.example.org."},
		{Name: "Sub.example.org.", Type: "NS", Value: "ns.example.net."},
		{Name: "www.example.org.", Type: "A", Value: "192.0.2.1"},
		{Name: "moved.example.org.", Type: "DNAME", Value: "example.net."},
	}}
	for name, want := range map[string]bool{
		"example.org.":            true,
		"mail.Example.org.":       true,
		"a.www.example.org.":      true,
		"sub.example.org.":        false, // the delegation is there, its records are not
		"mail.sub.example.org.":   false,
		"mysub.example.org.":      true,
		"moved.example.org.":      true, // a DNAME redirects what is below it
		"mail.moved.Example.org.": false,
		"notexample.org.":         false,
		"example.net.":            false,
		"_dmarc.sub.example.org.": false,
	} {
		if got := z.Contains(name); got != want {
			t.Errorf("Holds(%s) = %v, want %v", name, got, want)
		}
	}
	if root := (Zone{Origin: "."}); !root.Contains("example.org.") {
		t.Error("the root zone does not hold example.org.")
	}
}
