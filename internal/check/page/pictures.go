package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/report"
	"mailsetup/internal/text"
)

// pictures draws what people would rather look at.
func pictures(r report.Report) []chapter {
	list := []chapter{
		newChapter("way", "The way of a message", "A real message was sent by each way in, and followed to where it leaves.", r.Messages, way),
		newChapter("spf", "The SPF record", "Receivers may ask DNS ten times for all of it.", r.SPF, spfTree),
		newChapter("keys", "The life of the keys", "Each DKIM key is published before it signs, and stays in DNS until no mail under way needs it.", byDomain(r.Keys),
			func(keys []finding.KeyLife) drawing { return lives(keys, r.Time) }),
	}
	return slices.DeleteFunc(list, func(c chapter) bool { return len(c.Pictures) == 0 })
}

func newChapter[T any](id, title, words string, of []T, draw func(T) drawing) chapter {
	c := chapter{ID: id, Title: title, Text: words, More: max(0, len(of)-maxPictures)}
	for i, x := range of[:min(len(of), maxPictures)] {
		d := draw(x)
		d.ID = fmt.Sprintf("%s%d", id, i+1)
		c.Pictures = append(c.Pictures, d)
	}
	return c
}

// waysIn are the ways of finding.Message in words.
var waysIn = map[string]string{
	"sendmail": "Mail of programs on the server", "smtp": "Mail by port 25", "submission": "Mail of users who log in",
	"bounce": "A bounce", "alias": "Mail by an alias", "reinject": "Mail through a content filter",
}

const maxStations = 20

// way draws the stations of a message, from above to below.
func way(m finding.Message) drawing {
	d := drawing{Title: cmp.Or(waysIn[m.Way], limit(m.Way, 60)), Caption: m.Domain, Width: narrow}
	var told []string
	y := 18
	for i, s := range m.Stations[:min(len(m.Stations), maxStations)] {
		if i > 0 {
			d.Lines = append(d.Lines, line{"14", px(y - 18), "14", px(y), "path"})
		}
		top := y
		d.Marks = append(d.Marks, mark{"14", px(y), s.Severity})
		for _, l := range wrap(limit(s.Name, 80), narrow-44, bold) {
			d.Labels = append(d.Labels, label{"36", px(y + 5), "name", l})
			y += 18
		}
		if s.Text != "" {
			for _, l := range wrap(limit(s.Text, 200), narrow-44, small) {
				d.Labels = append(d.Labels, label{"36", px(y + 4), "text", l})
				y += 16
			}
		}
		y += 20
		if i < len(m.Stations)-1 {
			d.Lines = append(d.Lines, line{"14", px(top), "14", px(y - 18), "path"})
		}
		told = append(told, strings.TrimSuffix(fmt.Sprintf("%s (%s): %s", s.Name, strings.ToLower(words[s.Severity]), limit(s.Text, 200)), ": "))
	}
	d.Height, d.Text = y-14, strings.Join(told, ". ")
	return d
}

// maxNodes is how many records of a tree are drawn: ten look-ups reach no more in a
// record that receivers can use.
const maxNodes = 40

// spfTree draws an SPF record with all that it includes.
func spfTree(t finding.SPFTree) drawing {
	d := drawing{
		Title: t.Domain, Caption: fmt.Sprintf("%d of 10 look-ups", t.Lookups), Code: t.Record, Width: narrow,
	}
	if t.Problem != "" {
		d.Caption += ", and receivers cannot use it"
	}
	p := treePicture{drawing: &d, y: 20}
	p.node(t.SPFNode, 0, -1)
	if p.left > 0 {
		d.Labels = append(d.Labels, label{"4", px(p.y), "text", fmt.Sprintf("and %d more records", p.left)})
		p.y += 18
	}
	d.Height, d.Text = p.y-4, strings.Join(p.told, ". ")
	return d
}

type treePicture struct {
	*drawing
	y, drawn, left int
	told           []string
}

// node draws a record and what is below. Above is where the line from its parent begins.
func (p *treePicture) node(n finding.SPFNode, depth, above int) {
	if p.drawn == maxNodes {
		p.left++
		return
	}
	p.drawn++
	const indent, deepest = 16, 8
	x := 4 + indent*min(depth, deepest)
	if above >= 0 {
		at := px(x - indent + 4)
		p.Lines = append(p.Lines, line{at, px(above), at, px(p.y - 4), "branch"}, line{at, px(p.y - 4), px(x - 2), px(p.y - 4), "branch"})
	}
	class := "name"
	if n.Problem != "" {
		class = "name problem"
	}
	p.Bars = append(p.Bars, bar{px(narrow - 34), px(p.y - 15), "30", "20", "count"})
	p.Labels = append(p.Labels, label{px(narrow - 19), px(p.y), "number", number(n.Lookups)})
	name := cmp.Or(n.Term, n.Name)
	for _, l := range wrap(limit(name, 120), narrow-40-x, bold) {
		p.Labels = append(p.Labels, label{px(x), px(p.y), class, l})
		p.y += 18
	}
	said := fmt.Sprintf("%s%s: %s", strings.Repeat("below that, ", min(depth, 1)), name, text.Count(n.Lookups, "look-up"))
	if n.Problem != "" {
		for _, l := range wrap(limit(n.Problem, 160), narrow-40-x, small) {
			p.Labels = append(p.Labels, label{px(x), px(p.y - 2), "text problem", l})
			p.y += 16
		}
		said += ", " + limit(n.Problem, 160)
	}
	p.told = append(p.told, said)
	from := p.y - 12 // below what is written
	p.y += 8
	for _, c := range n.Children {
		p.node(c, depth+1, from)
	}
}

// number returns a count that has room in its box.
func number(n int) string {
	if n > 99 {
		return "99+"
	}
	return fmt.Sprint(n)
}

// byDomain gathers keys of the same domain, in the order in which they come.
func byDomain(keys []finding.KeyLife) [][]finding.KeyLife {
	var list [][]finding.KeyLife
	at := map[string]int{}
	for _, k := range keys {
		i, known := at[k.Domain]
		if !known {
			i = len(list)
			at[k.Domain], list = i, append(list, nil)
		}
		list[i] = append(list[i], k)
	}
	return list
}

// phone is the least room that a picture as wide as the page has.
const maxKeys, phone = 12, 290

// lives draws the keys of a domain on a time line, which is as wide as the page.
func lives(keys []finding.KeyLife, now time.Time) drawing {
	d := drawing{Title: keys[0].Domain}
	if more := len(keys) - maxKeys; more > 0 {
		d.Caption = fmt.Sprintf("and %d older keys", more)
		keys = keys[more:]
	}
	first, last := now, now
	for _, k := range keys {
		for _, t := range []time.Time{k.Made, k.Active, k.Retired, k.Next} {
			if !t.IsZero() && t.Before(first) {
				first = t
			}
			if t.After(last) {
				last = t
			}
		}
	}
	span := max(last.Sub(first), 24*time.Hour)
	at := func(t time.Time) float64 { return 2 + 96*min(1, max(0, float64(t.Sub(first))/float64(span))) }
	var told []string
	y := 4
	for _, k := range keys {
		for _, l := range wrap(limit(k.Selector, 64)+" · "+limit(k.Stage, 20), phone, bold) {
			y += 18
			d.Labels = append(d.Labels, label{"0", px(y), "name", l})
		}
		stage := func(from, to time.Time, class string) {
			if !from.IsZero() && to.After(from) {
				d.Bars = append(d.Bars, bar{percent(at(from)), px(y + 8), percent(max(1.5, at(to)-at(from))), "12", class})
			}
		}
		signs, ends := k.Active, now
		if !k.Retired.IsZero() {
			ends = k.Retired
		}
		if signs.IsZero() {
			stage(k.Made, later(now, k.Next), "waits")
		} else {
			stage(k.Made, signs, "waits")
			stage(signs, ends, "signs")
			if k.Retired.IsZero() {
				stage(now, k.Next, "planned")
			} else {
				stage(k.Retired, later(now, k.Next), "drains")
			}
		}
		words := dates(k)
		told = append(told, fmt.Sprintf("Key %s, %s", k.Selector, strings.Join(append([]string{k.Stage}, words...), ", ")))
		d.Lines = append(d.Lines, line{percent(at(now)), px(y + 4), percent(at(now)), px(y + 24), "now"})
		y += 36
		for _, l := range wrap(strings.Join(words, ", "), phone, small) {
			d.Labels = append(d.Labels, label{"0", px(y), "text", l})
			y += 16
		}
	}
	y += 8
	anchor := "axis middle"
	switch {
	case at(now) < 12:
		anchor = "axis"
	case at(now) > 88:
		anchor = "axis end"
	}
	d.Labels = append(d.Labels, label{percent(at(now)), px(y), anchor, "today"})
	d.Height, d.Text = y+6, strings.Join(told, ". ")
	return d
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// dates are those of a key in words.
func dates(k finding.KeyLife) []string {
	var list []string
	if k.Bits > 0 {
		list = append(list, fmt.Sprintf("%d bits", k.Bits))
	}
	for _, t := range []struct {
		words string
		at    time.Time
	}{{"made ", k.Made}, {"signs since ", k.Active}, {"signed until ", k.Retired}, {"next step ", k.Next}} {
		if t.words == "signs since " && !k.Retired.IsZero() {
			t.words = "signed from "
		}
		if !t.at.IsZero() {
			list = append(list, t.words+text.Date(t.at))
		}
	}
	return list
}
