package year_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"mailsetup/internal/e2e/year"
)

// fewHours are two days with a rotation and a fault.
func fewHours() []year.Record {
	var list []year.Record
	for h := range 48 {
		r := year.Record{Hour: h, Wall: 0.1, CPU: 0.01, Stages: map[string]int{"active": 40, "draining": 0}, Control: 7200}
		if h == 24 {
			r.Wall, r.CPU, r.Acted, r.Stages = 10, 1, true, map[string]int{"active": 40, "draining": 20}
			r.Faults = []string{"a <dead> server"}
		}
		list = append(list, r)
	}
	return list
}

func TestCharts(t *testing.T) {
	records := fewHours()
	for name, c := range map[string]struct {
		svg  string
		want []string
	}{
		// 0.1 s and 0.01 s on three decades between 40 and 256; the tick of 10 s on top.
		"cost": {year.Cost(records), []string{`d="M56.0 184.0L454.3 184.0"`, `d="M56.0 256.0L454.3 256.0"`, `cx="454.3" cy="40.0"`, `cx="454.3" cy="112.0"`}},
		// Twenty of forty are half of the height, for one hour.
		"keys": {year.Keys(records), []string{`d="M56.0 256.0H454.3V148.0H470.9V256.0H836.0V256.0"`, `d="M56.0 40.0H836.0V40.0"`}},
		"gap":  {year.Gap(records), []string{`stroke="#d95f02"`, "a &lt;dead&gt; server", `d="M210.0 150.0H836.0V150.0"`, `d="M210.0 40.0H836.0V40.0"`}},
	} {
		d := xml.NewDecoder(strings.NewReader(c.svg))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		for _, w := range c.want {
			if !strings.Contains(c.svg, w) {
				t.Errorf("%s: no %s in\n%s", name, w, c.svg)
			}
		}
	}
}

func TestSummary(t *testing.T) {
	const want = "48 ticks, 40 keys, 1 ticks with work; nothing due: 0.10 s, 0.01 s of a processor; the longest 10.0 s, 1.0 s of a processor; worst gap 0 s, of the control 7200 s"
	if got := year.Summary(fewHours()); got != want {
		t.Errorf("%s", got)
	}
}
