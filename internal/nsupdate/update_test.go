package nsupdate_test

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/nsupdate"
)

const keyPath state.Path = "/etc/mailsetup/update.key"

func keyText(name, secret string) string {
	return fmt.Sprintf("// made by hand\nkey %q {\n\talgorithm hmac-sha256; # as tsig-keygen does\n\tsecret \"%s\";\n};\n", strings.TrimSuffix(name, "."), secret)
}

// updater has the key that the test's primary knows, unless another text is
// given.
func updater(text string) nsupdate.Client {
	m := systemtest.NewMem()
	m.Put(keyPath, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: []byte(text)})
	return nsupdate.Client{Files: m, Within: time.Second}
}

func goodUpdater() nsupdate.Client { return updater(keyText(testKey, testSecret)) }

func txt(name, value string) state.Record {
	return state.Record{Name: name, Type: "TXT", TTL: 3600, Value: value}
}

// longText has more than one string takes, and what has to be escaped.
var longText = "v=DKIM1; k=rsa; p=" + strings.Repeat("A", 290) + `; n="a\b" ü`

func TestUpdateAddsAndReplaces(t *testing.T) {
	p := newPrimary(t, `example.org. 300 IN TXT "v=spf1 " "mx -all"`, `example.org. 300 IN TXT "site=1"`)
	old := state.Record{Name: "example.org.", Type: "TXT", TTL: 300, Value: "v=spf1 mx -all"}
	u := state.Update{
		Origin: "example.org.", Server: p.addr, KeyFile: keyPath,
		Add: []state.Record{
			{Name: "example.org.", Type: "TXT", TTL: 300, Value: "v=spf1 mx ip4:192.0.2.10 -all"},
			{Name: "example.org.", Type: "MX", TTL: 3600, Value: "10 mail.example.org."},
			txt("s1._domainkey.example.org.", longText),
		},
		Remove:   []state.Record{old},
		Expected: []state.Record{old, {Name: "example.org.", Type: "TXT", TTL: 300, Value: "site=1"}},
	}
	if err := goodUpdater().Update(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"example.org.\t300\tIN\tTXT\t\"site=1\"",
		"example.org.\t300\tIN\tTXT\t\"v=spf1 mx ip4:192.0.2.10 -all\"",
		"example.org.\t3600\tIN\tMX\t10 mail.example.org.",
		"s1._domainkey.example.org.\t3600\tIN\tTXT\t\"v=DKIM1; k=rsa; p=" + strings.Repeat("A", 237) + "\" \"" + strings.Repeat("A", 53) + `; n=\"a\\b\" \195\188"`,
	}
	if got := p.texts(); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(p.updates) != 1 {
		t.Errorf("%d messages, want 1", len(p.updates))
	}
	prerequisites(t, p.updates[0], "1 example.org. TXT", "1 example.org. TXT", "254 example.org. CNAME",
		"254 example.org. MX", "254 s1._domainkey.example.org. CNAME", "254 s1._domainkey.example.org. TXT")

	for range 2 { // the second time there is nothing left to do
		if err := goodUpdater().Update(t.Context(), u.Inverse()); err != nil {
			t.Fatal(err)
		}
	}
	was := []string{"example.org.\t300\tIN\tTXT\t\"site=1\"", "example.org.\t300\tIN\tTXT\t\"v=spf1 mx -all\""}
	if got := p.texts(); !slices.Equal(got, was) || len(p.updates) != 2 {
		t.Errorf("after %d messages it is\n%s", len(p.updates), strings.Join(got, "\n"))
	}
}

// prerequisites compares class, name and type of each.
func prerequisites(t *testing.T, m *dns.Msg, want ...string) {
	t.Helper()
	var got []string
	for _, rr := range m.Answer {
		h := rr.Header()
		got = append(got, fmt.Sprintf("%d %s %s", h.Class, h.Name, dns.TypeToString[h.Rrtype]))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("prerequisites\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// simple adds one record where there is none.
func simple(p *primary) state.Update {
	return state.Update{Origin: "example.org.", Server: p.addr, KeyFile: keyPath, Add: []state.Record{txt("_dmarc.example.org.", "v=DMARC1; p=none")}}
}

func TestUpdateRefused(t *testing.T) {
	const theirs = `_dmarc.example.org. 3600 IN TXT "v=DMARC1; p=reject"`
	for name, tc := range map[string]struct {
		key       string
		zone      []string
		set       func(p *primary)
		change    func(u *state.Update)
		says      string
		untouched bool
	}{
		"unknown key":    {key: keyText("other.example.", testSecret), says: "does not know the key other.example (BADKEY)", untouched: true},
		"another secret": {key: keyText(testKey, "YW5vdGhlcg=="), says: "has another secret under the name update.example (BADSIG)", untouched: true},
		"somebody was faster": {
			zone: []string{theirs}, untouched: true,
			says: "the zone was changed since the plan was made: _dmarc.example.org. TXT is new there",
		},
		"somebody is faster": {untouched: true, says: "the zone was changed since the plan was made (YXRRSET)", set: func(p *primary) {
			p.before = func() { p.zone = append(p.zone, dnstest.RRs(p.t, theirs)...) }
		}},
		"an alias comes": {untouched: true, says: "the zone was changed since the plan was made (YXRRSET)", set: func(p *primary) {
			p.before = func() {
				p.zone = append(p.zone, dnstest.RRs(p.t, "_dmarc.example.org. 3600 IN CNAME d.example.net.")...)
			}
		}},
		"not allowed": {untouched: true, says: "does not let the key update.example do this (REFUSED)", set: func(p *primary) {
			p.reply = func(_ dns.ResponseWriter, r, m *dns.Msg) *dns.Msg { m.Rcode = dns.RcodeRefused; return m }
		}},
		"unsigned success": {says: "its reply is not signed", set: func(p *primary) {
			p.reply = func(_ dns.ResponseWriter, r, m *dns.Msg) *dns.Msg { return new(dns.Msg).SetReply(r) }
		}},
		"unsigned refusal": {says: "(the reply is not signed)", set: func(p *primary) {
			p.reply = func(_ dns.ResponseWriter, r, m *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(r, dns.RcodeRefused) }
		}},
		// So answer PowerDNS and Knot to a signature that they cannot check.
		"unsigned NOTAUTH": {says: "does not accept what the key update.example signed, or is not the primary of the zone (NOTAUTH) (the reply is not signed)", set: func(p *primary) {
			p.reply = func(_ dns.ResponseWriter, r, m *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(r, dns.RcodeNotAuth) }
		}},
		"success signed by others": {says: "the signature of its reply does not verify", set: func(p *primary) {
			p.reply = func(w dns.ResponseWriter, r, m *dns.Msg) *dns.Msg {
				m.Extra = nil
				m.SetTsig(testKey, dns.HmacSHA256, 300, time.Now().Unix())
				out, _, err := dns.TsigGenerate(m, "Zm9yZ2Vk", r.IsTsig().MAC, false)
				if err == nil {
					_, _ = w.Write(out)
				}
				return nil
			}
		}},
		"no answer": {says: "did not answer", set: func(p *primary) {
			p.reply = func(w dns.ResponseWriter, r, m *dns.Msg) *dns.Msg { _ = w.Close(); return nil }
		}},
		"clocks differ": {says: "ahead of this machine", set: func(p *primary) {
			p.reply = func(_ dns.ResponseWriter, r, m *dns.Msg) *dns.Msg {
				m.Rcode = dns.RcodeNotAuth
				s := m.IsTsig()
				s.Error, s.OtherLen, s.OtherData = dns.RcodeBadTime, 6, fmt.Sprintf("%012x", time.Now().Add(time.Hour).Unix())
				return m
			}
		}},
		"nobody there":    {change: func(u *state.Update) { u.Server = "127.0.0.1:1" }, says: "cannot be reached", untouched: true},
		"not the primary": {change: func(u *state.Update) { u.Add[0].Name = "example.net." }, says: "does not answer the key update.example about example.net (REFUSED)", untouched: true},
		"accepted, unseen": {says: "accepted the update, but does not serve it after 1s", set: func(p *primary) {
			was := slices.Clone(p.zone)
			p.reply = func(_ dns.ResponseWriter, r, m *dns.Msg) *dns.Msg { p.zone = was; return m }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPrimary(t, tc.zone...)
			if tc.set != nil {
				tc.set(p)
			}
			u := simple(p)
			if tc.change != nil {
				tc.change(&u)
			}
			with := goodUpdater()
			if tc.key != "" {
				with = updater(tc.key)
			}
			err := with.Update(t.Context(), u)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("error %v, want one that says %q", err, tc.says)
			}
			if is := errors.Is(err, system.ErrUntouched); is != tc.untouched {
				t.Errorf("%v: untouched is %v, want %v", err, is, tc.untouched)
			}
			if strings.Contains(fmt.Sprintf("%+v %#v", err, err), testSecret) {
				t.Errorf("shows the secret: %#v", err)
			}
		})
	}
}

// What is taken back is what is there of it; what somebody made of it stays.
func TestUpdateTakenBack(t *testing.T) {
	for name, tc := range map[string]struct {
		zone, want []string
		says       string
	}{
		"never done": {zone: []string{`a.example.org. 60 IN TXT "old"`}, want: []string{`a.example.org. 60 IN TXT "old"`}},
		"done":       {zone: []string{`a.example.org. 60 IN TXT "new"`, `b.example.org. 60 IN TXT "b"`}, want: []string{`a.example.org. 60 IN TXT "old"`}},
		"beside others": {
			zone: []string{`a.example.org. 60 IN TXT "new"`, `a.example.org. 60 IN TXT "x"`},
			want: []string{`a.example.org. 60 IN TXT "old"`, `a.example.org. 60 IN TXT "x"`},
		},
		"made into something else": {
			zone: []string{`a.example.org. 60 IN TXT "else"`, `b.example.org. 60 IN TXT "b"`},
			want: []string{`a.example.org. 60 IN TXT "else"`, `b.example.org. 60 IN TXT "b"`},
			says: "a.example.org. TXT was changed by somebody else meanwhile, and is left as it is",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPrimary(t, tc.zone...)
			u := state.Update{
				Origin: "example.org.", Server: p.addr, KeyFile: keyPath,
				Add:    []state.Record{{Name: "a.example.org.", Type: "TXT", TTL: 60, Value: "new"}, {Name: "b.example.org.", Type: "TXT", TTL: 60, Value: "b"}},
				Remove: []state.Record{{Name: "a.example.org.", Type: "TXT", TTL: 60, Value: "old"}},
			}
			err := goodUpdater().Update(t.Context(), u.Inverse())
			if tc.says == "" && err != nil || tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("error %v, want %q", err, tc.says)
			}
			var want []string
			for _, rr := range dnstest.RRs(t, tc.want...) {
				want = append(want, rr.String())
			}
			if got := p.texts(); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// Whoever takes something back does not mind that others work on the zone.
func TestUpdateTakenBackInARace(t *testing.T) {
	p := newPrimary(t, `example.org. 60 IN TXT "v=spf1 -all"`)
	p.before = func() {
		p.before = nil
		p.zone = append(p.zone, dnstest.RRs(t, `example.org. 60 IN TXT "site=1"`)...)
	}
	u := state.Update{
		Origin: "example.org.", Server: p.addr, KeyFile: keyPath,
		Add: []state.Record{{Name: "example.org.", Type: "TXT", TTL: 60, Value: "v=spf1 -all"}},
	}
	if err := goodUpdater().Update(t.Context(), u.Inverse()); err != nil {
		t.Fatal(err)
	}
	if got := p.texts(); !slices.Equal(got, []string{"example.org.\t60\tIN\tTXT\t\"site=1\""}) || len(p.updates) != 2 {
		t.Errorf("after %d messages: %q", len(p.updates), got)
	}
}

func TestReadKey(t *testing.T) {
	good := keyText(testKey, testSecret)
	put := func(path state.Path, user string, mode fs.FileMode, text string) *systemtest.Mem {
		m := systemtest.NewMem()
		m.Put(path, state.Object{Kind: state.Regular, Mode: mode, Owner: state.Owner{User: user, Group: "bind"}, Content: []byte(text)})
		return m
	}
	device := systemtest.NewMem()
	device.Put(keyPath, state.Object{Kind: state.Special, Mode: 0o600, Owner: state.Root})
	link := put("/root/k", "root", 0o600, good)
	link.Put(keyPath, state.Object{Kind: state.Symlink, Content: []byte("/root/k")})
	for name, tc := range map[string]struct {
		m    *systemtest.Mem
		at   state.Path
		says string
	}{
		"root's":             {put(keyPath, "root", 0o600, good), keyPath, ""},
		"read only":          {put(keyPath, "root", 0o400, good), keyPath, ""},
		"a link":             {link, keyPath, ""},
		"named's own":        {put(nsupdate.SessionKey, "bind", 0o600, good), nsupdate.SessionKey, ""},
		"no quotes":          {put(keyPath, "root", 0o600, "key update.example{algorithm HMAC-SHA256;secret "+testSecret+";};"), keyPath, ""},
		"bind's":             {put(keyPath, "bind", 0o600, good), keyPath, "/etc/mailsetup/update.key: the key belongs to bind"},
		"the group's":        {put(keyPath, "root", 0o640, good), keyPath, "can be read by others than root (mode 0640)"},
		"everybody's":        {put(keyPath, "root", 0o604, good), keyPath, "can be read by others than root (mode 0604)"},
		"not there":          {systemtest.NewMem(), keyPath, "the key file does not exist"},
		"no session key":     {systemtest.NewMem(), nsupdate.SessionKey, "named makes it"},
		"a K file":           {put(keyPath, "root", 0o600, "Private-key-format: v1.3\nKey: "+testSecret+"\n"), keyPath, "is not a key statement"},
		"md5":                {put(keyPath, "root", 0o600, strings.Replace(good, "sha256", "md5", 1)), keyPath, "the key's algorithm is not hmac-sha256"},
		"no base64":          {put(keyPath, "root", 0o600, strings.Replace(good, testSecret, "x"+testSecret, 1)), keyPath, "the key's secret is not base64"},
		"no algorithm":       {put(keyPath, "root", 0o600, "key a { secret "+testSecret+"; };"), keyPath, "the key has no algorithm"},
		"two keys":           {put(keyPath, "root", 0o600, good+good), keyPath, "more than one key statement"},
		"unfinished":         {put(keyPath, "root", 0o600, "key a { algorithm hmac-sha256 secret "+testSecret+"; };"), keyPath, "lacks a semicolon"},
		"a device":           {device, keyPath, "/etc/mailsetup/update.key: is a device, pipe or socket, not a file with a key"},
		"a whole named.conf": {put(keyPath, "root", 0o600, "options { directory x; };"+good), keyPath, "is not a key statement"},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := nsupdate.ReadKey(tc.m, tc.at)
			same, _ := nsupdate.ParseKey([]byte(keyText(testKey, testSecret)))
			switch {
			case tc.says == "" && (err != nil || k != same || k.Name != testKey || k.Algorithm != dns.HmacSHA256):
				t.Errorf("%v, %v", k, err)
			case tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)):
				t.Errorf("error %v, want one that says %q", err, tc.says)
			}
			// What the hint says to do leaves the file as named may need it.
			if bad := (*system.UnusableError)(nil); strings.Contains(tc.says, "read by others") || strings.Contains(tc.says, "belongs to") {
				if !errors.As(err, &bad) || bad.Hint != "name a copy that only root can read: install -m 600 /etc/mailsetup/update.key /root/update.key; --rfc2136-key /root/update.key" {
					t.Errorf("hint %+v", bad)
				}
			}
			if text := fmt.Sprintf("%v %+v %#v %v %#v", k, k, k, err, err); strings.Contains(text, testSecret) {
				t.Errorf("shows the secret: %s", text)
			}
		})
	}
}

func TestUpdaterKeepsTheContract(t *testing.T) {
	systemtest.UpdateContract(t, func(t *testing.T, records ...state.Record) systemtest.Primary {
		p := newPrimary(t)
		for _, r := range records {
			p.zone = append(p.zone, dnstest.RRs(t, fmt.Sprintf("%s %d IN TXT %q", r.Name, r.TTL, r.Value))...)
		}
		return systemtest.Primary{
			Updater: goodUpdater(), Server: p.addr, KeyFile: keyPath,
			Served: func() []state.Record {
				p.mu.Lock()
				defer p.mu.Unlock()
				return dnsclient.FromRRs(p.zone[2:])
			},
		}
	})
}

// Whatever a key file holds, no word of it is repeated but the name.
func FuzzParseKey(f *testing.F) {
	f.Add(keyText(testKey, testSecret))
	f.Add("key a { algorithm hmac-sha256; secret \"" + testSecret + "\" };")
	f.Add("/* key */ key \"a { ; //")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := nsupdate.ParseKey([]byte(strings.ReplaceAll(text, "SECRET", testSecret)))
		if said := fmt.Sprintf("%v %+v %#v %v", k, k, k, err); strings.Contains(said, testSecret) && !strings.Contains(k.Name, strings.ToLower(testSecret)) {
			t.Errorf("shows the secret: %s", said)
		}
		if none, _ := nsupdate.ParseKey([]byte("key a { algorithm hmac-sha256; };")); err == nil && (k.Name == "" || k == none) {
			t.Errorf("accepted without a name or secret: %#v", k)
		}
	})
}
