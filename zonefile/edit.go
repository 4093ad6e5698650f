package zonefile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/state"
)

// splice replaces the bytes from start to end.
type splice struct {
	start, end int
	text       string
}

// replace makes all splices, which do not overlap.
func replace(zone []byte, splices []splice) []byte {
	slices.SortFunc(splices, func(a, b splice) int { return cmp.Compare(a.start, b.start) })
	out := make([]byte, 0, len(zone)+256)
	at := 0
	for _, s := range splices {
		out = append(out, zone[at:s.start]...)
		out = append(out, s.text...)
		at = s.end
	}
	return append(out, zone[at:]...)
}

// Apply puts the edit's $INCLUDE line into a zone, changes the records it is
// to change where they stand, and raises the serial once. A new line goes to
// the end, where the TTLs of the fragment cannot become those of records that
// follow and have none (RFC 1035 semantics, in zones without $TTL); an outdated
// one is replaced where it stands, since that place may be the administrator's
// choice; further ones for the same file are dropped. If all is as it should
// be, the zone is returned as it is. No other byte changes, but that a missing
// final newline is added, since the line would otherwise become part of the
// administrator's last one.
//
// An empty zone becomes a new one if the edit says what to start it with.
func Apply(e state.ZoneEdit, current []byte) ([]byte, error) {
	if e.Drop {
		return Remove(e, current)
	}
	out, err := applied(e, current)
	if err != nil {
		return nil, zoneError(e, err)
	}
	return out, nil
}

func applied(e state.ZoneEdit, current []byte) ([]byte, error) {
	line, err := includeLine(e)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(current)) == 0 && e.New != nil {
		return newZone(e, line)
	}
	l, err := findSOA(current, string(e.Include))
	if err != nil {
		return nil, err
	}
	splices, err := replacements(current, e.Origin, e.Replace)
	if err != nil {
		return nil, err
	}
	if e.Include != "" {
		splices = append(splices, include(line, current, l.includes)...)
	}
	if len(splices) == 0 {
		return current, nil
	}
	at, serial, err := l.soa()
	if err != nil {
		return nil, err
	}
	return replace(current, append(splices, bumpSerial(at, serial, e.Now))), nil
}

// include makes the line the only one that includes our file.
func include(line string, zone []byte, there []entry) []splice {
	switch {
	case len(there) == 0:
		return []splice{{len(zone), len(zone), missingNewline(zone) + line + lineEnd(zone)}}
	case len(there) == 1 && string(zone[there[0].start:there[0].stop]) == line:
		return nil
	}
	splices := []splice{{there[0].start, there[0].stop, line}}
	for _, in := range there[1:] {
		splices = append(splices, splice{in.start, in.end, ""})
	}
	return splices
}

// Remove takes the edit's $INCLUDE line out of a zone and raises the serial. A
// zone without it is returned as it is.
func Remove(e state.ZoneEdit, current []byte) ([]byte, error) {
	l, err := findSOA(current, string(e.Include))
	if err != nil {
		return nil, zoneError(e, err)
	}
	if len(l.includes) == 0 {
		return current, nil
	}
	at, serial, err := l.soa()
	if err != nil {
		return nil, zoneError(e, err)
	}
	splices := []splice{bumpSerial(at, serial, e.Now)}
	for _, in := range l.includes {
		splices = append(splices, splice{in.start, in.end, ""})
	}
	return replace(current, splices), nil
}

func zoneError(e state.ZoneEdit, err error) error {
	return fmt.Errorf("edit zone %s in %s: %w", e.Origin, e.Path, err)
}

// bumpSerial returns the splice that raises the serial.
func bumpSerial(at token, serial uint32, now time.Time) splice {
	return splice{at.start, at.end, strconv.FormatUint(uint64(NextSerial(serial, now)), 10)}
}

// missingNewline returns the line end that a text lacks.
func missingNewline(text []byte) string {
	if len(text) == 0 || text[len(text)-1] == '\n' {
		return ""
	}
	return lineEnd(text)
}

// lineEnd returns the line end of a text, according to its first line.
func lineEnd(text []byte) string {
	if n := bytes.IndexByte(text, '\n'); n > 0 && text[n-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

func includeLine(e state.ZoneEdit) (string, error) {
	switch {
	case e.Include == "" && e.New == nil && absolute(e.Origin):
		return "", nil // records are changed, and no more
	case !strings.HasPrefix(string(e.Include), "/") || !isPlain(string(e.Include), " "):
		return "", fmt.Errorf("$INCLUDE %q: not a path that a zone file can hold", e.Include)
	case !absolute(e.Origin):
		return "", fmt.Errorf("origin %q: not an absolute name", e.Origin)
	case !isPlain(e.Stamp, ""):
		return "", fmt.Errorf("stamp %q: not a plain word", e.Stamp)
	}
	return fmt.Sprintf("$INCLUDE \"%s\" %s ; mailsetup %s", e.Include, e.Origin, e.Stamp), nil
}

func absolute(name string) bool { return strings.HasSuffix(name, ".") && isPlain(name, "") }

// isPlain reports whether a text is printable ASCII without special characters of
// master files. BIND keeps backslashes of a quoted path, so they cannot be escaped.
func isPlain(s, also string) bool {
	for i := range len(s) {
		if c := s[i]; (c <= ' ' || c > '~' || strings.IndexByte("\"\\;()$@", c) >= 0) && strings.IndexByte(also, c) < 0 {
			return false
		}
	}
	return s != ""
}

// newZone writes a zone that holds its SOA, its name servers and the line. The
// negative TTL is short: it is how long a record looked up too early stays
// missing for whoever asked.
func newZone(e state.ZoneEdit, line string) ([]byte, error) {
	z := e.New
	if len(z.NS) == 0 {
		return nil, errors.New("new zone has no name server")
	}
	for _, name := range append([]string{z.Hostmaster}, z.NS...) {
		if !absolute(name) {
			return nil, fmt.Errorf("name %q: not an absolute name", name)
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "; Zone %s\n; Started by mailsetup and yours to edit: only the $INCLUDE line is kept up to date.\n", e.Origin)
	fmt.Fprintf(&b, "$TTL %d\n", z.TTL)
	fmt.Fprintf(&b, "%s IN SOA %s %s (\n", e.Origin, z.NS[0], z.Hostmaster)
	fmt.Fprintf(&b, "\t%-10d ; serial\n\t%-10d ; refresh: 4 hours\n\t%-10d ; retry: 1 hour\n", dateSerial(e.Now), 14400, 3600)
	fmt.Fprintf(&b, "\t%-10d ; expire: 2 weeks\n\t%-10d ; negative answers: 15 minutes\n\t)\n", 1209600, 900)
	for _, ns := range z.NS {
		fmt.Fprintf(&b, "%s IN NS %s\n", e.Origin, ns)
	}
	b.WriteString("\n")
	if len(z.Records) > 0 {
		b.WriteString("; Keys of other senders, as they were found when the zone was made.\n")
		b.Write(append(lines(z.Records), '\n'))
	}
	b.WriteString(line + "\n")
	return b.Bytes(), nil
}
