package system

import "strings"

// mainLines is where main.cf sets what, by line number from 1.
type mainLines struct {
	lines map[string][]int
	// values are the last ones, which count, unexpanded, white space squeezed.
	values map[string]string
	cr     int // the first line that ends with a carriage return, 0 for none
	// junk is the first line in which Postfix would find no "name =". postconf
	// would tell too, but it may look up names in the DNS first.
	junk int
}

// mainLine is one physical line of main.cf and the parameter it belongs to,
// "" for comments, empty lines and what is no setting.
type mainLine struct {
	text  string
	name  string
	start bool
}

// readMain follows postconf(5): a line that starts with white space continues
// the logical line before it; comments and empty lines may stand in between.
func readMain(content []byte) []mainLine {
	var lines []mainLine
	name := ""
	for text := range strings.Lines(string(content)) {
		line := mainLine{text: strings.TrimSuffix(text, "\n")}
		trimmed := strings.TrimSpace(line.text)
		switch {
		case trimmed == "" || trimmed[0] == '#':
		case strings.ContainsRune(" \t\r\v\f", rune(line.text[0])):
			line.name = name
		default:
			before, _, _ := strings.Cut(trimmed, "=")
			name = strings.TrimSpace(before)
			line.name, line.start = name, true
		}
		lines = append(lines, line)
	}
	return lines
}

func scanMain(content []byte) mainLines {
	at := mainLines{lines: map[string][]int{}, values: map[string]string{}}
	for i, line := range readMain(content) {
		switch {
		case line.start:
			at.lines[line.name] = append(at.lines[line.name], i+1)
			_, value, ok := strings.Cut(line.text, "=")
			if at.junk == 0 && (!ok || len(strings.Fields(line.name)) != 1) {
				at.junk = i + 1
			}
			at.values[line.name] = squeeze(value)
		case line.name != "":
			at.values[line.name] = squeeze(at.values[line.name] + " " + line.text)
		}
		if at.cr == 0 && strings.HasSuffix(line.text, "\r") {
			at.cr = i + 1
		}
	}
	return at
}

// foreign returns the lines that belong to none of the parameters.
func foreign(content []byte, ours map[string]bool) []string {
	var lines []string
	for _, line := range readMain(content) {
		if line.name == "" || !ours[line.name] {
			lines = append(lines, line.text)
		}
	}
	return lines
}

// squeeze makes one space of any white space, as postconf(1) prints values.
func squeeze(value string) string { return strings.Join(strings.Fields(value), " ") }
