package memory_test

import (
	"reflect"
	"testing"
	"time"

	"mailsetup/internal/check/memory"
)

func day(n int) time.Time { return time.Date(2026, 11, n, 7, 0, 0, 0, time.UTC) }

// What stays as it is keeps the time at which it was new, and what was seen with it then.
func TestSince(t *testing.T) {
	first := memory.New(nil, day(1))
	first.See("sts.record", "lab.example", "1", "testing")
	first.See("dmarc.ramp", "lab.example", "none", "")
	first.See("dmarc.ramp", "old.example", "none", "")
	second := memory.New(first.Facts(nil), day(9))
	if f := second.See("sts.record", "lab.example", "1", "enforce"); f.Detail != "testing" || !f.Since.Equal(day(1)) {
		t.Errorf("%+v", f)
	}
	if f := second.See("sts.record", "shop.example", "1", "enforce"); f.Detail != "enforce" || !f.Since.Equal(day(9)) {
		t.Errorf("%+v", f)
	}
	second.Forget("dmarc.ramp", "lab.example")
	want := []memory.Fact{
		{ID: "sts.record", Domain: "lab.example", Value: "1", Detail: "testing", Since: day(1)},
		{ID: "sts.record", Domain: "shop.example", Value: "1", Detail: "enforce", Since: day(9)},
	}
	if got := second.Facts([]string{"lab.example", "shop.example"}); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	third := memory.New(second.Facts(nil), day(12))
	if f := third.See("sts.record", "lab.example", "2", "enforce"); f.Detail != "enforce" || !f.Since.Equal(day(12)) {
		t.Errorf("%+v", f)
	}
}

// A clock that went back, and a check without memory, know of nothing earlier.
func TestNothingRemembered(t *testing.T) {
	back := memory.New([]memory.Fact{{ID: "dmarc.ramp", Domain: "lab.example", Value: "none", Since: day(20)}}, day(2))
	if f := back.See("dmarc.ramp", "lab.example", "none", ""); !f.Since.Equal(day(2)) {
		t.Errorf("%+v", f)
	}
	var none *memory.Memory
	none.Forget("dmarc.ramp", "lab.example")
	if f := none.See("dmarc.ramp", "lab.example", "none", "x"); !f.Since.IsZero() || f.Value != "none" || f.Detail != "x" || none.Facts(nil) != nil {
		t.Errorf("%+v", f)
	}
}
