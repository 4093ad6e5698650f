package postfix

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

const mainCf state.Path = "/etc/postfix/main.cf"

// postconf asks postconf(1) about the configuration in /etc/postfix, or below a
// directory that has another machine's tree.
type postconf struct {
	read  system.Reader
	run   system.Runner
	below string
}

// ask returns the output of postconf. Files that it cannot parse are for the
// administrator to correct.
func (c postconf) ask(ctx context.Context, args ...string) (string, error) {
	argv := []string{"postconf"}
	own := func(printed []byte) string { return string(printed) }
	if c.below != "" {
		dir := c.below + string(mainCf.Dir())
		argv = append(argv, "-c", dir)
		// There it is $config_directory, and shall not seem to be elsewhere.
		own = func(printed []byte) string { return strings.ReplaceAll(string(printed), dir, string(mainCf.Dir())) }
	}
	argv = append(argv, args...)
	res, err := c.run.Run(ctx, system.Command{Argv: argv})
	if err != nil {
		return "", fmt.Errorf("run %s: %w", strings.Join(argv, " "), err)
	}
	if res.Code == 0 {
		return own(res.Stdout), nil
	}
	if bad := unreadable(string(res.Stderr)); bad != nil {
		return "", bad
	}
	return "", fmt.Errorf("%s: exit %d: %s", strings.Join(argv, " "), res.Code, source.LastLine(res))
}

// askAll asks several questions at once, and returns the answers in order, or the first
// error.
func (c postconf) askAll(ctx context.Context, questions ...[]string) ([]string, error) {
	said, errs := make([]string, len(questions)), make([]error, len(questions))
	var wg sync.WaitGroup
	for i, args := range questions {
		wg.Go(func() { said[i], errs[i] = c.ask(ctx, args...) })
	}
	wg.Wait()
	return said, cmp.Or(errs...)
}

var (
	badLine    = regexp.MustCompile(`(?m)^postconf: fatal: (?:file )?/?\S*?(main|master)\.cf[:,] line (\d+): (.*)$`)
	badNesting = regexp.MustCompile(`(?m)^postconf: warning: unreasonable macro call nesting: "(.*)"$`)
)

// unreadable returns the error that postconf(1) prints about files that it cannot
// parse; nil for anything else.
func unreadable(stderr string) error {
	if m := badLine.FindStringSubmatch(stderr); m != nil {
		line, err := strconv.Atoi(m[2])
		if err != nil {
			return nil
		}
		p := mainCf.Dir().Join(m[1] + ".cf")
		return &system.UnusableError{
			Path: p, Line: line, Text: m[3],
			Hint: fmt.Sprintf("correct line %d of %s, then look at the file with postconf -n", line, p),
		}
	}
	if m := badNesting.FindStringSubmatch(stderr); m != nil {
		return &system.UnusableError{
			Path: mainCf, Text: fmt.Sprintf("Postfix cannot expand %s, which refers to itself", m[1]),
			Hint: fmt.Sprintf("find it and take the reference out: grep -n %s %s %s", m[1], mainCf, masterCf),
		}
	}
	return nil
}
