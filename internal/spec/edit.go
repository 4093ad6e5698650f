package spec

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// SetHost returns host.toml with the keys changed whose values differ from h,
// each on its own line; comments and layout stay. An empty old text gets the
// file that MarshalHost writes. Where a change cannot be made without
// rewriting more than the line, the error names it and nothing is changed.
func SetHost(old []byte, h Host) ([]byte, error) {
	if len(bytes.TrimSpace(old)) == 0 {
		return MarshalHost(h), nil
	}
	read := func(text []byte) ([]field, error) {
		got, findings := parseHost(text)
		return hostFields(got), findings.Err()
	}
	return set(HostFile, old, hostFields(h), read)
}

// SetDomain does for the domain's file what SetHost does for host.toml.
func SetDomain(old []byte, d Domain) ([]byte, error) {
	if len(bytes.TrimSpace(old)) == 0 {
		return MarshalDomain(d), nil
	}
	read := func(text []byte) ([]field, error) {
		got, findings := parseDomain(d.Name, text)
		return domainFields(got), findings.Err()
	}
	return set(DomainFile(d.Name), old, domainFields(d), read)
}

// set edits the keys that differ and reads the result again: only a text that
// says exactly what is wanted leaves this function.
func set(file state.Path, old []byte, want []field, read func([]byte) ([]field, error)) ([]byte, error) {
	have, err := read(old)
	if err != nil {
		return nil, err
	}
	text := old
	for i, f := range want {
		if have[i].value == f.value {
			continue
		}
		if text, err = setKey(file, text, f); err != nil {
			return nil, err
		}
	}
	got, err := read(text)
	if err != nil || !slices.Equal(got, want) {
		return nil, Findings{{
			Field: string(file), Text: "is laid out in a way that cannot be changed line by line",
			Hint: "write each key on a line of its own",
		}}
	}
	return text, nil
}

// setKey writes one value over the old one, or adds the key to its table.
func setKey(file state.Path, text []byte, f field) ([]byte, error) {
	entries := scan(text)
	for _, e := range entries {
		if e.path != f.path() || e.header {
			continue
		}
		if e.lines > 1 && e.hasRemark {
			return nil, Findings{{
				Field: fmt.Sprintf("%s:%d: %s", file, e.line, e.path),
				Text:  "has comments between its values, which a change would lose",
				Hint:  "write: " + f.line(),
			}}
		}
		return slices.Concat(text[:e.start], []byte(f.value), text[e.end:]), nil
	}
	return addKey(text, entries, f), nil
}

// addKey puts a new key after the last one of its table, in the table's own
// way of writing (a dotted key stays dotted), or makes the table at the end.
func addKey(text []byte, entries []entry, f field) []byte {
	newline := "\n"
	if bytes.Contains(text, []byte("\r\n")) {
		newline = "\r\n"
	}
	line := f.line()
	if e, ok := anchor(entries, f); ok {
		if i := strings.LastIndex(e.key, "."); i >= 0 && !e.header {
			line = e.key[:i+1] + line
		}
		added := line + newline
		if e.unterminated {
			added = newline + line
		}
		return slices.Concat(text[:e.next], []byte(added), text[e.next:])
	}
	if f.table == "" {
		return slices.Concat([]byte(line+newline), text)
	}
	added := newline + "[" + f.table + "]" + newline + line + newline
	if !bytes.HasSuffix(text, []byte("\n")) {
		added = newline + added
	}
	return slices.Concat(text, []byte(added))
}

// anchor is the entry after which a key of the table belongs.
func anchor(entries []entry, f field) (entry, bool) {
	for _, e := range slices.Backward(entries) {
		parent := ""
		if i := strings.LastIndex(e.path, "."); i >= 0 {
			parent = e.path[:i]
		}
		if e.header && e.path == f.table || !e.header && parent == f.table {
			return e, true
		}
	}
	return entry{}, false
}
