package dnshook_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/dnshook"
)

const python = "/usr/bin/python3"

// shipped is a hook that comes with mailsetup, and a provider for it.
type shipped struct {
	t        *testing.T
	name     string
	settings string // JSON
	*service
}

// needsPython skips a test where the hooks cannot be run; make test installs what they need
// where it may.
func needsPython(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(python); err != nil {
		t.Skip("the hooks need " + python)
	}
}

// theHooks are the hooks for APIs. What names a place of its own is for tests.
func theHooks(t *testing.T) map[string]shipped {
	t.Helper()
	needsPython(t)
	all := map[string]shipped{}
	for name, c := range map[string]struct {
		credential, key string
		answer          func(*service, http.ResponseWriter, *http.Request)
	}{
		"powerdns": {"X-API-Key: " + token, "key", powerDNS},
		"desec":    {"Authorization: Token " + token, "token", desec},
		"hetzner":  {"Authorization: Bearer " + token, "token", hetzner},
	} {
		s := serve(t, c.credential, c.answer)
		all[name] = shipped{t, name, fmt.Sprintf(`{"url": %q, %q: %q}`, s.URL, c.key, token), s}
	}
	return all
}

// ask runs the hook.
func (h shipped) ask(request string) (out, said string, code int) {
	h.t.Helper()
	return runHook(h.t, h.name, h.settings, []byte(request))
}

func runHook(t *testing.T, name, settings string, request []byte) (out, said string, code int) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-B", filepath.Join("..", "..", "contrib", "hooks", name))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "CREDENTIALS_DIRECTORY=" + dir, "LANG=C.UTF-8"}
	cmd.Stdin = bytes.NewReader(request)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// change is a request that adds a value to a TXT RRset.
func change(name string, ttl int, expected []string, add string) string {
	values := append(slices.Clone(expected), add)
	r := dnshook.Request{Version: 1, Operation: dnshook.Present, Zone: "example.org.", Name: name, Type: "TXT", TTL: new(uint32(ttl)), Values: values, Expected: expected, Add: []string{add}, Delete: []string{}}
	text, _ := json.Marshal(r)
	return string(text)
}

// Each hook finds all zones and RRsets on all pages, and changes just one of them, in which
// what others put there stays as it is, to the octet.
func TestHooks(t *testing.T) {
	long := strings.Repeat("k", 300)
	for name, h := range theHooks(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h.t = t
			foreign := `"of others" " in two" "\200\"\\"`
			if name == "powerdns" {
				foreign += " | #\"disabled\""
			} else if name == "hetzner" {
				foreign += " ; a comment"
			}
			h.sets = []stored{
				{"", "NS", 86400, []string{"ns.example.net."}},
				{"a", "A", 3600, []string{"192.0.2.1"}},
				{"b", "MX", 3600, []string{"10 mx.example.org."}},
				{"c", "TXT", 3600, strings.Split(foreign, " | ")},
				{"d", "AAAA", 3600, []string{"2001:db8::1"}},
			}
			before := fmt.Sprint(h.sets[:3], h.sets[4:])

			out, said, code := h.ask(`{"version":1,"operation":"list"}`)
			valid(t, out)
			zones := map[string]string{"powerdns": `["example.org."]`, "desec": `["a.org.", "b.org.", "c.org.", "d.org.", "example.org."]`, "hetzner": `["a.org.", "c.org.", "d.org.", "example.org."]`}[name]
			if code != 0 || out != `{"version": 1, "zones": `+zones+"}\n" {
				t.Errorf("exit %d: %s%s", code, out, said)
			}
			out, said, code = h.ask(`{"version":1,"operation":"list","zone":"example.org.","names":["example.org.","b.example.org.","c.example.org.","nobody.example.org."]}`)
			valid(t, out)
			if want := `{"version": 1, "rrsets": [{"name": "b.example.org.", "type": "MX", "ttl": 3600, "values": ["10 mx.example.org."]}, ` +
				`{"name": "c.example.org.", "type": "TXT", "ttl": 3600, "values": ["of others in two\\200\\\"\\\\"]}, ` +
				`{"name": "example.org.", "type": "NS", "ttl": 86400, "values": ["ns.example.net."]}]}` + "\n"; code != 0 || out != want {
				t.Errorf("exit %d: %s%s\nwant %s", code, out, said, want)
			}

			if out, said, code = h.ask(change("new._domainkey.example.org.", 3600, []string{}, long)); code != 0 {
				t.Errorf("exit %d: %s%s", code, out, said)
			}
			if got, want := h.get("new._domainkey", "TXT"), `3600 "`+long[:255]+`" "`+long[:45]+`"`; got != want {
				t.Errorf("%s\nwant %s", got, want)
			}
			const there = `of others in two\200\"\\`
			if out, said, code = h.ask(change("c.example.org.", 7200, []string{there}, "v=spf1 -all")); code != 0 {
				t.Errorf("exit %d: %s%s", code, out, said)
			}
			first, rest, more := strings.Cut(foreign, " | ")
			want := "7200 " + first + ` | "v=spf1 -all"`
			if more {
				want += " | " + rest
			}
			if got := h.get("c", "TXT"); got != want {
				t.Errorf("%s\nwant %s", got, want)
			}
			if out, said, code = h.ask(change("c.example.org.", 7200, []string{there}, "v=spf1 +all")); code != 3 || said != "c.example.org. TXT was changed by somebody else: it has 2 values, none of them was touched\n" {
				t.Errorf("exit %d: %s%s", code, out, said)
			}
			if out, said, code = h.ask(`{"version":1,"operation":"remove","zone":"example.org.","name":"new._domainkey.example.org.","type":"TXT","values":[],"expected":["` + long + `"],"add":[],"delete":["` + long + `"]}`); code != 0 || h.get("new._domainkey", "TXT") != "" {
				t.Errorf("exit %d: %s%s", code, out, said)
			}
			h.put(stored{name: "c", kind: "TXT"})
			if after := fmt.Sprint(h.sets[:3], h.sets[3:]); after != before {
				t.Errorf("the others are\n%s\nwere\n%s", after, before)
			}
		})
	}
}

// With exit codes from 2 to 5 nothing was changed, which mailsetup relies on: whatever goes wrong
// later is another one.
func TestHookThatChangedSomethingSaysSo(t *testing.T) {
	h := theHooks(t)["hetzner"]
	for fails, want := range map[string]struct {
		code  int
		there string
	}{
		"POST /rrsets/a/TXT/actions/set_records": {4, `60 "x"`},
		"POST /rrsets/a/TXT/actions/change_ttl":  {1, `60 "x" | "y"`},
		"GET /actions/7":                         {1, `60 "x" | "y"`},
	} {
		h.mu.Lock()
		h.sets, h.fails = []stored{{"a", "TXT", 60, []string{`"x"`}}}, fails
		h.mu.Unlock()
		_, said, code := h.ask(change("a.example.org.", 120, []string{"x"}, "y"))
		if got := h.get("a", "TXT"); code != want.code || got != want.there || !strings.Contains(said, " answers 503: ") {
			t.Errorf("%s: exit %d, want %d: %s%s, want %s", fails, code, want.code, said, got, want.there)
		}
	}
}

// A credential that cannot be one is in no message: those of Python and of nsupdate(1) would
// show it.
func TestHooksDoNotShowCredentials(t *testing.T) {
	needsPython(t)
	const secret = "c2VjcmV0c2VjcmV0c2VjcmV0"
	for name, settings := range map[string]string{
		"powerdns": `{"url": "http://127.0.0.1:1", "key": "` + secret + `\n"}`,
		"desec":    `{"token": "` + secret + `…"}`,
		"nsupdate": `{"server": "127.0.0.1", "port": 1, "zones": ["example.org"], "key": {"name": "k", "algorithm": "hmac-sha256", "secret": "` + secret + `!"}}`,
	} {
		_, said, code := runHook(t, name, settings, []byte(`{"version":1,"operation":"list","zone":"example.org.","names":["example.org."]}`))
		if code != 2 || strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "the ") || strings.Contains(said, secret[:8]) {
			t.Errorf("%s: exit %d: %s", name, code, said)
		}
	}
}

// What a provider refuses has its exit code and one line, without the credential.
func TestHooksInTrouble(t *testing.T) {
	for name, h := range theHooks(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h.t = t
			host := strings.TrimPrefix(h.URL, "http://")
			wrong := h
			wrong.settings = strings.Replace(h.settings, token, "wr0ng-wr0ng", 1)
			gone := h
			gone.settings = strings.Replace(h.settings, h.URL, "http://127.0.0.1:1", 1)
			clear := h
			clear.settings = strings.Replace(h.settings, h.URL, "http://127.0.0.1.example.net", 1)
			empty := h
			empty.settings = `{}`
			const list = `{"version":1,"operation":"list","zone":"example.org.","names":[]}`
			for _, c := range []struct {
				h       shipped
				busy    []int
				request string
				code    int
				says    string
			}{
				{wrong, nil, list, 5, host + ` answers 401: {"error":{"code":"unauthorized","message":"unable to authenticate"}}`},
				{gone, nil, list, 4, "127.0.0.1:1: [Errno 111] Connection refused"},
				{h, nil, strings.Replace(list, "org", "net", 1), 2, host + " answers 404: "},
				{h, []int{1}, list, 0, ""},
				{h, []int{900}, list, 4, host + ` answers 429: {"detail":"Request was throttled."}`},
				// What follows is the same in all of them.
				{clear, nil, list, 2, "the url is neither https nor on this machine: the credential could be read on its way"},
				{empty, nil, list, 2, "the settings have no url, key"},
				{h, nil, `{"version":2}`, 2, "the request has another version than 1"},
				{h, nil, `{"version":1,"operation":"drop"}`, 2, "nobody knows the operation 'drop'"},
				{h, nil, `nonsense`, 1, "what came is not as described: JSONDecodeError Expecting value: line 1 column 1 (char 0)"},
			}[:map[string]int{"powerdns": 10, "desec": 5, "hetzner": 5}[name]] {
				h.mu.Lock()
				h.busy = c.busy
				h.mu.Unlock()
				out, said, code := c.h.ask(c.request)
				if code != c.code || !strings.HasPrefix(said, c.says) || strings.Count(said, "\n") != min(1, len(c.says)) || strings.Contains(said, "0ng-") || strings.Contains(said, token) {
					t.Errorf("%s: exit %d: %s%s\nwant %d: %s", c.request, code, out, said, c.code, c.says)
				}
			}
			short := map[string]string{"desec": `answers 400: [{"ttl":["Ensure this value is greater than or equal to 3600."]}]`, "hetzner": `answers 422: {"error":{"code":"invalid_input","message":"invalid input in field 'ttl'"}}`}[name]
			if _, said, code := h.ask(change("x.example.org.", 5, []string{}, "x")); short != "" && (code != 2 || said != host+" "+short+"\n") {
				t.Errorf("exit %d: %s", code, said)
			}
		})
	}
}
