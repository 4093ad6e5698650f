package year

import (
	"cmp"
	"fmt"
	"html"
	"maps"
	"math"
	"slices"
	"strings"
)

// Record is an hour of the year.
type Record struct {
	Hour    int            `json:"hour"`
	Wall    float64        `json:"wall"` // what the tick took, in seconds
	CPU     float64        `json:"cpu"`
	Exit    int            `json:"exit"`
	Acted   bool           `json:"acted"`  // it said what it did
	Stages  map[string]int `json:"stages"` // how many keys are in each
	Gap     float64        `json:"gap"`    // the worst so far, in seconds
	Control float64        `json:"control"`
	Faults  []string       `json:"faults,omitempty"`
}

// Size of a chart and of the field in it.
const (
	width, height     = 860, 300
	right, top, below = 24, 40, 44
)

// chart is an SVG under way: days to the right, values upwards.
type chart struct {
	strings.Builder
	days, low, high float64
	log             bool
	left, bottom    float64
}

// newChart begins a chart of a height, with room for labels on the left.
func newChart(title string, records []Record, low, high float64, log bool, left, tall float64) *chart {
	last := records[len(records)-1]
	days := day(last)
	c := &chart{days: math.Max(days, 1), low: low, high: high, log: log, left: left, bottom: height - below}
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" font-family="sans-serif" font-size="12">`+"\n", width, tall)
	fmt.Fprintf(c, `<rect width="%d" height="%.0f" fill="#fff"/>`+"\n", width, tall)
	c.text(12, 22, "start", "#000", title)
	step := 30.0
	if days <= 60 {
		step = 5
	}
	for d := 0.0; d <= days; d += step {
		c.line(c.x(d), top, c.x(d), tall-below, "#e4e4e4")
		c.text(c.x(d), tall-below+18, "middle", "#444", fmt.Sprintf("%.0f", d))
	}
	c.text((left+width-right)/2, tall-8, "middle", "#444", fmt.Sprintf("days of %d hourly ticks, %d domains with a zone each", len(records), last.Stages["active"]))
	return c
}

func (c *chart) x(day float64) float64 { return c.left + day/c.days*(width-c.left-right) }

func (c *chart) y(v float64) float64 {
	share := (v - c.low) / (c.high - c.low)
	if c.log {
		share = (math.Log10(math.Max(v, c.low)) - math.Log10(c.low)) / (math.Log10(c.high) - math.Log10(c.low))
	}
	return c.bottom - share*(c.bottom-top)
}

// scale labels values.
func (c *chart) scale(values map[float64]string) {
	for _, v := range slices.Sorted(maps.Keys(values)) {
		c.line(c.left, c.y(v), width-right, c.y(v), "#e4e4e4")
		c.text(c.left-6, c.y(v)+4, "end", "#444", values[v])
	}
}

func (c *chart) line(x1, y1, x2, y2 float64, colour string) {
	fmt.Fprintf(c, `<path d="M%.1f %.1fL%.1f %.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, colour)
}

func (c *chart) text(x, y float64, anchor, colour, s string) {
	fmt.Fprintf(c, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>`+"\n", x, y, anchor, colour, html.EscapeString(s))
}

// curve draws values by day, as steps if they hold until the next one.
func (c *chart) curve(points [][2]float64, colour string, steps bool) {
	var path strings.Builder
	last := ""
	for i, p := range points {
		y := fmt.Sprintf("%.1f", c.y(p[1]))
		switch {
		case i == 0:
			fmt.Fprintf(&path, "M%.1f %s", c.x(p[0]), y)
		case steps && y == last && i < len(points)-1:
			continue
		case steps:
			fmt.Fprintf(&path, "H%.1fV%s", c.x(p[0]), y)
		default:
			fmt.Fprintf(&path, "L%.1f %s", c.x(p[0]), y)
		}
		last = y
	}
	fmt.Fprintf(c, `<path d="%s" fill="none" stroke="%s" stroke-width="1.5"/>`+"\n", path.String(), colour)
}

func (c *chart) end() string { return c.String() + "</svg>\n" }

// legend names colours, from the right.
func (c *chart) legend(entries ...[2]string) {
	x := float64(width - right)
	for _, e := range slices.Backward(entries) {
		x -= 7 * float64(len(e[1]))
		c.text(x, 22, "start", e[0], e[1])
		x -= 14
	}
}

func day(r Record) float64 { return float64(r.Hour) / 24 }

// Cost draws what ticks take: the median of each day, and those that did something.
func Cost(records []Record) string {
	most := 10.0
	for _, r := range records {
		most = math.Max(most, math.Max(r.Wall, r.CPU))
	}
	c := newChart("seconds a tick takes", records, 0.01, math.Pow(10, math.Ceil(math.Log10(most))), true, 56, height)
	scale := map[float64]string{}
	for v := 0.01; v <= c.high*1.01; v *= 10 {
		scale[v] = fmt.Sprintf("%g", math.Round(v*100)/100)
	}
	c.scale(scale)
	var wall, cpu [][2]float64
	for from := 0; from < len(records); from += 24 {
		of := slices.DeleteFunc(slices.Clone(records[from:min(from+24, len(records))]), func(r Record) bool { return r.Wall == 0 || r.Acted })
		if len(of) > 0 {
			wall = append(wall, [2]float64{day(records[from]), median(of, func(r Record) float64 { return r.Wall })})
			cpu = append(cpu, [2]float64{day(records[from]), median(of, func(r Record) float64 { return r.CPU })})
		}
	}
	for _, r := range records {
		if r.Acted {
			fmt.Fprintf(c, `<circle cx="%.1f" cy="%.1f" r="1.6" fill="#d95f02"/><circle cx="%.1f" cy="%.1f" r="1.6" fill="#7570b3"/>`+"\n", c.x(day(r)), c.y(r.Wall), c.x(day(r)), c.y(r.CPU))
		}
	}
	c.curve(wall, "#d95f02", false)
	c.curve(cpu, "#7570b3", false)
	c.legend([2]string{"#d95f02", "wall clock"}, [2]string{"#7570b3", "processor"}, [2]string{"#444", "(dots: ticks with work, lines: median of the others)"})
	return c.end()
}

func median(of []Record, value func(Record) float64) float64 {
	all := make([]float64, len(of))
	for i, r := range of {
		all[i] = value(r)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// Keys draws how many keys are in each stage.
func Keys(records []Record) string {
	stages := [][2]string{{"#1b9e77", "active"}, {"#d95f02", "draining"}, {"#7570b3", "publishing"}, {"#e7298a", "published"}, {"#666666", "revoked"}}
	most := 1
	for _, r := range records {
		for _, s := range stages {
			most = max(most, r.Stages[s[1]])
		}
	}
	step := math.Pow(10, math.Floor(math.Log10(float64(most))))
	c := newChart("keys by state", records, 0, math.Ceil(float64(most)/step)*step, false, 56, height)
	scale := map[float64]string{}
	for v := 0.0; v <= c.high; v += c.high / 4 {
		scale[v] = fmt.Sprintf("%.0f", v)
	}
	c.scale(scale)
	for _, s := range stages {
		points := make([][2]float64, len(records))
		for i, r := range records {
			points[i] = [2]float64{day(r), float64(r.Stages[s[1]])}
		}
		c.curve(points, s[0], true)
	}
	c.legend(stages...)
	return c.end()
}

// Gap draws the worst gap so far, that of the control beside it, and below that what
// befell the servers.
func Gap(records []Record) string {
	var faults []string
	most := 3600.0
	for _, r := range records {
		most = math.Max(most, math.Max(r.Gap, r.Control))
		for _, f := range r.Faults {
			if !slices.Contains(faults, f) {
				faults = append(faults, f)
			}
		}
	}
	const row = 15
	c := newChart("hours in which mail would not have verified, worst so far", records, 0, math.Ceil(most/3600)*3600, false, 210, height/2+row*float64(len(faults))+below)
	c.bottom = height / 2
	c.scale(map[float64]string{0: "0", c.high: fmt.Sprintf("%.0f", c.high/3600)})
	all, control := make([][2]float64, len(records)), make([][2]float64, len(records))
	for i, r := range records {
		all[i], control[i] = [2]float64{day(r), r.Gap}, [2]float64{day(r), r.Control}
	}
	c.curve(control, "#999999", true)
	c.curve(all, "#d95f02", true)
	for i, f := range faults {
		y := c.bottom + 8 + row*float64(i)
		c.text(c.left-6, y+11, "end", "#444", f)
		for from := 0; from < len(records); from++ {
			to := from
			for to < len(records) && slices.Contains(records[to].Faults, f) {
				to++
			}
			if to > from {
				x := c.x(day(records[from]))
				fmt.Fprintf(c, `<rect x="%.1f" y="%.1f" width="%.1f" height="%d" fill="#7570b3"/>`+"\n", x, y+2, math.Max(1.5, c.x(day(records[to-1]))-x), row-4)
				from = to
			}
		}
	}
	c.legend([2]string{"#d95f02", "all domains"}, [2]string{"#999999", "one whose records were taken out by hand"})
	return c.end()
}

// Summary says in a line what the records are about.
func Summary(records []Record) string {
	quiet := slices.DeleteFunc(slices.Clone(records), func(r Record) bool { return r.Acted || r.Wall == 0 })
	worst := slices.MaxFunc(records, func(a, b Record) int { return cmp.Compare(a.Wall, b.Wall) })
	last := records[len(records)-1]
	keys := 0
	for _, n := range last.Stages {
		keys += n
	}
	return fmt.Sprintf("%d ticks, %d keys, %d ticks with work; nothing due: %.2f s, %.2f s of a processor; the longest %.1f s, %.1f s of a processor; worst gap %.0f s, of the control %.0f s",
		len(records), keys, len(records)-len(quiet), median(quiet, func(r Record) float64 { return r.Wall }), median(quiet, func(r Record) float64 { return r.CPU }),
		worst.Wall, worst.CPU, last.Gap, last.Control)
}
