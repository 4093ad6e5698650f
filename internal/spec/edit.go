package spec

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/state"
	"mailsetup/internal/tomltext"
)

// SetHost returns host.toml with the keys changed whose values differ from h,
// each on its own line; comments and layout stay. An empty old text gets the
// file that MarshalHost writes. Where a change cannot be made without
// rewriting more than the line, the error names it and nothing is changed.
func SetHost(old []byte, h Host) ([]byte, error) {
	if len(bytes.TrimSpace(old)) == 0 {
		return MarshalHost(h), nil
	}
	read := func(text []byte) ([]tomltext.Field, error) {
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
	read := func(text []byte) ([]tomltext.Field, error) {
		got, findings := parseDomain(d.Name, text, nil)
		return domainFields(got), findings.Err()
	}
	return set(DomainFile(d.Name), old, domainFields(d), read)
}

// set edits the keys that differ and reads the result again: only a text that
// says exactly what is wanted leaves this function.
func set(file state.Path, old []byte, want []tomltext.Field, read func([]byte) ([]tomltext.Field, error)) ([]byte, error) {
	have, err := read(old)
	if err != nil {
		return nil, err
	}
	text := old
	for i, f := range want {
		if have[i].Value == f.Value {
			continue
		}
		if text, err = setKey(file, text, f); err != nil {
			return nil, err
		}
	}
	got, err := read(text)
	if err != nil || !slices.Equal(got, want) {
		return nil, syntax.Findings{{
			Field: string(file), Text: "is laid out in a way that cannot be changed line by line",
			Hint: "write each key on a line of its own",
		}}
	}
	return text, nil
}

// setKey changes one key. A refusal names the place and the line to write.
func setKey(file state.Path, text []byte, f tomltext.Field) ([]byte, error) {
	changed, err := tomltext.Set(text, f)
	if comments := (*tomltext.CommentsError)(nil); errors.As(err, &comments) {
		return nil, syntax.Findings{{
			Field: fmt.Sprintf("%s:%d: %s", file, comments.Line, comments.Path),
			Text:  "has comments between its values, which a change would lose",
			Hint:  "write: " + f.Line(),
		}}
	}
	return changed, err
}
