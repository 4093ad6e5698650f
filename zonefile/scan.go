package zonefile

import (
	"bytes"
	"fmt"
	"iter"
	"strings"
)

// token is a word of a master file. Start and end include its quotes.
type token struct {
	text       string
	quoted     bool
	start, end int
	line       int
}

// entry is one logical line: a record, a directive, or nothing but white space
// and a comment. Parentheses let it span lines.
type entry struct {
	start  int
	stop   int // before the line's end
	end    int // after it
	blank  bool
	line   int
	tokens []token // valid until the next entry
}

// directive returns the $NAME an entry starts with, in capitals. BIND knows
// directives in the first column only.
func (e entry) directive() string {
	if e.blank || len(e.tokens) == 0 || e.tokens[0].quoted || !strings.HasPrefix(e.tokens[0].text, "$") {
		return ""
	}
	return strings.ToUpper(e.tokens[0].text)
}

// record returns the type and the data of a record, "" for other entries. TTL
// and class come in either order, RFC 1035 section 5.1.
func (e entry) record() (string, []token) {
	tokens := e.tokens
	if e.directive() != "" || len(tokens) == 0 {
		return "", nil
	}
	if !e.blank {
		tokens = tokens[1:]
	}
	for i := 0; i < 2 && len(tokens) > 0 && (isClass(tokens[0].text) || isTTL(tokens[0].text)); i++ {
		tokens = tokens[1:]
	}
	if len(tokens) == 0 {
		return "", nil
	}
	return strings.ToUpper(tokens[0].text), tokens[1:]
}

func isClass(s string) bool {
	return strings.EqualFold(s, "IN") || strings.EqualFold(s, "CH") || strings.EqualFold(s, "HS")
}

// isTTL knows seconds and BIND's units (1h30m).
func isTTL(s string) bool {
	return s != "" && s[0] >= '0' && s[0] <= '9' && strings.Trim(s, "0123456789smhdwSMHDW") == ""
}

type scanner struct {
	text   []byte
	pos    int
	line   int
	depth  int // of parentheses
	opened int // line of the outermost one
	tokens []token
}

// entries reads the text entry by entry. The first error is the last element.
func entries(text []byte) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		s := scanner{text: text, line: 1}
		for s.pos < len(s.text) {
			e, err := s.next()
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

func (s *scanner) next() (entry, error) {
	e := entry{start: s.pos, line: s.line}
	c := s.text[s.pos]
	e.blank = c == ' ' || c == '\t'
	s.tokens = s.tokens[:0]
	for s.pos < len(s.text) {
		if n := s.eol(); n > 0 {
			e.stop = s.pos
			s.pos += n
			s.line++
			if s.depth > 0 {
				continue
			}
			e.end, e.tokens = s.pos, s.tokens
			return e, nil
		}
		if err := s.step(); err != nil {
			return e, err
		}
	}
	if s.depth > 0 {
		return e, fmt.Errorf("line %d: parenthesis is never closed", s.opened)
	}
	e.stop, e.end, e.tokens = s.pos, s.pos, s.tokens
	return e, nil
}

// eol returns the length of the line end at the position, 0 for none.
func (s *scanner) eol() int {
	switch {
	case s.text[s.pos] == '\n':
		return 1
	case s.text[s.pos] == '\r' && s.pos+1 < len(s.text) && s.text[s.pos+1] == '\n':
		return 2
	}
	return 0
}

// step reads the text at the position, which is not a line end.
func (s *scanner) step() error {
	switch s.text[s.pos] {
	case ' ', '\t', '\r':
		s.pos++
	case ';':
		s.comment()
	case '(':
		if s.depth == 0 {
			s.opened = s.line
		}
		s.depth++
		s.pos++
	case ')':
		if s.depth == 0 {
			return fmt.Errorf("line %d: closing parenthesis without an opening one", s.line)
		}
		s.depth--
		s.pos++
	case '"':
		return s.quotedWord()
	default:
		s.word()
	}
	return nil
}

func (s *scanner) comment() {
	n := bytes.IndexByte(s.text[s.pos:], '\n')
	if n < 0 {
		s.pos = len(s.text)
		return
	}
	s.pos += n
	if s.text[s.pos-1] == '\r' {
		s.pos--
	}
}

func (s *scanner) word() {
	start := s.pos
	for s.pos < len(s.text) && strings.IndexByte(" \t\r\n;()\"", s.text[s.pos]) < 0 {
		if s.text[s.pos] == '\\' && s.pos+1 < len(s.text) && s.text[s.pos+1] != '\n' && s.text[s.pos+1] != '\r' {
			s.pos++
		}
		s.pos++
	}
	s.tokens = append(s.tokens, token{string(s.text[start:s.pos]), false, start, s.pos, s.line})
}

func (s *scanner) quotedWord() error {
	start := s.pos
	for s.pos++; s.pos < len(s.text) && s.text[s.pos] != '\n'; s.pos++ {
		switch s.text[s.pos] {
		case '\\':
			if s.pos+1 < len(s.text) && s.text[s.pos+1] != '\n' {
				s.pos++
			}
		case '"':
			s.pos++
			s.tokens = append(s.tokens, token{string(s.text[start+1 : s.pos-1]), true, start, s.pos, s.line})
			return nil
		}
	}
	return fmt.Errorf("line %d: quote is never closed", s.line)
}
