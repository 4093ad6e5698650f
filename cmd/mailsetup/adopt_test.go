package main

import (
	"bytes"
	"errors"
	"testing"

	"mailsetup/internal/console"
	"mailsetup/internal/spec/syntax"
)

// Every line that cannot be taken over is printed, with exit code 2.
func TestLinesThatCannotBeTakenOver(t *testing.T) {
	var said bytes.Buffer
	c := console.Console{Err: &said}
	finding := func(field string) syntax.Finding {
		return syntax.Finding{Field: field, Text: "is odd", Hint: "correct it"}
	}
	if code := finish(c, errors.Join(syntax.Findings{finding("/s:1"), finding("/s:7")})); code != exitUsage {
		t.Errorf("exit %d", code)
	}
	want := "mailsetup: /s:1: is odd\nhint: correct it\nmailsetup: /s:7: is odd\nhint: correct it\n"
	if said.String() != want {
		t.Errorf("got\n%s\nwant\n%s", said.String(), want)
	}
}
