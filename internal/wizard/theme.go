package wizard

import (
	"errors"

	"github.com/charmbracelet/huh"
	"github.com/charmbracelet/lipgloss"

	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/text"
)

// screenTheme draws with ASCII only, since the locale of a fresh server is
// often C, and with the sixteen colours that every terminal lets its user
// choose. Colour never carries meaning alone.
func screenTheme(color bool) *huh.Theme {
	t := &huh.Theme{FieldSeparator: lipgloss.NewStyle().SetString("\n\n")}
	s := huh.FieldStyles{
		Base:           lipgloss.NewStyle(),
		Title:          lipgloss.NewStyle().Bold(true),
		SelectSelector: lipgloss.NewStyle().SetString("> "),
		SelectedOption: lipgloss.NewStyle().Bold(true),
		FocusedButton:  lipgloss.NewStyle().Padding(0, 2).MarginRight(1).Reverse(true),
		BlurredButton:  lipgloss.NewStyle().Padding(0, 2).MarginRight(1),
	}
	if color {
		accent := lipgloss.NewStyle().Foreground(lipgloss.Color("6"))
		s.Title = s.Title.Foreground(lipgloss.Color("6"))
		s.SelectSelector = accent.SetString("> ")
		s.TextInput.Prompt = accent
	}
	t.Focused, t.Blurred = s, s
	return t
}

// options turns the answers of a choice into those of huh.
func options(from []option) []huh.Option[string] {
	width := 0
	for _, o := range from {
		width = max(width, len(o.name))
	}
	to := make([]huh.Option[string], 0, len(from))
	for _, o := range from {
		to = append(to, huh.NewOption(o.label(width), o.value))
	}
	return to
}

// offerName returns how a proposed value is called on screen.
func offerName(f *flow, q question, value string) string {
	if q.options == nil {
		return value
	}
	for _, o := range q.options(f) {
		if o.value == value {
			return o.name
		}
	}
	return value
}

// explain returns what is wrong with an answer, and on the next line what to type.
func explain(err error) string {
	said := err.Error()
	if bad := new(syntax.BadValue); errors.As(err, &bad) {
		found := bad.Finding(bad.Field)
		if said = found.Text; found.Hint != "" {
			said += "\nhint: " + found.Hint
		}
	}
	return text.PrintableLines(said) // a table of Postfix may have said why
}

// explained is explain as an error of lines up to width, nil for nil.
func explained(err error, width int) error {
	if err == nil {
		return nil
	}
	return errors.New(text.Wrap(explain(err), width))
}
