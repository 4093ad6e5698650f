package zones

import (
	"errors"
	"fmt"
	"strings"
)

// statement is one statement of named.conf: words, and the blocks in braces
// among them, up to the semicolon.
type statement struct {
	words  []string
	blocks [][]statement
}

// maxNesting bounds braces within braces; real files need about five.
const maxNesting = 64

// parseNamedConf reads named.conf(5) syntax as named-checkconf -p prints it;
// comments are understood too.
func parseNamedConf(text string) ([]statement, error) {
	p := &confParser{text: text, line: 1}
	list, err := p.statements(0)
	if err != nil {
		return nil, fmt.Errorf("named.conf line %d: %w", p.line, err)
	}
	return list, nil
}

type confParser struct {
	text string
	at   int
	line int
}

// statements reads up to the closing brace of the block, or to the end of the
// text at depth 0.
func (p *confParser) statements(depth int) ([]statement, error) {
	if depth > maxNesting {
		return nil, errors.New("braces are nested too deep")
	}
	var list []statement
	var now statement
	for {
		kind, word, err := p.next()
		if err != nil {
			return nil, err
		}
		open := len(now.words) > 0 || len(now.blocks) > 0
		switch kind {
		case 'w':
			now.words = append(now.words, word)
		case '{':
			block, err := p.statements(depth + 1)
			if err != nil {
				return nil, err
			}
			now.blocks = append(now.blocks, block)
		case ';':
			if open {
				list = append(list, now)
			}
			now = statement{}
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
func (p *confParser) next() (kind byte, word string, err error) {
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
func (p *confParser) skip() error {
	for p.at < len(p.text) {
		rest := p.text[p.at:]
		switch {
		case rest[0] == '\n':
			p.line++
			p.at++
		case rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\r':
			p.at++
		case rest[0] == '#' || strings.HasPrefix(rest, "//"):
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			p.at += end
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return errors.New("a comment does not end")
			}
			p.line += strings.Count(rest[:end+4], "\n")
			p.at += end + 4
		default:
			return nil
		}
	}
	return nil
}

// quoted reads a string in double quotes; a backslash takes the next
// character as it is.
func (p *confParser) quoted() (string, error) {
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

// first returns the first statement of the list that begins with the word, and
// whether there is one.
func first(list []statement, word string) (statement, bool) {
	for _, s := range list {
		if s.word(0) == word {
			return s, true
		}
	}
	return statement{}, false
}

// word returns the n-th word, "" beyond the last.
func (s statement) word(n int) string {
	if n < len(s.words) {
		return s.words[n]
	}
	return ""
}

// block returns the first block, nil if there is none.
func (s statement) block() []statement {
	if len(s.blocks) == 0 {
		return nil
	}
	return s.blocks[0]
}
