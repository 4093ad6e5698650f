package system

import "strings"

// whitespace is white space as Postfix has it: that of ASCII.
const whitespace = " \t\n\v\f\r"

// mainLines has the line numbers, from 1, of settings in main.cf.
type mainLines struct {
	lines map[string][]int
	// values are the last ones, which count, unexpanded, white space squeezed.
	values map[string]string
	// hashWord is the last line in which a word of a value begins with a number
	// sign, by parameter.
	hashWord       map[string]int
	carriageReturn int // the first line that ends with a carriage return, 0 for none
	nullByte       int // the first line with a null byte
	// noSetting is the first line in which Postfix would find no "name =". postconf
	// would tell too, but it may look up names in the DNS first.
	noSetting int
}

// mainLine is one physical line of main.cf and its parameter, "" for comments, empty
// lines and anything else.
type mainLine struct {
	text  string
	name  string
	start bool
}

// value returns the part of the value on the line.
func (l mainLine) value() string {
	if !l.start {
		return l.text
	}
	_, value, _ := strings.Cut(l.text, "=")
	return value
}

// readMain follows postconf(5): a line that starts with white space continues
// the logical line before it; comments and empty lines may stand in between.
func readMain(content []byte) []mainLine {
	var lines []mainLine
	name := ""
	for text := range strings.Lines(string(content)) {
		line := mainLine{text: strings.TrimSuffix(text, "\n")}
		trimmed := strings.Trim(line.text, whitespace)
		switch {
		case trimmed == "" || trimmed[0] == '#':
		case strings.IndexByte(whitespace, line.text[0]) >= 0:
			line.name = name
		default:
			before, _, _ := strings.Cut(trimmed, "=")
			name = strings.Trim(before, whitespace)
			line.name, line.start = name, true
		}
		lines = append(lines, line)
	}
	return lines
}

func scanMain(content []byte) mainLines {
	at := mainLines{lines: map[string][]int{}, values: map[string]string{}, hashWord: map[string]int{}}
	values := map[string][]string{} // line by line
	for i, line := range readMain(content) {
		if line.start {
			at.lines[line.name] = append(at.lines[line.name], i+1)
			values[line.name] = nil
			if at.noSetting == 0 && (!strings.Contains(line.text, "=") || len(words(line.name)) != 1) {
				at.noSetting = i + 1
			}
		}
		if line.name != "" {
			values[line.name] = append(values[line.name], line.value())
			if strings.Contains(" "+squeeze(line.value()), " #") {
				at.hashWord[line.name] = i + 1
			}
		}
		if at.carriageReturn == 0 && strings.HasSuffix(line.text, "\r") {
			at.carriageReturn = i + 1
		}
		if at.nullByte == 0 && strings.Contains(line.text, "\x00") {
			at.nullByte = i + 1
		}
	}
	for name, lines := range values {
		at.values[name] = squeeze(strings.Join(lines, " "))
	}
	return at
}

// ParameterLines returns the lines of a main.cf on which parameters are set, from 1; of
// several with one name the last, which counts.
func ParameterLines(content []byte) map[string]int {
	last := map[string]int{}
	for name, lines := range scanMain(content).lines {
		last[name] = lines[len(lines)-1]
	}
	return last
}

// otherLines returns the lines that do not belong to the parameters.
func otherLines(content []byte, ours map[string]bool) []string {
	var lines []string
	for _, line := range readMain(content) {
		if line.name == "" || !ours[line.name] {
			lines = append(lines, line.text)
		}
	}
	return lines
}

func words(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(whitespace, r) })
}

// squeeze turns any white space into one space, as postconf(1) prints values.
func squeeze(value string) string { return strings.Join(words(value), " ") }
