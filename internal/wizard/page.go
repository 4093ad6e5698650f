package wizard

import (
	"context"
	"fmt"
	"strings"

	"mailsetup/internal/text"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/huh"
	"github.com/charmbracelet/lipgloss"
)

// page is one form on the terminal, with a header and a footer.
type page struct {
	header    string
	notes     []string
	complaint string // about an answer that was refused after the form

	theme         *huh.Theme
	width, height int // of the terminal
	form          *huh.Form
	marked        bool // the text in the field is what will be replaced, and looks like that
	moving        bool // an accepted answer is on its way through the form
	closed        bool
}

func newPage(o Options) *page {
	return &page{theme: screenTheme(o.Color), width: columns(o.Width), height: 24}
}

// run runs a program on the terminal; verdict returns how it ended.
func (p *page) run(ctx context.Context, o Options, m tea.Model, verdict func() error) error {
	_, err := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out)).Run()
	switch {
	case aborted(err):
		return ErrAborted
	case err != nil:
		return fmt.Errorf("questions: %w", err)
	}
	return verdict()
}

// show replaces the form by one with this field.
func (p *page) show(field huh.Field) tea.Cmd {
	p.moving = false
	p.form = huh.NewForm(huh.NewGroup(field)).
		WithTheme(p.theme).
		WithKeyMap(keys()).
		WithShowHelp(false).
		WithShowErrors(false).
		WithWidth(p.columns())
	p.fit()
	return p.form.Init()
}

// keys returns huh's keys, without those of no use with one field and few options.
func keys() *huh.KeyMap {
	k := huh.NewDefaultKeyMap()
	k.Input.Submit = key.NewBinding(key.WithKeys("enter", "tab"))
	k.Select.Submit = key.NewBinding(key.WithKeys("enter", "tab"))
	k.Confirm.Submit = key.NewBinding(key.WithKeys("enter"))
	k.Select.Filter = key.NewBinding()
	return k
}

// columns returns the width of text on this terminal.
func (p *page) columns() int { return columns(p.width) - 1 }

// short reports whether there is no room for more than the question.
func (p *page) short() bool { return p.height < 20 }

// fit sets the size of the form.
func (p *page) fit() {
	if p.form == nil {
		return
	}
	const around = 8 // header, footer, complaint and the lines between
	p.form.WithWidth(p.columns())
	p.form.Update(tea.WindowSizeMsg{Width: p.columns(), Height: max(p.height-around, 5)})
}

// key passes a key to the form.
func (p *page) key(k tea.KeyMsg) tea.Cmd {
	p.complaint = ""
	cmd := p.update(k)
	p.moving = submits(k) && len(p.form.Errors()) == 0
	return cmd
}

// submits reports whether a key takes an answer.
func submits(k tea.KeyMsg) bool { return k.Type == tea.KeyEnter || k.Type == tea.KeyTab }

// mark shows the text of the field as marked, or no longer. Fields look at the theme
// each time they are drawn.
func (p *page) mark(on bool) {
	p.marked = on
	p.theme.Focused.TextInput.Text = lipgloss.NewStyle().Reverse(on)
}

// update passes a message to the form.
func (p *page) update(msg tea.Msg) tea.Cmd {
	if size, ok := msg.(tea.WindowSizeMsg); ok {
		p.width, p.height = size.Width, size.Height
		p.fit()
		return nil
	}
	if p.form == nil || p.closed {
		return nil
	}
	_, cmd := p.form.Update(msg)
	if len(p.form.Errors()) > 0 {
		p.moving = false
	}
	return cmd
}

// takeAnswer reports, once, whether the form was answered: a completed form still gets
// messages, and its answer must not count for the next question.
func (p *page) takeAnswer() bool {
	if p.form == nil || p.form.State != huh.StateCompleted {
		return false
	}
	p.form = nil
	return true
}

// close ends the program and clears the screen.
func (p *page) close() tea.Cmd {
	p.closed = true
	return tea.Quit
}

// view renders the page, empty once it is closed. It leaves out findings without room:
// a terminal drops the first lines of too long a text.
func (p *page) view(footer string) string {
	if p.closed || p.form == nil {
		return ""
	}
	below := p.form.View() + "\n\n"
	if complaint := p.complaints(); complaint != "" {
		below += text.Wrap(complaint, p.columns()) + "\n\n"
	}
	below += text.Wrap(footer, p.columns()) + "\n"
	if p.header == "" {
		return below
	}
	header := p.header + "\n\n"
	room := p.height - 1 - strings.Count(header+below, "\n")
	return header + fitNotes(p.notes, p.columns(), room) + below
}

// fitNotes renders notes, each on as many lines as it needs, and an empty line
// after them, in no more than room lines.
func fitNotes(notes []string, width, room int) string {
	if len(notes) == 0 || room < 3 {
		return ""
	}
	lines := strings.Split(wrapNotes(notes, width), "\n")
	if len(lines) > room-1 {
		lines = append(lines[:room-2], "  ...")
	}
	return strings.Join(lines, "\n") + "\n\n"
}

func (p *page) complaints() string {
	text := p.complaint
	for _, err := range p.form.Errors() {
		text = err.Error()
	}
	return text
}

// wrapNotes wraps lines that keep their indentation.
func wrapNotes(notes []string, width int) string {
	var out []string
	for _, note := range notes {
		indent := note[:len(note)-len(strings.TrimLeft(note, " "))]
		for line := range strings.SplitSeq(text.Wrap(note, width-len(indent)), "\n") {
			out = append(out, indent+line)
		}
	}
	return strings.Join(out, "\n")
}
