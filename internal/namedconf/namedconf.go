// Package namedconf reads the syntax of named.conf(5), which files with TSIG keys
// share.
package namedconf

import (
	"errors"
	"fmt"
	"strings"
)

// Statement is one statement: words, and the blocks in braces among them, up to
// the semicolon.
type Statement struct {
	Words  []string
	Blocks [][]Statement
}

// maxNesting bounds braces within braces; real files need about five.
const maxNesting = 64

// Parse reads the syntax of named.conf(5), as files and as what named-checkconf -p
// prints.
func Parse(text string) ([]Statement, error) {
	p := &scanner{text: text, line: 1}
	list, err := p.statements(0)
	if err != nil {
		return nil, fmt.Errorf("named.conf line %d: %w", p.line, err)
	}
	return list, nil
}

type scanner struct {
	text string
	at   int
	line int
}

// statements reads up to the closing brace of the block, or to the end of the
// text at depth 0.
func (p *scanner) statements(depth int) ([]Statement, error) {
	if depth > maxNesting {
		return nil, errors.New("braces are nested too deep")
	}
	var list []Statement
	var now Statement
	for {
		kind, word, err := p.next()
		if err != nil {
			return nil, err
		}
		open := len(now.Words) > 0 || len(now.Blocks) > 0
		switch kind {
		case 'w':
			now.Words = append(now.Words, word)
		case '{':
			block, err := p.statements(depth + 1)
			if err != nil {
				return nil, err
			}
			now.Blocks = append(now.Blocks, block)
		case ';':
			if open {
				list = append(list, now)
			}
			now = Statement{}
		case '}', 0:
			if open {
				return nil, errors.New("a semicolon is missing")
			}
			if (kind == 0) != (depth == 0) {
				return nil, errors.New("braces do not match")
			}
			return list, nil
		}
	}
}

// next returns the next token: 'w' with a word or string, one of the three
// marks, or 0 at the end.
func (p *scanner) next() (kind byte, word string, err error) {
	if err := p.skip(); err != nil {
		return 0, "", err
	}
	if p.at >= len(p.text) {
		return 0, "", nil
	}
	switch c := p.text[p.at]; c {
	case '{', '}', ';':
		p.at++
		return c, "", nil
	case '"':
		word, err = p.quoted()
		return 'w', word, err
	}
	end := strings.IndexAny(p.text[p.at:], " \t\r\n{};\"")
	if end < 0 {
		end = len(p.text) - p.at
	}
	word = p.text[p.at : p.at+end]
	p.at += end
	return 'w', word, nil
}

// skip passes over white space and comments (C, C++ and shell style).
func (p *scanner) skip() error {
	for p.at < len(p.text) {
		rest := p.text[p.at:]
		switch {
		case rest[0] == '\n':
			p.line++
			p.at++
		case rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\r':
			p.at++
		case comment(rest) > 0:
			n := comment(rest)
			if strings.HasPrefix(rest, "/*") && !strings.HasSuffix(rest[2:n], "*/") {
				return errors.New("a comment does not end")
			}
			p.line += strings.Count(rest[:n], "\n")
			p.at += n
		default:
			return nil
		}
	}
	return nil
}

// comment returns the length of the comment that the text begins with, 0 for
// none: in the style of C, C++ (without the end of its line) or shell.
func comment(text string) int {
	switch {
	case strings.HasPrefix(text, "#"), strings.HasPrefix(text, "//"):
		return until(text, 0, "\n")
	case strings.HasPrefix(text, "/*"):
		return min(until(text, 2, "*/")+len("*/"), len(text))
	}
	return 0
}

// until returns the offset of mark at or after from, or the length.
func until(s string, from int, mark string) int {
	if i := strings.Index(s[from:], mark); i >= 0 {
		return from + i
	}
	return len(s)
}

// quoted reads a string in double quotes; a backslash takes the next
// character as it is.
func (p *scanner) quoted() (string, error) {
	var b strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; c {
		case '"':
			p.at++
			return b.String(), nil
		case '\n':
			return "", errors.New("a string does not end on its line")
		case '\\':
			if p.at++; p.at == len(p.text) {
				return "", errors.New("a string does not end")
			}
			b.WriteByte(p.text[p.at])
		default:
			b.WriteByte(c)
		}
	}
	return "", errors.New("a string does not end")
}

// Words returns the words of a text, quoted or not, and the marks { } ; among
// them. Errors show nothing of the text, which may hold a secret.
func Words(text string) ([]string, error) {
	p := &scanner{text: text, line: 1}
	var words []string
	for {
		kind, word, err := p.next()
		switch {
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", p.line, err)
		case kind == 0:
			return words, nil
		case kind != 'w':
			word = string(kind)
		}
		words = append(words, word)
	}
}

// First returns the first statement of the list that begins with the word, and
// whether there is one.
func First(list []Statement, word string) (Statement, bool) {
	for _, s := range list {
		if s.Word(0) == word {
			return s, true
		}
	}
	return Statement{}, false
}

// Word returns the n-th word, "" beyond the last.
func (s Statement) Word(n int) string {
	if n < len(s.Words) {
		return s.Words[n]
	}
	return ""
}

// Block returns the first block, nil if there is none.
func (s Statement) Block() []Statement {
	if len(s.Blocks) == 0 {
		return nil
	}
	return s.Blocks[0]
}
