package main

import (
	"fmt"
	"strings"
	"time"
)

// bar tells how far a long piece of work is: on a terminal one line that
// grows, elsewhere a line every few seconds. Work of a single step needs none.
type bar struct {
	c           console
	live        bool
	what        string
	total, done int
	began, told time.Time
}

// How often a line is told, on a terminal and elsewhere.
const (
	barTick = 100 * time.Millisecond
	barLine = 5 * time.Second
)

func newBar(c console, what string, total int) *bar {
	now := time.Now()
	return &bar{c: c, live: c.live, what: what, total: total, began: now, told: now}
}

// step counts one step, and tells if it is time to.
func (b *bar) step(now time.Time) {
	b.done++
	wait := barLine
	if b.live {
		wait = barTick
	}
	if b.total < 2 || now.Sub(b.told) < wait {
		return
	}
	b.told = now
	if b.live {
		fmt.Fprintf(b.c.err, "\r%s\x1b[K", b.text(now))
	} else {
		b.c.say("%s", b.text(now))
	}
}

// end leaves the line to what is said next.
func (b *bar) end() {
	if b.live && b.told != b.began {
		fmt.Fprint(b.c.err, "\r\x1b[K")
	}
}

// text says how much is done, and how long the rest takes at this rate.
func (b *bar) text(now time.Time) string {
	text := fmt.Sprintf("%s: %d of %d", b.what, b.done, b.total)
	if left := now.Sub(b.began) / time.Duration(b.done) * time.Duration(b.total-b.done); left >= time.Second {
		text += fmt.Sprintf(", about %v left", left.Round(time.Second))
	}
	if !b.live {
		return text
	}
	const width = 30
	full := width * b.done / b.total
	return fmt.Sprintf("[%s%s] %s", strings.Repeat("#", full), strings.Repeat("-", width-full), text)
}
