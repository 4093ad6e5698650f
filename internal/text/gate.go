package text

import "io"

// Gate is the way of all text to a terminal: what others wrote into a file, into DNS
// or into a message of a daemon is Printable when it comes out. JSON that passes
// stays what it was.
type Gate struct{ to io.Writer }

// NewGate returns a gate in front of w, which is w itself if it is one.
func NewGate(w io.Writer) io.Writer {
	if _, is := w.(Gate); is || w == nil {
		return w
	}
	return Gate{w}
}

// Write implements io.Writer. A text is to be written whole: half a character is
// not UTF-8.
func (g Gate) Write(p []byte) (int, error) {
	if _, err := io.WriteString(g.to, PrintableLines(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Raw returns the writer behind a gate, for colours and for what moves the cursor.
// Who writes there makes printable what is not the program's own.
func Raw(w io.Writer) io.Writer {
	if g, is := w.(Gate); is {
		return g.to
	}
	return w
}
