package zones

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/zonefile"
)

// load reads the content and records of a static primary zone, or sets the problem that
// prevents it.
func load(ctx context.Context, s source.Source, o source.Options, directory string, z *zoneConfig) error {
	file, object, err := readThroughLinks(s, z.File)
	if err != nil {
		return err
	}
	switch object.Kind {
	case state.Regular:
	case state.Absent:
		z.Problem, z.Hint = fmt.Sprintf("its file %s does not exist", file), "put it there, or take the zone out of named.conf; "+orManual
		return nil
	default:
		z.Problem, z.Hint = fmt.Sprintf("its file %s is a %s", file, object.Kind), printed
		return nil
	}
	z.File, z.Content, z.Dir = file, object.Content, state.Path(directory)
	if z.Problem, z.Hint, err = journalProblem(s, *z); err != nil || z.Problem != "" {
		return err
	}
	z.Records, z.OurRecords, z.Copies, z.Problem, err = records(ctx, s, o.Fragments, directory, z.Zone)
	if err == nil && len(z.OurRecords) == 0 {
		err = findLostInclude(s, o.Fragments, &z.Zone)
	}
	switch {
	case err != nil:
		return err
	case z.Problem != "":
		z.Hint = "mend the file, and see with named-checkzone that it loads; " + orManual
	case slices.ContainsFunc(z.Records, func(r state.Record) bool { return r.Type == "RRSIG" }):
		z.Problem = "its file holds signatures (RRSIG) that an edit would break"
		z.Hint = "--dns manual prints the records: add them to the unsigned file, then sign anew"
	default:
		if _, err := zonefile.Serial(z.Content); err != nil {
			z.Problem = fmt.Sprintf("its file %s has no serial that could be raised: %v", z.File, err)
			z.Hint = "put the SOA record into that file; " + orManual
		}
	}
	return nil
}

// readThroughLinks reads the target of symbolic links: named follows them, so the
// target is the file to edit.
func readThroughLinks(r system.Reader, p state.Path) (state.Path, state.Object, error) {
	at, _, err := system.Follow(r, p)
	if err != nil {
		return at, state.Object{}, err
	}
	o, err := r.Read(at)
	return at, o, err
}

// journalProblem reports a journal left from a time when the zone took updates. named
// applies it, and refuses the zone at the next start once the file's serial is past
// that of the journal.
func journalProblem(r system.Reader, z zoneConfig) (problem, hint string, err error) {
	if z.journal == "" {
		return "", "", nil
	}
	o, err := r.Read(z.journal)
	if err != nil || o.Kind == state.Absent {
		return "", "", err
	}
	return fmt.Sprintf("%s is left of dynamic updates: named will refuse the zone once its file is edited", z.journal),
		fmt.Sprintf("rndc sync -clean %s writes what is in it into the file, in named's own form, and removes it; %s", dnsname.TrimDot(z.Origin), orManual),
		nil
}

// records returns the records of the zone without our fragments, those of our
// fragments, and which of those are copies of wildcard records. The fragments are
// removed from the text before it is loaded; if the zone does not load without them
// (its name server's address may be ours), the whole zone is loaded and our records are
// removed after that.
func records(ctx context.Context, s source.Source, fragments state.Path, directory string, z state.Zone) (list, ours, copies []state.Record, problem string, err error) {
	text, files := withoutIncludes(string(z.Content), fragments)
	for _, p := range files {
		text, err := source.Text(s, p)
		if err != nil {
			return nil, nil, nil, "", err
		}
		mine, _ := parseRecords(string(text), z.Origin)
		ours = append(ours, mine...)
		mine, _ = parseRecords(string(zonefile.Copies(text)), z.Origin)
		copies = append(copies, mine...)
	}
	list, problem, err = dumpZone(ctx, s, directory, z, text)
	if err != nil || problem == "" || len(files) == 0 {
		return list, ours, copies, problem, err
	}
	list, problem, err = dumpZone(ctx, s, directory, z, string(z.Content))
	if err != nil || problem != "" {
		return nil, nil, nil, problem, err
	}
	list = slices.DeleteFunc(list, func(r state.Record) bool {
		return slices.ContainsFunc(ours, func(m state.Record) bool {
			return m.Name == r.Name && m.Type == r.Type && m.Value == r.Value
		})
	})
	return list, ours, copies, "", nil
}

// findLostInclude finds our fragment of a zone whose file does not include it.
func findLostInclude(r system.Reader, fragments state.Path, z *state.Zone) error {
	file := fragments.Join(dnsname.TrimDot(z.Origin) + ".zone")
	if bytes.Contains(z.Content, []byte(file)) {
		return nil
	}
	o, err := r.Read(file)
	if err != nil || o.Kind != state.Regular {
		return err
	}
	z.IncludeLost = true
	z.OurRecords, _ = parseRecords(string(o.Content), z.Origin) // what is no record was not written here
	z.Copies, _ = parseRecords(string(zonefile.Copies(o.Content)), z.Origin)
	return nil
}

// withoutIncludes blanks $INCLUDE lines of files below a directory, so that line
// numbers stay, and returns those files.
func withoutIncludes(text string, below state.Path) (rest string, files []state.Path) {
	var b strings.Builder
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) > 1 && strings.EqualFold(fields[0], "$INCLUDE") {
			file := strings.Trim(fields[1], `"`)
			if p, err := state.ParsePath(file); err == nil && strings.HasPrefix(string(p), string(below)+"/") {
				files = append(files, p)
				line = "\n"
			}
		}
		b.WriteString(line)
	}
	return b.String(), files
}

// dumpZone lets named-checkzone load the text and print every record in canonical form,
// with its checks turned off as far as possible, since the zone is only read here.
func dumpZone(ctx context.Context, r system.Runner, directory string, z state.Zone, text string) ([]state.Record, string, error) {
	if list, ok := plainRecords(text, z.Origin); ok {
		return list, "", nil
	}
	const stdin = "/dev/stdin"
	res, err := r.Run(ctx, system.Command{
		Argv: []string{
			"named-checkzone", "-D", "-i", "none", "-k", "ignore", "-m", "ignore", "-n", "ignore",
			"-w", directory, z.Origin, stdin,
		},
		Stdin: []byte(text), Within: checkerWithin,
	})
	if slow := (*system.SlowError)(nil); errors.As(err, &slow) {
		return nil, fmt.Sprintf("named-checkzone did not end within %v: what the zone includes may be a pipe or a device", checkerWithin), nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("run named-checkzone %s: %w", z.Origin, err)
	}
	if res.Code != 0 {
		return nil, "named-checkzone: " + strings.ReplaceAll(checkerOutput(res), stdin, string(z.File)), nil
	}
	list, err := parseRecords(string(res.Stdout), z.Origin)
	if err != nil {
		return nil, fmt.Sprintf("output of named-checkzone: %v", err), nil
	}
	return list, "", nil
}

// parseRecords parses zone file text.
func parseRecords(text, origin string) ([]state.Record, error) {
	var list []state.Record
	parser := dns.NewZoneParser(strings.NewReader(text), origin, "")
	parser.SetDefaultTTL(3600)
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		list = append(list, dnsclient.FromRR(rr))
	}
	return list, parser.Err()
}

// checkerOutput joins the output lines of a checker of BIND, without the closing line.
func checkerOutput(res system.Result) string {
	var said []string
	for line := range strings.Lines(string(res.Stderr) + string(res.Stdout)) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasSuffix(line, "not loaded due to errors.") && !slices.Contains(said, line) {
			said = append(said, line)
		}
	}
	if len(said) == 0 {
		return fmt.Sprintf("exit %d without a message", res.Code)
	}
	return strings.Join(said[:min(len(said), 3)], "; ")
}
