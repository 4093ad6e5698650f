package text

import "strings"

// Columns lays rows out in columns. The first column takes what the others
// leave of the width; what is longer has a line of its own.
func Columns(rows [][]string, width int) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	rest := 0
	for _, w := range widths[1:] {
		rest += 2 + w
	}
	widths[0] = max(len(rows[0][0]), min(widths[0], width-rest))
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			if i == 0 && len(cell) > widths[0] {
				b.WriteString(cell + "\n")
				cell = ""
			}
			if i < len(row)-1 {
				cell += strings.Repeat(" ", widths[i]-len(cell)+2)
			}
			b.WriteString(cell)
		}
		b.WriteString("\n")
	}
	return b.String()
}
