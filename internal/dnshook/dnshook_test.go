package dnshook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"mailsetup/internal/dnshook"
	"mailsetup/internal/hint"
	"mailsetup/internal/nsupdate"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

const (
	program  = "/usr/lib/mailsetup/hooks/test"
	settings = "/etc/mailsetup/hooks/test"
)

// provider is a program with the zone example.org: what a hook shall do, written from the
// schema.
type provider struct {
	*systemtest.Mem
	t *testing.T

	mu       sync.Mutex
	rrsets   []dnshook.RRset
	requests []dnshook.Request
	argv     [][]string
	// answer, if set, answers a request in place of the provider, unless that is so for it.
	answer func(r dnshook.Request, c system.Command) (res system.Result, handled bool, err error)
}

func newProvider(t *testing.T, records ...state.Record) *provider {
	t.Helper()
	p := &provider{Mem: systemtest.NewMem(), t: t}
	p.Put(program, state.Object{Kind: state.Regular, Mode: 0o755, Owner: state.Root, Content: []byte("#!/bin/sh\n")})
	p.Put(settings, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: []byte(`{"token": "s3cret-s3cret-s3cret"}`), Secret: true})
	for _, r := range records {
		p.set(r.Name, r.Type, r.TTL, append(p.get(r.Name, r.Type), r.Value))
	}
	p.OnRun = p.run
	return p
}

func (p *provider) at(name, kind string) int {
	return slices.IndexFunc(p.rrsets, func(s dnshook.RRset) bool { return s.Name == name && s.Type == kind })
}

func (p *provider) get(name, kind string) []string {
	if i := p.at(name, kind); i >= 0 {
		return p.rrsets[i].Values
	}
	return nil
}

func (p *provider) set(name, kind string, ttl uint32, values []string) {
	if i := p.at(name, kind); i >= 0 {
		p.rrsets = slices.Delete(p.rrsets, i, i+1)
	}
	if len(values) > 0 {
		p.rrsets = append(p.rrsets, dnshook.RRset{Name: name, Type: kind, TTL: ttl, Values: values})
	}
}

// served are the records that the provider has.
func (p *provider) served() []state.Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []state.Record
	for _, s := range p.rrsets {
		for _, v := range s.Values {
			list = append(list, state.Record{Name: s.Name, Type: s.Type, TTL: s.TTL, Value: v})
		}
	}
	return list
}

func (p *provider) run(c system.Command) (system.Result, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.argv = append(p.argv, c.Argv)
	if c.Argv[0] == "systemctl" {
		return system.Result{}, nil
	}
	valid(p.t, string(c.Stdin))
	var r dnshook.Request
	if err := json.Unmarshal(c.Stdin, &r); err != nil {
		p.t.Fatal(err)
	}
	p.requests = append(p.requests, r)
	if p.answer != nil {
		if res, handled, err := p.answer(r, c); handled {
			_, _ = io.Copy(c.Stdout, struct{ io.Reader }{bytes.NewReader(res.Stdout)}) // as os/exec does
			return res, err
		}
	}
	a := dnshook.Answer{Version: 1}
	switch {
	case r.Operation == dnshook.List && r.Zone == "":
		a.Zones = []string{"example.org.", "example.net."}
	case r.Operation == dnshook.List:
		a.RRsets = p.rrsets
	case !slices.Equal(sorted(p.get(r.Name, r.Type)), sorted(r.Expected)):
		return system.Result{Code: 3, Stderr: []byte("it is another one\n")}, nil
	default:
		p.set(r.Name, r.Type, ttl(r), r.Values)
	}
	text, err := json.Marshal(a)
	valid(p.t, string(text))
	_, _ = c.Stdout.Write(text)
	return system.Result{}, err
}

func ttl(r dnshook.Request) uint32 {
	if r.TTL == nil { // of what is removed
		return 0
	}
	return *r.TTL
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// valid insists that a text is as the schema says.
func valid(t *testing.T, text string) {
	t.Helper()
	if err := schema().Validate(decode(t, text)); err != nil {
		t.Errorf("%s: %v", text, err)
	}
}

func decode(t *testing.T, text string) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var schema = sync.OnceValue(func() *jsonschema.Schema {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "schema", "dns-hook.schema.json"))
	if err != nil {
		panic(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		panic(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("dns-hook.schema.json", v); err != nil {
		panic(err)
	}
	return c.MustCompile("dns-hook.schema.json")
})

func (p *provider) client() dnshook.Client {
	return dnshook.Client{Sys: p, Within: 10 * time.Millisecond}
}

func txt(name, value string) state.Record {
	return state.Record{Name: name + ".example.org.", Type: "TXT", TTL: 60, Value: value}
}

func TestUpdateContract(t *testing.T) {
	systemtest.UpdateContract(t, func(t *testing.T, records ...state.Record) systemtest.Primary {
		p := newProvider(t, records...)
		return systemtest.Primary{Updater: p.client(), Server: program, Served: p.served}
	})
}

// What stands beside our record stays, whatever it is, and however the hook writes it: what is
// the same for name servers has many texts.
func TestOthersOfTheRRsetStay(t *testing.T) {
	for odd, is := range map[string]string{
		`say \"hi\" \\ \200`:     "say \"hi\" \\ \xc8",
		`\065\; grüße`:           "A; grüße",
		`\195\188 and "a" \"b\"`: "ü and \"a\" \"b\"",
	} {
		p := newProvider(t, state.Record{Name: "a.example.org.", Type: "TXT", Value: odd})
		u := state.Update{
			Origin: "example.org.", Server: program, Add: []state.Record{{Name: "a.example.org.", Type: "TXT", Value: "v=spf1 -all"}},
			Expected: []state.Record{{Name: "a.example.org.", Type: "TXT", Value: is}},
		}
		if err := p.client().Update(t.Context(), u); err != nil {
			t.Errorf("%s: %v", odd, err)
			continue
		}
		want := dnshook.Request{
			Version: 1, Operation: dnshook.Present, Zone: "example.org.", Name: "a.example.org.", Type: "TXT", TTL: new(uint32),
			Values: sorted([]string{odd, "v=spf1 -all"}), Expected: []string{odd}, Add: []string{"v=spf1 -all"}, Delete: []string{},
		}
		if got := p.requests[1]; !reflect.DeepEqual(got, want) {
			t.Errorf("asked\n%+v\nwant\n%+v", got, want)
		}
		if err := p.client().Update(t.Context(), u.Inverse()); err != nil {
			t.Error(err)
		}
		if got := p.get("a.example.org.", "TXT"); !slices.Equal(got, []string{odd}) {
			t.Errorf("left: %q", got)
		}
	}
	p := newProvider(t, state.Record{Name: "a.example.org.", Type: "AAAA", TTL: 60, Value: "2001:DB8:0::1"})
	u := state.Update{
		Origin: "example.org.", Server: program, Remove: []state.Record{{Name: "a.example.org.", Type: "AAAA", TTL: 60, Value: "2001:db8::1"}},
		Expected: []state.Record{{Name: "a.example.org.", Type: "AAAA", TTL: 60, Value: "2001:db8::1"}},
	}
	if err := p.client().Update(t.Context(), u); err != nil || len(p.served()) > 0 {
		t.Errorf("%v; left: %v", err, p.served())
	}
	if got := p.requests[1].Delete; !slices.Equal(got, []string{"2001:DB8:0::1"}) {
		t.Errorf("deletes %q", got)
	}
}

// A hook that does not do as it should costs one line, which says what to look at.
func TestTrouble(t *testing.T) {
	exit := func(code int, said string) func(dnshook.Request, system.Command) (system.Result, bool, error) {
		return func(r dnshook.Request, _ system.Command) (system.Result, bool, error) {
			return system.Result{Code: code, Stderr: []byte(said)}, r.Operation == dnshook.Present, nil
		}
	}
	says := func(text string) func(dnshook.Request, system.Command) (system.Result, bool, error) {
		return func(r dnshook.Request, _ system.Command) (system.Result, bool, error) {
			return system.Result{Stdout: []byte(text)}, r.Operation == dnshook.Present, nil
		}
	}
	const try = `see what it says: echo '{"version":1,"operation":"list"}' | CREDENTIALS_DIRECTORY=/etc/mailsetup/hooks ` + program
	for name, c := range map[string]struct {
		answer    func(dnshook.Request, system.Command) (system.Result, bool, error)
		text      string
		hint      string
		untouched bool
	}{
		"refused": {exit(2, "Traceback\n  at\nthe settings have no url\n"), "the settings have no url", "see " + settings + ", and docs/dns.md for what belongs there", true},
		"changed": {exit(3, "it is another one"), "it is another one", "run the command again", true},
		"later":   {exit(4, "429"), "429", "run the command again later", true},
		"denied":  {exit(5, "the token s3cret-s3cret-s3cret is bad"), "the token *** is bad", "see the credential in " + settings, true},
		"failed":  {exit(1, "\x1b[31mno\n"), "\x1b[31mno", try, false},
		"silent":  {exit(7, ""), "it ended with exit status 7 and no word", try, false},
		"systemd": {exit(203, ""), "systemd could not start it (exit status 203, see systemd.exec(5))", try, false},
		"nothing": {says("\n"), "it wrote nothing", try, false},
		"no JSON": {says("<html>"), "it wrote no JSON answer: invalid character '<' looking for beginning of value", try, false},
		"two":     {says(`{"version":1}{"version":1}`), "it wrote more than one JSON answer", try, false},
		"version": {says(`{}`), "its answer has version 0, not 1", try, false},
		"huge": {func(r dnshook.Request, _ system.Command) (system.Result, bool, error) {
			return system.Result{Code: 128 + 13, Stdout: []byte(`"` + strings.Repeat("x", 17<<20))}, r.Operation == dnshook.Present, nil
		}, "it wrote more than 16 MB", try, false},
		"lies": {says(`{"version":1}`), "it says that it is done, but lists other records", try, false},
		"slow": {func(r dnshook.Request, c system.Command) (system.Result, bool, error) {
			return system.Result{Code: -1}, r.Operation == dnshook.Present, &system.SlowError{Argv: c.Argv, Within: time.Second}
		}, "it did not answer within 1m0s, and was ended", try, false},
		"no systemd": {func(r dnshook.Request, _ system.Command) (system.Result, bool, error) {
			return system.Result{}, r.Operation == dnshook.Present, errors.New("run systemd-run: executable file not found")
		}, "cannot be run: run systemd-run: executable file not found", try, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			p.answer = c.answer
			err := p.client().Update(t.Context(), state.Update{Origin: "example.org.", Server: program, Add: []state.Record{txt("a", "1")}})
			want := "update example.org.: hook " + program + ": " + c.text
			if err == nil || err.Error() != want || errors.Is(err, system.ErrUntouched) != c.untouched {
				t.Errorf("error %v\nwant  %s", err, want)
			}
			if got := hint.Of(err); !slices.Equal(got, []string{c.hint}) {
				t.Errorf("hints %q, want %q", got, c.hint)
			}
		})
	}
}

// With the second RRset something goes wrong: the first was changed.
func TestTroubleInBetween(t *testing.T) {
	p := newProvider(t)
	p.answer = func(r dnshook.Request, _ system.Command) (system.Result, bool, error) {
		return system.Result{Code: 4}, r.Name == "b.example.org.", nil
	}
	u := state.Update{Origin: "example.org.", Server: program, Add: []state.Record{txt("a", "1"), txt("b", "2")}}
	if err := p.client().Update(t.Context(), u); err == nil || errors.Is(err, system.ErrUntouched) {
		t.Errorf("error %v, which need not be taken back?", err)
	}
	p.answer = nil
	if err := p.client().Update(t.Context(), u.Inverse()); err != nil || len(p.served()) > 0 {
		t.Errorf("%v; it still has %v", err, p.served())
	}
}

// Whoever interrupts a run has what the hook is at ended first.
func TestInterruptEndsTheHook(t *testing.T) {
	p := newProvider(t)
	ctx, cancel := context.WithCancel(t.Context())
	p.answer = func(r dnshook.Request, _ system.Command) (system.Result, bool, error) {
		if r.Operation != dnshook.Present {
			return system.Result{}, false, nil
		}
		cancel()
		return system.Result{}, true, ctx.Err()
	}
	err := p.client().Update(ctx, state.Update{Origin: "example.org.", Server: program, Add: []state.Record{txt("a", "1")}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	run, last := p.argv[len(p.argv)-2], p.argv[len(p.argv)-1]
	name := strings.TrimPrefix(run[slices.IndexFunc(run, func(a string) bool { return strings.HasPrefix(a, "--unit=") })], "--unit=")
	if !slices.Equal(last, []string{"systemctl", "stop", name + ".service"}) || !strings.HasPrefix(name, "mailsetup-hook-change-") {
		t.Errorf("ran %q", last)
	}
}

// The program has a user of its own, and of its settings a copy that systemd makes.
func TestLeastPrivilege(t *testing.T) {
	p := newProvider(t)
	if err := p.client().Update(t.Context(), state.Update{Origin: "example.org.", Server: program, Add: []state.Record{txt("a", "1")}}); err != nil {
		t.Fatal(err)
	}
	for _, argv := range p.argv {
		if argv[0] == "systemctl" {
			continue
		}
		for _, want := range []string{"--property=DynamicUser=yes", "--property=CapabilityBoundingSet=", "--property=RuntimeMaxSec=1m0s", "--property=LoadCredential=test:" + settings, program} {
			if !slices.Contains(argv, want) {
				t.Errorf("lacks %s: %q", want, argv)
			}
		}
		if strings.Contains(strings.Join(argv, " "), "s3cret") {
			t.Errorf("shows the credential: %q", argv)
		}
	}
	p.Delete(settings)
	p.PutFile("/etc/credstore.encrypted/mailsetup.test", "…")
	if err := p.client().Update(t.Context(), state.Update{Origin: "example.org.", Server: program, Add: []state.Record{txt("b", "1")}}); err != nil {
		t.Fatal(err)
	}
	if last := p.argv[len(p.argv)-1]; !slices.Contains(last, "--property=LoadCredentialEncrypted=test:/etc/credstore.encrypted/mailsetup.test") {
		t.Errorf("ran %q", last)
	}
	p.answer = func(dnshook.Request, system.Command) (system.Result, bool, error) {
		return system.Result{Code: 1}, true, nil
	}
	err := p.client().Update(t.Context(), state.Update{Origin: "example.org.", Server: program, Add: []state.Record{txt("c", "1")}})
	if got, want := hint.Of(err), `see what it says: echo '{"version":1,"operation":"list"}' | systemd-run -q --pipe -p LoadCredentialEncrypted=test:/etc/credstore.encrypted/mailsetup.test `+program; !slices.Equal(got, []string{want}) {
		t.Errorf("hints %q, want %q", got, want)
	}
}

// A program that others could have changed is not run, nor one whose settings others read.
func TestProgramsThatAreNotRun(t *testing.T) {
	user := state.Owner{User: "joe", Group: "joe"}
	file := func(mode uint32, o state.Owner) state.Object {
		return state.Object{Kind: state.Regular, Mode: os.FileMode(mode), Owner: o}
	}
	dir := func(mode uint32, o state.Owner) state.Object {
		return state.Object{Kind: state.Directory, Mode: os.FileMode(mode), Owner: o}
	}
	const names = "--dns-hook names a program by its absolute path"
	for _, c := range []struct {
		path state.Path
		is   state.Object
		text string
		hint string
	}{
		{program, state.Object{}, program + ": the hook is not there", names},
		{program, dir(0o755, state.Root), program + ": the hook is a directory, not a program", names},
		{program, file(0o755, user), program + ": the hook belongs to joe, who could change it", "see what it does, then: chown root " + program},
		{program, file(0o775, state.Root), program + ": the hook can be changed by others than root (mode 0775)", "see what it does, then: chmod go-w " + program},
		{program, file(0o644, state.Root), program + ": the hook is not executable (mode 0644)", names}, // /etc/passwd, say
		{program, file(0o700, state.Root), program + ": the hook cannot be read and run by a user of its own (mode 0700)", "chmod 755 " + program + "; what is secret belongs into " + settings},
		{"/usr/lib/mailsetup", dir(0o777, state.Root), program + ": the hook could be replaced by others than root: /usr/lib/mailsetup belongs to root (mode 0777)", "move it to a directory where only root may write, as /usr/local/lib"},
		{"/usr/lib/mailsetup", dir(0o755, user), program + ": the hook could be replaced by others than root: /usr/lib/mailsetup belongs to joe (mode 0755)", "move it to a directory where only root may write, as /usr/local/lib"},
		{"/usr/lib/mailsetup", dir(0o700, state.Root), program + ": the hook cannot be run by a user of its own: /usr/lib/mailsetup has mode 0700", "move it to a directory that everybody may pass, as /usr/local/lib"},
		{settings, file(0o640, state.Root), settings + ": the settings of the hook can be read or changed by others than root (owner root, mode 0640)", "chown root " + settings + " && chmod 600 " + settings},
		{settings, dir(0o700, state.Root), settings + ": the settings of the hook are in a directory, not in a file", "put a file of root's there, with mode 0600"},
	} {
		p := newProvider(t)
		p.Put(c.path, c.is)
		s := &dnshook.Session{Session: &nsupdate.Session{}, Sys: p}
		_, _, err := s.Zone(t.Context(), program, nsupdate.Key{}, "example.org.")
		if err == nil || err.Error() != c.text || !hint.IsUsage(err) || !slices.Equal(hint.Of(err), []string{c.hint}) {
			t.Errorf("error %v, hints %q\nwant  %s, %q", err, hint.Of(err), c.text, c.hint)
		}
		if err := p.client().Update(t.Context(), state.Update{Origin: "example.org.", Server: program, Add: []state.Record{txt("a", "1")}}); !errors.Is(err, system.ErrUntouched) {
			t.Errorf("update: %v", err)
		}
		if len(p.requests) > 0 {
			t.Errorf("%s: it was run", c.text)
		}
	}
}

// Whoever may write where a link to the program is, or a directory above, puts another one
// there.
func TestLinksOfOthersAreNotFollowed(t *testing.T) {
	joe := state.Owner{User: "joe", Group: "joe"}
	const mine = "/home/joe/hook"
	p := newProvider(t)
	p.Put("/home/joe", state.Object{Kind: state.Directory, Mode: 0o755, Owner: joe})
	p.Put(mine, state.Object{Kind: state.Symlink, Content: []byte(program), Owner: state.Root, Mode: 0o777})
	p.Put("/usr/local/bin/mine", state.Object{Kind: state.Symlink, Content: []byte(mine), Owner: state.Root, Mode: 0o777})
	p.Put("/hooks", state.Object{Kind: state.Symlink, Content: []byte("usr/lib/mailsetup/hooks"), Owner: state.Root, Mode: 0o777})
	p.Put("/hooks/test", state.Object{Kind: state.Regular, Mode: 0o755, Owner: state.Root})
	for at, want := range map[string]string{
		mine:                  mine + ": the hook could be replaced by others than root: /home/joe belongs to joe (mode 0755)",
		"/usr/local/bin/mine": "/usr/local/bin/mine: the hook could be replaced by others than root: /home/joe belongs to joe (mode 0755)",
		"/hooks/test":         "/hooks/test: the hook is behind /hooks, a symbolic link",
	} {
		s := &dnshook.Session{Session: &nsupdate.Session{}, Sys: p}
		if _, _, err := s.Zone(t.Context(), at, nsupdate.Key{}, "example.org."); err == nil || err.Error() != want || len(p.requests) > 0 {
			t.Errorf("error %v\nwant  %s", err, want)
		}
	}
}

// A link is followed to the program.
func TestProgramBehindALink(t *testing.T) {
	p := newProvider(t)
	p.Put("/usr/local/bin/mine", state.Object{Kind: state.Symlink, Content: []byte("../../lib/mailsetup/hooks/test"), Owner: state.Root, Mode: 0o777})
	s := &dnshook.Session{Session: &nsupdate.Session{}, Sys: p}
	if origin, _, err := s.Zone(t.Context(), "/usr/local/bin/mine", nsupdate.Key{}, "example.org."); err != nil || origin != "example.org." {
		t.Errorf("%q, %v", origin, err)
	}
	p.Put(program, state.Object{Kind: state.Regular, Mode: 0o777, Owner: state.Root})
	if err := p.client().Update(t.Context(), state.Update{Origin: "example.org.", Server: "/usr/local/bin/mine"}); err == nil {
		t.Error("a program that others can change, behind a link, was run")
	}
}

// A session knows the closest zone of a name, and reads what stands at names: all that
// could be in the way, and nothing else.
func TestSession(t *testing.T) {
	p := newProvider(
		t, txt("a", "1"), txt("other", "2"), state.Record{Name: "x.example.org.", Type: "CNAME", TTL: 60, Value: "Y.example.net"},
		state.Record{Name: "sub.example.org.", Type: "NS", TTL: 60, Value: "ns.example.net."}, state.Record{Name: "example.org.", Type: "NS", TTL: 60, Value: "ns.example.net."},
		state.Record{Name: "a.example.org.", Type: "AAAA", TTL: 60, Value: "2001:DB8:0::1"},
	)
	s := &dnshook.Session{Session: &nsupdate.Session{}, Sys: p}
	for name, want := range map[string]string{"example.org.": "example.org.", "_dmarc.Example.org.": "example.org.", "a.example.net.": "example.net.", "org.": "", "myexample.org.": ""} {
		if origin, at, err := s.Zone(t.Context(), program, nsupdate.Key{}, name); err != nil || origin != want || at != program {
			t.Errorf("%s: %q at %s, %v; want %q", name, origin, at, err, want)
		}
	}
	if len(p.requests) != 1 {
		t.Errorf("asked %d times for the zones", len(p.requests))
	}
	got, err := s.Records(t.Context(), program, nsupdate.Key{}, []nsupdate.Question{
		{Name: "a.example.org.", Type: "TXT"}, {Name: "a.example.org.", Type: "AAAA"}, {Name: "x.example.org.", Type: "TXT"}, {Name: "m.sub.example.org.", Type: "A"},
	})
	want := []state.Record{
		txt("a", "1"),
		{Name: "x.example.org.", Type: "CNAME", TTL: 60, Value: "y.example.net."},
		{Name: "sub.example.org.", Type: "NS", TTL: 60, Value: "ns.example.net."},
		{Name: "a.example.org.", Type: "AAAA", TTL: 60, Value: "2001:db8::1"},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

// Records that are none are no answer; a zone file's directives least of all.
func TestRecordsThatAreNone(t *testing.T) {
	for _, v := range []string{"", "192.0.2.256", "192.0.2.1\n$INCLUDE /etc/passwd", "$INCLUDE /etc/passwd"} {
		p := newProvider(t, state.Record{Name: "a.example.org.", Type: "A", TTL: 60, Value: v})
		s := &dnshook.Session{Session: &nsupdate.Session{}, Sys: p}
		if _, _, err := s.Zone(t.Context(), program, nsupdate.Key{}, "example.org."); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Records(t.Context(), program, nsupdate.Key{}, []nsupdate.Question{{Name: "a.example.org.", Type: "A"}}); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, %v", v, got, err)
		}
	}
}
