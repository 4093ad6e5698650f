package console

import (
	"strings"
	"testing"
	"time"
)

func TestProgressBar(t *testing.T) {
	at := func(s float64) time.Time { return time.Unix(1000, 0).Add(time.Duration(s * float64(time.Second))) }
	for _, test := range []struct {
		name  string
		live  bool
		total int
		steps []float64 // seconds since the beginning
		want  string
	}{
		{"a single step", true, 1, []float64{9}, ""},
		{"not on a terminal", false, 4, []float64{2, 4, 6, 8}, "keys made: 3 of 4, about 2s left\n"},
		{"soon done", false, 3, []float64{0.1, 0.2, 0.3}, ""},
		{
			"on a terminal", true, 3,
			[]float64{1, 1.05, 2},
			"\r[##########--------------------] keys made: 1 of 3, about 2s left\x1b[K" +
				"\r[##############################] keys made: 3 of 3\x1b[K\r\x1b[K",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			b := &progressBar{c: Console{Err: &out, Live: test.live}, what: "keys made", total: test.total, began: at(0), shown: at(0)}
			for _, s := range test.steps {
				b.step(at(s))
			}
			b.end()
			if out.String() != test.want {
				t.Errorf("said %q, want %q", out.String(), test.want)
			}
		})
	}
}
