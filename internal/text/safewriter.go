package text

import "io"

// SafeWriter writes text to a terminal and makes it Printable: others may have written
// control characters into a file, into DNS or into a message of a daemon. JSON is
// not changed.
type SafeWriter struct{ to io.Writer }

// NewSafeWriter returns a SafeWriter that writes to w, or w itself if it is one.
func NewSafeWriter(w io.Writer) io.Writer {
	if _, is := w.(SafeWriter); is || w == nil {
		return w
	}
	return SafeWriter{w}
}

// Write implements io.Writer. A text is to be written whole: half a character is
// not UTF-8.
func (g SafeWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(g.to, PrintableLines(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Raw returns the writer below a SafeWriter, for colours and for what moves the cursor.
// The caller makes printable what is not the program's own.
func Raw(w io.Writer) io.Writer {
	if g, is := w.(SafeWriter); is {
		return g.to
	}
	return w
}
