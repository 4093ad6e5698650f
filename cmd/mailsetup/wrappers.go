package main

import (
	"time"

	"mailsetup/internal/parallel"
	"mailsetup/internal/text"
)

// Names of before, until their last callers have moved.

func fold(s string, width int) string { return text.Wrap(s, width) }

func indented(s string, by int) string { return text.Indent(s, by) }

func aligned(rows [][]string, width int) string { return text.Columns(rows, width) }

func count(n int, thing string) string { return text.Count(n, thing) }

func listed(names []string, most int) string { return text.List(names, most) }

func shortList(names []string) string { return text.List(names, domainsShown) }

func age(t *time.Time, now time.Time) string {
	if t == nil {
		return "-"
	}
	return text.Age(*t, now)
}

func sideBySide(n, atOnce int, do func(i int) error) error { return parallel.Do(n, atOnce, do) }

func harmless(err error) string { return message(err) }

func judge(err error) (code int, hints []string) { return exitCode(err) }
