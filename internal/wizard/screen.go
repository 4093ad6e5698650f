package wizard

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"mailsetup/internal/text"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/huh"
	"github.com/charmbracelet/lipgloss"
)

// askOnScreen asks with one form per question inside a single program, so that
// going back can cross a look-up and the terminal is set up and restored once.
func askOnScreen(ctx context.Context, o Options, f *flow) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends a look-up that is still running
	s := &screen{ctx: ctx, page: newPage(o), flow: f}
	return s.page.run(ctx, o, s, func() error {
		if s.err == nil && !s.flow.done() {
			return ErrAborted
		}
		return s.err
	})
}

// screen is the bubbletea program that asks all questions.
type screen struct {
	ctx       context.Context // that of Ask; the methods of a tea.Model take none
	page      *page
	flow      *flow
	looking   bool
	typeahead []tea.KeyMsg // typed during a look-up or between two questions
	value     string       // of the field on screen
	err       error
}

// maxAhead limits the keys kept while nobody waits for them.
const maxAhead = 1024

// lookedUp is the message with the result of a look-up.
type lookedUp struct {
	lookup *lookup
	found  Proposals
	err    error
}

// Init implements tea.Model.
func (s *screen) Init() tea.Cmd { return s.next() }

// next shows the current question, or makes the look-up before it, or ends the program.
func (s *screen) next() tea.Cmd {
	if l := s.flow.lookup(); l != nil {
		s.looking = true
		return func() tea.Msg {
			found, err := l.run(s.ctx)
			return lookedUp{l, found, err}
		}
	}
	if s.flow.done() {
		return s.page.close()
	}
	return s.open()
}

// open shows the current question.
func (s *screen) open() tea.Cmd {
	q := s.flow.question()
	s.value = s.flow.value()
	s.page.mark(q.options == nil && s.value != "")
	s.page.header = "mailsetup, " + s.flow.progress()
	s.page.notes = foundLines(s.flow.findings())
	about := s.about(q)
	title := text.Wrap(q.title(s.flow), s.page.columns())
	if q.options != nil {
		return s.page.show(huh.NewSelect[string]().Title(title).Description(about).
			Options(options(q.options(s.flow))...).Value(&s.value))
	}
	check := func(value string) error {
		_, err := q.validate(s.flow, value)
		return explained(err, s.page.columns())
	}
	return s.page.show(huh.NewInput().Title(title).Description(about).
		Value(&s.value).Validate(check))
}

// about returns the text below the title: none on a terminal with few lines, rather
// than a question without its field.
func (s *screen) about(q question) string {
	if s.page.short() {
		s.page.notes = nil
		return ""
	}
	about := q.about(s.flow)
	if offer := q.offer(s.flow); offer.Value != "" && offer.Why != "" {
		about += "\nProposed: " + offerName(s.flow, q, offer.Value) + ", " + offer.Why + "."
	}
	return text.Wrap(about, s.page.columns()) + "\n"
}

// foundLines returns the findings under a heading.
func foundLines(news []string) []string {
	if len(news) == 0 {
		return nil
	}
	lines := []string{"Found:"}
	for _, line := range news {
		lines = append(lines, "  "+line)
	}
	return lines
}

// Update implements tea.Model.
func (s *screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if k, ok := msg.(tea.KeyMsg); ok {
		return s, s.key(k)
	}
	if done, ok := msg.(lookedUp); ok {
		return s, s.setProposals(done)
	}
	if size, ok := msg.(tea.WindowSizeMsg); ok {
		return s, s.resize(size)
	}
	cmd := s.page.update(msg)
	if s.page.takeAnswer() {
		return s, tea.Batch(cmd, s.submit())
	}
	return s, cmd
}

// resize lays out the page again: the text on it depends on its size.
func (s *screen) resize(size tea.WindowSizeMsg) tea.Cmd {
	before := *s.page
	s.page.update(size)
	if s.looking || s.page.moving || s.page.closed || s.page.form == nil {
		return nil
	}
	if before.short() == s.page.short() && before.columns() == s.page.columns() {
		return nil
	}
	marked := before.marked
	s.flow.keep(s.value)
	cmd := s.open()
	s.page.mark(marked)
	return cmd
}

// key handles a key. Keys typed while the form is between two fields would go to the
// wrong one: huh moves by messages to itself.
func (s *screen) key(k tea.KeyMsg) tea.Cmd {
	switch {
	case k.Type == tea.KeyCtrlC:
		s.err = ErrAborted
		return s.page.close()
	case s.looking || s.page.moving:
		if len(s.typeahead) < maxAhead {
			s.typeahead = append(s.typeahead, k)
		}
		return nil
	case k.Type == tea.KeyShiftTab:
		s.flow.keep(s.value)
		s.flow.back()
		s.page.complaint = ""
		return s.open()
	}
	return tea.Batch(s.overwrite(k), s.page.key(k))
}

// overwrite empties a field that nobody has touched when something is typed into it.
// Whoever moves the cursor, deletes, or adds to a list edits what stands there.
func (s *screen) overwrite(k tea.KeyMsg) tea.Cmd {
	if !s.page.marked || submits(k) {
		return nil
	}
	s.page.mark(false)
	adds := s.flow.question().list && len(items(string(k.Runes[:min(1, len(k.Runes))]))) == 0
	if k.Type != tea.KeyRunes || k.Alt || adds {
		return nil
	}
	return s.page.update(tea.KeyMsg{Type: tea.KeyCtrlU})
}

// setProposals takes the result of a look-up.
func (s *screen) setProposals(done lookedUp) tea.Cmd {
	s.looking = false
	if done.err != nil {
		s.err = done.err
		return s.page.close()
	}
	s.flow.setProposals(done.lookup, done.found)
	return tea.Batch(s.next(), s.replay())
}

// submit takes the answer of the form.
func (s *screen) submit() tea.Cmd {
	if err := s.flow.submit(s.value); err != nil {
		s.flow.keep(s.value)
		s.page.complaint = explain(err)
		return s.open()
	}
	return tea.Batch(s.next(), s.replay())
}

// replay passes keys that were typed ahead to the current question.
func (s *screen) replay() tea.Cmd {
	var cmds []tea.Cmd
	for len(s.typeahead) > 0 && !s.looking && !s.page.moving && !s.page.closed {
		k := s.typeahead[0]
		s.typeahead = s.typeahead[1:]
		cmds = append(cmds, s.key(k))
	}
	return tea.Batch(cmds...)
}

// View implements tea.Model.
func (s *screen) View() string {
	switch {
	case s.page.closed:
		return ""
	case s.looking:
		return lookingAround + "\n"
	default:
		return s.page.view(s.footer())
	}
}

func (s *screen) footer() string {
	keys := []string{"enter next"}
	switch {
	case s.flow.question().options != nil:
		keys = append(keys, "up/down choose")
	case s.page.marked:
		keys = []string{"enter keep", "type to replace"}
	}
	if s.flow.before() >= 0 {
		keys = append(keys, "shift+tab back")
	}
	return strings.Join(append(keys, "ctrl+c stop, nothing is changed"), " | ")
}

// confirmOnScreen asks for a yes with two buttons; the one in front is No.
func confirmOnScreen(ctx context.Context, o Options, title string, details bool) (answer, error) {
	c := &confirmation{page: newPage(o), title: title, details: details}
	err := c.page.run(ctx, o, c, func() error {
		if !c.answered {
			return ErrAborted
		}
		return nil
	})
	switch {
	case err != nil:
		return no, err
	case c.all:
		return showAll, nil
	case c.yes:
		_, err = fmt.Fprintln(o.Out, title, "yes")
		return yes, err
	}
	_, err = fmt.Fprintln(o.Out, title, "no")
	return no, err
}

// confirmation is the program that asks for a yes.
type confirmation struct {
	page     *page
	title    string
	details  bool // there is more to see
	yes, all bool
	answered bool
}

// Init implements tea.Model.
func (c *confirmation) Init() tea.Cmd {
	return c.page.show(huh.NewConfirm().Title(text.Wrap(c.title, c.page.columns())).Value(&c.yes).
		WithButtonAlignment(lipgloss.Left))
}

// Update implements tea.Model.
func (c *confirmation) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch k, ok := msg.(tea.KeyMsg); {
	case ok && k.Type == tea.KeyCtrlC:
		return c, c.page.close()
	case ok && c.page.moving: // decided
	case ok && c.stays(k):
	case ok && c.details && strings.EqualFold(k.String(), "a"):
		c.all, c.answered = true, true
		return c, c.page.close()
	case ok:
		cmd = c.page.key(k)
		// The first of y and n decides, also when the other follows at once.
		c.page.moving = c.page.moving || strings.ContainsAny(k.String(), "yYnN") && len(k.Runes) == 1
	default:
		cmd = c.page.update(msg)
	}
	if c.page.takeAnswer() {
		c.answered = true
		return c, c.page.close()
	}
	return c, cmd
}

// stays reports whether a key leads to the button that is chosen already: in huh, each
// of them leads to the other button, so that a second step to the right would be a yes.
func (c *confirmation) stays(k tea.KeyMsg) bool {
	switch k.String() {
	case "left", "h":
		return c.yes
	case "right", "l":
		return !c.yes
	}
	return false
}

// View implements tea.Model.
func (c *confirmation) View() string {
	footer := "y yes | n no | left/right choose | enter take it | ctrl+c stop"
	if c.details {
		footer = "y yes | n no | a see all of it | left/right, enter choose | ctrl+c stop"
	}
	return c.page.view(footer)
}

// aborted reports whether a program ended by a signal or with its context, and not by a
// panic, which bubbletea reports in the same way.
func aborted(err error) bool {
	if errors.Is(err, tea.ErrProgramPanic) {
		return false
	}
	return errors.Is(err, tea.ErrInterrupted) || errors.Is(err, tea.ErrProgramKilled)
}
