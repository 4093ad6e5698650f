package console

import (
	"fmt"
	"strings"
	"time"
)

// progressBar shows how far a long piece of work is: on a terminal in one line that
// grows, elsewhere in a line every few seconds. Work of a single step needs none.
type progressBar struct {
	c            Console
	what         string
	total, done  int
	began, shown time.Time
}

// How often a line is written, on a terminal and elsewhere.
const (
	redrawEvery = 100 * time.Millisecond
	lineEvery   = 5 * time.Second
)

// StartBar begins to show how far a piece of work is. Step counts one step of the total.
func (c Console) StartBar(what string, total int) (step, end func()) {
	now := time.Now()
	b := &progressBar{c: c, what: what, total: total, began: now, shown: now}
	return func() { b.step(time.Now()) }, b.end
}

// step counts one step, and shows it if it is time to.
func (b *progressBar) step(now time.Time) {
	b.done++
	wait := lineEvery
	if b.c.Live {
		wait = redrawEvery
	}
	if b.total < 2 || now.Sub(b.shown) < wait {
		return
	}
	b.shown = now
	if b.c.Live {
		b.c.Rewrite(b.text(now))
	} else {
		b.c.Say("%s", b.text(now))
	}
}

// end clears the line for what is written next.
func (b *progressBar) end() {
	if b.c.Live && b.shown != b.began {
		b.c.Rewrite("")
	}
}

// text returns how much is done, and how long the rest takes at this rate.
func (b *progressBar) text(now time.Time) string {
	text := fmt.Sprintf("%s: %d of %d", b.what, b.done, b.total)
	if left := now.Sub(b.began) / time.Duration(b.done) * time.Duration(b.total-b.done); left >= time.Second {
		text += fmt.Sprintf(", about %v left", left.Round(time.Second))
	}
	if !b.c.Live {
		return text
	}
	const width = 30
	full := width * b.done / b.total
	return fmt.Sprintf("[%s%s] %s", strings.Repeat("#", full), strings.Repeat("-", width-full), text)
}
